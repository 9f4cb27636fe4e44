"""Every query of an export that is not a table's rows: what the records refer to."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.records.tables import NoticeText
from consent.service.rounds.tables import DiaryEntry, RoundPolicy, RoundRelease
from consent.service.tables import Client, ConsentEvent, Grant, Membership


class SeenNotice(NamedTuple):
    """A notice that a shopper decided under, in one language."""

    version: str
    language: str
    text: bytes
    sha256: str


class ExportRepository:
    """What the records of one shopper refer to, as one transaction sees it."""

    def __init__(self, session: Session, shopper_id: str) -> None:
        self._session = session
        self._shopper = shopper_id

    def notices(self) -> list[SeenNotice]:
        """The texts of every notice that she decided under, in all their languages."""
        versions = select(col(ConsentEvent.notice_version)).where(
            col(ConsentEvent.shopper_id) == self._shopper
        )
        query = select(NoticeText).where(col(NoticeText.version).in_(versions))
        order = (col(NoticeText.version), col(NoticeText.language))
        return [
            SeenNotice(row.version, row.language, row.text, row.sha256)
            for row in self._session.scalars(query.order_by(*order))
        ]

    def clients(self) -> list[Client]:
        """The clients that stand for her, or held a grant of hers."""
        hers = [
            select(col(table.client_id)).where(col(table.shopper_id) == self._shopper)
            for table in (Membership, Grant)
        ]
        query = select(Client).where(
            col(Client.thumbprint).in_(hers[0]) | col(Client.thumbprint).in_(hers[1])
        )
        return list(self._session.scalars(query.order_by(col(Client.thumbprint))))

    def rounds(self) -> list[tuple[RoundPolicy, RoundRelease]]:
        """The rounds of her diary."""
        query = (
            select(RoundPolicy, RoundRelease)
            .join(RoundRelease, col(RoundRelease.policy_id) == col(RoundPolicy.id))
            .join(DiaryEntry, col(DiaryEntry.policy_id) == col(RoundPolicy.id))
            .where(col(DiaryEntry.shopper_id) == self._shopper)
            .order_by(col(RoundPolicy.id))
        )
        return [(policy, release) for policy, release in self._session.execute(query)]
