"""The request to take part in a round: a client names its shoppers and proves its key.

The record is signed by the client's own key, which its body names, so it proves possession of
that key and nothing else. Whether the shoppers belong to that client, and whether they agreed, is
for the consent service to judge.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.tasks.task import TaskName
from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    get_strings,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

RECORD_TYPE: Final = "participation"
MAX_SHOPPERS: Final = 10_000
MAX_AGE_S: Final = 60
# Names that appear in URLs, logs and signed records: round ids, contexts, notice versions.
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))
_FIELDS = {"task", "round", "context", "client_key", "issued_at", "shoppers"}


@dataclass(frozen=True, kw_only=True)
class ParticipationRequest:
    """A client asks for grants of one round. ``issued_at`` is in Unix seconds."""

    task: TaskName
    round_id: str
    context: str
    client_key: Ed25519PublicKey
    issued_at: int
    shoppers: tuple[str, ...]

    @cached_property
    def client(self) -> str:
        """The thumbprint of the asking client."""
        return thumbprint(self.client_key)

    def is_fresh(self, now: float) -> bool:
        """Whether the request was made within MAX_AGE_S of ``now`` (Unix seconds), either way."""
        return abs(now - self.issued_at) <= MAX_AGE_S

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the request with the client's key."""
        body = {
            "task": self.task,
            "round": self.round_id,
            "context": self.context,
            "client_key": b64(public_bytes(self.client_key)),
            "issued_at": self.issued_at,
            "shoppers": list(self.shoppers),
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown task or field, a shopper named twice, no shoppers or
                more than MAX_SHOPPERS, or a signature that does not hold.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"A participation request has exactly {', '.join(sorted(_FIELDS))}.")
        shoppers = get_strings(body, "shoppers", max_count=MAX_SHOPPERS)
        if not shoppers or len(set(shoppers)) != len(shoppers):
            raise WireError("A participation request names at least one shopper, each once.")
        return cls(
            task=_task(get_str(body, "task")),
            round_id=_name(get_str(body, "round"), "round"),
            context=_name(get_str(body, "context"), "context"),
            client_key=key,
            issued_at=get_int(body, "issued_at", low=0, high=2**53),
            shoppers=tuple(_name(shopper, "shoppers") for shopper in shoppers),
        )


def _task(name: str) -> TaskName:
    try:
        return TaskName(name)
    except ValueError as error:
        raise WireError(f"Unknown task; this version knows {', '.join(TaskName)}.") from error


def _name(text: str, field: str) -> str:
    if not _NAME.match(text):
        raise WireError(f"Field {field!r}: expected letters, digits and ._:- , 1 to 128 of them.")
    return text
