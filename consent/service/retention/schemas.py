"""Answers about retention. Times are Unix milliseconds."""

from consent.retention import RecordClass
from consent.service.schemas import Schema


class RetentionRule(Schema):
    """How long one class of records is kept, from when on, and why."""

    record_class: RecordClass
    days: int
    default_days: int
    begins: str
    ground: str
    source: str


class RetentionRunSchema(Schema):
    """One run: how many records of each class it removed, and which classes it did not finish."""

    started_at: int
    ended_at: int
    counts: dict[str, int]
    failed: list[str]


class RetentionReport(Schema):
    """The schedule as it is in force, and the latest runs, newest first."""

    schedule: list[RetentionRule]
    last_success: int | None
    runs: list[RetentionRunSchema]
