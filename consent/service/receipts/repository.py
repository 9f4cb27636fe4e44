"""Every query about which receipts a shopper has."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.tables import ConsentEvent


class Recorded(NamedTuple):
    """The events of one epoch in short: when, and how many cells they changed."""

    epoch: int
    time: int
    changes: int


class ReceiptRepository:
    """What receipts can be made of."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def after(self, shopper_id: str, epoch: int, *, limit: int) -> list[Recorded]:
        """The epochs of a shopper after one that changed a cell, oldest first."""
        query = (
            select(col(ConsentEvent.epoch), func.max(col(ConsentEvent.time)), func.count())
            .where(col(ConsentEvent.shopper_id) == shopper_id, col(ConsentEvent.epoch) > epoch)
            .group_by(col(ConsentEvent.epoch))
            .order_by(col(ConsentEvent.epoch))
            .limit(limit)
        )
        return [Recorded(*row) for row in self._session.execute(query).all()]

    def before(self, shopper_id: str, epoch: int, *, limit: int) -> list[int]:
        """The epochs of a shopper before one that changed a cell, newest first."""
        query = (
            select(col(ConsentEvent.epoch))
            .where(col(ConsentEvent.shopper_id) == shopper_id, col(ConsentEvent.epoch) < epoch)
            .distinct()
            .order_by(col(ConsentEvent.epoch).desc())
            .limit(limit)
        )
        return list(self._session.scalars(query))
