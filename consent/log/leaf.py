"""What the log holds of a consent event: a keyed hash, and nothing that can be linked without key.

A leaf is HMAC-SHA256(key of the shopper, canonical JSON of the event). She gets her key with her
proofs and can recompute her leaves. Once the key is destroyed, nobody can tell whose leaves they
were or what they said, while every proof about the rest of the log still holds.
"""

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from consent.log.tree import leaf_hash
from consent.purpose import Category, ConsentState, Purpose
from crypto.errors import WireError
from crypto.wire import canonical, get_int, get_str, get_time

KEY_BYTES: Final = 32
_MAX_EPOCH: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class LoggedEvent:
    """One change of one cell, exactly as its leaf covers it.

    Attributes:
        time: when it was taken, Unix milliseconds.
        expires_at: when the consent that it gives ends, Unix milliseconds; None if it gives none.
        language: the language in which the notice was shown, empty where nobody said.
    """

    shopper: str
    epoch: int
    purpose: Purpose
    category: Category
    state: ConsentState
    notice: str
    language: str
    time: int
    expires_at: int | None

    def to_json(self) -> dict[str, Any]:
        """The event as the JSON object that is hashed."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse what ``to_json`` writes.

        Raises:
            WireError: a field is missing, unknown or of another type.
        """
        if value.keys() != cls.__dataclass_fields__.keys():
            raise WireError("A consent event has missing or unknown fields.")
        ends = value["expires_at"]
        try:
            return cls(
                shopper=get_str(value, "shopper"),
                epoch=get_int(value, "epoch", low=0, high=_MAX_EPOCH),
                purpose=Purpose(get_str(value, "purpose")),
                category=Category(get_str(value, "category")),
                state=ConsentState(get_str(value, "state")),
                notice=get_str(value, "notice"),
                language=get_str(value, "language"),
                time=get_time(value, "time"),
                expires_at=None if ends is None else get_time(value, "expires_at"),
            )
        except ValueError as error:
            raise WireError("A consent event names an unknown term.") from error

    def leaf(self, key: bytes) -> bytes:
        """The leaf hash of the event under its shopper's key.

        Raises:
            WireError: the key has another length.
        """
        if len(key) != KEY_BYTES:
            raise WireError(f"A log key has {KEY_BYTES} bytes, got {len(key)}.")
        return leaf_hash(hmac.new(key, canonical(self.to_json()), hashlib.sha256).digest())
