"""How a text file is written: headers, delimiters, encodings and suffixes, stated or refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.text_form import DELIMITERS, TextForm
from crypto.errors import InvalidInputError

ROWS = [
    ("c1", "milk", "2024-03-01"),
    ("c1", 'tea "green"', "2024-03-02"),
    ("c2", "café", "2024-03-01"),
]
BARE = Columns(shopper="1", item="2", time="3")
NAMED = Columns(shopper="u", item="i", time="t")


def read(
    tmp_path: Path,
    text: str,
    name: str,
    columns: Columns = BARE,
    *,
    written: str = "utf-8",
    **form: object,
) -> Purchases:
    path = tmp_path / name
    path.write_bytes(text.encode(written))
    stated = TextForm(**{"header": False, **form})  # type: ignore[arg-type]
    return read_purchases(Source(files=(path,), form=stated), columns)


def joined(delimiter: str) -> str:
    return "".join(delimiter.join(row) + "\n" for row in ROWS)


def refused(tmp_path: Path, text: str, name: str, columns: Columns = BARE, **form: object) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, text, name, columns, **form)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        *((f"a{suffix}", None) for suffix in (".data", ".rating", ".item", ".dat")),
        ("a.log", "::"),
        ("a.log", "|"),
        ("a.csv", "::"),
        ("nothing", " | "),
        ("a.7z", "tab"),
    ],
)
def test_fields_stand_between_what_was_stated_or_the_suffix_says(
    tmp_path: Path, name: str, delimiter: str | None
) -> None:
    between = delimiter or DELIMITERS[Path(name).suffix]
    text = joined("\t" if between == "tab" else between)
    found = read(tmp_path, text, name, delimiter=delimiter)
    assert found.events.item.tolist() == [item for _, item, _ in ROWS]


def test_quotes_mean_something_in_csv_alone(tmp_path: Path) -> None:
    text = 'c1,"milk, 1 l",2024-03-01\n'
    assert read(tmp_path, text, "a.csv").events.item.tolist() == ["milk, 1 l"]
    assert "4 fields; expected 3" in refused(
        tmp_path, "c1::tea::2024-03-01\n" + text.replace(",", "::"), "a.dat"
    )


def test_columns_without_a_header_go_by_number(tmp_path: Path) -> None:
    found = read(tmp_path, joined(","), "a.txt")
    assert len(found.events) == len(ROWS)
    said = refused(tmp_path, joined(","), "a.txt", NAMED)
    assert "no column 'u'" in said
    assert "It has '1', '2', '3'. A file without a header has its columns named by number" in said


def test_a_first_line_of_data_is_not_taken_for_a_header(tmp_path: Path) -> None:
    text = "1::1193::5::978300760\n1::661::3::978302109\n"
    columns = Columns(shopper="1", item="2", time="4")
    assert "give --no-header" in refused(tmp_path, text, "a.dat", columns, header=True)
    assert "give --no-header" in refused(
        tmp_path, text.replace("1193", "1"), "a.dat", columns, header=True
    )


def test_one_column_is_the_wrong_delimiter(tmp_path: Path) -> None:
    assert "with --delimiter" in refused(tmp_path, joined(";"), "a.csv")
    assert "with --delimiter" in refused(tmp_path, "u;i;t\n", "a.csv", NAMED, header=True)


def test_a_header_taken_for_data_is_a_bad_line(tmp_path: Path) -> None:
    said = refused(tmp_path, "u,i,t\n" + joined(","), "a.csv")
    assert "line 1: column '3' is 't'; expected an ISO 8601 date" in said


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_other_encodings_are_read_when_they_are_named(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, joined("::"), "a.dat", written=encoding, encoding=encoding)
    assert found.events.item.tolist() == [item for _, item, _ in ROWS]


@pytest.mark.parametrize(
    ("written", "stated"), [("gb18030", "gb18030"), ("utf-8-sig", "utf-8"), ("big5", "big5")]
)
def test_chinese_files_are_read(tmp_path: Path, written: str, stated: str) -> None:
    text = "人,商品,日期\nc1,牛奶,2024-03-01\n"
    columns = Columns(shopper="人", item="商品", time="日期")
    found = read(tmp_path, text, "a.csv", columns, written=written, encoding=stated, header=True)
    assert found.events.item.tolist() == ["牛奶"]


def test_the_wrong_encoding_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(joined("::").encode("latin-1"))
    with pytest.raises(InvalidInputError, match=r"line 3: byte 0xe9 .* is not UTF-8.*latin-1"):
        read_purchases(Source(files=(path,), form=TextForm(header=False)), BARE)


@pytest.mark.parametrize("encoding", ["klingon", "utf-16", "utf-7", "hex", "idna", "", "a\0b"])
def test_encodings_that_do_not_write_ascii_as_it_is_are_refused(encoding: str) -> None:
    with pytest.raises(InvalidInputError, match="Unknown encoding"):
        TextForm(encoding=encoding)


@pytest.mark.parametrize("delimiter", ["", '"', "a\nb", ";;;;;;;;;", "\0"])
def test_delimiters_that_can_not_be_are_refused(delimiter: str) -> None:
    with pytest.raises(InvalidInputError, match="1 to 8 characters"):
        TextForm(delimiter=delimiter)


def test_forms_belong_to_text(tmp_path: Path) -> None:
    assert "belongs to a text file" in refused(tmp_path, "[]", "a.json", header=False)
    assert "unpack it first" in refused(tmp_path, "PK", "ml-1m.zip")
    assert "say with --delimiter" in refused(tmp_path, "x", "a.xlsx")
    assert "131,072" in refused(tmp_path, "x" * 200_000, "a.dat")


CELLS = st.text(
    st.characters(codec="latin-1", exclude_characters=":\r\n\0\x85\x1c\x1d\x1e\x0b\x0c\xa0"),
    min_size=1,
    max_size=8,
).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_whatever_stands_between_two_colons_comes_back(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "".join(f"{u}::{i}::2024-03-01\n" for u, i in rows)
    ignored = Columns(shopper="1", item="2", time="3", ignored=frozenset({"-1"}))
    kept = sorted((u.strip(), i.strip()) for u, i in rows if i.strip() != "-1")
    if not kept:
        return
    found = read(
        tmp_path_factory.mktemp("x"), text, "a.dat", ignored, written="latin-1", encoding="latin-1"
    )
    pairs = zip(found.events.shopper, found.events.item, strict=True)
    assert sorted(pairs) == kept
