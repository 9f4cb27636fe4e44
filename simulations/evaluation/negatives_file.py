"""Given negatives from a file: who competes with whom, in any of the layouts that are about.

A row is a shopper and items, as in

    u1,i7,i3,i9             one shopper a row, ids in cells of their own
    u1,i7 i3 i9             or together in one cell, between spaces, commas, bars or brackets
    u1,i7                   or one pair a row, the shopper repeated
    (u1,i2)<TAB>i7<TAB>i3   with the held-out item beside the shopper (NCF)

with or without a header, between tabs, semicolons or commas; or JSON: an object of shopper to
items, a list of such rows, or an object a line with the same two or three fields. Where nearly
every row's first item is one of the shopper's own, it is the held-out item.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from client.contributions.history import IndexArray
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.negatives import Negatives

# From this share of rows on, a first item that the shopper has had names the held-out one.
NAMING_SHARE = 0.9
# Fewer than this share of known ids means another data set's ids, not a few unsold items.
KNOWN_SHARE = 0.5
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_PAIR = re.compile(r"^\((.+?),\s*(.+)\)$")
_APART = re.compile(r"[\s,;|\[\]]+")

Row = tuple[str, list[str]]


def read_negatives(path: Path, split: LeaveOneOut) -> Negatives:
    """Read a file of given negatives for the shoppers and items of a data set.

    A negative that the shopper has had is left out, and so is an item that the catalogue does not
    list, which no model could rank above anything; ``notes`` counts both.

    Raises:
        InvalidInputError: no such file, not text, or its ids are not those of the data set.
    """
    if not path.is_file():
        raise InvalidInputError(f"There is no file {path}.")
    owned, catalogue = split.owned, split.population.catalogue
    lookup = {item: number for number, item in enumerate(catalogue.items)}
    merged = _merged(_rows(path, owned), lookup)
    known = {shopper: items for shopper, items in merged.items() if shopper in owned}
    if len(known) < KNOWN_SHARE * max(len(merged), 1) or not known:
        raise InvalidInputError(
            f"{path.name} has negatives for {len(merged)} shoppers, and {len(known)} of them are "
            "in the data set: are its ids the ones that were imported?"
        )
    indices = _indices(known, catalogue, path.name)
    named = _named(indices, owned)
    items, hers = {}, 0
    for shopper, given in indices.items():
        apart = np.setdiff1d(given, owned[shopper])
        hers += np.unique(given).size - apart.size - (shopper in named)
        items[shopper] = apart
    return Negatives(
        items=items,
        origin=f"given by {path.name}",
        named=named,
        notes=_notes(merged, known, indices, hers),
    )


def _rows(path: Path, owned: Mapping[str, IndexArray]) -> Iterator[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path.name} is not UTF-8 text ({error}).") from error
    if path.suffix.lower() in JSON_SUFFIXES:
        return _json_rows(text, path.name)
    return _text_rows(text, owned)


def _text_rows(text: str, owned: Mapping[str, IndexArray]) -> Iterator[Row]:
    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = next((mark for mark in "\t;," if mark in first), " ")
    for number, cells in enumerate(csv.reader(lines, delimiter=delimiter)):
        row = _row([cell.strip() for cell in cells])
        # A header is the one row that may name no shopper without a word.
        if row is not None and (number or row[0] in owned):
            yield row


def _row(cells: list[str]) -> Row | None:
    if not any(cells):
        return None
    if cells[0].startswith("(") and not cells[0].endswith(")") and len(cells) > 1:
        cells = [f"{cells[0]},{cells[1]}", *cells[2:]]  # the comma was the pair's own
    pair = _PAIR.match(cells[0])
    return (pair[1].strip(), [pair[2].strip(), *cells[1:]]) if pair else (cells[0], cells[1:])


def _json_rows(text: str, file: str) -> Iterator[Row]:
    try:
        try:
            values: Any = json.loads(text)
        except json.JSONDecodeError:
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InvalidInputError(f"{file} is not JSON ({error}).") from error
    if isinstance(values, dict) and all(isinstance(part, list) for part in values.values()):
        yield from ((str(shopper), _texts(items)) for shopper, items in values.items())
        return
    for value in values if isinstance(values, list) else [values]:
        cells = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(cells, list) or len(cells) < 2:
            raise InvalidInputError(
                f"{file}: a row is a shopper and her items, not {str(value)[:60]!r}."
            )
        yield str(cells[0]), _texts(cells[1:])


def _texts(values: Iterable[Any]) -> list[str]:
    """The ids in nested lists, in their order."""
    found: list[str] = []
    for value in values:
        found += _texts(value) if isinstance(value, list) else [str(value)]
    return found


def _merged(rows: Iterable[Row], lookup: Mapping[str, int]) -> dict[str, list[str]]:
    """All items of each shopper; a cell that is no item is taken for several."""
    merged: dict[str, list[str]] = {}
    for shopper, cells in rows:
        items = merged.setdefault(shopper, [])
        for cell in cells:
            parts = [cell] if cell in lookup else [part for part in _APART.split(cell) if part]
            items += parts
    return merged


def _indices(
    known: Mapping[str, list[str]], catalogue: Catalogue, file: str
) -> dict[str, IndexArray]:
    """Catalogue indices in the file's order, without what the catalogue doesn't list."""
    lookup = {item: number for number, item in enumerate(catalogue.items)}
    found = {
        shopper: np.array([lookup[item] for item in items if item in lookup], dtype=np.int64)
        for shopper, items in known.items()
    }
    total, listed = sum(map(len, known.values())), sum(part.size for part in found.values())
    if listed < KNOWN_SHARE * total or not listed:
        raise InvalidInputError(
            f"{file} names {total:,} negatives, and the item list has {listed:,} of them: are its "
            "ids the ones that were imported?"
        )
    return found


def _named(indices: Mapping[str, IndexArray], owned: Mapping[str, IndexArray]) -> dict[str, int]:
    """The held-out items, if the file is one that names them."""
    named = {
        shopper: int(items[0])
        for shopper, items in indices.items()
        if items.size and (owned[shopper] == items[0]).any()
    }
    return named if len(named) >= NAMING_SHARE * len(indices) else {}


def _notes(
    merged: Mapping[str, list[str]],
    known: Mapping[str, list[str]],
    indices: Mapping[str, IndexArray],
    hers: int,
) -> tuple[str, ...]:
    unlisted = sum(map(len, known.values())) - sum(items.size for items in indices.values())
    counted = (
        (len(merged) - len(known), "shoppers of the file of negatives are not in the data set"),
        (unlisted, "given negatives are not on the item list and were left out"),
        (hers, "given negatives are items that their shopper had and were left out"),
    )
    return tuple(f"{number:,} {what}." for number, what in counted if number)
