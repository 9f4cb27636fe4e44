"""The end of a run in a terminal: quality, and below it privacy, consent and cost in one table."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulations.report import story, words
from simulations.report.record import FEDCART, Figure, Metrics, Task
from simulations.report.runs import parse_metrics

COLUMNS = {
    "recall@10": "recall@10",
    "recall_repeat@10": "… repeats",
    "recall_explore@10": "… explores",
}
_ALARM = "bold white on red"
_BAD = "bold red"


def summary(metrics: Mapping[str, Any]) -> RenderableType:
    """What a run shared, bought and cost; red where a promise does not hold.

    Args:
        metrics: the content of ``metrics.json``.

    Raises:
        InvalidInputError: it is not the record of a run.
    """
    record = parse_metrics(metrics)
    banner = [
        Text(f" {alarm.title.upper()}. {alarm.text} ", style=_ALARM)
        for alarm in story.alarms(record)
    ]
    quality = [_quality(record, protocol) for protocol in record.quality]
    return Group(*banner, *quality, _rest(record))


def _quality(record: Metrics, protocol: str) -> Table:
    table = Table(
        title=f"Quality: {record.dataset.name}, {words.spaced(protocol)}",
        caption=f"{words.plural(record.dataset.evaluated, 'shopper')}; means, 95 % intervals.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("model")
    table.add_column("NDCG@10", justify="right", no_wrap=True)
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for model in record.quality[protocol]:
        found = [record.figure(model, metric, protocol) for metric in COLUMNS]
        table.add_row(
            Text(model),  # a name is never read as markup
            _with_interval(record.figure(model, story.MAIN_METRIC, protocol)),
            *("–" if figure is None else words.score(figure.value) for figure in found),
            style="bold" if model == FEDCART else None,
        )
    return table


def _with_interval(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return f"{words.score(figure.value)}  {figure.low:.3f}–{figure.high:.3f}"


def _rest(record: Metrics) -> Table:
    table = Table(show_header=False, title="Privacy, consent, cost", title_justify="left")
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, text, bad in (*_privacy(record), *_consent(record), *_cost(record)):
        table.add_row(label, Text(text, style=_BAD if bad else ""))
    return table


Line = tuple[str, str, bool]


def _privacy(record: Metrics) -> list[Line]:
    off = story.privacy_off(record)
    total = (
        "off: nothing bounds what the models tell"
        if off
        else f"{words.epsilon(record.privacy.epsilon)} per {record.privacy.unit} "
        f"(δ = {words.delta(record.privacy.delta)})"
    )
    tasks = [
        (f"  {words.task(name)}", _task(task), task.epsilon is None or task.sealing != story.SEALED)
        for name, task in record.tasks.items()
    ]
    left_out = [(f"  {words.task(name)}", "left out", False) for name in record.left_out]
    return [("ε, all shared", total, off), *tasks, *left_out]


def _task(task: Task) -> str:
    return (
        f"ε {words.epsilon(task.epsilon)}, sealing {task.sealing}, "
        f"{words.plural(task.clients, 'client')}, {words.plural(task.shoppers, 'shopper')}, "
        f"{words.seconds(task.seconds)}"
    )


def _consent(record: Metrics) -> list[Line]:
    consent = record.consent
    late = consent.aggregated_after_withdrawal
    told = (
        f"{words.count(consent.asked)} asked, {words.count(consent.granted)} agreed, "
        f"{words.count(consent.withdrawn_before_commit)} withdrew before a commit"
    )
    return [("consent", told, False), ("summed after withdrawal", words.count(late), late > 0)]


def _cost(record: Metrics) -> list[Line]:
    cost = record.cost
    sent = (
        f"at most {words.size(cost.bytes_up_per_client)}, "
        f"{cost.bytes_per_value:.1f} sealed bytes a value"
    )
    return [
        ("time", words.seconds(cost.seconds), False),
        ("sent per client", sent, False),
        ("peak memory", f"{cost.peak_rss_mb:,.0f} MB", False),
    ]
