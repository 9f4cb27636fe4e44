"""What a round promised, took and cost: the record that is published with its artefact."""

import time
from dataclasses import dataclass, field
from typing import Any

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


def record_of(planned: PlannedRound, spent: float, watch: Watch, tally: Tally) -> dict[str, Any]:
    """The privacy and cost record that is published with the artefact."""
    plan = planned.plan
    return {
        "task": planned.task.name,
        "round": planned.manifest.round_id,
        "context": planned.context,
        "epsilon": planned.manifest.epsilon,
        "epsilon_spent_in_all": spent if plan.private else None,
        "plan": plan.to_json(),
        "scheme": planned.manifest.scheme,
        "sealing": "full",
        "seconds": watch.seconds,
        "bytes_up_per_client": max(tally.bytes_up, default=0),
        "sealed_bytes_per_client": tally.sealed_bytes,
        "bytes_per_value": tally.sealed_bytes / plan.dimension,
        "declined": dict(tally.declined),
        "resealed": tally.resealed,
    }
