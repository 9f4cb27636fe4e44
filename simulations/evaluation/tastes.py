"""Measure factors beside item-item, on validation, with the same share of the same budget.

    python -m simulations.evaluation.tastes complete-journey|ratings [EPSILON|none] [ranker]

Popularity and recent popularity are released once and shared by both; factors take the share of
item-item. The closed form makes the lists, or a ranker that is learned for each, with its own share
(factors of two rounds only: that takes minutes). Made-up ratings have drawn negatives.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np

from client.contributions.history import FloatArray
from consent.tasks.artefact import Artefact
from consent.tasks.factors import FactorsArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.task import Task
from crypto.errors import InvalidInputError
from server.artefacts import factors, item_item, ranker
from server.artefacts.registry import finish
from simulations.evaluation.evaluate import on_device
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.metrics import measure
from simulations.evaluation.negatives import drawn_negatives
from simulations.evaluation.protocol import Fold, split
from simulations.evaluation.ranks import measure_ranks
from simulations.evaluation.release import ALL_TASKS, INPUTS, Noise, release, total
from simulations.population.ratings import made_up_ratings

Released = dict[TaskName, Artefact]
Measure = Callable[[Released], Mapping[str, FloatArray]]
ROUNDS = (1, 2, 4)


def contenders(
    fold: Fold, noise: Noise, *, rng: np.random.Generator, rounds: tuple[int, ...] = ROUNDS
) -> dict[str, Released]:
    """What a device would hold with item-item and with factors of so many rounds.

    ``noise`` says what each task's share of the budget makes of it, item-item's for both; with a
    ranker in it, one is learned for each. Its noise is the same draw for all.
    """
    learned = TaskName.RANKER in noise.stddev
    withheld = ranker.BASKETS if learned else 0
    few = {name: noise.stddev[name] for name in INPUTS - {TaskName.ITEM_ITEM}}
    shared = release(fold, Noise(stddev=few), rng=rng)
    popularity = shared[TaskName.POPULARITY]
    if not isinstance(popularity, PopularityArtefact):
        raise InvalidInputError("Expected a popularity artefact.")
    stddev = noise.stddev[TaskName.ITEM_ITEM]
    task = item_item.plan_task(popularity, withheld=withheld)
    found: dict[str, Released] = {
        "item-item": shared | {task.name: _summed(fold, task, stddev, rng)}
    }
    for many in rounds:
        previous: FactorsArtefact | None = None
        for _ in range(many):
            step = factors.plan_task(
                popularity, fold.training.catalogue, withheld=withheld, previous=previous
            )
            made = _summed(fold, step, stddev * float(np.sqrt(many)), rng)
            previous = made if isinstance(made, FactorsArtefact) else None
        if previous is not None:
            found[f"factors, {many} rounds"] = shared | {TaskName.FACTORS: previous}
    if learned:
        seed = int(rng.integers(2**63))
        for name, released in found.items():
            weighing = ranker.plan_task(released.values(), fold.training.catalogue)
            drawn = np.random.default_rng(seed)
            weights = _summed(
                fold, weighing, noise.stddev[TaskName.RANKER], drawn, released=released
            )
            found[name] = released | {TaskName.RANKER: weights}
    return found


def _summed(
    fold: Fold,
    task: Task,
    stddev: float,
    rng: np.random.Generator,
    *,
    released: Mapping[TaskName, Artefact] | None = None,
) -> Artefact:
    values = total(fold, task, released or {}) + stddev * rng.standard_normal(task.dimension)
    return finish(task, values, noise_stddev=stddev, catalogue=fold.training.catalogue)


def next_basket() -> tuple[Fold, Measure]:
    """Complete Journey's validation fold."""
    from simulations.population.complete_journey import load_complete_journey  # noqa: PLC0415

    fold = split(load_complete_journey()).validation
    return fold, lambda held: measure(on_device(held.values())(fold), fold)


def ratings(raters: int = 6040, items: int = 3706) -> tuple[Fold, Measure]:
    """Made-up ratings, leave one out, every fourth rater."""
    parts = LeaveOneOut(population=made_up_ratings(raters, items))
    drawn = drawn_negatives(parts, rng=np.random.default_rng(1))
    whole, _ = drawn.restricted(parts.validation)
    fold = whole.only(range(0, len(whole.tested), 4))
    given = [drawn.items[shopper] for shopper in fold.tested]

    def measured(held: Released) -> Mapping[str, FloatArray]:
        return measure_ranks(on_device(held.values())(fold), fold, negatives=given)

    return fold, measured


def main(arguments: list[str]) -> None:
    """Print a line for each contender: means, then its paired difference to item-item."""
    name = arguments[0] if arguments else "complete-journey"
    fold, measured = ratings() if name == "ratings" else next_basket()
    tasks = ALL_TASKS if "ranker" in arguments else INPUTS
    rounds = ROUNDS[1:2] if "ranker" in arguments else ROUNDS
    columns = ("hr@10", "ndcg@10") if name == "ratings" else ("ndcg@10", "ndcg_new@10")
    budget = arguments[1] if arguments[1:] else "none"
    noise = Noise.none(tasks) if budget == "none" else Noise.of(float(budget), tasks=tasks)
    reference: Mapping[str, FloatArray] = {}
    rng = np.random.default_rng(0)
    for contender, held in contenders(fold, noise, rng=rng, rounds=rounds).items():
        values = measured(held)
        reference = reference or values
        for column in columns:
            apart = values[column] - reference[column]
            spread = 1.96 * np.nanstd(apart) / np.sqrt(np.isfinite(apart).sum())
            sys.stdout.write(
                f"{contender:20} {column:12} {np.nanmean(values[column]):.4f}  "
                f"{np.nanmean(apart):+.4f} ± {spread:.4f}\n"
            )
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
