"""An evaluation's results for a reader at a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

ALARM = 0.05
SHOWN = "ndcg@10"


def quality_table(metrics: dict[str, Any]) -> Group:
    """The models side by side in every view, their differences, and what was tuned."""
    parts: list[RenderableType] = []
    for view, models in metrics["quality"].items():
        parts.append(_models(metrics, view, models))
        if metrics["comparisons"][view]:
            parts.append(_differences(metrics["comparisons"][view]))
    if metrics["tuning"]:
        parts.append(_tuning(metrics["tuning"]))
    probe = metrics["checks"].get("leak probe")
    if probe:
        parts.append(Text(_probe(probe)))
    if metrics["published"]:
        parts.append(_published(metrics["published"]))
    return Group(*parts)


def _models(metrics: dict[str, Any], view: str, models: dict[str, Any]) -> Table:
    data, draws = metrics["dataset"], metrics["privacy"]["noise_draws"]
    what = "baskets" if metrics["protocol"] == "next-basket" else "different items"
    over = "shoppers" if draws == 1 else f"shoppers and {draws} draws of the noise"
    table = Table(
        title=f"{data['name']}, {view}",
        caption=f"{data['evaluated']:,} shoppers with at least {data['minimum_baskets']} {what}; "
        f"{data['items']:,} items. Intervals: 95 %, bootstrap over {over}.",
    )
    table.add_column("model")
    for title in metrics["columns"].values():
        table.add_column(title, justify="right")
    for model, values in models.items():
        table.add_row(model, *(_cell(values, metric) for metric in metrics["columns"]))
    return table


def _cell(values: dict[str, Any], metric: str) -> str:
    if metric not in values:
        return "–"
    low, high = values[f"{metric}_ci"]
    return f"{values[metric]:.4f} [{low:.3f}, {high:.3f}]"


def _differences(found: list[dict[str, Any]]) -> Table:
    """NDCG@10; what else was compared is in the record."""
    table = Table(
        title="Differences in NDCG@10, paired by shopper",
        caption=f"p: permutation test, adjusted for all comparisons of the table (Holm); "
        f"* below {ALARM:g}.",
    )
    for title in ("", "against", "difference", "relative", "p"):
        table.add_column(
            title, justify="right" if title in {"difference", "relative", "p"} else "left"
        )
    for one in (one for one in found if one["metric"] == SHOWN):
        low, high = one["ci"]
        mark = " *" if one["p_holm"] < ALARM else ""
        relative = "–"
        if one["relative"] is not None:
            least, most = one["relative_ci"]
            relative = f"{one['relative']:+.1%} [{least:+.1%}, {most:+.1%}]"
        table.add_row(
            one["first"],
            one["second"],
            f"{one['mean']:+.4f} [{low:+.4f}, {high:+.4f}]",
            relative,
            f"{one['p_holm']:.4f}{mark}",
        )
    return table


def _tuning(tuned: dict[str, Any]) -> Table:
    table = Table(title="Tuned on validation, in this run")
    for title in ("model", "source", "chosen", "settings tried"):
        table.add_column(title)
    for model, record in tuned.items():
        chosen = ", ".join(f"{name} {value}" for name, value in record["chosen"].items())
        table.add_row(model, record["source"], chosen, str(len(record["tried"])))
    return table


def _probe(probe: dict[str, Any]) -> str:
    low, high = probe["hr@10_ci"]
    verdict = (
        "at chance, as it must be" if probe["holds"] else "NOT AT CHANCE: don't trust this run"
    )
    return (
        f"Leak probe (ranks by how seldom an item was drawn as a training negative): HR@10 "
        f"{probe['hr@10']:.3f} [{low:.3f}, {high:.3f}], chance {probe['chance']:.3f}: {verdict}. "
        f"With negatives that spare the held-out item it reaches {probe['control']:.3f}."
    )


def _published(figures: list[dict[str, Any]]) -> Table:
    table = Table(title="Published elsewhere, not measured here")
    for title in ("model", "source", "HR@10", "NDCG@10", "setting", "note"):
        table.add_column(title)
    for one in figures:
        table.add_row(
            one["model"],
            one["source"],
            f"{one['hr@10']:.3f}",
            f"{one['ndcg@10']:.3f}",
            one["setting"],
            one["note"],
        )
    return table
