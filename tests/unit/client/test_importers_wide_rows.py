"""A basket a row, its items side by side."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.text_form import TextForm
from crypto.errors import InvalidInputError

OPEN = Columns(shopper="1", item="3..", time="2")
ROWS = "c1,2024-03-01,milk,tea\nc1,2024-03-02,milk\nc2,2024-03-01,tea,,bread,salt\n"
CLOSED = Columns(shopper="who", item="i1..i3", time="when", store="where")
TABLE = "when,i1,i2,i3,who,where\n2024-03-01,milk,tea,,c1,x\n2024-03-02,,bread,,c1,y\n"


def read(tmp_path: Path, text: str, columns: Columns, *, skip_bad: bool = False) -> Purchases:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    form = TextForm(header=columns is not OPEN)
    return read_purchases(Source(files=(path,), form=form), columns, skip_bad=skip_bad)


def test_the_rest_of_a_row_is_its_items(tmp_path: Path) -> None:
    events = read(tmp_path, ROWS, OPEN).events
    assert events.item.tolist() == ["milk", "tea", "milk", "tea", "bread", "salt"]
    assert (
        events.basket.tolist() == ["c1/2024-03-01"] * 2 + ["c1/2024-03-02"] + ["c2/2024-03-01"] * 3
    )


def test_columns_between_two_are_items(tmp_path: Path) -> None:
    events = read(tmp_path, TABLE, CLOSED).events
    assert events.item.tolist() == ["milk", "tea", "bread"]
    assert events.store.tolist() == ["x", "x", "y"]


def test_parquet_may_be_wide_too(tmp_path: Path) -> None:
    columns = {"u": ["a"], "t": ["2024-03-01"], "x1": ["milk"], "x2": ["tea"]}
    pq.write_table(pa.table(columns), tmp_path / "wide.parquet")
    wide = Columns(shopper="u", item="x1..", time="t")
    assert read_purchases(tmp_path / "wide.parquet", wide).events.item.tolist() == ["milk", "tea"]


def test_a_column_that_is_called_so_is_one_column(tmp_path: Path) -> None:
    text = "u,a..b,b,t\nc1,milk,5,2024-03-01\n"
    found = read(tmp_path, text, Columns(shopper="u", item="a..b", time="t"))
    assert found.events.item.tolist() == ["milk"]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        (ROWS + "c3,2024-03-01\n", OPEN, "line 4: 2 fields; expected 3"),
        (ROWS + "c3,2024-03-01,,\n", OPEN, "line 4: column '3..' is ''"),
        (TABLE + "2024-03-02,milk,c1,x\n", CLOSED, "line 4: 0 fields; expected 4"),
        (TABLE + "2024-03-02,milk,c1\n", CLOSED, "line 4: 3 fields; expected 4"),
        (TABLE, Columns(shopper="who", item="i1..i4", time="when"), "no column 'i4'"),
        (TABLE, Columns(shopper="who", item="i3..i1", time="when"), "stands before"),
        (TABLE, Columns(shopper="who", item="..i1", time="when"), "no column '..i1'"),
    ],
)
def test_what_can_not_be_is_explained(
    tmp_path: Path, text: str, columns: Columns, said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, text, columns)
    assert said in str(caught.value)
    if columns in {OPEN, CLOSED}:
        assert read(tmp_path, text, columns, skip_bad=True).skipped == 1
