"""Giving out the record of processing and the impact assessment; recording attacks."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

from consent.notice import Language
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.inventory import dpia, figures, ropa
from consent.service.inventory.document import Document
from consent.service.inventory.facts import Facts, gather
from consent.service.inventory.repository import InventoryRepository
from consent.service.inventory.schemas import AttackReport, Format, RecordedAttack
from consent.service.inventory.tables import AttackAudit
from consent.service.principals import Role, proved, required

MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.HTML: "text/html; charset=utf-8",
}


class Kind(StrEnum):
    """Which record."""

    ROPA = "ropa"
    DPIA = "dpia"


class Maker(Protocol):
    """Makes one kind of record of the facts."""

    def document(self, facts: Facts, language: Language) -> Document:
        """The record in a language."""

    def to_json(self, facts: Facts) -> dict[str, Any]:
        """The record as JSON."""


_MAKERS: Final[Mapping[Kind, Maker]] = {Kind.ROPA: ropa, Kind.DPIA: dpia}


def export(context: Context, token: str, kind: Kind, how: Format, language: Language) -> str:
    """A record for an operator or auditor; that it was given out is recorded.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    return written(_read(context, token, kind, how.value), kind, how, language)


def read(context: Context, token: str, kind: Kind, language: Language) -> Document:
    """A record to be shown on a page; that it was read is recorded.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    return _MAKERS[kind].document(_read(context, token, kind, "page"), language)


def write(context: Context, kind: Kind, how: Format, language: Language) -> str:
    """A record for the command line, where whoever calls owns the service; counted anew."""
    counted = figures.renew(context)
    with context.database.reading() as session:
        facts = gather(context, session, counted)
    return written(facts, kind, how, language)


def written(facts: Facts, kind: Kind, how: Format, language: Language) -> str:
    """A record as text."""
    maker = _MAKERS[kind]
    if how is Format.JSON:
        return json.dumps(maker.to_json(facts), ensure_ascii=False, indent=2, sort_keys=True)
    made = maker.document(facts, language)
    return made.csv() if how is Format.CSV else made.html()


def record_attack(context: Context, token: str, report: AttackReport) -> RecordedAttack:
    """Record what an attack on a released model reached; it can't be changed afterwards.

    Raises:
        Problem: 401, 403 or 404, not an operator who lately showed who she is.
    """
    with context.database.writing() as session:
        operator = required(context, session, token, Role.OPERATOR)
        proved(context, operator)
        row = AttackAudit(
            id=context.new_id(),
            recorded_at=context.now_ms(),
            actor=operator.actor,
            **report.model_dump(mode="json"),
        )
        InventoryRepository(session).add(row)
        details = report.model_dump(mode="json")
        audit.record(context, session, operator, "attack.recorded", row.id, details)
    return RecordedAttack(id=row.id, report=report, recorded_at=row.recorded_at)


def _read(context: Context, token: str, kind: Kind, how: str) -> Facts:
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        counted = figures.stored(session)
    if counted is None:  # before the job has counted for the first time
        counted = figures.renew(context)
    with context.database.reading() as session:
        facts = gather(context, session, counted)
    with context.database.writing() as session:  # for one row, before anything is given out
        reader = required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        audit.record(context, session, reader, f"{kind}.exported", details={"format": how})
    return facts
