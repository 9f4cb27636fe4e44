"""Every query about tree heads."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.records.tables import LogHead

_LATEST = select(LogHead).order_by(col(LogHead.size).desc()).limit(1)


class HeadRepository:
    """The tree heads that were signed so far."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def latest(self) -> LogHead | None:
        """The head of the largest tree."""
        return self._session.scalar(_LATEST)

    def add(self, *, size: int, record: bytes) -> None:
        """Keep a signed head."""
        self._session.add(LogHead(size=size, record=record))
        self._session.flush()

    def after(self, size: int, *, limit: int) -> list[LogHead]:
        """Heads of trees larger than ``size``, smallest first."""
        query = select(LogHead).where(col(LogHead.size) > size).order_by(col(LogHead.size))
        return list(self._session.scalars(query.limit(limit)))
