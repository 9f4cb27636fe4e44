"""Entries do what the table that they stand for does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from consent.tasks.entries import Entries, FloatArray

SHAPE = st.tuples(st.integers(0, 5), st.integers(0, 4))
NUMBERS = st.integers(-3, 3).map(float)  # whole, so that sums in any order are the same


def entries(table: FloatArray) -> Entries:
    row, column = np.nonzero(table)
    return Entries(shape=table.shape, row=row, column=column, value=table[row, column])


def whole(found: Entries) -> FloatArray:
    return found.dense(np.arange(found.shape[0]))


TABLES = SHAPE.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=NUMBERS))


@given(TABLES, st.data())
def test_sums_and_products_are_the_tables(table: FloatArray, data: st.DataObject) -> None:
    made = entries(table)
    rows, columns = table.shape
    by_row = data.draw(arrays.arrays(np.float64, rows, elements=NUMBERS))
    by_column = data.draw(arrays.arrays(np.float64, columns, elements=NUMBERS))
    found = [
        (made.row_sums, table.sum(axis=1)),
        (made.column_sums, table.sum(axis=0)),
        (made.times(by_column), table @ by_column),
        (made.times_rows(by_row), by_row @ table),
        (whole(made.scaled(by_row)), table * by_row[:, None]),
        (whole(made.scaled_columns(by_column)), table * by_column),
    ]
    for mine, expected in found:
        assert mine.dtype == np.float64
        np.testing.assert_array_equal(mine, expected)


@given(TABLES, st.data())
def test_parts_are_the_tables(table: FloatArray, data: st.DataObject) -> None:
    made = entries(table)
    rows, columns = table.shape
    some = data.draw(st.permutations(range(rows)))[: data.draw(st.integers(0, rows))]
    low = data.draw(st.integers(0, columns))
    high = data.draw(st.integers(low, columns))
    listed = np.array(some, dtype=np.int64)
    np.testing.assert_array_equal(made.dense(listed), table[listed])
    np.testing.assert_array_equal(whole(made.columns(low, high)), table[:, low:high])
    for row in range(rows):
        np.testing.assert_array_equal(made.dense_row(row), table[row])
    cut = [made.columns(0, low), made.columns(low, columns)]
    np.testing.assert_array_equal(whole(Entries.beside(cut, rows=rows)), table)


def test_no_tables_beside_each_other_have_no_columns() -> None:
    none = Entries.beside([], rows=3)
    assert none.shape == (3, 0)
    assert none.row_sums.tolist() == [0.0, 0.0, 0.0]


def test_a_place_that_is_named_twice_holds_the_sum() -> None:
    twice = Entries(
        shape=(1, 2), row=np.array([0, 0]), column=np.array([1, 1]), value=np.array([2.0, 3.0])
    )
    assert whole(twice).tolist() == [[0.0, 5.0]]
    assert twice.dense_row(0).tolist() == [0.0, 5.0]
