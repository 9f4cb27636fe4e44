"""Requests and answers about instructions to clients."""

from typing import Annotated

from pydantic import Field

from consent.instruction import InstructionKind, InstructionState
from consent.instruction_report import MAX_REPORTS, Count, Outcome
from consent.purpose import Category, Purpose
from consent.service.schemas import Schema, SignedRecordSchema


class Instructions(Schema):
    """Open instructions to the client that asked, by number; ask again after ``next`` for more."""

    instructions: list[SignedRecordSchema]
    next: int | None = None


class Reports(Schema):
    """Signed reports of one client."""

    reports: Annotated[list[SignedRecordSchema], Field(min_length=1, max_length=MAX_REPORTS)]


class Reported(Schema):
    """How an instruction stands after a report; without a state: there is none for this client."""

    instruction: str
    state: InstructionState | None


class ReportedAll(Schema):
    """One answer a report, in their order."""

    reported: list[Reported]


class CellSchema(Schema):
    """One cell of the matrix."""

    purpose: Purpose
    category: Category


class InstructionStep(Schema):
    """A state that an instruction reached, and when (Unix milliseconds)."""

    state: InstructionState
    time: int


class InstructionStatus(Schema):
    """One instruction to one client: what it is to do, and how far it has come.

    ``client`` is its thumbprint, ``kind_of_client`` whether it is a device or a store. ``outcome``
    and ``counts`` are from the client's own signed report, ``carried_out_at`` is its clock's time.
    """

    id: str
    client: str
    kind_of_client: str
    kind: InstructionKind
    cells: list[CellSchema]
    epoch: int | None = None
    request: str | None = None
    issued_at: int
    expires_at: int
    state: InstructionState
    steps: list[InstructionStep]
    outcome: Outcome | None = None
    counts: dict[Count, int] = Field(default_factory=dict)
    carried_out_at: int | None = None


class ShopperInstructions(Schema):
    """A shopper's instructions, newest first; pass ``next`` as ``cursor`` for older ones."""

    shopper: str
    instructions: list[InstructionStatus]
    next: str | None = None
