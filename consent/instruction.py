"""Signed instructions to clients: what a shopper's devices and stores are to do with her data.

The consent service holds no purchases, so a stop, an export, an erasure or a correction is carried
out where the data is. The service signs an instruction; the client that it names fetches it, checks
it against the pinned key, carries it out and reports (``consent.instruction_report``).

======== ==========================================================================================
kind     the client
======== ==========================================================================================
stop     uses the named cells no more and deletes what it derived from them; without cells: it no
         longer stands for the shopper, and uses nothing of hers
resume   may use the named cells again; without cells: whatever ``details.lifts`` names
restrict keeps her data and uses none of it
object   uses the named cells no more, or nothing where none is named
export   writes what it has about her to a file that stays with it
correct  applies ``details.corrections`` to her purchases
erase    deletes everything that it has about her
======== ==========================================================================================

Instructions to one client are numbered. A later number wins over an earlier one about the same
thing, in whatever order they are carried out, so an old one that comes again changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.correction import Correction, parse_corrections
from consent.purpose import Category, Cell, Purpose
from crypto.errors import InvalidInputError, WireError
from crypto.wire import SignedRecord, canonical, get_int, get_str, get_time

RECORD_TYPE: Final = "instruction"
MAX_DETAILS_BYTES: Final = 64 * 1024
_MAX_NUMBER: Final = 2**53
_DAY_MS: Final = 24 * 60 * 60 * 1000
_FIELDS: Final = {
    "id",
    "number",
    "client",
    "shopper",
    "kind",
    "cells",
    "details",
    "issued_at",
    "expires_at",
}


class InstructionKind(StrEnum):
    """What a client is to do."""

    STOP = "stop"
    RESUME = "resume"
    RESTRICT = "restrict"
    OBJECT = "object"
    EXPORT = "export"
    CORRECT = "correct"
    ERASE = "erase"


class InstructionState(StrEnum):
    """How far an instruction has come.

    ``FAILED`` is tried again by the client; ``SUPERSEDED`` was called off before anybody fetched
    it.
    """

    ISSUED = "issued"
    FETCHED = "fetched"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


# Nothing follows on these, but that a client may still report what it did before it expired.
FINAL_STATES: Final = frozenset(
    {InstructionState.DONE, InstructionState.REFUSED, InstructionState.SUPERSEDED}
)
# Holds that an instruction without cells sets, and that a resume may lift.
LIFTABLE: Final = frozenset(
    {InstructionKind.STOP, InstructionKind.RESTRICT, InstructionKind.OBJECT}
)
LIFTED_BY_DEFAULT: Final = frozenset({InstructionKind.RESTRICT, InstructionKind.OBJECT})
# A stop is of use to a device that comes back after a year; a correction waits, with what it says
# about purchases, no longer than it must.
LIFETIME_DAYS: Final[Mapping[InstructionKind, int]] = {
    InstructionKind.STOP: 396,
    InstructionKind.RESUME: 396,
    InstructionKind.RESTRICT: 396,
    InstructionKind.OBJECT: 396,
    InstructionKind.ERASE: 396,
    InstructionKind.EXPORT: 90,
    InstructionKind.CORRECT: 90,
}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction to one client about one shopper. Times are Unix milliseconds.

    Attributes:
        number: counts the instructions to this client, from 1.
        client: the thumbprint of the client that is to carry it out.
        cells: what it is about, sorted; empty where it is about everything.
        details: ``{"corrections": [...]}`` for a correction, ``{"lifts": [...]}`` for a resume
            without cells, else empty.
    """

    id: str
    number: int
    client: str
    shopper: str
    kind: InstructionKind
    cells: tuple[Cell, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    issued_at: int
    expires_at: int

    def __post_init__(self) -> None:
        if list(self.cells) != sorted(set(self.cells)):
            raise WireError("The cells of an instruction are sorted, each named once.")
        check_details(self.kind, self.cells, self.details)

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """The corrections that it asks for."""
        return parse_corrections(self.details.get("corrections"))

    @property
    def lifts(self) -> frozenset[InstructionKind]:
        """Which holds on everything a resume without cells lifts."""
        named = self.details.get("lifts")
        return LIFTED_BY_DEFAULT if named is None else frozenset(map(InstructionKind, named))

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the instruction with the consent service's key; always the same bytes."""
        body = {
            "id": self.id,
            "number": self.number,
            "client": self.client,
            "shopper": self.shopper,
            "kind": self.kind,
            "cells": [list(cell) for cell in self.cells],
            "details": dict(self.details),
            "issued_at": self.issued_at,
            "expires_at": self.expires_at,
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Read an instruction that ``key`` signed.

        Raises:
            WireError: another type, another key, altered bytes, or another form.
        """
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"An instruction has exactly {', '.join(sorted(_FIELDS))}.")
        details = body["details"]
        if not isinstance(details, dict):
            raise WireError("Field 'details': expected an object.")
        return cls(
            id=get_str(body, "id", max_length=64),
            number=get_int(body, "number", low=1, high=_MAX_NUMBER),
            client=get_str(body, "client", max_length=64),
            shopper=get_str(body, "shopper", max_length=64),
            kind=_kind(get_str(body, "kind")),
            cells=parse_cells(body["cells"]),
            details=details,
            issued_at=get_time(body, "issued_at"),
            expires_at=get_time(body, "expires_at"),
        )


def expiry(kind: InstructionKind, issued_at: int) -> int:
    """Until when an instruction may be carried out, Unix milliseconds."""
    return issued_at + LIFETIME_DAYS[kind] * _DAY_MS


def check_details(kind: InstructionKind, cells: Iterable[Cell], details: Mapping[str, Any]) -> None:
    """Refuse details that an instruction of this kind does not have.

    Raises:
        WireError: they are missing, of another form, or too large.
    """
    try:
        size = len(canonical(dict(details)))
    except (TypeError, ValueError) as error:
        raise WireError("The details of an instruction are JSON.") from error
    if size > MAX_DETAILS_BYTES:
        raise WireError(f"Details of {size} bytes; at most {MAX_DETAILS_BYTES} are sent.")
    if kind is InstructionKind.CORRECT:
        if details.keys() != {"corrections"}:
            raise WireError("A correction has exactly the detail corrections.")
        parse_corrections(details["corrections"])
    elif kind is InstructionKind.RESUME and details:
        _check_lifts(details, about_cells=bool(tuple(cells)))
    elif details:
        raise WireError(f"An instruction of kind {kind} has no details.")


def parse_cells(value: object) -> tuple[Cell, ...]:
    """Parse cells as lists of purpose and category.

    Raises:
        WireError: another form, or a term that nobody knows.
    """
    if not isinstance(value, list) or not all(_is_pair(each) for each in value):
        raise WireError("Cells are a list of purpose and category.")
    try:
        return tuple(Cell(Purpose(purpose), Category(category)) for purpose, category in value)
    except ValueError as error:
        raise WireError("A cell names an unknown purpose or category.") from error


def parse_kind(name: str) -> InstructionKind:
    """The kind of this name, where a caller in this process gives it.

    Raises:
        InvalidInputError: there is none.
    """
    try:
        return InstructionKind(name)
    except ValueError as error:
        raise InvalidInputError(
            f"Unknown kind of instruction; there are {', '.join(InstructionKind)}."
        ) from error


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)


def _check_lifts(details: Mapping[str, Any], *, about_cells: bool) -> None:
    lifts = details.get("lifts")
    if details.keys() != {"lifts"} or about_cells or not isinstance(lifts, list) or not lifts:
        raise WireError("A resume has cells, or the detail lifts, which names what it lifts.")
    if not all(isinstance(name, str) for name in lifts) or not set(lifts) <= LIFTABLE:
        raise WireError(f"A resume lifts {', '.join(sorted(LIFTABLE))}, and nothing else.")


def _kind(name: str) -> InstructionKind:
    try:
        return InstructionKind(name)
    except ValueError as error:
        raise WireError("An instruction of a kind that this version does not know.") from error
