"""Row support: which items did a shopper buy, from what the coordinator sees of one upload?"""

from collections.abc import Callable, Mapping

import numpy as np

from crypto.update import FloatArray, IntArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.labs import lab_of
from simulations.attacks.pipeline import SENDER, Lab, Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, mean_interval

SHOPPERS = 120


def row_support(setting: Setting, *, shoppers: int = SHOPPERS) -> Finding:
    """Guess the items of real shoppers from their sealed uploads to the popularity task."""
    run = setting.run
    table = dict(run.contributions(run.popularity.task))
    bought = [name for name, vector in table.items() if vector.any()]
    chosen = setting.chance.choice(bought, size=min(shoppers, len(bought)), replace=False)
    return guess(setting, lab_of(setting), {name: table[name] for name in chosen})


def guess(setting: Setting, lab: Lab, shoppers: Mapping[str, FloatArray]) -> Finding:
    """The finding for the given shoppers' vectors under a lab's scheme."""
    pipeline = setting.pipeline(lab.plan)

    def sealed(values: FloatArray) -> IntArray:
        noised = pipeline.client([values])
        return lab.blind(lab.scheme.seal(noised, sender=SENDER, rng=pipeline.rng))

    def plain(values: FloatArray) -> IntArray:
        return pipeline.shoppers_alone([values])

    def unsealed(values: FloatArray) -> IntArray:
        return pipeline.client([values]).values

    rng = setting.chance
    figure, interval = _mean_f1(pipeline, shoppers, sealed, rng)
    bare, bare_interval = _mean_f1(pipeline, shoppers, plain, rng)
    noise, _ = _mean_f1(pipeline, shoppers, unsealed, rng)
    chance = float(np.mean([np.count_nonzero(v) / v.size for v in shoppers.values()]))
    return Finding(
        name="row support",
        adversary="The coordinator: one client's upload, and how many items she bought.",
        action="Reads the sealed vector as if every key were zero, and names that many items.",
        claim="A sealed vector tells the coordinator nothing about its items.",
        measure="F1 of the guessed items",
        figure=figure,
        interval=interval,
        bound=chance,
        permitted="blind guessing of as many items",
        holds=interval.low <= chance,
        control=Control(
            name="plain update", figure=bare, interval=bare_interval, fired=bare_interval.low > 0.9
        ),
        note="The claim rests on sealing: one client's share of the noise promises nothing by "
        "itself.",
        details={
            "scheme": str(lab.plan.scheme),
            "shoppers": f"{len(shoppers)}, with real baskets",
            "noised but not sealed": f"{noise:.3f}",
        },
    )


def _mean_f1(
    pipeline: Pipeline,
    shoppers: Mapping[str, FloatArray],
    view: Callable[[FloatArray], IntArray],
    rng: np.random.Generator,
) -> tuple[float, Interval]:
    found = np.array([f1(values, pipeline.released(view(values))) for values in shoppers.values()])
    return float(found.mean()), mean_interval(found, rng)


def f1(values: FloatArray, seen: FloatArray) -> float:
    """Of naming as many items as were bought, the largest that are seen; then F1 is precision."""
    truth = np.flatnonzero(values)
    named = np.argsort(-np.abs(seen), kind="stable")[: truth.size]
    return np.intersect1d(truth, named).size / truth.size
