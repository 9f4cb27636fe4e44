"""A table of nearly all zeros, kept as its entries: by numpy alone, so that devices start fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Entries:
    """A sparse table of real numbers. A place that is named twice holds the sum.

    Attributes:
        shape: rows and columns.
        row, column: int64, shape (n,): the place of each entry, rows in order.
        value: float64, shape (n,): what stands there.
    """

    shape: tuple[int, int]
    row: IndexArray
    column: IndexArray
    value: FloatArray

    @classmethod
    def beside(cls, tables: Sequence[Self], rows: int) -> Self:
        """Tables of the same rows, the columns of the first leftmost; of none, no column."""
        widths = [table.shape[1] for table in tables]
        starts = np.cumsum(widths) - widths
        none = np.empty(0, dtype=np.int64)
        row = np.concatenate([none, *(table.row for table in tables)])
        moved = [table.column + start for table, start in zip(tables, starts, strict=True)]
        value = np.concatenate([np.empty(0), *(table.value for table in tables)])
        order = np.argsort(row, kind="stable")
        return cls(
            shape=(rows, sum(widths)),
            row=row[order],
            column=np.concatenate([none, *moved])[order],
            value=value[order],
        )

    @property
    def row_sums(self) -> FloatArray:
        """Shape (rows,)."""
        return _added(self.row, self.value, self.shape[0])

    @property
    def column_sums(self) -> FloatArray:
        """Shape (columns,)."""
        return _added(self.column, self.value, self.shape[1])

    def times(self, weights: FloatArray) -> FloatArray:
        """The table times a weight for each column, added up by row; shape (rows,)."""
        return _added(self.row, self.value * weights[self.column], self.shape[0])

    def times_rows(self, weights: FloatArray) -> FloatArray:
        """The table times a weight for each row, added up by column; shape (columns,)."""
        return _added(self.column, self.value * weights[self.row], self.shape[1])

    def scaled(self, rows: FloatArray) -> Self:
        """Each row times a factor of its own."""
        return self._with(self.value * rows[self.row])

    def scaled_columns(self, columns: FloatArray) -> Self:
        """Each column times a factor of its own."""
        return self._with(self.value * columns[self.column])

    def columns(self, low: int, high: int) -> Self:
        """The columns from ``low`` up to ``high``, that one left out."""
        kept = (self.column >= low) & (self.column < high)
        return type(self)(
            shape=(self.shape[0], high - low),
            row=self.row[kept],
            column=self.column[kept] - low,
            value=self.value[kept],
        )

    def dense(self, rows: IndexArray) -> FloatArray:
        """These rows, each named once, zeros and all; shape (k, columns)."""
        place = np.full(self.shape[0], -1)
        place[rows] = np.arange(rows.size)
        kept = place[self.row] >= 0
        table = np.zeros((rows.size, self.shape[1]))
        np.add.at(table, (place[self.row[kept]], self.column[kept]), self.value[kept])
        return table

    def dense_row(self, row: int) -> FloatArray:
        """One row, zeros and all; shape (columns,)."""
        low, high = np.searchsorted(self.row, [row, row + 1])
        return _added(self.column[low:high], self.value[low:high], self.shape[1])

    def _with(self, value: FloatArray) -> Self:
        return type(self)(shape=self.shape, row=self.row, column=self.column, value=value)


def _added(place: IndexArray, value: FloatArray, size: int) -> FloatArray:
    # Of no values at all, bincount makes whole numbers.
    return np.bincount(place, value, minlength=size).astype(np.float64, copy=False)
