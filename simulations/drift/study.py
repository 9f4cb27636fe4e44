"""Many weeks of recommending and buying, under each policy, in several towns.

Every policy meets the same towns with the same draws, so differences are paired. Intervals are
Student's over the towns.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from scipy.stats import t as student

from client.recommender.discovery import Zone
from client.recommender.openness import Breadth
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError
from server.collect import Progress
from simulations.drift.measures import SPAN, TITLES, of_baskets, of_lists, satisfaction
from simulations.drift.memory import Memory, estimate
from simulations.drift.policies import PLACES, Device, Policy
from simulations.drift.town import WARM_UP, Bools, Floats, Habits, Ints, Town
from simulations.evaluation.release import INPUTS, Noise

CONFIDENCE: Final = 0.95
# The weeks at the end whose mean is compared.
LAST: Final = 8


@dataclass(frozen=True, kw_only=True)
class Options:
    """A study.

    Attributes:
        weeks: of recommending, after the warm-up.
        seeds: how many towns.
        seed: of the first.
        habits: how the towns behave.
        zone: of the policies that have one.
        breadth: every shopper's slider.
        epsilon: what each week's release costs; None for no noise.
        noise_shoppers: scale the noise as if so many shoppers took part.
    """

    weeks: int = 26
    seeds: int = 5
    seed: int = 0
    habits: Habits = field(default_factory=Habits)
    zone: Zone = field(default_factory=lambda: Zone(mean=6.0, most=5))
    breadth: Breadth = Breadth.AS_I_SHOP
    epsilon: float | None = None
    noise_shoppers: int | None = None

    def __post_init__(self) -> None:
        if self.weeks < LAST or self.seeds < 2:
            raise InvalidInputError(
                f"Expected weeks={self.weeks} >= {LAST} and seeds={self.seeds} >= 2: intervals "
                "need several towns."
            )


def study(
    options: Options, *, progress: Progress = lambda _what, _done, _total: None
) -> dict[str, Any]:
    """Curves and differences as JSON.

    Returns:
        "curves": policy to measure to {"mean", "low", "high"}, one entry a week;
        "differences": policy to measure to [mean, low, high] against ``Policy.BEST`` over the last
        weeks, paired by town.
    """
    runs: dict[Policy, list[dict[str, Floats]]] = {policy: [] for policy in Policy}
    whole, done = options.seeds * len(Policy), 0
    for number in range(options.seeds):
        for policy in Policy:
            progress("drift", done, whole)
            runs[policy].append(_run(policy, options, options.seed + number))
            done += 1
    progress("drift", whole, whole)
    tables = {policy: _stacked(found) for policy, found in runs.items()}
    return {
        "options": {
            **{name: value for name, value in vars(options).items() if name != "habits"},
            "zone": asdict(options.zone),
            "habits": asdict(options.habits),
            "places": PLACES,
            "warm_up": WARM_UP,
            "last": LAST,
        },
        "curves": {
            policy: {name: _curve(values) for name, values in table.items()}
            for policy, table in tables.items()
        },
        "differences": {
            policy: _differences(table, tables[Policy.BEST])
            for policy, table in tables.items()
            if policy is not Policy.BEST
        },
        "warnings": [
            "Made-up shoppers: directions and mechanisms, not sizes to expect in a shop.",
        ],
    }


def _run(policy: Policy, options: Options, seed: int) -> dict[str, Floats]:
    """One town under one policy: measure to its values, shape (weeks,)."""
    habits = options.habits
    town = Town.founded(habits, weeks=options.weeks, rng=np.random.default_rng([seed, 0]))
    memory = Memory(habits.shoppers, habits.items)
    recent: deque[Bools] = deque(maxlen=SPAN)
    for week in range(WARM_UP):
        bought = town.shop(None, np.random.default_rng([seed, 1, week]))
        memory.add(bought)
        recent.append(bought)
    devices = [
        Device(policy, zone=options.zone, breadth=options.breadth) for _ in range(habits.shoppers)
    ]
    rows = []
    for week in range(options.weeks):
        listed = _lists(policy, devices, town, memory, options, seed)
        known, sold, utility = town.known, town.sold, town.utility
        figures = {} if listed is None else of_lists(listed, known, town.kind, sold)
        bought = town.shop(listed, np.random.default_rng([seed, 2, week]))
        recent.append(bought)
        figures |= of_baskets(bought, known, listed, sold, list(recent))
        figures["satisfaction"] = satisfaction(utility[:, sold], bought[:, sold])
        memory.add(bought)
        for device, mine in zip(devices, bought, strict=True):
            device.learn(mine)
        rows.append(figures)
    return {name: np.array([row[name] for row in rows]) for name in TITLES if name in rows[0]}


def _lists(
    policy: Policy,
    devices: Sequence[Device],
    town: Town,
    memory: Memory,
    options: Options,
    seed: int,
) -> Ints | None:
    if policy is Policy.NO_LIST:
        return None
    rng = np.random.default_rng([seed, 3, town.week])
    histories = memory.histories()
    model = estimate(histories, town.catalogue, _noise(options), rng)
    return np.stack(
        [
            device.listed(model, history, town.sold, rng)
            for device, history in zip(devices, histories, strict=True)
        ]
    )


def _noise(options: Options) -> Mapping[TaskName, float]:
    if options.epsilon is None:
        return Noise.none(INPUTS).stddev
    shoppers = options.habits.shoppers
    made = Noise.of(options.epsilon, tasks=INPUTS)
    return made.scaled(shoppers / (options.noise_shoppers or shoppers)).stddev


def _stacked(runs: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Measure to values, shape (towns, weeks)."""
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


def _curve(values: Floats) -> dict[str, list[float]]:
    mean, low, high = _interval(values)
    return {"mean": mean.tolist(), "low": low.tolist(), "high": high.tolist()}


def _differences(table: Mapping[str, Floats], base: Mapping[str, Floats]) -> dict[str, list[float]]:
    found = {}
    for name in table:
        if name in base:
            gaps = (table[name] - base[name])[:, -LAST:].mean(axis=1, keepdims=True)
            found[name] = [float(end[0]) for end in _interval(gaps)]
    return found


def _interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean over towns with the ends of Student's interval; values of shape (towns, n)."""
    towns = len(values)
    mean = values.mean(axis=0)
    reach = student.ppf((1 + CONFIDENCE) / 2, towns - 1) * values.std(axis=0, ddof=1)
    half = reach / np.sqrt(towns)
    return mean, mean - half, mean + half
