"""An evaluation's results for a reader at a terminal, 80 columns wide or more.

Figures stand above their intervals, and metrics that don't fit beside each other go into a table
below. What several lines would repeat is said once under the table, by number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simulations.evaluation import published
from simulations.report import words

ALARM = 0.05
SHOWN = "ndcg@10"
# A model's name is wrapped beyond, and an interval such as "0.404-0.470" needs so much.
NAME: Final = 24
INTERVAL: Final = 11
# Lines and spaces of a column, and of a table beside its columns.
AROUND: Final = 3
EDGE: Final = 1


def quality_table(metrics: dict[str, Any]) -> Group:
    """The models side by side in every view, their differences, and what was tuned."""
    parts: list[RenderableType] = []
    for view, models in metrics["quality"].items():
        parts.append(_Models(metrics=metrics, view=view, models=models))
        if metrics["comparisons"][view]:
            parts.append(_differences(metrics["comparisons"][view]))
    if metrics["tuning"]:
        parts.append(_tuning(metrics["tuning"]))
    probe = metrics["checks"].get("leak probe")
    if probe:
        parts.append(Text(_probe(probe)))
    shown = published.shown(metrics["published"], metrics["dataset"])
    if shown:
        parts.append(_published(shown))
    return Group(*(line for part in parts for line in (part, Text())))


@dataclass(frozen=True, kw_only=True)
class _Models:
    """The models of a view: as many metrics side by side as fit, the others below."""

    metrics: Mapping[str, Any]
    view: str
    models: Mapping[str, Mapping[str, Any]]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Table]:
        columns: Mapping[str, str] = self.metrics["columns"]
        name = min(NAME, max(len("model"), *map(len, self.models)))
        room = (options.max_width - EDGE - name - AROUND) // (INTERVAL + AROUND)
        names = list(columns)
        parts = list(_even(names, max(room, 1)))
        for part in parts:
            yield self._table(
                {metric: columns[metric] for metric in part},
                title=self._title() if part is parts[0] else None,
                caption=self._caption() if part is parts[-1] else None,
            )

    def _table(
        self, columns: Mapping[str, str], *, title: Text | None, caption: Text | None
    ) -> Table:
        table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
        table.add_column("model", max_width=NAME)
        for heading in columns.values():
            table.add_column(heading, justify="right", min_width=INTERVAL)
        for model, values in self.models.items():
            table.add_row(Text(model), *(_cell(values, metric) for metric in columns))
        return table

    def _title(self) -> Text:
        """Never read as markup: the name of a data set may hold anything."""
        return Text(f"{self.metrics['dataset']['name']}, {self.view}")

    def _caption(self) -> Text:
        data, draws = self.metrics["dataset"], self.metrics["privacy"]["noise_draws"]
        what = "baskets" if self.metrics["protocol"] == "next-basket" else "different items"
        over = "shoppers" if draws == 1 else f"shoppers and {draws} draws of the noise"
        return Text(
            f"{data['evaluated']:,} shoppers with at least {data['minimum_baskets']} {what}; "
            f"{data['items']:,} items. Below each figure: 95{words.PERCENT} interval, bootstrap "
            f"over {over}."
        )


def _even(names: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Names in parts of nearly the same size, none longer than ``most``."""
    parts = -(-len(names) // most)
    for number in range(parts):
        yield names[number * len(names) // parts : (number + 1) * len(names) // parts]


def _cell(values: Mapping[str, Any], metric: str) -> str:
    if metric not in values:
        return "–"
    low, high = values[f"{metric}_ci"]
    return f"{values[metric]:.4f}\n{low:.3f}–{high:.3f}"


def _differences(found: Sequence[Mapping[str, Any]]) -> Table:
    """NDCG@10, a block for each model; what else was compared is in the record."""
    table = Table(
        title="Differences in NDCG@10, paired by shopper",
        caption=f"Below each figure: 95{words.PERCENT} interval. p: permutation test, adjusted "
        f"for all comparisons of the table (Holm); * below {ALARM:g}.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("against")
    for title in ("difference", "relative", "p"):
        table.add_column(title, justify="right", no_wrap=True)
    shown = [one for one in found if one["metric"] == SHOWN]
    for first in dict.fromkeys(one["first"] for one in shown):
        table.add_section()
        table.add_row(Text(first, style="bold"))
        for one in (one for one in shown if one["first"] == first):
            table.add_row(Padding(Text(one["second"]), (0, 0, 0, 2)), *_compared(one))
    return table


def _compared(one: Mapping[str, Any]) -> tuple[str, str, str]:
    low, high = one["ci"]
    relative = "–"
    if one["relative"] is not None:
        least, most = one["relative_ci"]
        relative = f"{one['relative']:+.1%}\n{least:+.1%} to {most:+.1%}"
    mark = " *" if one["p_holm"] < ALARM else "  "
    return f"{one['mean']:+.4f}\n{low:+.4f} to {high:+.4f}", relative, f"{one['p_holm']:.4f}{mark}"


def _tuning(tuned: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="Tuned on validation, in this run", title_justify="left")
    for title in ("model", "chosen"):
        table.add_column(title)
    table.add_column("tried", justify="right")
    for model, record in tuned.items():
        chosen = ", ".join(f"{name} {value}" for name, value in record["chosen"].items())
        table.add_row(f"{model}\n{record['source']}", chosen, str(len(record["tried"])))
    return table


def _probe(probe: Mapping[str, Any]) -> str:
    low, high = probe["hr@10_ci"]
    verdict = (
        "at chance, as it must be" if probe["holds"] else "NOT AT CHANCE: don't trust this run"
    )
    return (
        f"Leak probe (ranks by how seldom an item was drawn as a training negative): HR@10 "
        f"{probe['hr@10']:.3f} ({low:.3f} to {high:.3f}), chance {probe['chance']:.3f}, by luck "
        f"up to {probe['limit']:.3f}: {verdict}. With negatives that spare the held-out item it "
        f"reaches {probe['control']:.3f}."
    )


def _published(shown: published.Shown) -> Group:
    """The table, what it has to do with the data at hand, and every note once."""
    table = Table(
        title=Text(shown.title),
        caption=Text(shown.remark),
        title_justify="left",
        caption_justify="left",
    )
    for title in ("model", "source"):
        table.add_column(title)
    for title in ("HR@10", "NDCG@10", "note"):
        table.add_column(title, justify="right", no_wrap=True)
    for one, marks in shown.rows:
        figures = (f"{one[metric]:.3f}" for metric in ("hr@10", "ndcg@10"))
        table.add_row(one["model"], one["source"], *figures, ", ".join(map(str, marks)))
    notes = Table.grid(padding=(0, 1))
    for number, note in enumerate(shown.notes, start=1):
        notes.add_row(f"{number}", note)
    return Group(table, notes)
