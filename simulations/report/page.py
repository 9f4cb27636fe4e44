"""Runs as one self-contained HTML file: no network, no script, nothing to install to read it."""

import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from crypto.errors import InvalidInputError
from simulations.engine.scenario import shipped
from simulations.report import chart, compare, figures, story, words
from simulations.report.html import environment, write_whole
from simulations.report.record import FEDCART
from simulations.report.runs import Run, load

METRIC_NAMES = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "phr": "PHR",
    "repeat_share": "repeats in the list",
}
PARTS_OF_BASKET = {"": "", "_repeat": ", repeats", "_explore": ", explores"}
CUTOFFS = (10, 20)


def render(folders: Sequence[Path], out: Path) -> Path:
    """Write the report of one or more runs to ``out`` and return it.

    With several runs a comparison comes first, then each run's sections. The file appears whole or
    not at all; folders that it goes into are made.

    Raises:
        InvalidInputError: no run, a folder without ``metrics.json``, or a file that no run wrote.
        FedcartError: ``out`` can't be written.
    """
    if not folders:
        raise InvalidInputError("No run to report: give at least one run folder.")
    return write_whole(out, to_html([load(folder) for folder in folders]), what="report")


def to_html(runs: Sequence[Run]) -> str:
    """The page as text, ending in a newline."""
    compared = compare.rows(runs)
    page = _environment().get_template("report.html")
    return page.render(
        rows=compared,
        views=[_view(row) for row in compared],
        several=len(runs) > 1,
        links=_links(compared),
        same_data=compare.same_data(runs),
        against_epsilon=compare.against_epsilon(compared),
    )


def _links(rows: Sequence[compare.Row]) -> list[tuple[str, str]]:
    """The page's sections: of several runs the comparison and each run, of one its parts."""
    if len(rows) > 1:
        runs = [(f"run{row.number}", f"{row.number}: {row.name}") for row in rows]
        return [("comparison", "Comparison"), *runs]
    (row,) = rows
    there = {
        "quality": "Quality" if row.run.metrics.quality else "",
        "privacy": "Privacy spent",
        "consent": "Consent",
        "cost": "Cost",
        "household": "One household" if row.run.household else "",
        "notes": "Notes",
    }
    return [(f"run{row.number}-{part}", name) for part, name in there.items() if name]


def _view(row: compare.Row) -> dict[str, Any]:
    """What the templates show of one run."""
    metrics, household = row.run.metrics, row.run.household
    return {
        "id": f"run{row.number}",
        "name": row.name,
        "metrics": metrics,
        "alarms": story.alarms(metrics),
        "headline": story.headline(metrics),
        "facts": story.facts(metrics),
        "protocols": [_protocol(row, protocol) for protocol in metrics.quality],
        "privacy_chart": None if row.off else figures.privacy(metrics),
        "plain_sum": story.plain_sum(metrics),
        "off": row.off,
        "funnel": figures.funnel(metrics),
        "whole_run": figures.whole_run(metrics),
        "rounds": figures.rounds(metrics),
        "phases": _phases(row),
        "household": household,
        "scored": figures.scored(household.recommendations) if household else (),
        "legend": figures.score_legend(household.recommendations) if household else (),
        "notes": story.notes(metrics),
        "command": _command(row),
    }


def _protocol(row: compare.Row, name: str) -> dict[str, Any]:
    metrics = row.run.metrics
    models = metrics.quality[name]
    return {
        "name": name,
        "charts": figures.quality(metrics, name),
        "differences": story.differences(metrics, name),
        "behind": story.behind(metrics, name, figures.PANELS),
        "models": list(models),
        "tables": [(k, _table(row, name, k)) for k in CUTOFFS],
    }


def _table(row: compare.Row, protocol: str, cutoff: int) -> list[tuple[str, list[Any]]]:
    """Every metric at a cutoff, with each model's figure (or None) in the models' order."""
    metrics = row.run.metrics
    lines = []
    for metric, told in METRIC_NAMES.items():
        for part, ending in PARTS_OF_BASKET.items():
            key = f"{metric}{part}@{cutoff}"
            found = [metrics.figure(model, key, protocol) for model in metrics.quality[protocol]]
            if any(found):
                lines.append((f"{told}@{cutoff}{ending}", found))
    return lines


def _phases(row: compare.Row) -> list[str]:
    """Every phase that some round has, in the order of a round."""
    tasks = row.run.metrics.tasks.values()
    used = dict.fromkeys(phase for task in tasks for phase in task.seconds_by_phase)
    known = [phase for phase in words.PHASES if phase in used]
    return [*known, *(phase for phase in used if phase not in known)]


def _command(row: compare.Row) -> str:
    """How to make the run again: the scenario and what was set beyond it."""
    metrics = row.run.metrics
    known = shipped(metrics.scenario).is_file()
    scenario = metrics.scenario if known else f"{metrics.scenario}.toml"
    words_of_it = ["fedcart", "simulate", scenario]
    for setting in metrics.overrides:
        words_of_it += ["--set", setting]
    return shlex.join(words_of_it)


@cache
def _environment() -> jinja2.Environment:
    made = environment()
    made.globals |= {"geometry": chart, "FEDCART": FEDCART}
    return made
