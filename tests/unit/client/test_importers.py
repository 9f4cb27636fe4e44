"""Whole files: two shops' layouts, CSV and Parquet alike, and every way a file can be broken."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.text_form import TextForm
from consent.events import Events
from crypto.errors import InvalidInputError

RETAIL = Columns(
    shopper="CustomerID",
    item="StockCode",
    time="InvoiceDate",
    basket="InvoiceNo",
    quantity="Quantity",
    price="UnitPrice",
    category="Description",
)
RETAIL_TEXT = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536366,22633,"HAND WARMER, UNION JACK",6,2010-12-01 08:28:00,1.85,17850,United Kingdom
536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,0,2010-12-01 08:26:00,,17850,United Kingdom
536370,22728,ALARM CLOCK,24,2010-12-01 08:45:00,3.75,12583,France
"""
LOYALTY = Columns(shopper="card", item="article", time="day", store="branch", category="aisle")
LOYALTY_TEXT = """\
card;branch;article;aisle;day
c2;north;milk;dairy;2023-05-02
c1;;tea;;2023-05-03
c1;south;milk;dairy;2023-05-01
c1;south;bread;bakery;2023-05-01
c2;north;tea;drinks;2023-05-02
"""


def _write(tmp_path: Path, text: str | bytes, name: str = "shop.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _apart(path: Path, delimiter: str | None) -> Source:
    return Source(files=(path,), form=TextForm(delimiter=delimiter))


def _fails(path: Path, columns: Columns = RETAIL, delimiter: str | None = None) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read_purchases(_apart(path, delimiter), columns)
    return str(caught.value)


def _same(left: Events, right: Events) -> None:
    for name in vars(left):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


def test_a_retail_export(tmp_path: Path) -> None:
    read = read_purchases(_write(tmp_path, RETAIL_TEXT), RETAIL)
    events = read.events
    assert events.shopper.tolist() == ["12583", "17850", "17850", "17850"]
    assert events.item.tolist() == ["22728", "85123A", "71053", "22633"]
    assert events.basket.tolist() == ["536370", "536365", "536365", "536366"]
    assert events.quantity.tolist() == [24.0, 6.0, 0.0, 6.0]
    assert events.price[1] == 2.55
    assert math.isnan(events.price[2])
    assert events.store.tolist() == [""] * 4
    assert np.datetime64(int(events.time[3]), "s") == np.datetime64("2010-12-01T08:28:00")
    assert read.catalogue.items == ("22633", "22728", "71053", "85123A")
    assert read.catalogue.categories[0] == "HAND WARMER, UNION JACK"
    assert read.catalogue.level == "item"
    assert read.catalogue.indices(events.item).tolist() == [1, 3, 2, 0]


def test_a_loyalty_export_without_baskets(tmp_path: Path) -> None:
    read = read_purchases(_apart(_write(tmp_path, LOYALTY_TEXT), ";"), LOYALTY)
    events = read.events
    assert events.basket.tolist() == [
        "c1/2023-05-01",
        "c1/2023-05-01",
        "c1/2023-05-03",
        "c2/2023-05-02",
        "c2/2023-05-02",
    ]
    assert events.item.tolist() == ["milk", "bread", "tea", "milk", "tea"]
    assert events.store.tolist() == ["south", "south", "", "north", "north"]
    assert events.quantity.tolist() == [1.0] * 5
    assert np.isnan(events.price).all()
    assert dict(zip(read.catalogue.items, read.catalogue.categories, strict=True)) == {
        "bread": "bakery",
        "milk": "dairy",
        "tea": "drinks",
    }


def _as_parquet(csv_path: Path, delimiter: str) -> Path:
    table = pacsv.read_csv(csv_path, parse_options=pacsv.ParseOptions(delimiter=delimiter))
    path = csv_path.with_suffix(".parquet")
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize(
    ("text", "columns", "delimiter"), [(RETAIL_TEXT, RETAIL, ","), (LOYALTY_TEXT, LOYALTY, ";")]
)
def test_parquet_with_its_own_types_gives_the_same(
    tmp_path: Path, text: str, columns: Columns, delimiter: str
) -> None:
    path = _write(tmp_path, text)
    parquet = _as_parquet(path, delimiter)
    assert any(not pa.types.is_string(kind) for kind in pq.read_schema(parquet).types)
    from_csv = read_purchases(_apart(path, delimiter), columns)
    from_parquet = read_purchases(parquet, columns)
    _same(from_csv.events, from_parquet.events)
    assert from_csv.catalogue == from_parquet.catalogue


def _parquet_of(tmp_path: Path, **changed: pa.Array) -> Purchases:
    arrays = {"u": pa.array(["a", "b"]), "i": pa.array(["x", "y"]), "t": pa.array([10**9] * 2)}
    pq.write_table(pa.table(arrays | changed), tmp_path / "t.parquet")
    quantity = "q" if "q" in changed else None
    columns = Columns(shopper="u", item="i", time="t", quantity=quantity)
    return read_purchases(tmp_path / "t.parquet", columns)


def test_parquet_zones_keep_the_shops_hour(tmp_path: Path) -> None:
    times = pa.array([1_500_000_000_123_456_789] * 2, pa.timestamp("ns", tz="America/New_York"))
    read = _parquet_of(tmp_path, t=times)
    assert np.datetime64(int(read.events.time[0]), "s") == np.datetime64("2017-07-13T22:40:00")


def test_parquet_ids_kept_as_floats_read_as_whole_numbers(tmp_path: Path) -> None:
    read = _parquet_of(tmp_path, u=pa.array([17850.0, 12583.0]), t=pa.array([10**9] * 2))
    assert read.events.shopper.tolist() == ["12583", "17850"]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_parquet_gaps_are_bad_values(tmp_path: Path, missing: float | None) -> None:
    with pytest.raises(InvalidInputError, match=r"line 2: column 'u' is ''"):
        _parquet_of(tmp_path, u=pa.array([1.0, missing], pa.float64()))


def test_parquet_lists_are_no_columns(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'q' of type list"):
        _parquet_of(tmp_path, q=pa.array([[1.0], [2.0]]))


def test_a_byte_order_mark_and_other_line_ends_are_taken(tmp_path: Path) -> None:
    plain = read_purchases(_write(tmp_path, RETAIL_TEXT), RETAIL)
    marked = b"\xef\xbb\xbf" + RETAIL_TEXT.replace("\n", "\r\n").encode() + b"\r\n"
    windows = read_purchases(_write(tmp_path, marked), RETAIL)
    _same(plain.events, windows.events)


def test_a_tab_separated_file_needs_no_option(tmp_path: Path) -> None:
    path = _write(tmp_path, LOYALTY_TEXT.replace(";", "\t"), "shop.tsv")
    assert len(read_purchases(path, LOYALTY).events) == 5


def test_basket_numbers_that_begin_anew_for_each_shopper_stay_apart(tmp_path: Path) -> None:
    path = _write(tmp_path, "u,i,t,b\nann,x,2020-01-01,1\nben,x,2020-01-01,1\n")
    read = read_purchases(path, Columns(shopper="u", item="i", time="t", basket="b"))
    assert read.events.basket.tolist() == ["ann/1", "ben/1"]


def test_an_items_category_is_the_one_most_lines_name(tmp_path: Path) -> None:
    lines = [("x", ""), ("x", ""), ("x", "b"), ("x", "a"), ("y", "d"), ("y", "c"), ("y", "d")]
    text = "u,i,t,c\n" + "".join(f"ann,{i},2020-01-01,{c}\n" for i, c in lines)
    columns = Columns(shopper="u", item="i", time="t", category="c")
    assert read_purchases(_write(tmp_path, text), columns).catalogue.categories == ("a", "d")


def test_missing_columns_are_listed_with_the_nearest_name(tmp_path: Path) -> None:
    columns = Columns(shopper="customerid", item="StokCode", time="zzz")
    said = _fails(_write(tmp_path, RETAIL_TEXT), columns)
    assert "no column 'customerid' (did you mean 'CustomerID'?)" in said
    assert "no column 'StokCode' (did you mean 'StockCode'?)" in said
    assert "no column 'zzz'. It has 'InvoiceNo', 'StockCode'" in said


def test_the_wrong_delimiter_is_guessed_at(tmp_path: Path) -> None:
    assert "--delimiter" in _fails(_write(tmp_path, LOYALTY_TEXT), LOYALTY)
    assert "1 to 8 characters" in _fails(_write(tmp_path, LOYALTY_TEXT), LOYALTY, delimiter="")


def test_columns_that_are_not_used_may_be_called_alike(tmp_path: Path) -> None:
    path = _write(tmp_path, ",u,i,t,,\n0,ann,x,2020-01-01,,\n")
    assert len(read_purchases(path, Columns(shopper="u", item="i", time="t")).events) == 1


def test_a_bad_line_is_named_with_all_its_bad_values(tmp_path: Path) -> None:
    text = RETAIL_TEXT.replace("24,2010-12-01 08:45:00,3.75,12583", "-24,01/12/10,3.75,")
    said = _fails(_write(tmp_path, text))
    assert said.startswith("shop.csv: 1 bad line; nothing was imported.")
    assert "line 5: column 'CustomerID' is ''; expected text" in said
    assert "line 5: column 'InvoiceDate' is '01/12/10'; expected an ISO 8601 date" in said
    assert "line 5: column 'Quantity' is '-24'; expected a number from 0" in said
    assert "line 4" not in said


def test_a_line_after_a_quoted_line_break_keeps_its_number(tmp_path: Path) -> None:
    text = 'u,i,t\nann,"x\ny",2020-01-01\n\nann,x,soon\n'
    said = _fails(_write(tmp_path, text), Columns(shopper="u", item="i", time="t"))
    assert "line 5: column 't' is 'soon'" in said


def test_only_the_first_twenty_bad_lines_are_shown(tmp_path: Path) -> None:
    text = "u,i,t\n" + "ann,x,soon\n" * 500
    said = _fails(_write(tmp_path, text), Columns(shopper="u", item="i", time="t"))
    assert "at least 20 bad lines" in said
    assert said.count("\n") == 20
    assert "line 21:" in said
    assert "line 22:" not in said


def test_ragged_lines_are_bad_lines(tmp_path: Path) -> None:
    text = "u,i,t\nann,x\nann,x,2020-01-01,more\n"
    said = _fails(_write(tmp_path, text), Columns(shopper="u", item="i", time="t"))
    assert "line 2: 2 fields; expected 3" in said
    assert "line 3: 4 fields; expected 3" in said


def test_bad_lines_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    text = "u,i,t\n" + "ann,x,soon\n,,\n" * 30 + "ann,x,2020-01-01\n"
    columns = Columns(shopper="u", item="i", time="t")
    read = read_purchases(_write(tmp_path, text), columns, skip_bad=True)
    assert len(read.events) == 1
    assert read.skipped == 60
    assert len({problem.split(":")[0] for problem in read.problems}) == 20


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"u,i,t\n", "no usable line"),
        (b"u,i,t,i\nann,x,2020-01-01,y\n", "names 'i' more than once"),
        (b"u,i,t\nann,caf\xe9,2020-01-01\n", "line 2: byte 0xe9 at position 8 is not UTF-8"),
        (b"u,i,t\nann,x\0y,2020-01-01\n", "line 2: has a NUL byte"),
        ("u,i,t\nann,x,2020-01-01\n".encode("utf-16"), "is UTF-16"),
        (b'u,i,t\nann,"x,2020-01-01\n', "line 2: not well-formed CSV"),
        (b'u,i,t\nann,"x"y,2020-01-01\n', "line 2: not well-formed CSV"),
        (b"u,i,t\nann," + b"x" * 200_000 + b",2020-01-01\n", "line 2: not well-formed CSV"),
        (b"u,i,t\nann,x,1960-01-01\n", "1970 to 2100"),
        (b"u,i,t\nann,x,2200-01-01\n", "1970 to 2100"),
    ],
)
def test_broken_files_are_explained(tmp_path: Path, content: bytes, said: str) -> None:
    columns = Columns(shopper="u", item="i", time="t")
    assert said in _fails(_write(tmp_path, content), columns)


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    assert "ends in none of .csv" in _fails(_write(tmp_path, "x", "shop.xlsx"))
    assert "is not a Parquet file" in _fails(_write(tmp_path, "x" * 99, "shop.parquet"))
    assert "There is no file" in _fails(tmp_path / "none.csv")


def test_a_damaged_parquet_file_is_said(tmp_path: Path) -> None:
    path = _as_parquet(_write(tmp_path, RETAIL_TEXT), ",")
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    assert "damaged" in _fails(path)


@pytest.mark.parametrize("parquet", [False, True])
def test_progress_reaches_the_end(tmp_path: Path, parquet: bool) -> None:
    path = _write(tmp_path, RETAIL_TEXT)
    seen: list[tuple[int, int]] = []
    read_purchases(
        _as_parquet(path, ",") if parquet else path,
        RETAIL,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 0
