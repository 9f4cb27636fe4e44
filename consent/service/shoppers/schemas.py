"""Requests and answers about shoppers, their consent and their client."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from consent.ages import AgeBand
from consent.notice import Language
from consent.purpose import CELLS, Category, Cell, ConsentState, Decision, Purpose
from consent.service import etag
from consent.service.schemas import Name, Schema


class ClientKind(StrEnum):
    """What a client is."""

    DEVICE = "device"
    STORE = "store"


class ClientKey(Schema):
    """The client that stands for a shopper: its base64url Ed25519 public key."""

    public_key: Annotated[str, Field(min_length=43, max_length=43)]
    kind: ClientKind


class DecisionEntry(Schema):
    """One decision about one cell of the matrix."""

    purpose: Purpose
    category: Category
    decision: Decision

    @property
    def cell(self) -> Cell:
        """The cell that it decides."""
        return Cell(self.purpose, self.category)


class FirstDecision(DecisionEntry):
    """A decision at registration, when there is nothing to withdraw yet."""

    decision: Literal[Decision.GIVEN, Decision.REFUSED]


class Decisions(Schema):
    """Decisions that are taken together, under one notice; each cell at most once.

    ``language`` is the one that the notice was shown in. ``confirm_signal`` says that she was told
    that her privacy signal says no to this, and wants it all the same.
    """

    decisions: Annotated[list[DecisionEntry], Field(min_length=1, max_length=len(CELLS))]
    notice_version: Name
    language: Language | None = None
    confirm_signal: bool = False

    @model_validator(mode="after")
    def _each_cell_once(self) -> Self:
        _refuse_repeats([entry.cell for entry in self.decisions])
        return self

    def precondition(self, if_match: str | None) -> str | None:
        """What has to match: a *no* alone is taken whatever the matrix is meanwhile."""
        if any(entry.decision is Decision.GIVEN for entry in self.decisions):
            return if_match
        return if_match or etag.ANY


class Registration(Schema):
    """A new shopper. Nothing is preselected: a cell that is not stated stays unknown.

    Agreeing to what leaves the device needs a stated ``age_band``; a minor's *yes* may have to
    wait for her guardian's. ``confirm_signal``: see the decisions.
    """

    consents: Annotated[list[FirstDecision], Field(max_length=len(CELLS))]
    notice_version: Name
    language: Language | None = None
    age_band: AgeBand = AgeBand.NOT_STATED
    confirm_signal: bool = False
    client: ClientKey | None = None

    @model_validator(mode="after")
    def _each_cell_once(self) -> Self:
        _refuse_repeats([entry.cell for entry in self.consents])
        return self


class Registered(Schema):
    """A new shopper's opaque id, her bearer token (shown once) and her epoch."""

    shopper: str
    token: str
    epoch: int


class CellState(Schema):
    """One cell: its state, and the notice and time of its last change.

    ``expires_at`` is when the consent that it gives ends, or ended. Times are Unix milliseconds.
    """

    purpose: Purpose
    category: Category
    state: ConsentState
    notice_version: str | None = None
    since: int | None = None
    expires_at: int | None = None


class Consents(Schema):
    """A shopper's whole matrix, every cell named, and her consent epoch.

    ``restricted``: her data is kept and not used. No cell permits anything until she lifts it.
    """

    shopper: str
    epoch: int
    restricted: bool
    consents: list[CellState]


class Paired(Schema):
    """The thumbprint of the client that now stands for the shopper, and her epoch."""

    client: str
    epoch: int


def _refuse_repeats(cells: list[Cell]) -> None:
    if len(set(cells)) != len(cells):
        raise ValueError("each cell is decided at most once")
