"""How often somebody may try what is worth guessing, flooding or sending again and again.

A quota is written as ``limits`` reads it, such as ``10 per 15 minutes``, or as ``none``. ``peer``
is for every request of one network address and is generous; the others guard single steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from limits import RateLimitItem, parse

from crypto.errors import InvalidInputError

UNLIMITED: Final = "none"


class Kind(StrEnum):
    """What is counted."""

    PEER = "peer"
    LOGIN = "login"
    LOGIN_PEER = "login-peer"
    PAIRING = "pairing"
    REDEEM = "redeem"
    REGISTER = "register"
    STEP_UP = "step-up"
    RECOVER = "recover"
    GUARDIAN = "guardian"


DEFAULTS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.PEER: "30000 per minute",
        Kind.LOGIN: "10 per 15 minutes",
        Kind.LOGIN_PEER: "100 per 15 minutes",  # of one address, whatever the names
        Kind.PAIRING: "10 per 10 minutes",
        Kind.REDEEM: "120 per minute",
        Kind.REGISTER: "600 per hour",
        Kind.STEP_UP: "10 per 15 minutes",
        Kind.RECOVER: "5 per hour",
        Kind.GUARDIAN: "10 per 15 minutes",
    }
)


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The quotas of one service; ``named`` changes the defaults.

    Simulations, which play a whole town from one address, say ``Quotas.off()``.
    """

    named: Mapping[Kind, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in self.named:
            self.of(kind)

    def of(self, kind: Kind) -> RateLimitItem | None:
        """The quota of a kind; None where there is none.

        Raises:
            InvalidInputError: it is no quota.
        """
        text = self.named.get(kind, DEFAULTS[kind])
        if text == UNLIMITED:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise InvalidInputError(
                f"Expected the quota {kind}={text[:64]!r} as '10 per 15 minutes' or '{UNLIMITED}'."
            ) from error

    def to_json(self) -> dict[str, str]:
        """What differs from the defaults."""
        return {str(kind): text for kind, text in self.named.items()}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes.

        Raises:
            InvalidInputError: an unknown kind, or no quota.
        """
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise InvalidInputError("The quotas are an object of texts.")
        try:
            return cls(named={Kind(name): text for name, text in value.items()})
        except ValueError as error:
            raise InvalidInputError(
                f"The quotas have an unknown kind; there are {', '.join(Kind)}."
            ) from error

    @classmethod
    def off(cls) -> Self:
        """No quota at all."""
        return cls(named=dict.fromkeys(Kind, UNLIMITED))
