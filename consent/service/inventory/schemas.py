"""Requests and answers about the inventory."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from consent.service.schemas import HexHash, Name, Schema
from consent.tasks.names import TaskName


class Format(StrEnum):
    """How a record is given out: JSON with DPV terms, a table, or a page to read."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


class AttackReport(Schema):
    """What an attack on a task's released model reached, such as an AUC; and the report's hash."""

    task: TaskName
    attack: Name
    measure: Name
    value: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False, strict=True)]
    report_sha256: HexHash


class RecordedAttack(Schema):
    """A report as it was recorded, at a time in Unix milliseconds."""

    id: str
    report: AttackReport
    recorded_at: int
