"""Columns of a table of items: one-hot, years, decades, bands, and a table in any form."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.importers.item_columns import ItemColumns
from client.importers.item_table import ItemTable, read_item_table
from client.importers.made_values import MOST_BANDS, made_values, year_of
from client.importers.text_form import TextForm
from crypto.errors import InvalidInputError

FLAGS = (
    "id,Action,Comedy,Drama,title\n1,1,0,1,Heat (1995)\n2,0,0,0,Été (2001)\n3,x,false,,Untitled\n"
)


def table(
    tmp_path: Path, text: str, columns: str, name: str = "a.csv", form: TextForm | None = None
) -> ItemTable:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1" if form else "utf-8"))
    return read_item_table(path, ItemColumns.parse(columns), form=form)


def told(found: ItemTable, part: str) -> dict[str, tuple[str, ...]]:
    return {item: values[part] for item, values in found.values.items()}


def test_a_column_for_each_value(tmp_path: Path) -> None:
    found = table(tmp_path, FLAGS, "item=id,genre=Action..Drama")
    assert told(found, "genre") == {"1": ("Action", "Drama"), "2": (), "3": ("Action",)}
    named = table(tmp_path, FLAGS, "item=id,genre=Action..Drama:fights|jokes|tears")
    assert told(named, "genre")["1"] == ("fights", "tears")


def test_a_film_list_between_bars_in_latin_1(tmp_path: Path) -> None:
    text = "1|Été (1995)|01-Jan-1995||http://x|0|1|0\n2|unknown||||1|0|0\n"
    form = TextForm(header=False, encoding="latin-1")
    columns = "item=1,genre=6..8:unknown|Action|War,decade=decade(3)"
    found = table(tmp_path, text, columns, "u.item", form)
    assert told(found, "genre") == {"1": ("Action",), "2": ("unknown",)}
    assert told(found, "decade") == {"1": ("1990s",), "2": ()}
    numbered = table(tmp_path, text, "item=1,genre=6..8", "u.item", form)
    assert told(numbered, "genre") == {"1": ("column 7",), "2": ("column 6",)}


def test_years_and_decades_of_titles(tmp_path: Path) -> None:
    found = table(tmp_path, FLAGS, "item=id,year=year(title),decade=decade(title)")
    assert told(found, "year") == {"1": ("1995",), "2": ("2001",), "3": ()}
    assert told(found, "decade") == {"1": ("1990s",), "2": ("2000s",), "3": ()}


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Heat (1995)", 1995),
        ("2001: A Space Odyssey (1968)", 1968),
        ("1984", 1984),
        ("1984.0", 1984),
        ("1995-12-15", 1995),
        ("1995-12-15T10:00", 1995),
        ("15-Dec-1995", 1995),
        ("12/15/1995", 1995),
        ("15.12.1995", 1995),
        (" Heat (1995) ", 1995),
        ("Blade Runner 2049", None),
        ("Heat (95)", None),
        ("(1700)", None),
        ("Heat (1995) (V)", None),
        ("", None),
    ],
)
def test_what_a_year_is(text: str, year: int | None) -> None:
    assert year_of(text) == year


@given(st.text())
def test_no_text_is_taken_for_a_year_out_of_bounds(text: str) -> None:
    year = year_of(text)
    assert year is None or (1800 <= year <= 2100 and str(year) in text)


@given(st.dictionaries(st.text(), st.floats(0, 1e6).map(lambda n: (f"{n!r}",)), min_size=1))
def test_bands_hold_every_number_in_its_order(cells: dict[str, tuple[str, ...]]) -> None:
    found = made_values(cells, "bands")
    assert found.keys() == cells.keys()
    assert len(set(found.values())) <= MOST_BANDS
    numbers = {item: float(text) for item, (text,) in cells.items()}
    for item, (band,) in found.items():
        low, _, high = band.partition(" to ")
        assert float(low) <= numbers[item] <= float(high or low)
    inside: dict[tuple[str, ...], list[float]] = {}
    for item, number in numbers.items():
        inside.setdefault(found[item], []).append(number)
    ordered = sorted(inside.values())
    assert all(max(one) < min(two) for one, two in pairwise(ordered))


def test_bands_are_of_as_many_items_each_and_leave_gaps_alone() -> None:
    cells = {str(n): (str(n),) for n in range(10)} | {"?": (), "x": ("dear",), "y": ("nan",)}
    found = made_values(cells, "bands")
    assert [found[str(n)] for n in range(4)] == [("0 to 1",)] * 2 + [("2 to 3",)] * 2
    assert found["?"] == found["x"] == found["y"] == ()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("item=id,genre=Drama..Action", "stands before"),
        ("item=id,genre=Action..War", r"no column 'War'.*It has 'id', 'Action'"),
        ("item=id,genre=Action..Drama:a|b", "2 names of values for 3 columns"),
        ("item=id,genre=Action..title", "line 2: column 'genre' is '1'; expected 1 or 0"),
        ("item=id,year=year(Action)", "no item has a year for 'year'; the first is '1'"),
        ("item=id,price=bands(title)", "no item has a bands for 'price'"),
        ("item=id,year=year(titel)", r"no column 'titel' \(did you mean 'title'\?\)"),
        ("item=id..title", "the item is one column"),
        ("item=year(title)", "the item is one column"),
    ],
)
def test_columns_that_do_not_fit_are_explained(tmp_path: Path, columns: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        table(tmp_path, FLAGS, columns)


def test_another_encoding_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_bytes("1::Été (1995)::Drama\n".encode("latin-1"))
    with pytest.raises(InvalidInputError, match=r"line 1: byte 0xc9 .* such as latin-1"):
        read_item_table(
            tmp_path / "movies.dat", ItemColumns.parse("item=1"), form=TextForm(header=False)
        )
