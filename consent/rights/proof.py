"""A device's proof that its shopper asks: signed by the key of the client that stands for her.

A shopper without a login has two things on her device: her token, and the key of her client. The
token alone travels with every call, so a step that hands out or destroys her data asks for the
key as well. The record names her, the step and the hash of exactly what is asked, so that it
proves nothing else; it counts for a minute, and only beside her token.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from consent.client_record import ClientRequest, get_issued_at, own_body
from crypto.errors import WireError
from crypto.wire import SignedRecord, canonical, digest, get_str

RECORD_TYPE: Final = "rights-proof"
_FIELDS: Final = {"shopper", "step", "asked", "client_key", "issued_at"}


class Step(StrEnum):
    """What is proved: that she opens a request, has one carried out, or fetches her export."""

    OPEN = "open"
    CONFIRM = "confirm"
    FETCH = "fetch"


def asked_hash(asked: dict[str, object]) -> str:
    """The hex hash of what a step asks for: the request's body and key, or the request's id."""
    return digest("rights-asked", canonical(asked)).hex()


@dataclass(frozen=True, kw_only=True)
class Possession(ClientRequest):
    """A client's key says that its shopper takes a step."""

    RECORD_TYPE: ClassVar = RECORD_TYPE
    shopper: str
    step: Step
    asked: str

    def covers(self, shopper: str, step: Step, asked: str, now: float) -> bool:
        """Whether it was made for this, and is fresh at ``now`` (Unix seconds)."""
        about = (self.shopper, self.step, self.asked)
        return self.is_fresh(now) and about == (shopper, step, asked)

    def stated(self) -> dict[str, Any]:
        """Whose step it is, and what is asked."""
        return {"shopper": self.shopper, "step": self.step, "asked": self.asked}

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a proof and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field or step, or a signature that does not hold.
        """
        body, key = own_body(record, RECORD_TYPE, _FIELDS, what="A proof")
        return cls(
            shopper=get_str(body, "shopper"),
            step=_step(get_str(body, "step")),
            asked=get_str(body, "asked"),
            client_key=key,
            issued_at=get_issued_at(body),
        )


def _step(name: str) -> Step:
    try:
        return Step(name)
    except ValueError as error:
        raise WireError(f"Unknown step; this version knows {', '.join(Step)}.") from error
