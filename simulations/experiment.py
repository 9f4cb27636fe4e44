"""One experiment: a scenario from its data to ``metrics.json`` and the report."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from consent.purpose import Purpose
from server.collect import Progress
from simulations.engine.run import Outcome, load, run
from simulations.engine.scenario import Scenario
from simulations.evaluation.baselines import BASELINES
from simulations.evaluation.evaluate import PerShopper, on_device, per_shopper
from simulations.evaluation.metrics import interval, summarise
from simulations.evaluation.protocol import Fold, split
from simulations.household import page, pick
from simulations.results import metrics, released_artefacts

FEDCART = "fedcart"
PROTOCOL = "next-basket"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a run wrote, and where."""

    folder: Path
    metrics: dict[str, Any]
    household: dict[str, Any] | None


def conduct(scenario: Scenario, folder: Path, *, progress: Progress) -> Experiment:
    """Run a scenario into ``folder``: metrics.json, household.json, releases under federation/.

    Only baskets before each shopper's last one are ever given to a client; the last ones are read
    after the training, by the evaluation alone.

    Raises:
        FedcartError: the scenario can't be run; what was released before stays in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    progress("load data", 0, 1)
    population = load(scenario.data, seed=scenario.seed)
    fold = split(population).test
    progress("load data", 1, 1)
    loaded = time.perf_counter() - started
    outcome = run(scenario, fold.training, folder, progress=progress)
    quality: dict[str, Any] = {}
    tested = 0
    started = time.perf_counter()
    if scenario.evaluation.enabled:
        progress("evaluate", 0, 1)
        quality, tested = _evaluate(scenario, fold, outcome)
        progress("evaluate", 1, 1)
    evaluated = time.perf_counter() - started
    record = metrics(scenario, population, outcome, quality, tested=tested)
    record["cost"]["seconds_by_phase"] |= {
        "load": round(loaded, 2),
        "evaluate": round(evaluated, 2),
    }
    record["cost"]["seconds"] = round(sum(record["cost"]["seconds_by_phase"].values()), 2)
    shopper = pick(fold.training, outcome)
    household = None if shopper is None else page(fold.training, outcome, shopper)
    _write(folder / "metrics.json", record)
    _write(folder / "household.json", household)
    return Experiment(folder=folder, metrics=record, household=household)


def _evaluate(scenario: Scenario, fold: Fold, outcome: Outcome) -> tuple[dict[str, Any], int]:
    """Quality for the shoppers who asked for recommendations; nobody else is scored."""
    choices = outcome.choices
    asked = fold.only([n for n, s in enumerate(fold.tested) if choices[s].personalises])
    # When and where her list is for counts as far as she granted it, as on a device.
    told = {name: each.given(Purpose.PERSONALISE) for name, each in choices.items()}
    asked = asked.in_context(told)
    models = {**BASELINES, FEDCART: on_device(released_artefacts(outcome).values())}
    measured = per_shopper(models, asked)
    rng = np.random.default_rng([scenario.seed, 0xE0])
    draws = scenario.evaluation.bootstrap
    quality = {
        name: summarise(values, rng=rng, resamples=draws) for name, values in measured.items()
    }
    for name in BASELINES:
        quality[FEDCART] |= _versus(measured, name, rng, draws)
    return {PROTOCOL: quality}, len(asked.tested)


def _versus(
    measured: PerShopper, other: str, rng: np.random.Generator, draws: int
) -> Mapping[str, float | list[float]]:
    """NDCG@10 against a baseline, shopper by shopper."""
    difference = measured[FEDCART]["ndcg@10"] - measured[other]["ndcg@10"]
    low, high = interval(difference[:, None], rng=rng, resamples=draws)
    name = f"ndcg@10 minus {other}"
    return {name: float(np.nanmean(difference)), f"{name}_ci": [float(low[0]), float(high[0])]}


def _write(path: Path, value: object) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)
