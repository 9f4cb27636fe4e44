"""Every query of the inventory: counts over all shoppers, and recorded attacks."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import LIVE_STATES, ConsentState
from consent.service.inventory.tables import AttackAudit
from consent.service.rounds.tables import RoundPolicy, RoundRelease
from consent.service.tables import Consent, ConsentEvent, Shopper


class InventoryRepository:
    """Figures of the running service as one transaction sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def shoppers(self) -> int:
        """How many shoppers there are."""
        return self._session.scalar(select(func.count()).select_from(Shopper)) or 0

    def giving(self, *, now: int) -> dict[str, int]:
        """How many shoppers say yes to something of each purpose."""
        query = (
            select(col(Consent.purpose), func.count(func.distinct(col(Consent.shopper_id))))
            .where(
                col(Consent.state).in_(list(LIVE_STATES)),
                (col(Consent.expires_at).is_(None)) | (col(Consent.expires_at) > now),
            )
            .group_by(col(Consent.purpose))
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def withdrawals(self) -> int:
        """How many cells were ever withdrawn."""
        query = select(func.count()).where(col(ConsentEvent.state) == ConsentState.WITHDRAWN.value)
        return self._session.scalar(query) or 0

    def spent(self) -> dict[str, tuple[int, int, float | None, float]]:
        """Of each task: releases, those without noise, the largest composed ε, and its δ."""
        query = (
            select(
                col(RoundPolicy.task),
                func.count(),
                func.sum(func.coalesce(col(RoundRelease.epsilon) * 0, 1)),
                func.max(col(RoundRelease.spent)),
                func.max(col(RoundRelease.delta)),
            )
            .join(RoundPolicy, col(RoundPolicy.id) == col(RoundRelease.policy_id))
            .group_by(col(RoundPolicy.task))
        )
        return {
            row[0]: (row[1], int(row[2] or 0), row[3], row[4])
            for row in self._session.execute(query)
        }

    def attacks(self) -> list[AttackAudit]:
        """Recorded attacks, newest first."""
        query = select(AttackAudit).order_by(
            col(AttackAudit.recorded_at).desc(), col(AttackAudit.id)
        )
        return list(self._session.scalars(query.limit(200)))

    def add(self, attack: AttackAudit) -> None:
        """Store a recorded attack, at once."""
        self._session.add(attack)
        self._session.flush()
