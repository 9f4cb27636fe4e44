"""Pairing a device by a short code: the code, and the record with which a device answers it.

A shopper reads the code off the panel and types it at her device. The device signs it with its
identity key, so the record proves possession of that key; the code proves that she wants it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.participation import MAX_AGE_S
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

RECORD_TYPE: Final = "pairing"
# Without 0 and O, 1, I and L: what people read off a screen and type.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH: Final = 8
HANDLE: Final = 4
_CODE: Final = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_FIELDS: Final = {"code", "client_key", "tasks", "issued_at"}


@dataclass(frozen=True, kw_only=True)
class PairingRequest:
    """A device answers a code. ``issued_at`` is in Unix seconds.

    ``tasks`` are those that it will stand for; none named means all that no other device stands
    for by name.
    """

    code: str
    client_key: Ed25519PublicKey
    issued_at: int
    tasks: tuple[TaskName, ...] = ()

    @cached_property
    def client(self) -> str:
        """The thumbprint of the device's key."""
        return thumbprint(self.client_key)

    def is_fresh(self, now: float) -> bool:
        """Whether the request was made within MAX_AGE_S of ``now`` (Unix seconds), either way."""
        return abs(now - self.issued_at) <= MAX_AGE_S

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the request with the device's key."""
        body = {
            "code": self.code,
            "client_key": b64(public_bytes(self.client_key)),
            "tasks": list(self.tasks),
            "issued_at": self.issued_at,
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field or task, a task named twice, text that is no
                code, or a signature that does not hold.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"A pairing request has exactly {', '.join(sorted(_FIELDS))}.")
        return cls(
            code=as_typed(get_str(body, "code")),
            client_key=key,
            issued_at=get_int(body, "issued_at", low=0, high=2**53),
            tasks=_tasks(get_strings(body, "tasks", max_count=len(TaskName))),
        )


def new_code(entropy: Callable[[int], bytes]) -> str:
    """A fresh code: LENGTH characters, each drawn uniformly (rejection, no remainder)."""
    usable = 256 - 256 % len(ALPHABET)
    code = ""
    while len(code) < LENGTH:
        code += "".join(ALPHABET[b % len(ALPHABET)] for b in entropy(LENGTH) if b < usable)
    return code[:LENGTH]


def as_typed(text: str) -> str:
    """A code as it is compared, from what somebody typed: spaces, dashes and case don't matter.

    Raises:
        WireError: not of the form of a code.
    """
    code = text.replace("-", "").replace(" ", "").upper()
    if not _CODE.fullmatch(code):
        raise WireError(f"Field 'code': expected {LENGTH} letters and digits, as XXXX-XXXX.")
    return code


def as_shown(code: str) -> str:
    """A code in two groups, as people read it."""
    return f"{code[:HANDLE]}-{code[HANDLE:]}"


def _tasks(names: tuple[str, ...]) -> tuple[TaskName, ...]:
    try:
        tasks = tuple(TaskName(name) for name in names)
    except ValueError as error:
        raise WireError(f"Unknown task; this version knows {', '.join(TaskName)}.") from error
    if len(set(tasks)) != len(tasks):
        raise WireError("A pairing request names each task once.")
    return tasks
