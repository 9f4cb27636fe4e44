"""Anybody's purchases, as text, JSON or Parquet, into events and an item list."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.importers.columns import Columns
from client.importers.lines import Lines
from client.importers.problems import Problems
from client.importers.source import Source
from client.importers.tables import Progress, open_table
from client.importers.times import Clock
from client.importers.visits import (
    IndexArray,
    apart_by_file,
    follow_on,
    name_baskets,
    ranks,
    refuse_two_meanings,
    times_in_order,
)
from client.importers.wide_rows import BETWEEN, is_wide, narrow
from consent.events import Events, StringArray
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Purchases:
    """What the files held.

    Attributes:
        events: sorted by shopper, time, basket; lines that tie keep the files' order.
        catalogue: the files' items in text order, level "item".
        clock: what the times are worth.
        skipped: bad lines left out; 0 unless that was asked for.
        below: lines left out because their rating is below the least that counts.
        ignored: lines left out because their item stands for none.
        problems: what was wrong with the first of the bad lines.
    """

    events: Events
    catalogue: Catalogue
    clock: Clock
    skipped: int
    below: int
    ignored: int
    problems: tuple[str, ...]


def read_purchases(
    files: Path | Source,
    columns: Columns,
    *,
    name: str | None = None,
    skip_bad: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Purchases:
    """Read purchase lines.

    Args:
        files: a file with a suffix that ``tables.open_table`` knows, or several and how they are
            written.
        columns: which column plays which part.
        name: of the data set; the first file's name without its suffix if None.
        skip_bad: leave bad lines out and count them, instead of failing.
        progress: told how far reading is, for each file anew.

    Raises:
        InvalidInputError: a file, its header or some lines are not what they must be; the first
            20 bad lines are named together with column, value and what was expected. Or the
            files leave open which visits are one.
        FedcartError: a Parquet file, but pyarrow is not installed.
    """
    source = Source.of(files)
    if source.sequel and columns.clock is not Clock.ORDINAL:
        raise InvalidInputError(
            "--sequel is for visits that are numbered anew in each file: it goes with "
            "--time-format number. Dates put files in order by themselves."
        )
    lines, counts, problems = Lines(columns), list[int](), list[Problems]()
    for path in source.files:
        problems.append(Problems(path.name, skip=skip_bad))
        _read(path, source, columns, lines, problems[-1], progress)
        counts.append(len(lines) - sum(counts))
    if not len(lines):
        raise InvalidInputError(f"{source.title}: no usable line{_why_none(lines)}.")
    file = np.repeat(np.arange(len(counts)), counts)
    return Purchases(
        events=_events(lines, file, columns.clock, sequel=source.sequel),
        catalogue=_catalogue(name or source.name, lines),
        clock=columns.clock,
        skipped=sum(found.lines for found in problems),
        below=lines.below,
        ignored=lines.ignored,
        problems=_first(problems),
    )


def _read(
    path: Path,
    source: Source,
    columns: Columns,
    lines: Lines,
    problems: Problems,
    progress: Progress,
) -> None:
    wanted = list(columns.named().values())
    more = [] if source.baskets is None else [source.baskets.key]
    if BETWEEN in columns.item:
        more += open_table(path, (), form=source.form, progress=_silent).header
    table = open_table(path, [*wanted, *more], form=source.form, progress=progress)
    if is_wide(columns.item, table.header):
        table = narrow(table, columns.item, file=path.name)
    if source.baskets is not None:
        table = source.baskets.join(table, wanted, file=path.name)
    lines.read(table.rows, table.header, problems)
    problems.raise_if_any()


def _silent(_done: int, _total: int) -> None:
    """A look at the header takes no time."""


def _why_none(lines: Lines) -> str:
    if lines.below or lines.ignored:
        return f" ({lines.below:,} below the least rating, {lines.ignored:,} with ignored items)"
    return " below the header"


def _first(problems: list[Problems]) -> tuple[str, ...]:
    """What was noted; with the file where there are several."""
    return tuple(
        text if len(problems) == 1 else f"{found.file}, {text.strip()}"
        for found in problems
        for text in found.first()
    )


def _events(lines: Lines, file: IndexArray, clock: Clock, *, sequel: bool) -> Events:
    size = len(lines)
    shoppers, items = lines.values("shopper") or [], lines.values("item") or []
    baskets = lines.values("basket")
    if sequel and baskets is not None:
        baskets = apart_by_file(shoppers, baskets, file)
    time = _times(lines, baskets, file, clock, sequel=sequel)
    named = name_baskets(shoppers, time, baskets, clock)
    order = np.lexsort((ranks(named), time, ranks(shoppers)))
    quantity, price = lines.values("quantity"), lines.values("price")
    return Events(
        shopper=_texts(shoppers)[order],
        time=time[order],
        basket=_texts(named)[order],
        item=_texts(items)[order],
        quantity=(np.ones(size) if quantity is None else np.array(quantity, np.float64))[order],
        price=(np.full(size, np.nan) if price is None else np.array(price, np.float64))[order],
        store=_texts(lines.values("store") or [""] * size)[order],
    )


def _times(
    lines: Lines, baskets: list[str] | None, file: IndexArray, clock: Clock, *, sequel: bool
) -> IndexArray:
    shoppers, given = lines.values("shopper") or [], lines.values("time")
    if given is None:
        rows = zip(file.tolist(), lines.record, strict=True)
        return times_in_order(shoppers, list(rows) if baskets is None else baskets)
    times = np.array(given, dtype=np.int64)
    if sequel:
        return follow_on(shoppers, times, file)
    if clock is Clock.ORDINAL and file.max():
        refuse_two_meanings(shoppers, times, baskets, file)
    return times


def _texts(values: list[str]) -> StringArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _catalogue(name: str, lines: Lines) -> Catalogue:
    """The items in text order, each with the category that most of its lines name."""
    named = lines.values("item") or []
    items = tuple(sorted(set(named)))
    labels = lines.values("category")
    best: dict[str, str] = {}
    if labels is not None:
        counts = Counter(zip(named, labels, strict=True))
        for item, label in sorted(counts, key=lambda pair: (not pair[1], -counts[pair], pair[1])):
            best.setdefault(item, label)
    return Catalogue(
        name=name,
        level="item",
        items=items,
        categories=tuple(best.get(item, "") for item in items),
        departments=("",) * len(items),
        products={},
    )
