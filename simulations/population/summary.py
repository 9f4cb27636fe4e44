"""What there is to tell about a data set that was imported."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from client.importers.purchases import Purchases
from client.importers.times import DAY_SECONDS, Clock
from simulations.population.population import Population
from simulations.population.silos import MIN_SILO_SHOPPERS

_CLOCKS = {
    Clock.WALL: "dates and hours of the shop",
    Clock.DAYS: "numbered days, no calendar",
    Clock.ORDINAL: "an order, no dates",
}


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
