"""The fairness audit over a population whose groups are at hand: no seal, and no noise of its own.

Each shopper's contribution is the one that her device would make, and the findings come from the
very finish of a federated round. Beside them stand intervals by bootstrap over shoppers, which know
nothing of the finish, and what the same audit could see in federations of other sizes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from client.contributions import fairness as contributing
from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.inputs import Inputs
from client.recommender.moment import DAY_S
from consent.tasks.artefact import Artefact
from consent.tasks.fairness import FAIR_RATIO, MEASURES, FairnessArtefact, FairnessTask
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError
from server.artefacts.fairness import plan_task
from server.artefacts.registry import finish
from simulations.evaluation.measuring import OVERHEAD, noise_for
from simulations.evaluation.protocol import Fold, Stage, split
from simulations.evaluation.release import DELTA, gaussian_multiplier, release
from simulations.fairness.story import LEAST_MEAN
from simulations.population.groups import schema_of
from simulations.population.population import Population
from simulations.population.sensitive import withheld

RESAMPLES: Final = 2000
# Federations that are judged beside the one at hand, as shoppers who stated something, and the
# budgets of an audit in them; the noise is that of one round at this ε.
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
BUDGETS: Final = (None, 2.0, 0.5)
# Bounds what a shopper gives up, not what the audit says: a planted fault for tests.
Change = Callable[[str, Inputs], Inputs]


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """What an audit is asked to do.

    Attributes:
        stage: whose baskets are foretold.
        epsilon: budget of what was released before, at δ = 1e-5; None for no noise.
        audit_epsilon: budget of the audit's own round; None for no noise.
        seed: of noise and bootstrap.
    """

    stage: Stage = Stage.TEST
    epsilon: float | None = 2.0
    audit_epsilon: float | None = None
    seed: int = 0


def audit_population(
    population: Population, options: AuditOptions, *, change: Change | None = None
) -> dict[str, Any]:
    """Audit the recommender over the labelled shoppers of a population.

    Returns:
        "dataset", "privacy", "audit" (the artefact as JSON), "bootstrap" (attribute to group to
        ratio and gap with their 95 % intervals over shoppers), "outlook" (what the same audit
        would see in other federations) and "warnings".

    Raises:
        InvalidInputError: nobody is labelled, or nobody has enough baskets.
    """
    population = withheld(population)
    parts = split(population)
    fold = parts.test if options.stage is Stage.TEST else parts.validation
    fold = fold.in_context({})  # as on a device with a grant for purchases alone: lists for the day
    artefacts = _released(fold, options)
    task = plan_task(population.catalogue, artefacts.values(), schema=schema_of(population))
    rows = contributions(fold, task, artefacts, change=change)
    noise = _stddev(options.audit_epsilon)
    rng = np.random.default_rng([options.seed, 0xFA])
    total = np.sum(list(rows.values()), axis=0) + noise * rng.standard_normal(task.dimension)
    found = _finish(task, total, noise, population)
    return {
        "seed": options.seed,
        "stage": str(options.stage),
        "dataset": {
            "name": population.name,
            "note": population.note,
            "shoppers": len(population.shoppers),
            "labelled": len(population.groups),
            "audited": sum(bool(row.any()) for row in rows.values()),
            "items": len(population.catalogue),
        },
        "privacy": {
            "epsilon": options.epsilon,
            "audit_epsilon": options.audit_epsilon,
            "delta": DELTA,
            "noise_stddev": noise,
        },
        "audit": {"catalogue": found.catalogue} | found.to_json(),
        "bootstrap": bootstrap(fold, task, rows, rng=rng),
        "outlook": outlook(task, np.sum(list(rows.values()), axis=0), population),
        "warnings": ["Offline research: groups and histories were read in one place."],
    }


def contributions(
    fold: Fold,
    task: FairnessTask,
    artefacts: Mapping[TaskName, Artefact],
    *,
    change: Change | None = None,
) -> dict[str, FloatArray]:
    """Each labelled, tested shopper's contribution, as her device would make it.

    ``change`` alters a shopper's inputs: it plants a fault that the audit has to find.
    """
    labels = fold.training.groups
    found = {}
    for shopper, truth, when in zip(fold.tested, fold.truth, fold.when, strict=True):
        if shopper not in labels:
            continue
        before = fold.histories[shopper]
        inputs = Inputs(
            history=_followed_by(before, truth, when - when % DAY_S),
            catalogue=fold.training.catalogue,
            artefacts=artefacts,
            groups=labels[shopper],
        )
        inputs = inputs if change is None else change(shopper, inputs)
        found[shopper] = contributing.contribution(task, inputs)
    return found


def bootstrap(
    fold: Fold,
    task: FairnessTask,
    rows: Mapping[str, FloatArray],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Percentile intervals of each group's ratio and gap, over resampled shoppers.

    Reads NDCG back from each contribution and shares nothing with the finish: the check of its
    intervals. Groups below the task's minimum are left out.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for attribute, groups in task.schema.attributes.items():
        place, values = _members(fold, task, rows, attribute)
        counts = np.bincount(place, minlength=len(groups))
        kept = [n for n in range(len(groups)) if counts[n] >= task.least_shoppers]
        inside = np.isin(place, kept)
        place, values = place[inside], values[inside]
        if not values.size:
            continue
        times = rng.multinomial(values.size, np.full(values.size, 1 / values.size), size=resamples)
        overall = max(float(values.mean()), LEAST_MEAN)
        mean = np.maximum((times @ values) / values.size, LEAST_MEAN)
        for group in kept:
            member = (place == group).astype(np.float64)
            own = (times @ (member * values)) / np.maximum(times @ member, 1.0)
            found.setdefault(attribute, {})[groups[group]] = {
                "shoppers": int(member.sum()),
                "ratio": float(values[place == group].mean() / overall),
                "ratio_ci": _percentiles(own / mean),
                "gap": float(values[place == group].mean() - values.mean()),
                "gap_ci": _percentiles(own - mean),
            }
    return found


def outlook(task: FairnessTask, total: FloatArray, population: Population) -> list[dict[str, Any]]:
    """The smallest gap that audits of other sizes and budgets would show with 80 % probability.

    Shoppers are taken to be like those at hand and in the same proportions; the gap is a share of
    the mean, and the largest and smallest over the groups that are reported here.
    """
    here = _finish(task, total, 0.0, population)
    stated = max((each.mean["shoppers"].value for each in _with_mean(here)), default=0.0)
    found = []
    for size in SIZES if stated else ():
        for epsilon in BUDGETS:
            grown = _finish(task, total * size / stated, _stddev(epsilon), population)
            gaps = {
                f"{name}, {group}": finding.detectable / max(each.mean["ndcg"].value, LEAST_MEAN)
                for name, each in grown.attributes.items()
                for group, finding in each.groups.items()
                if group in here.attributes[name].groups
            }
            if gaps:
                best, worst = min(gaps, key=gaps.__getitem__), max(gaps, key=gaps.__getitem__)
                found.append(
                    {
                        "shoppers": size,
                        "epsilon": epsilon,
                        "groups": len(gaps),
                        "seeable": sum(gap <= 1 - FAIR_RATIO for gap in gaps.values()),
                        "best": {"group": best, "gap": gaps[best]},
                        "worst": {"group": worst, "gap": gaps[worst]},
                    }
                )
    return found


def _with_mean(found: FairnessArtefact) -> list[Any]:
    return [each for each in found.attributes.values() if each.groups]


def _finish(
    task: FairnessTask, total: FloatArray, noise: float, population: Population
) -> FairnessArtefact:
    found = finish(task, total, noise_stddev=noise, catalogue=population.catalogue)
    if not isinstance(found, FairnessArtefact):
        raise InvalidInputError("Expected the artefact of a fairness audit.")
    return found


def _released(fold: Fold, options: AuditOptions) -> dict[TaskName, Artefact]:
    noise, _ = noise_for(fold, options.epsilon, None)
    return release(fold, noise, rng=np.random.default_rng([options.seed, 0]))


def _stddev(epsilon: float | None) -> float:
    return 0.0 if epsilon is None else OVERHEAD * gaussian_multiplier(epsilon, DELTA)


def _followed_by(history: History, basket: IndexArray, day: int) -> History:
    """A history with one more basket, its items in no order, on a day (Unix seconds)."""
    line, size = history.line, history.item.size
    return replace(
        history,
        basket=np.append(history.basket, np.full(basket.size, history.baskets)),
        item=np.append(history.item, basket),
        line=None if line is None else np.append(line, size + np.arange(basket.size)),
        time=None if history.time is None else np.append(history.time, day),
        store=None,
    )


def _members(
    fold: Fold, task: FairnessTask, rows: Mapping[str, FloatArray], attribute: str
) -> tuple[Any, FloatArray]:
    """Group and NDCG of every counted shopper who stated the attribute."""
    starts = contributing.group_starts(task)
    at, weight = MEASURES.place["ndcg"], MEASURES.weights[MEASURES.place["ndcg"]]
    groups = task.schema.attributes[attribute]
    place, values = [], []
    for shopper, row in rows.items():
        group = fold.training.groups[shopper].get(attribute)
        if group is None or not row.any():
            continue
        value = row[starts[attribute, group] + at] / (weight * task.scale)
        place.append(groups.index(group))
        values.append(0.5 * (1.0 + value))
    return np.array(place, dtype=np.int64), np.array(values)


def _percentiles(values: FloatArray) -> list[float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return [float(low), float(high)]
