"""Every query of the inventory: counts over all shoppers, what was spent, recorded attacks."""

from collections.abc import Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import LIVE_STATES, ConsentState
from consent.service.inventory.tables import AttackAudit, Figure
from consent.service.rounds.tables import RoundPolicy, RoundRelease
from consent.service.tables import Consent, ConsentEvent, Shopper


class FigureRepository:
    """Counts as one transaction makes them, and as they were stored.

    Counting reads every shopper: it is for a job, and requests read what was stored.
    """

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
                # nearly all of them: an index would only send SQLite back and forth
                func.coalesce(col(Consent.expires_at), now + 1) > now,
            )
            .group_by(col(Consent.purpose))
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def withdrawals(self) -> int:
        """How many cells were ever withdrawn."""
        query = select(func.count()).where(col(ConsentEvent.state) == ConsentState.WITHDRAWN.value)
        return self._session.scalar(query) or 0

    def stored(self) -> tuple[int, dict[str, int]]:
        """When the stored figures were counted, and each by its name; (0, {}) if there are none."""
        rows = self._session.scalars(select(Figure)).all()
        return max((row.counted_at for row in rows), default=0), {r.name: r.value for r in rows}

    def store(self, counts: Mapping[str, int], *, counted_at: int) -> None:
        """Put these figures in the place of all earlier ones, at once."""
        self._session.execute(delete(Figure))
        self._session.add_all(
            Figure(name=name, value=value, counted_at=counted_at) for name, value in counts.items()
        )
        self._session.flush()


class InventoryRepository:
    """What else the records state, as one transaction sees it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def spent(self) -> dict[str, tuple[int, int, float | None, float]]:
        """Of each task: releases, those without noise, the largest composed ε, and its δ."""
        query = (
            select(
                col(RoundPolicy.task),
                func.count(),
                func.count() - func.count(col(RoundRelease.epsilon)),
                func.max(col(RoundRelease.spent)),
                func.max(col(RoundRelease.delta)),
            )
            .join(RoundPolicy, col(RoundPolicy.id) == col(RoundRelease.policy_id))
            .group_by(col(RoundPolicy.task))
        )
        return {row[0]: (row[1], row[2], row[3], row[4]) for row in self._session.execute(query)}

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
