"""What a client says about its instructions: that it asks for them, and what came of each.

Both are records signed by the client's own key, which their body names. A report holds numbers and
words of fixed lists only: no text that could carry anything about a shopper.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from consent.client_record import ClientRecord, ClientRequest, get_issued_at, own_body
from crypto.errors import WireError
from crypto.wire import SignedRecord, get_int, get_str, get_time

FETCH_TYPE: Final = "instruction-fetch"
REPORT_TYPE: Final = "instruction-report"
MAX_REPORTS: Final = 200
_ID: Final = re.compile(r"[0-9a-f]{32}")
_MOST: Final = 2**53
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
class FetchRequest(ClientRequest):
    """A client asks for its open instructions after a number."""

    RECORD_TYPE: ClassVar = FETCH_TYPE
    after: int = 0

    def stated(self) -> dict[str, Any]:
        """After which number."""
        return {"after": self.after}

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, or a signature that does not hold.
        """
        body, key = own_body(record, FETCH_TYPE, _FETCH_FIELDS, what="A fetch")
        return cls(
            client_key=key,
            issued_at=get_issued_at(body),
            after=get_int(body, "after", low=0, high=_MOST),
        )


@dataclass(frozen=True, kw_only=True)
class Report(ClientRecord):
    """What came of one instruction. ``at`` is when it was carried out, Unix milliseconds."""

    RECORD_TYPE: ClassVar = REPORT_TYPE
    instruction: str
    status: ReportStatus
    outcome: Outcome
    counts: Mapping[Count, int] = field(default_factory=dict)
    at: int

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES[self.status]:
            raise WireError(f"A report of status {self.status} has another outcome.")

    def stated(self) -> dict[str, Any]:
        """All that a client ever tells about an instruction."""
        return {
            "instruction": self.instruction,
            "status": self.status,
            "outcome": self.outcome,
            "counts": dict(self.counts),
            "at": self.at,
        }

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a report and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, word or count, or a signature that does not
                hold.
        """
        body, key = own_body(record, REPORT_TYPE, _REPORT_FIELDS, what="A report")
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
                counts={Count(n): get_int(counts, n, low=0, high=_MOST) for n in sorted(counts)},
                at=get_time(body, "at"),
            )
        except ValueError as error:
            raise WireError("A report uses a word that this version does not know.") from error
