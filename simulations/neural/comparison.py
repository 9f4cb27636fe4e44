"""The two paths on the same budget: noisy sums once, or noisy gradients over many rounds.

Complete Journey, next basket, validation fold: what is reported here was also what settings were
chosen by, for both paths alike, and the test fold is not looked at. Devices have no torch; here
every shopper who is no store's counts as one more silo, so that both paths see the same shoppers.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import torch

from client.contributions.history import FloatArray
from client.store.neural.clipping import Clipping, clipped_sum
from client.store.neural.examples import Lesson, Rows, decayed, rows_of
from client.store.neural.model import NextBasket, Shape
from simulations.evaluation.evaluate import on_device
from simulations.evaluation.metrics import Scorer, interval, measure
from simulations.evaluation.protocol import Fold
from simulations.evaluation.release import DELTA, INPUTS, TWO_TASKS, Noise, release
from simulations.neural import accounting
from simulations.neural.training import Run, train

METRICS: Final = ("ndcg@10", "ndcg_repeat@10", "ndcg_explore@10", "ndcg_new@10", "repeat_share@10")
BYTES_A_VALUE: Final = 4  # of compact sum; benchmarks/sums.jsonl
SUMS, NEURAL = "noisy sums", "two-tower"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the two-tower ranker is trained here; a dozen settings were tried on validation."""

    rounds: int = 20
    clipping_norm: float = 0.3
    step: float = 40.0
    width: int = 8
    lesson: Lesson = field(default_factory=lambda: Lesson(baskets=4))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the record.

    Attributes:
        path: which.
        epsilon: of everything shared in total; None without noise.
        population: noise as for that many shoppers; None for the data's own.
        seed: of the noise.
    """

    path: str
    epsilon: float | None
    population: int | None
    seed: int


class Bench:
    """A fold with what both paths need of it, made once."""

    def __init__(self, fold: Fold, plan: Plan, *, device: str = "cpu") -> None:
        self.fold, self.plan, self.device = fold, plan, device
        catalogue = fold.training.catalogue
        self.shape = Shape.of(catalogue, width=plan.width)
        self.silos = _silos(fold, plan.lesson)
        latest = [decayed(fold.histories[shopper], plan.lesson) for shopper in fold.tested]
        self._latest = torch.as_tensor(np.stack(latest), device=device)

    @property
    def shoppers(self) -> int:
        """How many train."""
        return len(self.fold.training.shoppers)

    def whole(self) -> Rows:
        """Every silo's rows in one: the sum is the same, and faster on one machine."""
        return Rows(
            before=np.concatenate([silo.before for silo in self.silos]),
            wanted=np.concatenate([silo.wanted for silo in self.silos]),
        )

    def run(self, case: Case, *, silos: Iterable[Rows] | None = None) -> dict[str, Any]:
        """Train and measure one case."""
        factor = 1.0 if case.population is None else self.shoppers / case.population
        begun = time.perf_counter()
        run = self._train if case.path == NEURAL else self._release
        scorer, values, rounds = run(case, factor, silos)
        trained = time.perf_counter() - begun
        found = measure(scorer, self.fold, cutoffs=(10,))
        return {
            **asdict(case),
            "rounds": rounds,
            "bytes_up_per_client": values * BYTES_A_VALUE,
            "seconds": round(trained, 2),
            **_summary(found),
        }

    def _train(
        self, case: Case, factor: float, silos: Iterable[Rows] | None
    ) -> tuple[Scorer, int, int]:
        plan = self.plan
        noise = accounting.multiplier(case.epsilon, rounds=plan.rounds, delta=DELTA)
        model = NextBasket(self.shape).to(self.device)
        train(
            model,
            list(silos) if silos is not None else [self.whole()],
            Run(
                rounds=plan.rounds,
                clipping_norm=plan.clipping_norm,
                noise_multiplier=noise * factor,
                step=plan.step,
            ),
            planned=self.shoppers,
            rng=np.random.default_rng([case.seed, 0x2E]),
        )
        return self.scorer(model), self.shape.dimension * plan.rounds, plan.rounds

    def _release(
        self, case: Case, factor: float, _silos: Iterable[Rows] | None
    ) -> tuple[Scorer, int, int]:
        # At ε = 1 item-item does not clear its noise here, and its share goes to the others.
        alone = case.epsilon is not None and case.epsilon <= 1 and case.population is None
        tasks = TWO_TASKS if alone else INPUTS
        budget = case.epsilon
        noise = Noise.none(tasks) if budget is None else Noise.of(budget, tasks=tasks)
        rng = np.random.default_rng([case.seed, 0x5E])
        released = release(self.fold, noise.scaled(factor), rng=rng)
        listed = len(self.fold.training.catalogue)
        pairs = 512 * 511 // 2 if tasks is INPUTS else 0
        return on_device(released.values())(self.fold), 2 * listed + pairs, len(tasks)

    def scorer(self, model: NextBasket) -> Scorer:
        """The model's scores for the fold's tested shoppers."""

        def scores(rows: slice) -> FloatArray:
            with torch.no_grad():
                found: FloatArray = model(self._latest[rows][:, None])[:, 0].cpu().numpy()
            return found.astype(np.float64)

        return scores

    def clipping_seconds(self, mode: Clipping, *, at_once: int) -> float:
        """Seconds of one clipped sum over everybody."""
        whole, model = self.whole(), NextBasket(self.shape).to(self.device)
        some = whole.take(slice(0, 64))
        clipped_sum(model, some, clipping_norm=1.0, mode=mode, at_once=at_once)  # warm
        begun = time.perf_counter()
        clipped_sum(model, whole, clipping_norm=1.0, mode=mode, at_once=at_once)
        return round(time.perf_counter() - begun, 2)


