"""An evaluation as one self-contained HTML file: no network, no script, in the report's look."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulations.evaluation.curve import Curve, against_epsilon
from simulations.evaluation.discovery import ZONED
from simulations.evaluation.published import shown
from simulations.report import words
from simulations.report.html import environment, write_whole
from simulations.report.record import Values, figure

PAGE, RECORD = "evaluation.html", "evaluation.json"
MAIN = "ndcg@10"
# What a chart of quality against ε may show, by metric.
CURVES = {
    MAIN: "NDCG@10 against ε",
    "ndcg_new@10": "NDCG@10 of what is new to her, against ε",
    "hr@10": "HR@10 against ε",
}


def write(record: Mapping[str, Any], folder: Path) -> Path:
    """Write the record and its page into a folder, made if missing; returns the page.

    Each file appears whole or not at all.

    Args:
        record: as ``evaluate_population`` makes it.
        folder: where to.

    Raises:
        FedcartError: the folder can't be written to.
    """
    body = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_whole(folder / RECORD, body, what="evaluation")
    return write_whole(folder / PAGE, to_html(record), what="evaluation")


def to_html(record: Mapping[str, Any]) -> str:
    """The page as text, ending in a newline."""
    views = [_view(record, number, name) for number, name in enumerate(record["quality"])]
    return (
        environment("simulations.evaluation")
        .get_template("evaluation.html")
        .render(
            record=record,
            headline=headline(record),
            views=views,
            links=[*((view["id"], view["name"]) for view in views), ("how", "How it was measured")],
            published=shown(record["published"], record["dataset"]),
            terms=words.terms(record["columns"]),
        )
    )


def headline(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The evaluation in a few sentences: whom it foretold, and each budget against the best rival.

    The best rival is the tuned model with the highest NDCG@10: it sees all data in one place. Where
    no rival was tuned, each budget's figure stands alone.
    """
    data = record["dataset"]
    context = ", for when and where each bought" if record["context"] else ""
    who = (
        f"{data['evaluated']:,} of {data['shoppers']:,} shoppers of {data['name']} were foretold "
        f"({record['protocol']}, {record['stage']}{context}), among {data['items']:,} items."
    )
    view = next(iter(record["quality"]))
    best = _best_rival(record, view)
    models = record["quality"][view]
    told = {
        name: f"{name}: NDCG@10 {words.score(models[name][MAIN])}" for name in record["budgets"]
    }
    if best is None:
        return (who, *(f"{sentence}." for sentence in told.values()))
    rival = (
        f"{best} is the best of the tuned models that see all data in one place, without any "
        f"noise: NDCG@10 {words.score(models[best][MAIN])}."
    )
    compared = [
        f"{told[one['first']]}, {_against(one)}."
        for one in record["comparisons"][view]
        if one["metric"] == MAIN and one["second"] == best and one["first"] in told
    ]
    return (who, rival, *compared)


def _against(one: Mapping[str, Any]) -> str:
    """How far a model is from the best rival, and whether that is more than luck."""
    if one["relative"] is None:
        return f"against {one['second']} {one['mean']:+.4f}"
    low, high = one["relative_ci"]
    clear = "" if low > 0 or high < 0 else "not clearly different from "
    return (
        f"{clear or 'against '}{one['second']}: {100 * one['relative']:+.2f}{words.PERCENT} "
        f"(95{words.PERCENT} interval {100 * low:+.2f} to {100 * high:+.2f})"
    )


def _best_rival(record: Mapping[str, Any], view: str) -> str | None:
    """The tuned model with the highest NDCG@10."""
    models = record["quality"][view]
    means = {name: models[name][MAIN] for name in record["tuning"] if name in models}
    return max(means, key=means.__getitem__) if means else None


def _view(record: Mapping[str, Any], number: int, name: str) -> dict[str, Any]:
    models: Mapping[str, Values] = {
        model: {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        for model, values in record["quality"][name].items()
    }
    columns: Mapping[str, str] = record["columns"]
    compared = [one for one in record["comparisons"][name] if one["metric"] == MAIN]
    return {
        "id": f"view{number}",
        "name": name,
        "curves": _curves(models, record["budgets"]),
        "columns": columns,
        "rows": [
            (model, model in record["budgets"], [figure(values, metric) for metric in columns])
            for model, values in models.items()
        ],
        "compared": {
            first: [one for one in compared if one["first"] == first]
            for first in dict.fromkeys(one["first"] for one in compared)
        },
    }


def _curves(models: Mapping[str, Values], budgets: Mapping[str, float | None]) -> list[Curve]:
    lists = {name: values for name, values in models.items() if not name.startswith(ZONED)}
    found = [
        against_epsilon(lists, budgets, metric=metric, title=title)
        for metric, title in CURVES.items()
    ]
    return [curve for curve in found if curve is not None]
