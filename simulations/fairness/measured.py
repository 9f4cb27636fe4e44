"""A federated evaluation at a terminal: figures that hold, and those that the noise took."""

from typing import Final

from rich.table import Table

from consent.tasks.estimate import Estimate
from consent.tasks.evaluation import PARTS, EvaluationArtefact
from simulations.report import words

METRICS: Final = {"ndcg": "NDCG", "recall": "recall", "phr": "found anything"}
PART_NAMES: Final = {"": "whole basket", "_repeat": "what repeats", "_explore": "what was new"}
LISTS: Final = {
    "repeat_share": "share of a list bought before",
    "list_filled": "how full lists are",
    "effective_items": "effective number of items in lists",
}
SWAMPED: Final = "lost in the noise"


def headline(found: EvaluationArtefact) -> str:
    """Whom it is about, and on which baskets."""
    shoppers = found.figures["shoppers"]
    when = (
        "their last baskets, which the models may hold with the weight of one shopper"
        if found.not_before is None
        else "baskets bought after the models were made"
    )
    return (
        f"About {shoppers.value:,.0f} shoppers ({shoppers.low:,.0f} to {shoppers.high:,.0f}), "
        f"lists of {found.length}, {when}."
    )


def table(found: EvaluationArtefact) -> Table:
    """Every figure with its 95 % interval."""
    made = Table(title="Measured on devices", title_justify="left")
    made.add_column("figure")
    made.add_column("of", no_wrap=True)
    made.add_column("mean", justify="right", no_wrap=True)
    made.add_column("95 % interval", justify="right", no_wrap=True)
    for part in PARTS:
        for metric, name in METRICS.items():
            made.add_row(name, PART_NAMES[part], *_told(found.figures[f"{metric}{part}"]))
    for figure, name in LISTS.items():
        made.add_row(name, "lists", *_told(found.figures[figure]))
    return made


def _told(estimate: Estimate) -> tuple[str, str]:
    if estimate.swamped:
        return "–", SWAMPED
    many = estimate.high > 2.0
    shown = (lambda value: f"{value:,.0f}") if many else words.score
    return shown(estimate.value), f"{shown(estimate.low)} to {shown(estimate.high)}"
