"""Every query about shoppers' signals."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.signals.tables import SignalNote
from consent.signals import SignalEvent


class SignalRepository:
    """The signals that one transaction sees and adds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def notes(self, shopper_id: str) -> list[SignalNote]:
        """Everything of a shopper's signal, oldest first."""
        query = select(SignalNote).where(col(SignalNote.shopper_id) == shopper_id)
        return list(self._session.scalars(query.order_by(col(SignalNote.id))))

    def since(self, shopper_id: str) -> SignalNote | None:
        """The sight from which on her signal holds; None where it does not."""
        query = (
            select(SignalNote)
            .where(
                col(SignalNote.shopper_id) == shopper_id,
                col(SignalNote.event).in_([SignalEvent.SEEN, SignalEvent.CLEARED]),
            )
            .order_by(col(SignalNote.id).desc())
            .limit(1)
        )
        latest = self._session.scalar(query)
        return latest if latest is not None and latest.event == SignalEvent.SEEN else None

    def add(self, shopper_id: str, event: SignalEvent, *, epoch: int, time: int) -> None:
        """Note an event, at once."""
        self._session.add(
            SignalNote(shopper_id=shopper_id, event=event.value, epoch=epoch, time=time)
        )
        self._session.flush()
