"""The training plan: which tasks run, and how one budget is split over them.

Decided wholly before anything is spent, and each share says why. All rounds of all tasks compose to
the one ε. A task whose signal cannot clear its noise at the planned population and budget is left
out, and its share goes to the others (docs/decisions/0020).
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any, Self

from consent.tasks.evaluation import MAX_SKETCH, EvaluationTask
from consent.tasks.factors import dimension as factors_dimension
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import DEFAULT_SCHEMA, GroupSchema
from consent.tasks.item_item import MOST_LISTED
from consent.tasks.names import TaskName
from consent.tasks.ranker import Feature, RankerTask
from crypto.dp.plan import PrivacyPlan, calibrate
from crypto.dp.widths import NoiseSet
from crypto.errors import InvalidInputError, PlanError
from crypto.sums.schemes import Scheme
from crypto.wire import get_float, get_int
from server.artefacts import factors
from server.artefacts.signal import item_item_verdict
from server.reasons import reasons
from server.runs import Run, cost

# Shares of the budget, tuned on validation data without privacy (docs/decisions/0005, 0015).
DEFAULT_WEIGHTS = {
    TaskName.POPULARITY: 0.12,
    TaskName.RECENT_POPULARITY: 0.24,
    TaskName.ITEM_ITEM: 0.44,
    TaskName.RANKER: 0.20,
}
# Of a grant's ten minutes, what is left for key holders to see it.
MAX_TIMEOUT_S = 300.0
_FITTING_STEP = 1e-4
_FITTING_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What the operator decides before a run.

    Attributes:
        epsilon: for everything shared in total; None switches privacy off (research only).
        delta: of the (ε, δ) statement.
        weights: the tasks to run, in order, each with its share of the budget.
        runs: tasks that are made in several rounds, and how; all others have one. A task's share
            covers its rounds together.
        recent_baskets: how many last baskets ``recent-popularity`` counts.
        item_item_items: length of the public list for ``item-item`` and ``factors``, at most
            ``MOST_LISTED``.
        groups: what ``group-fairness`` audits, as devices ask shoppers for it.
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
    runs: dict[TaskName, Run] = field(default_factory=dict)
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
    groups: GroupSchema = DEFAULT_SCHEMA

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {
            **vars(self),
            "weights": {str(k): v for k, v in self.weights.items()},
            "runs": {str(k): vars(v) for k, v in self.runs.items()},
            "groups": self.groups.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse a plan; unknown fields and tasks are refused."""
        known = set(cls.__dataclass_fields__)
        if value.keys() != known:
            raise InvalidInputError(f"A training plan has the fields {', '.join(sorted(known))}.")
        weights = value["weights"]
        if not isinstance(weights, dict) or not weights or not set(weights) <= set(TaskName):
            raise InvalidInputError(f"Field 'weights' names tasks among {', '.join(TaskName)}.")
        runs = value["runs"]
        if not isinstance(runs, dict) or not set(runs) <= set(weights):
            raise InvalidInputError("Field 'runs' names tasks that have a weight.")
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
            runs={TaskName(k): Run.from_json(v, task=TaskName(k)) for k, v in runs.items()},
            recent_baskets=get_int(value, "recent_baskets", low=1, high=1000),
            item_item_items=get_int(value, "item_item_items", low=2, high=MOST_LISTED),
            max_colluders=get_int(value, "max_colluders", low=0, high=wide),
            force_item_item=_switch(value, "force_item_item"),
            timeout=get_float(value, "timeout", low=1, high=MAX_TIMEOUT_S),
            scheme=Scheme(value["scheme"]),
            experimental=_switch(value, "experimental"),
            client_noise=get_float(value, "client_noise", low=0, high=100),
            unpaired_devices=_switch(value, "unpaired_devices"),
            groups=GroupSchema.parse(value["groups"]),
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
    """The tasks that run, each with its privacy plan, and why others do not.

    ``reasons``: a sentence for each task's share of the budget.
    """

    plans: dict[TaskName, PrivacyPlan]
    left_out: dict[TaskName, str]
    reasons: dict[TaskName, str]


