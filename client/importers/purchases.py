"""Anybody's purchases, as CSV, JSON or Parquet, into events and an item list."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from client.importers.columns import Columns
from client.importers.problems import Problems
from client.importers.tables import Progress, open_table
from client.importers.values import (
    parse_id,
    parse_label,
    parse_price,
    parse_quantity,
    parse_time,
    time_parser,
)
from consent.events import Events, StringArray
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError

_DAY_SECONDS = 86_400
_PARSERS: dict[str, Callable[[str], Any]] = {
    "shopper": parse_id,
    "item": parse_id,
    "time": parse_time,
    "basket": parse_id,
    "quantity": parse_quantity,
    "price": parse_price,
    "store": parse_label,
    "category": parse_label,
}


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """What a file held.

    Attributes:
        events: sorted by shopper, time, basket; lines that tie keep the file's order.
        catalogue: the file's items in text order, level "item".
        skipped: bad lines left out; 0 unless that was asked for.
        problems: what was wrong with the first of them.
    """

    events: Events
    catalogue: Catalogue
    skipped: int
    problems: tuple[str, ...]


@dataclass(kw_only=True)
class _Part:
    """One part of each line: where it is in a row, how it is read, and its values so far."""

    name: str
    position: int
    parse: Callable[[str], Any]
    known: dict[str, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)

    def read(self, text: str) -> Any:
        """The value of a text; texts that come back are parsed once and share one object."""
        value = self.known.get(text)
        if value is None:
            value = self.known[text] = self.parse(text)
        return value


def read_purchases(
    path: Path,
    columns: Columns,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    skip_bad: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Purchases:
    """Read a file of purchase lines.

    Args:
        path: .csv, .tsv or .txt (UTF-8), .json, .jsonl or .ndjson, .parquet or .pq.
        columns: which column plays which part.
        name: of the data set; the file's name without its suffix if None.
        delimiter: of a CSV file; None for a comma, or a tab where the suffix is .tsv.
        skip_bad: leave bad lines out and count them, instead of failing.
        progress: told how far reading is.

    Raises:
        InvalidInputError: the file, its header or some lines are not what they must be; the first
            20 bad lines are named together with column, value and what was expected.
        FedcartError: a Parquet file, but pyarrow is not installed.
    """
    problems = Problems(path.name, skip=skip_bad)
    wanted = columns.named()
    table = open_table(path, wanted.values(), delimiter=delimiter, progress=progress)
    parts = {
        part: _Part(name=wanted[part], position=position, parse=_PARSERS[part])
        for part, position in columns.locate(table.header, file=path.name).items()
    }
    parts["time"].parse = time_parser(columns.time_format)
    rows = table.rows
    if columns.item_separator:
        rows = _apart(rows, parts["item"].position, columns.item_separator)
    _read_rows(rows, len(table.header), list(parts.values()), problems)
    problems.raise_if_any()
    values = {part: parts[part].values for part in parts}
    if not values["item"]:
        raise InvalidInputError(f"{path.name} has a header but no usable line below it.")
    return Purchases(
        events=_events(values),
        catalogue=_catalogue(name or path.stem, values),
        skipped=problems.lines,
        problems=problems.first(),
    )


def _apart(
    rows: Iterable[tuple[int, list[str]]], position: int, separator: str
) -> Iterator[tuple[int, list[str]]]:
    """A row for each item of a cell that holds several; empty places between them are skipped."""
    for line, row in rows:
        cell = row[position] if position < len(row) else ""
        items = [item for item in cell.split(separator) if item.strip()]
        for item in items or [""]:
            yield line, [*row[:position], item, *row[position + 1 :]]


def _read_rows(
    rows: Iterable[tuple[int, list[str]]], width: int, parts: list[_Part], problems: Problems
) -> None:
    """Fill the parts; a line with any bad value adds nothing to them."""
    for line, row in rows:
        if len(row) != width:
            problems.ragged(line, len(row), width)
            continue
        try:
            values = [part.read(row[part.position]) for part in parts]
        except ValueError:
            _explain(line, row, parts, problems)
            continue
        for part, value in zip(parts, values, strict=True):
            part.values.append(value)


def _explain(line: int, row: list[str], parts: list[_Part], problems: Problems) -> None:
    """Note every bad value of a line, not just the first."""
    for part in parts:
        text = row[part.position]
        try:
            part.read(text)
        except ValueError as error:
            problems.value(line, part.name, text, str(error))


def _events(values: dict[str, list[Any]]) -> Events:
    size = len(values["item"])
    time = np.array(values["time"], dtype=np.int64)
    basket = _baskets(values)
    order = np.lexsort((_ranks(basket), time, _ranks(values["shopper"])))
    quantity = np.array(values.get("quantity", np.ones(size)), dtype=np.float64)
    price = np.array(values.get("price", np.full(size, np.nan)), dtype=np.float64)
    return Events(
        shopper=_texts(values["shopper"])[order],
        time=time[order],
        basket=_texts(basket)[order],
        item=_texts(values["item"])[order],
        quantity=quantity[order],
        price=price[order],
        store=_texts(values.get("store", [""] * size))[order],
    )


def _baskets(values: dict[str, list[Any]]) -> list[str]:
    """Basket ids that no two shoppers share.

    Without a basket column: shopper and day. Where shoppers share an id (numbers that begin anew
    for each, say), all ids get the shopper's in front.
    """
    shoppers = values["shopper"]
    if "basket" not in values:
        days = [time // _DAY_SECONDS for time in values["time"]]
        dates = {day: str(np.datetime64(day, "D")) for day in set(days)}
        pairs = list(zip(shoppers, days, strict=True))
        names = {pair: f"{pair[0]}/{dates[pair[1]]}" for pair in set(pairs)}
        return [names[pair] for pair in pairs]
    baskets: list[str] = values["basket"]
    owned = list(zip(shoppers, baskets, strict=True))
    distinct = set(owned)
    if len(distinct) == len(set(baskets)):
        return baskets
    renamed = {pair: f"{pair[0]}/{pair[1]}" for pair in distinct}
    return [renamed[pair] for pair in owned]


def _ranks(texts: list[str]) -> npt.NDArray[np.int64]:
    """Position of each text in text order."""
    rank = {text: position for position, text in enumerate(sorted(set(texts)))}
    return np.fromiter((rank[text] for text in texts), np.int64, len(texts))


def _texts(values: list[str]) -> StringArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _catalogue(name: str, values: dict[str, list[Any]]) -> Catalogue:
    """The items in text order, each with the category that most of its lines name."""
    items = tuple(sorted(set(values["item"])))
    labels = values.get("category", [""] * len(values["item"]))
    counts = Counter(zip(values["item"], labels, strict=True))
    best: dict[str, str] = {}
    for item, label in sorted(counts, key=lambda pair: (not pair[1], -counts[pair], pair[1])):
        best.setdefault(item, label)
    return Catalogue(
        name=name,
        level="item",
        items=items,
        categories=tuple(best[item] for item in items),
        departments=("",) * len(items),
        products={},
    )
