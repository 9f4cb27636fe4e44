"""Runs of several rounds: what the operator may ask of one, and how its rounds are named.

The rounds of a run have one plan and rising numbers. A number belongs to one round for good: after
a round that failed the next number is taken, and what was skipped is charged with it.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Self

from consent.tasks.names import MEASURING, TaskName
from crypto.dp.correlated import squared_norm
from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import Sampling
from crypto.errors import InvalidInputError
from crypto.wire import get_float, get_int
from server.planning import ONLY, Spot

MAX_ROUNDS: Final = 1000
# Tasks whose rounds carry on from what the round before released.
CARRYING: Final = frozenset({TaskName.FACTORS, TaskName.RANKER})


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a task's rounds are made; the fields are those of ``PrivacyPlan``.

    Up to three or so rounds each with noise of its own is best: bands and hidden sampling pay only
    over many, where each shopper takes part in few.
    """

    rounds: int = 1
    bands: int = 1
    separation: int = 1
    sampling_rate: float = 1.0

    @property
    def terms(self) -> dict[str, Any]:
        """As parameters of a privacy plan."""
        sampling = Sampling.ALL if self.sampling_rate == 1.0 else Sampling.HIDDEN_POISSON
        return {**vars(self), "sampling": sampling}

    @classmethod
    def from_json(cls, value: object, *, task: TaskName) -> Self:
        """Parse one; what can't hold together is refused when the plan is made.

        Raises:
            InvalidInputError: fields missing, unknown or out of bounds, several rounds of a task
                that is a single sum, or a coin in one that measures.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(value, dict) or value.keys() != set(names):
            raise InvalidInputError(f"The run of {task} has the fields {', '.join(names)}.")
        made = cls(
            rounds=get_int(value, "rounds", low=1, high=MAX_ROUNDS),
            bands=get_int(value, "bands", low=1, high=MAX_ROUNDS),
            separation=get_int(value, "separation", low=1, high=MAX_ROUNDS),
            sampling_rate=get_float(value, "sampling_rate", low=0, high=1),
        )
        if made.rounds > 1 and task not in CARRYING:
            raise InvalidInputError(
                f"Task {task} is one sum, not {made.rounds} rounds; give it one, and its weight "
                "the budget that it should have."
            )
        # Its intervals know of shoppers and of noise; coins would move figures beyond both.
        if made.sampling_rate < 1 and task in MEASURING:
            raise InvalidInputError(
                f"Task {task} measures everybody who takes part: expected sampling_rate="
                f"{made.sampling_rate} to be 1."
            )
        return made


def cost(plan: PrivacyPlan) -> float:
    """What a plan costs in releases of its noise multiplier: its μ² times z².

    A round that ledgers charge costs 1, ‖c‖² with bands, and about q² where a hidden coin decides
    (the accountant has the exact figure; this one only splits a budget).
    """
    return len(plan.releases()) * squared_norm(plan.bands) * plan.sampling_rate**2


def round_id_of(run_id: str, name: TaskName, plan: PrivacyPlan, number: int) -> str:
    """A round's id: a run of one round has the run's and the task's name alone."""
    return f"{run_id}-{name}" if plan.rounds == 1 else f"{run_id}-{name}-{number}"


def spot_of(run_id: str, plan: PrivacyPlan, number: int) -> Spot:
    """Where a round stands in its run."""
    return ONLY if plan.rounds == 1 else Spot(run=run_id, number=number)
