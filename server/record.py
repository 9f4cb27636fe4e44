"""What a round promised, took and cost: the record that is published with its artefact."""

import time
from dataclasses import dataclass, field
from typing import Any

from crypto.dp.plan import PrivacyPlan
from crypto.dp.plan_terms import Sampling
from crypto.dp.widths import NoiseSet
from server.collect import Tally
from server.rounds import PlannedRound


@dataclass
class Watch:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        """End a phase."""
        now = time.perf_counter()
        self.seconds[phase] = round(now - self.started, 3)
        self.started = now


def how_accounted(plan: PrivacyPlan) -> str:
    """What the ε of a plan rests on, in one line for people."""
    bound = (
        "Skellam bound (Agarwal, Kairouz, Liu 2021)"
        if plan.noise is NoiseSet.SKELLAM and plan.bands == 1
        else "discrete Gaussian, Gaussian divergence and smoothing excess"
    )
    whose = "noise of two honest key holders" if plan.scheme.votes else "noise of honest clients"
    if plan.sampling is Sampling.HIDDEN_POISSON:
        rounds = f"hidden Poisson sampling at rate {plan.sampling_rate:g}"
    elif plan.bands > 1:
        rounds = f"noise of {plan.bands} bands, participations {plan.separation} rounds apart"
    elif plan.separation > 1:
        rounds = f"participations {plan.separation} rounds apart, no amplification"
    else:
        rounds = "full participation, no amplification"
    return f"RDP, {bound}; {whose}; {rounds}"


def record_of(planned: PlannedRound, spent: float, watch: Watch, tally: Tally) -> dict[str, Any]:
    """The privacy and cost record that is published with the artefact."""
    plan = planned.plan
    return {
        "task": planned.task.name,
        "round": planned.manifest.round_id,
        "run": planned.manifest.run,
        "number": planned.manifest.number,
        "context": planned.context,
        "epsilon": planned.manifest.epsilon,
        "epsilon_spent_in_all": spent if plan.private else None,
        "plan": plan.to_json(),
        "scheme": planned.manifest.scheme,
        "accounting": how_accounted(plan),
        "sealing": "full",
        "seconds": watch.seconds,
        "bytes_up_per_client": max(tally.bytes_up, default=0),
        "sealed_bytes_per_client": tally.sealed_bytes,
        "bytes_per_value": tally.sealed_bytes / plan.dimension,
        "declined": dict(tally.declined),
        "resealed": tally.resealed,
    }
