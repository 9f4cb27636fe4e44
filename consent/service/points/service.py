"""The points ledger: credits after a release, a shopper's balance, and the published notice.

Nothing here takes points away except the shopper herself, who turns them into codes: a withdrawal,
an expiry or an erasure of consent ends new credits and leaves the balance as it is.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session

from consent.incentive import notice
from consent.notice import Language
from consent.service.context import Context
from consent.service.points.repository import PointsRepository
from consent.service.points.schemas import Account, EntrySchema, IncentiveNotice, Points
from consent.service.points.tables import PointsEntry
from consent.service.principals import authorised
from consent.service.problems import Problem

PAGE: Final = 100
NEWEST: Final = 2**53


def credit(context: Context, session: Session, participants: Mapping[str, str]) -> None:
    """Credit a round's participants (pseudonym to shopper) who have opted in to points.

    Runs in the caller's transaction, which calls it once a round; a pseudonym that was credited
    before is refused by the ledger, and everything with it.
    """
    points = context.settings.incentive.points_per_round
    if not points:
        return
    ledger, now = PointsRepository(session), context.now_ms()
    willing = ledger.opted_in(set(participants.values()), now=now)
    due = {subject: shopper for subject, shopper in participants.items() if shopper in willing}
    ledger.issue(due, points=points, time=now)


def read(
    context: Context, shopper_id: str, token: str, cursor: int | None, limit: int = PAGE
) -> Points:
    """A shopper's balance, and a page of her entries.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        ledger = PointsRepository(session)
        balance = ledger.balance(shopper_id)
        before = NEWEST if cursor is None else cursor
        entries = ledger.entries(shopper_id, before=before, limit=limit)
    return Points(
        shopper=shopper_id,
        balance=balance,
        value=context.settings.incentive.value(balance),
        entries=[_entry(row) for row in entries],
        next=entries[-1].id if len(entries) == limit else None,
    )


def incentive(context: Context, language: Language) -> IncentiveNotice:
    """The financial-incentive notice.

    Raises:
        Problem: 404, this service offers no points.
        InvalidInputError: the operator's own text can't be used.
    """
    terms = context.settings.incentive
    if not terms.points_per_round:
        raise Problem(404, "This service offers no points.")
    text = notice(terms, language, context.settings.incentive_texts)
    return IncentiveNotice(
        language=language,
        points_per_round=terms.points_per_round,
        point_value=terms.point_value,
        code_days=terms.code_days,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )


def _entry(row: PointsEntry) -> EntrySchema:
    return EntrySchema(
        number=row.id or 0,
        debit=Account(row.debit),
        credit=Account(row.credit),
        points=row.points,
        reference=row.reference,
        time=row.time,
    )
