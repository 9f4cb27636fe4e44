"""Rows of a file of given negatives, in any of the layouts that are about.

A row is a shopper and items, as in

    u1,i7,i3,i9             one shopper a row, ids in cells of their own
    u1,i7 i3 i9             or together in one cell, between spaces, commas, bars or brackets
    u1,i7                   or one pair a row, the shopper repeated
    u1,i2,1                 or one pair a row with a label: 1 for the held-out item, 0 for others
    (u1,i2)<TAB>i7<TAB>i3   with the held-out item beside the shopper (NCF)

with or without a header, between tabs, two colons, semicolons, commas or bars; or JSON: an object
of shopper to items (a list, or an object of lists), a list of such rows, or an object a line with
the same two or three fields; or Parquet with those columns.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from client.importers.json_tables import JSON_SUFFIXES
from client.importers.tables import PARQUET_SUFFIXES
from crypto.errors import InvalidInputError

_PAIR = re.compile(r"^\((.+?),\s*(.+)\)$")
_APART = re.compile(r"[\s,;|\[\]]+")
_MARKS = ("\t", "::", ";", ",", "|")
_HELD, _NOT_HELD = "1", "0"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a file says of one shopper.

    Attributes:
        items: ids in the file's order, without ``held``.
        held: her held-out item, where the layout marks it as such.
    """

    items: list[str]
    held: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Row:
    shopper: str
    cells: list[str]
    held: str | None = None


def given_by(
    path: Path, *, is_item: Callable[[str], bool], is_shopper: Callable[[str], bool]
) -> dict[str, Given]:
    """Shopper to what the file says of her.

    Args:
        path: of the file.
        is_item: whether a text is an item's id; a cell that isn't one is taken for several.
        is_shopper: whether a text is a shopper's id; the first row may be a header only if its
            first cell isn't.

    Raises:
        InvalidInputError: no such file, not text, or two held-out items for one shopper.
    """
    if not path.is_file():
        raise InvalidInputError(f"There is no file {path}.")
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        rows = list(_records(_parquet(path), path.name))
    elif suffix in JSON_SUFFIXES:
        rows = list(_records(_json(_text(path), path.name), path.name))
    else:
        rows = list(_text_rows(_text(path), is_shopper))
    merged: dict[str, Given] = {}
    for row in _labelled(rows):
        before = merged.setdefault(row.shopper, Given(items=[], held=row.held))
        if row.held is not None and row.held != before.held:
            if before.held is not None:
                raise InvalidInputError(
                    f"{path.name} holds out two items of shopper {row.shopper!r}, {before.held!r} "
                    f"and {row.held!r}; leave one out is one."
                )
            before = merged[row.shopper] = Given(items=before.items, held=row.held)
        for cell in row.cells:
            before.items.extend([cell] if is_item(cell) else filter(None, _APART.split(cell)))
    return merged


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path.name} is not UTF-8 text ({error}).") from error


def _text_rows(text: str, is_shopper: Callable[[str], bool]) -> Iterator[_Row]:
    lines = text.splitlines()
    first = lines[0] if lines else ""
    mark = next((mark for mark in _MARKS if mark in first), " ")
    split = csv.reader(lines, delimiter=mark) if len(mark) == 1 else (x.split(mark) for x in lines)
    for number, cells in enumerate(split):
        row = _row([cell.strip() for cell in cells])
        # A header is the one row that may name no shopper without a word.
        if row is not None and (number or is_shopper(row.shopper)):
            yield row


def _row(cells: list[str]) -> _Row | None:
    if not any(cells):
        return None
    if cells[0].startswith("(") and not cells[0].endswith(")") and len(cells) > 1:
        cells = [f"{cells[0]},{cells[1]}", *cells[2:]]  # the comma was the pair's own
    pair = _PAIR.match(cells[0])
    if pair:
        return _Row(shopper=pair[1].strip(), held=pair[2].strip(), cells=cells[1:])
    return _Row(shopper=cells[0], cells=cells[1:])


def _labelled(rows: list[_Row]) -> Iterable[_Row]:
    """The rows, with labels told from items: 0 or 1 in every third cell, one 1 a shopper."""
    apart = [[cell for cell in row.cells if cell] for row in rows]
    pairs = all(len(cells) == 2 and cells[1] in {_HELD, _NOT_HELD} for cells in apart)
    held = Counter(
        row.shopper for row, cells in zip(rows, apart, strict=True) if _HELD in cells[1:]
    )
    if not rows or not pairs or not held or max(held.values()) > 1:
        return rows
    return [
        _Row(shopper=row.shopper, held=cells[0], cells=[])
        if cells[1] == _HELD
        else _Row(shopper=row.shopper, cells=cells[:1])
        for row, cells in zip(rows, apart, strict=True)
    ]


def _json(text: str, file: str) -> Any:
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{file} is not JSON ({error}).") from error


def _parquet(path: Path) -> Any:
    try:
        return pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path.name} is not a readable Parquet file ({error}).") from error


def _records(values: Any, file: str) -> Iterator[_Row]:
    if isinstance(values, dict) and all(isinstance(part, list | dict) for part in values.values()):
        for shopper, items in values.items():
            yield _Row(shopper=str(shopper).strip(), cells=_texts([items]))
        return
    for value in values if isinstance(values, list) else [values]:
        cells = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(cells, list) or len(cells) < 2 or isinstance(cells[0], list | dict):
            raise InvalidInputError(
                f"{file}: a row is a shopper and her items, not {str(value)[:60]!r}."
            )
        yield _Row(shopper=str(cells[0]).strip(), cells=_texts(cells[1:]))


def _texts(values: Iterable[Any]) -> list[str]:
    """The ids in nested lists and objects, in their order."""
    found: list[str] = []
    for value in values:
        if isinstance(value, dict):
            found += _texts(value.values())
        elif isinstance(value, list):
            found += _texts(value)
        elif value is not None:
            found.append(str(value).strip())
    return found
