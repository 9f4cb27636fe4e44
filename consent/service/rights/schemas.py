"""Requests and answers about a shopper's rights. Times are Unix milliseconds, days ISO dates."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from consent.ages import AgeBand
from consent.correction import MAX_CORRECTIONS, parse_corrections
from consent.notice import Language
from consent.rights.clock import Law, Residence
from consent.rights.request import (
    MAX_NOTE,
    Ground,
    RequestKind,
    RequestState,
    carried_out_as,
)
from consent.service.instructions.schemas import InstructionStatus
from consent.service.schemas import Schema, SignedRecordSchema

EXPORT_DAYS: Final = 90


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text has no zero byte")
    return text


def _stated(text: str) -> str:
    if not text.strip():
        raise ValueError("text says something")
    return _storable(text)


Note = Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(_storable)]
Said = Annotated[str, Field(min_length=1, max_length=MAX_NOTE), AfterValidator(_stated)]


class OwnData(Schema):
    """What the service itself holds about her and she wants changed; what is left out stays."""

    name: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_storable)] | None = (
        None
    )
    language: Language | None = None
    residence: Residence | None = None
    age_band: AgeBand | None = None


class NewRequest(Schema):
    """A request to open.

    Attributes:
        residence: where she lives, of which the law and its clock depend.
        own: for a rectification: what the service holds, changed at once.
        purchases: for a rectification: corrections of purchases, which her clients carry out, each
            `{"item", "day", "delete": true}` or `{"item", "day", "values": {...}}`.
        note: for a rectification: anything else that an operator has to change.
        exact: for an erasure: also have the shared models rebuilt from before her first round.
        proof: a record of type `rights-proof`, signed by the key of her device, in place of a
            login that was shown lately.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "access", "residence": "eea"}]}
    )

    kind: RequestKind
    residence: Residence
    own: OwnData | None = None
    purchases: list[dict[str, Any]] = Field(default_factory=list, max_length=MAX_CORRECTIONS)
    note: Note = ""
    exact: bool = False
    proof: SignedRecordSchema | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        changes = bool(self.own or self.purchases or self.note.strip())
        if carried_out_as(self.kind) is RequestKind.RECTIFICATION:
            if not changes:
                raise ValueError("a rectification says what is wrong: own, purchases or note")
        elif changes:
            raise ValueError("own, purchases and note belong to a rectification")
        if self.exact and carried_out_as(self.kind) is not RequestKind.ERASURE:
            raise ValueError("exact belongs to an erasure")
        if self.purchases:
            parse_corrections(self.purchases)
        return self

    def asked(self, key: str) -> dict[str, object]:
        """What is asked under an idempotency key, as a device's proof names it."""
        return {**self.model_dump(mode="json", exclude={"proof"}), "key": key}


class Proof(Schema):
    """A device's proof, for whoever has no login that was shown lately."""

    proof: SignedRecordSchema | None = None


class StepSchema(Schema):
    """A step of a request: what was done, the state after it, by whom, and what she was told."""

    action: str
    state: RequestState
    by: str
    note: str
    time: int


class RequestSummary(Schema):
    """One request and its clock.

    Attributes:
        right: the right that is carried out, whichever law's word ``kind`` is.
        laws: the laws whose clocks run; of several the earlier date counts.
        acknowledge_by: by when its receipt is confirmed, where a law sets a day; the answer that
            opened it confirmed it.
        due_on: the last day for the answer, ``extended_until`` the one after an extension.
    """

    id: str
    kind: RequestKind
    right: RequestKind
    residence: Residence
    laws: list[Law]
    state: RequestState
    received_at: int
    started_on: str
    acknowledge_by: str | None
    due_on: str
    longest_on: str | None
    extended_until: str | None
    extension_reason: str
    due_at: int
    closed_at: int | None
    ground: Ground | None
    answer: str


class RequestStatus(RequestSummary):
    """A request as its shopper sees it.

    Attributes:
        needs_proof: she has to prove who she is, or confirm, before anything is done.
        export: whether an export can be fetched for it now.
        may_complain: it was refused in part or whole: she may complain to the data-protection
            authority, or in California to the Privacy Protection Agency, and go to court.
        status_code: for an erasure that she has not confirmed: the code that shows its status once
            her login is gone. Keep it.
    """

    needs_proof: bool
    export: bool
    may_complain: bool
    steps: list[StepSchema]
    instructions: list[InstructionStatus]
    status_code: str | None = None


class Requests(Schema):
    """A shopper's requests, newest first."""

    shopper: str
    restricted_since: int | None
    requests: list[RequestStatus]


class QueuedRequest(RequestSummary):
    """A request as an operator sees it: the opaque id of who asks, and nothing of her consent.

    ``details`` is what she wants changed, while the request is open.
    """

    shopper: str
    overdue: bool
    details: dict[str, Any]
    steps: list[StepSchema] = Field(default_factory=list)
    instructions: list[InstructionStatus] = Field(default_factory=list)

    @property
    def version(self) -> int:
        """Of one request with its steps: another number after each."""
        return len(self.steps)


class Queue(Schema):
    """Requests by when they are due, overdue ones first; pass ``next`` as ``cursor`` for more."""

    requests: list[QueuedRequest]
    open: int
    overdue: int
    next: str | None = None


class Extension(Schema):
    """Why more time is needed; she is told the words."""

    reason: Said


class Closing(Schema):
    """That a request is answered. ``partly``: not all of it could be done, as ``answer`` says."""

    answer: Note = ""
    partly: bool = False

    @model_validator(mode="after")
    def _says_what_is_missing(self) -> Self:
        if self.partly and not self.answer.strip():
            raise ValueError("an answer in part says what is missing, and why")
        return self


class RefusalOfRequest(Schema):
    """Why a request is refused; she is told the ground, the words, and how to complain."""

    ground: Ground
    answer: Said
