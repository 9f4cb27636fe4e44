"""What a client says about its instructions: that it asks for them, and what came of each.

Both are records signed by the client's own key, which their body names. A report holds numbers and
words of fixed lists only: no text that could carry anything about a shopper.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.participation import MAX_AGE_S
from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

FETCH_TYPE: Final = "instruction-fetch"
REPORT_TYPE: Final = "instruction-report"
MAX_REPORTS: Final = 200
_ID: Final = re.compile(r"[0-9a-f]{32}")
_LATEST: Final = 2**53
_FETCH_FIELDS: Final = {"client_key", "issued_at", "after"}
_REPORT_FIELDS: Final = {"instruction", "client_key", "status", "outcome", "counts", "at"}


class ReportStatus(StrEnum):
    """How an instruction ended; ``FAILED`` is tried again."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Outcome(StrEnum):
    """What a client did, or why not."""

    STOPPED = "stopped"
    RESUMED = "resumed"
    RESTRICTED = "restricted"
    OBJECTION_NOTED = "objection-noted"
    EXPORTED = "exported"
    CORRECTED = "corrected"
    ERASED = "erased"
    NOTHING_THERE = "nothing-there"
    UNKNOWN_SHOPPER = "unknown-shopper"
    TOO_LATE = "too-late"
    STORAGE_FAILED = "storage-failed"


class Count(StrEnum):
    """What a client counts."""

    CELLS = "cells"
    LINES_DELETED = "lines-deleted"
    LINES_CORRECTED = "lines-corrected"
    LINES_EXPORTED = "lines-exported"
    FILES_DELETED = "files-deleted"
    FILES_WRITTEN = "files-written"
    ROUNDS_DELETED = "rounds-deleted"


_REFUSALS: Final = frozenset({Outcome.UNKNOWN_SHOPPER, Outcome.TOO_LATE})
_FAILURES: Final = frozenset({Outcome.STORAGE_FAILED})
OUTCOMES: Final[Mapping[ReportStatus, frozenset[Outcome]]] = {
    ReportStatus.DONE: frozenset(Outcome) - _REFUSALS - _FAILURES,
    ReportStatus.REFUSED: _REFUSALS,
    ReportStatus.FAILED: _FAILURES,
}


@dataclass(frozen=True, kw_only=True)
class FetchRequest:
    """A client asks for its open instructions after a number. ``issued_at`` is in Unix seconds."""

    client_key: Ed25519PublicKey
    issued_at: int
    after: int = 0

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
            "client_key": b64(public_bytes(self.client_key)),
            "issued_at": self.issued_at,
            "after": self.after,
        }
        return SignedRecord.sign(FETCH_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, or a signature that does not hold.
        """
        body, key = _own(record, FETCH_TYPE, _FETCH_FIELDS)
        return cls(
            client_key=key,
            issued_at=get_int(body, "issued_at", low=0, high=_LATEST),
            after=get_int(body, "after", low=0, high=_LATEST),
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of one instruction. ``at`` is when it was carried out, Unix milliseconds."""

    instruction: str
    client_key: Ed25519PublicKey
    status: ReportStatus
    outcome: Outcome
    counts: Mapping[Count, int] = field(default_factory=dict)
    at: int

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES[self.status]:
            raise WireError(f"A report of status {self.status} has another outcome.")

    @cached_property
    def client(self) -> str:
        """The thumbprint of the reporting client."""
        return thumbprint(self.client_key)

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the report with the client's key."""
        body = {
            "instruction": self.instruction,
            "client_key": b64(public_bytes(self.client_key)),
            "status": self.status,
            "outcome": self.outcome,
            "counts": dict(self.counts),
            "at": self.at,
        }
        return SignedRecord.sign(REPORT_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a report and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, word or count, or a signature that does not
                hold.
        """
        body, key = _own(record, REPORT_TYPE, _REPORT_FIELDS)
        counts, instruction = body["counts"], get_str(body, "instruction", max_length=64)
        if not _ID.fullmatch(instruction):
            raise WireError("Field 'instruction': expected 32 hex digits.")
        if not isinstance(counts, dict):
            raise WireError("Field 'counts': expected an object.")
        try:
            return cls(
                instruction=instruction,
                client_key=key,
                status=ReportStatus(get_str(body, "status")),
                outcome=Outcome(get_str(body, "outcome")),
                counts={Count(n): get_int(counts, n, low=0, high=_LATEST) for n in sorted(counts)},
                at=get_int(body, "at", low=0, high=_LATEST),
            )
        except ValueError as error:
            raise WireError("A report uses a word that this version does not know.") from error


def _own(
    record: SignedRecord, record_type: str, fields: set[str]
) -> tuple[dict[str, Any], Ed25519PublicKey]:
    """The body of a record and the key that it names, which signed it."""
    claimed = parse_object(record.body, what=record_type)
    key = parse_public_key(get_str(claimed, "client_key"), what="client key")
    body = record.verified(record_type, key)
    if body.keys() != fields:
        raise WireError(f"A record of type {record_type} has exactly {', '.join(sorted(fields))}.")
    return body, key
