"""Import of foreign files as a data set on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from client.importers.columns import Columns
from client.importers.item_columns import ItemColumns
from client.importers.item_table import ItemTable, read_item_table
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.tables import Progress as Report
from client.importers.text_form import TextForm
from client.importers.times import Clock
from consent.tasks.sensitive import with_flags
from crypto.errors import InvalidInputError
from simulations.population.directory import check_target
from simulations.population.population import Population
from simulations.population.silos import split_clients
from simulations.population.storage import FILES, load_population, save_population
from simulations.population.summary import ImportSummary, summarise

__all__ = ["ItemFile", "import_file", "load_population", "save_population"]


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


def import_file(
    files: Path | Source,
    columns: Columns,
    *,
    out: Path,
    name: str | None = None,
    skip_bad: bool = False,
    force: bool = False,
    items: ItemFile | None = None,
    groups: ItemFile | None = None,
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
        groups: a table of what shoppers stated about themselves, read like one of items.

    Raises:
        InvalidInputError: a file or ``out`` is not what it must be; nothing was written.
        FedcartError: a Parquet file, but pyarrow is not installed.
        OSError: the disk refused; nothing is left behind.
    """
    check_target(out, force=force, owned=FILES)
    source = Source.of(files)
    table = _table(items)
    stated = _table(groups)
    with _progress(source.title) as report:
        purchases = read_purchases(source, columns, name=name, skip_bad=skip_bad, progress=report)
    population = _population(purchases, source.title)
    if items is not None and table is not None:
        population = _described(population, table, listed=items.listed)
    if stated is not None:
        population = _grouped(population, stated)
    population = replace(population, catalogue=with_flags(population.catalogue))
    value = save_population(population, out, columns=columns.named(), force=force)
    return summarise(population, directory=out, value=value, purchases=purchases)


def _table(file: ItemFile | None) -> ItemTable | None:
    return None if file is None else read_item_table(file.path, file.columns, form=file.form)


def _grouped(population: Population, stated: ItemTable) -> Population:
    """The population with what its shoppers stated; of several values the first counts.

    Raises:
        InvalidInputError: the table names none of the shoppers.
    """
    groups = {
        shopper: {name: values[0] for name, values in stated.values[shopper].items() if values}
        for shopper in population.shoppers
        if shopper in stated.values
    }
    if not groups:
        raise InvalidInputError(
            f"{stated.name} names none of the {len(population.shoppers):,} shoppers, such as "
            f"{population.shoppers[0]!r}: is the shopper column the right one?"
        )
    return replace(population, groups=groups)


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
