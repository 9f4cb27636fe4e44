"""What an attack found: a figure with its interval, what is permitted, and its positive control."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from simulations.attacks.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Control:
    """The same attack where protection is taken away: unless it fires, the attack proves nothing.

    Attributes:
        name: what was taken away.
        figure, interval: as of the attack itself.
        fired: whether the attack succeeded here, clearly beyond what is permitted.
    """

    name: str
    figure: float
    interval: Interval
    fired: bool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One attack's outcome.

    Attributes:
        name: the attack.
        adversary: what it knows and controls.
        action: what it does with that.
        claim: what fedcart promises against it.
        measure: what ``figure`` counts, in a few words.
        figure, interval: how far the attack came.
        bound: the most that the claim permits; None where the attack is a documented limit.
        permitted: where the bound comes from, in words.
        holds: whether the claim stands: nothing clearly beyond ``bound`` was found; for a
            documented limit, whether the attack succeeds as the threat model says it does.
        documented: the attack must succeed: it is the reason for a limit that the threat model
            states.
        note: what a reader should know before trusting the line.
        details: further figures, label to text.
        seconds: wall-clock, set by the suite.
    """

    name: str
    adversary: str
    action: str
    claim: str
    measure: str
    figure: float
    interval: Interval
    bound: float | None
    permitted: str
    holds: bool
    control: Control
    documented: bool = False
    note: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the claim stands and the control shows that the attack can see."""
        return self.holds and self.control.fired

    def to_json(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return asdict(self) | {"passed": self.passed}