def schedule(plan: TrainingPlan, *, items: int, described: int) -> Schedule:
    """Split the budget; leave out what cannot clear its noise.

    Args:
        plan: the operator's.
        items: length of the item list.
        described: how many directions the list spans by what it says of its items
            (``subspace.described_values``).

    Raises:
        PlanError: the plan contradicts itself (see ``PrivacyPlan``).
    """
    listed = min(plan.item_item_items, items)
    dimensions: dict[TaskName, int] = {
        name: _dimension(name, plan, items=items, listed=listed) for name in plan.weights
    }
    plans = _calibrated(plan, dimensions)
    if TaskName.ITEM_ITEM not in plans or plan.force_item_item:
        return _explained(plan, plans, {})
    verdict = item_item_verdict(
        shoppers=plan.expected_shoppers,
        listed=listed,
        noise_stddev=plans[TaskName.ITEM_ITEM].noise_stddev(plan.min_clients),
        described=described,
    )
    if verdict.worthwhile:
        return _explained(plan, plans, {})
    kept: dict[TaskName, int] = {
        name: size for name, size in dimensions.items() if name is not TaskName.ITEM_ITEM
    }
    return _explained(plan, _calibrated(plan, kept), {TaskName.ITEM_ITEM: verdict.reason})


def _explained(
    plan: TrainingPlan, plans: dict[TaskName, PrivacyPlan], left_out: dict[TaskName, str]
) -> Schedule:
    why = reasons(plans, defaults=DEFAULT_WEIGHTS, weights=plan.weights, left_out=left_out)
    return Schedule(plans=plans, left_out=left_out, reasons=why)


def _dimension(name: TaskName, plan: TrainingPlan, *, items: int, listed: int) -> int:
    """Length of a task's vector; of the ranker's the most it may be (see ``fitted_to``)."""
    match name:
        case TaskName.POPULARITY | TaskName.RECENT_POPULARITY:
            return items
        case TaskName.ITEM_ITEM:
            return listed * (listed - 1) // 2
        case TaskName.FACTORS:
            return factors_dimension(listed, min(factors.WIDTH, listed))
        case TaskName.RANKER:
            return RankerTask(
                features=tuple(Feature), weights=(), candidates=2, baskets=1
            ).dimension
        case TaskName.EVALUATION:
            return EvaluationTask(items=items, sketch=min(items, MAX_SKETCH)).dimension
        case TaskName.FAIRNESS:
            return FairnessTask(items=items, schema=plan.groups).dimension


def fitted_to(plan: PrivacyPlan, dimension: int) -> PrivacyPlan:
    """A plan for a vector of another length than was scheduled, which costs no more at any order.

    What a ranker weighs is known when the tasks before it are released, so its length is, too.
    """
    if plan.dimension == dimension:
        return plan
    kept = {each.name: getattr(plan, each.name) for each in fields(plan) if each.name != "scale"}
    most = plan.release.rdp()
    for step in range(_FITTING_STEPS):
        wider = plan.noise_multiplier * (1 + step * _FITTING_STEP)
        found = PrivacyPlan.fitted(**(kept | {"dimension": dimension, "noise_multiplier": wider}))
        if not plan.private or (found.release.rdp() <= most).all():
            return found
    raise PlanError(
        f"No plan for {dimension} values costs what was scheduled for {plan.dimension}; plan a "
        "new run."
    )


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
            **plan.runs.get(name, Run()).terms,
        )
        for name, dimension in dimensions.items()
    }
    for name, each in plans.items():
        _check_turns(name, each)
    if plan.epsilon is None or math.isinf(plan.epsilon):
        return plans
    # A task's share covers its rounds: each of them has the task's over what they cost together.
    weights = {str(name): plan.weights[name] / cost(each) for name, each in plans.items()}
    named = {str(name): each for name, each in plans.items()}
    chosen = calibrate(named, weights=weights, target_epsilon=plan.epsilon)
    return {TaskName(name): each for name, each in chosen.items()}


def _check_turns(name: TaskName, plan: PrivacyPlan) -> None:
    if plan.separation * plan.min_clients > plan.max_clients:
        raise PlanError(
            f"With separation={plan.separation} each round of {name} has one in "
            f"{plan.separation} of at most {plan.max_clients} clients, and min_clients="
            f"{plan.min_clients} are needed; lower separation or min_clients."
        )
