"""The table of signals: what a browser or device said, and what a shopper said to it."""

from sqlalchemy import Index
from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, ERASABLE, Base, Owner


class SignalNote(Base, table=True):
    """One event of a shopper's signal (``consent.signals.SignalEvent``).

    ``epoch`` is her consent epoch after it: the changes of that epoch are what it caused.
    """

    __tablename__ = "signal_note"
    __table_args__ = (Index("signal_note_shopper", "shopper_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    shopper_id: str = Field(foreign_key="shopper.id")
    event: str
    epoch: int
    time: int = Field(sa_type=BIG)


APPEND_ONLY.add("signal_note")
ERASABLE["signal_note"] = Owner("OLD.shopper_id")
