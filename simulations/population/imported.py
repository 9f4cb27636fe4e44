"""Import of a foreign file as a data set on disk, and what there is to tell about it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from client.importers.columns import Columns
from client.importers.item_columns import ItemColumns
from client.importers.item_table import ItemTable, read_item_table
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.tables import Progress as Report
from client.importers.text_form import TextForm
from client.importers.times import DAY_SECONDS, Clock
from consent.tasks.sensitive import with_flags
from simulations.population.directory import check_target
from simulations.population.population import Population
from simulations.population.silos import MIN_SILO_SHOPPERS, split_clients
from simulations.population.storage import FILES, load_population, save_population

__all__ = [
    "ImportSummary",
    "ItemFile",
    "import_file",
    "load_population",
    "save_population",
    "summarise",
    "summary_table",
]


_CLOCKS = {
    Clock.WALL: "dates and hours of the shop",
    Clock.DAYS: "numbered days, no calendar",
    Clock.ORDINAL: "an order, no dates",
}


@dataclass(frozen=True, kw_only=True)
class ItemFile:
    """A table that describes the items.

    Attributes:
        path: of the file.
        columns: which column plays which part.
        form: how a text file is written.
        listed: whether the item list takes up items that nobody bought.
    """

    path: Path
    columns: ItemColumns
    form: TextForm = field(default_factory=TextForm)
    listed: bool = False


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """What a data set holds.

    Attributes:
        name: of the data set.
        directory: where it is.
        hash: hex SHA-256 of its content.
        shoppers: how many there are.
        items: how many there are in the catalogue.
        baskets: of all shoppers.
        lines: of all baskets.
        skipped: bad lines of the files that were left out.
        below: lines left out because their rating is below the least that counts.
        ignored: lines left out because their item stands for none.
        clock: "wall", "days" or "ordinal": what the times are worth.
        first: of the oldest line: local time, ISO 8601; a number where there are no dates.
        last: of the newest line.
        median_baskets: per shopper.
        silos: stores that stand for at least MIN_SILO_SHOPPERS shoppers.
        devices: shoppers who are clients of their own.
        problems: what was wrong with the first of the skipped lines.
    """

    name: str
    directory: str
    hash: str
    shoppers: int
    items: int
    baskets: int
    lines: int
    skipped: int
    below: int
    ignored: int
    clock: str
    first: str
    last: str
    median_baskets: float
    silos: int
    devices: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON-able object."""
        return asdict(self)


def import_file(
    files: Path | Source,
    columns: Columns,
    *,
    out: Path,
    name: str | None = None,
    skip_bad: bool = False,
    force: bool = False,
    items: ItemFile | None = None,
) -> ImportSummary:
    """Read text, JSON or Parquet files and write them as a data set; progress goes to stderr.

    Args:
        files: one file, or several and how they are written.
        columns: which column plays which part.
        out: directory to make.
        name: of the data set; the first file's name without its suffix if None.
        skip_bad: leave bad lines out and count them, instead of failing.
        force: replace an older data set at ``out``.
        items: a table that describes the items.

    Raises:
        InvalidInputError: a file or ``out`` is not what it must be; nothing was written.
        FedcartError: a Parquet file, but pyarrow is not installed.
        OSError: the disk refused; nothing is left behind.
    """
    check_target(out, force=force, owned=FILES)
    source = Source.of(files)
    table = None if items is None else read_item_table(items.path, items.columns, form=items.form)
    with _progress(source.title) as report:
        purchases = read_purchases(source, columns, name=name, skip_bad=skip_bad, progress=report)
    population = _population(purchases, source.title)
    if items is not None and table is not None:
        population = _described(population, table, listed=items.listed)
    population = replace(population, catalogue=with_flags(population.catalogue))
    value = save_population(population, out, columns=columns.named(), force=force)
    return summarise(population, directory=out, value=value, purchases=purchases)


def _described(population: Population, table: ItemTable, *, listed: bool) -> Population:
    """The population with its items described, and with a note that says by what."""
    catalogue = table.describe(population.catalogue, listed=listed)
    known = table.coverage(catalogue)
    note = f" {table.name} describes {known:,} of its {len(catalogue):,} items."
    if listed:
        note += " It also holds the items that the table names and nobody bought."
    return replace(population, catalogue=catalogue, note=population.note + note)


@contextmanager
def _progress(label: str) -> Iterator[Report]:
    """A bar with an estimate of the time left; silent where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
    with bar:
        task = bar.add_task(f"Reading {label}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _population(purchases: Purchases, files: str) -> Population:
    stores, devices = split_clients(purchases.events)
    return Population(
        name=purchases.catalogue.name,
        note=f"Imported from {files}; the item list is what {_said(files)}.{_left_out(purchases)}",
        catalogue=purchases.catalogue,
        events=purchases.events,
        stores=stores,
        devices=devices,
        groups={},
        clock=purchases.clock,
    )


def _said(files: str) -> str:
    return "the files name" if " and " in files else "the file names"


def _left_out(purchases: Purchases) -> str:
    counted = (
        (purchases.skipped, "bad lines were left out"),
        (purchases.below, "lines were left out because their rating is too low"),
        (purchases.ignored, "lines were left out because their item stands for none"),
    )
    told = "".join(f" {number:,} {what}." for number, what in counted if number)
    return (
        told
        + {
            Clock.WALL: "",
            Clock.DAYS: " Its days are numbered; the calendar is not known.",
            Clock.ORDINAL: " Its times are an order, not dates.",
        }[purchases.clock]
    )


def summarise(
    population: Population, *, directory: Path, value: str, purchases: Purchases
) -> ImportSummary:
    """Count what an import wrote to ``directory`` under the hash ``value``."""
    events = population.events
    baskets = set(zip(events.shopper, events.basket, strict=True))
    per_shopper = Counter(shopper for shopper, _ in baskets)
    return ImportSummary(
        name=population.name,
        directory=str(directory),
        hash=value,
        shoppers=len(population.shoppers),
        items=len(population.catalogue),
        baskets=len(baskets),
        lines=len(events),
        skipped=purchases.skipped,
        below=purchases.below,
        ignored=purchases.ignored,
        clock=str(population.clock),
        first=_shown(int(events.time.min()), population.clock),
        last=_shown(int(events.time.max()), population.clock),
        median_baskets=float(median(per_shopper.values())),
        silos=len(population.stores),
        devices=len(population.devices),
        problems=purchases.problems,
    )


def _shown(seconds: int, clock: Clock) -> str:
    if clock is not Clock.WALL:
        return f"{seconds / DAY_SECONDS:g}"
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def summary_table(summary: ImportSummary) -> Table:
    """The summary for a reader at a terminal."""
    table = Table(title=f"Data set {summary.name}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for label, value in (
        ("Shoppers", f"{summary.shoppers:,}"),
        ("Items", f"{summary.items:,}"),
        ("Baskets", f"{summary.baskets:,}"),
        ("Lines", f"{summary.lines:,}"),
        ("Bad lines left out", f"{summary.skipped:,}"),
        ("Lines left out for a low rating", f"{summary.below:,}"),
        ("Lines left out for an item that is none", f"{summary.ignored:,}"),
        ("Times", _CLOCKS[Clock(summary.clock)]),
        ("First", summary.first),
        ("Last", summary.last),
        ("Median baskets a shopper", f"{summary.median_baskets:g}"),
        (f"Silos (stores of at least {MIN_SILO_SHOPPERS})", f"{summary.silos:,}"),
        ("Devices", f"{summary.devices:,}"),
        ("Written to", summary.directory),
    ):
        table.add_row(label, value)
    return table
