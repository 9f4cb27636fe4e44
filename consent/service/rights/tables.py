"""The tables of requests: what a shopper asked for, by when it is answered, and what was done."""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from consent.service.tables import BIG, Base


class RightsRequest(Base, table=True):
    """One request of a shopper.

    ``due_at`` is when the time for it is over, extended or not; the days are those of the clock
    that it was opened with, as ISO dates. ``details`` is the canonical JSON of what she asks to be
    corrected, and is emptied when the request is closed. ``request_hash`` is of her idempotency
    key, ``asked_hash`` of what she asked under it.
    """

    __tablename__ = "rights_request"
    __table_args__ = (
        UniqueConstraint("shopper_id", "request_hash"),
        Index("rights_request_queue", "open", "due_at", "id"),
    )

    id: str = Field(primary_key=True)
    shopper_id: str = Field(foreign_key="shopper.id")
    request_hash: str
    asked_hash: str
    kind: str
    residence: str
    state: str
    open: bool
    details: str
    received_at: int = Field(sa_type=BIG)
    started_on: str
    acknowledge_by: str | None = None
    due_on: str
    longest_on: str | None = None
    extended_until: str | None = None
    extension_reason: str = ""
    due_at: int = Field(sa_type=BIG)
    closed_at: int | None = Field(default=None, sa_type=BIG)
    ground: str | None = None
    answer: str = ""


class RightsStep(Base, table=True):
    """A step of a request: the state that it led to, who took it, and what she was told."""

    __tablename__ = "rights_step"
    __table_args__ = (Index("rights_step_request", "request_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    request_id: str = Field(foreign_key="rights_request.id")
    action: str
    state: str
    by: str
    note: str = ""
    time: int = Field(sa_type=BIG)
