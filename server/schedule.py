"""The training plan: which tasks run, and how one budget is split over them.

Decided wholly before anything is spent. A task whose signal cannot clear its noise at the planned
population and budget is left out, and its share goes to the others.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Self

from consent.tasks.names import TaskName
from crypto.dp.plan import PrivacyPlan, calibrate
from crypto.dp.widths import NoiseSet
from crypto.errors import InvalidInputError
from crypto.sums.schemes import Scheme
from crypto.wire import get_float, get_int
from server.artefacts.signal import item_item_verdict

# Shares of the budget, tuned on validation data without privacy (docs/decisions/0005).
DEFAULT_WEIGHTS = {
    TaskName.POPULARITY: 0.15,
    TaskName.RECENT_POPULARITY: 0.30,
    TaskName.ITEM_ITEM: 0.55,
}
# Of a grant's ten minutes, what is left for key holders to see it.
MAX_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What the operator decides before a run.

    Attributes:
        epsilon: for everything shared in total; None switches privacy off (research only).
        delta: of the (ε, δ) statement.
        weights: the tasks to run, in order, each with its share of the budget.
        recent_baskets: how many last baskets ``recent-popularity`` counts.
        item_item_items: length of the public list for ``item-item``.
        min_clients, max_clients, max_shoppers, max_colluders: see ``PrivacyPlan``.
        expected_shoppers: how many will probably take part; judges whether a task is worth it.
        force_item_item: run ``item-item`` whatever its signal.
        timeout: seconds that clients have to answer in a round; grants live ten minutes, within
            which the key holders must have seen them too.
        scheme: how sums are sealed.
        experimental: Set B instead of Set A: half the bytes, not reviewed from outside.
        client_noise: the second line of noise, see ``PrivacyPlan``.
        unpaired_devices: whether devices outside an alliance may take part (not with share sum).
    """

    epsilon: float | None
    delta: float
    weights: dict[TaskName, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    recent_baskets: int = 3
    item_item_items: int = 512
    min_clients: int
    max_clients: int
    max_shoppers: int
    max_colluders: int
    expected_shoppers: int
    force_item_item: bool = False
    timeout: float = 240.0
    scheme: Scheme = Scheme.COMPACT_SUM
    experimental: bool = False
    client_noise: float = 1.0
    unpaired_devices: bool = False

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {**vars(self), "weights": {str(k): v for k, v in self.weights.items()}}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse a plan; unknown fields and tasks are refused."""
        known = set(cls.__dataclass_fields__)
        if value.keys() != known:
            raise InvalidInputError(f"A training plan has the fields {', '.join(sorted(known))}.")
        weights = value["weights"]
        if not isinstance(weights, dict) or not weights or not set(weights) <= set(TaskName):
            raise InvalidInputError(f"Field 'weights' names tasks among {', '.join(TaskName)}.")
        if value["scheme"] not in list(Scheme):
            raise InvalidInputError(f"Field 'scheme' is one of {', '.join(Scheme)}.")
        wide = 10**9
        whole = ("min_clients", "max_clients", "max_shoppers", "expected_shoppers")
        return cls(
            epsilon=None
            if value["epsilon"] is None
            else get_float(value, "epsilon", low=0, high=1e6),
            delta=get_float(value, "delta", low=0, high=1),
            weights={TaskName(k): get_float(weights, k, low=0, high=1e6) for k in weights},
            recent_baskets=get_int(value, "recent_baskets", low=1, high=1000),
            item_item_items=get_int(value, "item_item_items", low=2, high=4096),
            max_colluders=get_int(value, "max_colluders", low=0, high=wide),
            force_item_item=_switch(value, "force_item_item"),
            timeout=get_float(value, "timeout", low=1, high=MAX_TIMEOUT_S),
            scheme=Scheme(value["scheme"]),
            experimental=_switch(value, "experimental"),
            client_noise=get_float(value, "client_noise", low=0, high=100),
            unpaired_devices=_switch(value, "unpaired_devices"),
            **{key: get_int(value, key, low=1, high=wide) for key in whole},
        )


def _switch(value: dict[str, Any], key: str) -> bool:
    """True or false, nothing that merely counts as one of them."""
    found = value[key]
    if not isinstance(found, bool):
        raise InvalidInputError(f"Field {key!r}: expected true or false, got {found!r}.")
    return found


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The tasks that run, each with its privacy plan, and why others do not."""

    plans: dict[TaskName, PrivacyPlan]
    left_out: dict[TaskName, str]


def schedule(plan: TrainingPlan, *, items: int) -> Schedule:
    """Split the budget; leave out what cannot clear its noise.

    Raises:
        PlanError: the plan contradicts itself (see ``PrivacyPlan``).
    """
    listed = min(plan.item_item_items, items)
    dimensions: dict[TaskName, int] = {
        TaskName.POPULARITY: items,
        TaskName.RECENT_POPULARITY: items,
        TaskName.ITEM_ITEM: listed * (listed - 1) // 2,
    }
    plans = _calibrated(plan, {name: dimensions[name] for name in plan.weights})
    if TaskName.ITEM_ITEM not in plans or plan.force_item_item:
        return Schedule(plans=plans, left_out={})
    verdict = item_item_verdict(
        shoppers=plan.expected_shoppers,
        listed=listed,
        noise_stddev=plans[TaskName.ITEM_ITEM].noise_stddev(plan.min_clients),
    )
    if verdict.worthwhile:
        return Schedule(plans=plans, left_out={})
    kept: dict[TaskName, int] = {
        name: dimensions[name] for name in plan.weights if name is not TaskName.ITEM_ITEM
    }
    return Schedule(plans=_calibrated(plan, kept), left_out={TaskName.ITEM_ITEM: verdict.reason})


def _calibrated(plan: TrainingPlan, dimensions: dict[TaskName, int]) -> dict[TaskName, PrivacyPlan]:
    plans = {
        name: PrivacyPlan.fitted(
            dimension=dimension,
            clipping_norm=1.0,
            noise_multiplier=0.0,
            min_clients=plan.min_clients,
            max_clients=plan.max_clients,
            max_shoppers=plan.max_shoppers,
            max_colluders=plan.max_colluders,
            delta=plan.delta,
            scheme=plan.scheme,
            noise=NoiseSet.CENTRED_GAUSSIAN if plan.experimental else NoiseSet.SKELLAM,
            experimental=plan.experimental,
            client_noise=plan.client_noise,
        )
        for name, dimension in dimensions.items()
    }
    if plan.epsilon is None or math.isinf(plan.epsilon):
        return plans
    weights = {str(name): plan.weights[name] for name in plans}
    named = {str(name): each for name, each in plans.items()}
    chosen = calibrate(named, weights=weights, target_epsilon=plan.epsilon)
    return {TaskName(name): each for name, each in chosen.items()}