def cases(budgets: Iterable[float], populations: Iterable[int], *, seeds: int) -> Iterator[Case]:
    """No noise once; every budget with every seed; each population with one seed."""
    for path in (SUMS, NEURAL):
        yield Case(path=path, epsilon=None, population=None, seed=0)
    for budget in budgets:
        for path in (SUMS, NEURAL):
            for seed in range(seeds):
                yield Case(path=path, epsilon=budget, population=None, seed=seed)
            for population in populations:
                yield Case(path=path, epsilon=budget, population=population, seed=0)


def ledger(plan: Plan, budgets: Iterable[float]) -> list[dict[str, float]]:
    """What the whole run costs by several accountants, for each budget."""
    accountants: dict[str, Callable[..., float]] = {
        "fedcart, Rényi": accounting.by_ours,
        "dp-accounting, PLD": accounting.by_pld,
        "Opacus, Rényi": accounting.by_opacus,
    }
    lines = []
    for budget in budgets:
        noise = accounting.multiplier(budget, rounds=plan.rounds, delta=DELTA)
        terms = {"rounds": plan.rounds, "rate": 1.0, "delta": DELTA}
        told = {name: round(of(noise, **terms), 4) for name, of in accountants.items()}
        lines.append({"epsilon": budget, "noise_multiplier": round(noise, 4), **told})
    return lines


def _silos(fold: Fold, lesson: Lesson) -> list[Rows]:
    """A silo for each store, and one for everybody who is no store's."""
    items = len(fold.training.catalogue)
    inside = {shopper for members in fold.training.stores.values() for shopper in members}
    elsewhere = tuple(s for s in fold.training.shoppers if s not in inside)
    groups = [group for group in (*fold.training.stores.values(), elsewhere) if group]
    return [
        rows_of([fold.histories[s] for s in group if s in fold.histories], lesson, items=items)
        for group in groups
    ]


def _summary(found: Mapping[str, FloatArray]) -> dict[str, Any]:
    table = np.column_stack([found[name] for name in METRICS])
    low, high = interval(table, rng=np.random.default_rng(0))
    summary: dict[str, Any] = {}
    for column, name in enumerate(METRICS):
        summary[name] = round(float(np.nanmean(table[:, column])), 4)
        summary[f"{name}_ci"] = [round(float(low[column]), 4), round(float(high[column]), 4)]
    return summary
