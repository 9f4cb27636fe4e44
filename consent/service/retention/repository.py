"""Every query of the retention job that is no slice's own."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, inspect, select, tuple_
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.erasure.tables import Erasure
from consent.service.retention.tables import JobLease, RetentionRun
from consent.service.rights.tables import RightsRequest, RightsStep
from consent.service.rounds.tables import RoundPolicy
from consent.service.tables import Base, CommittedGrant, Grant, Refusal, RoundCommit


class OldRows:
    """Removes rows by their age, a batch at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def remove(self, table: type[Base], column: str, *, before: int, limit: int) -> int:
        """Remove rows whose ``column`` (Unix milliseconds) is before a time; returns how many."""
        time = getattr(table, column)  # in its order, so that an index on it leads to the rows
        old = select(*_keys(table)).where(time < before).order_by(time)
        return self._remove(table, old, limit)

    def old_grants(self, *, before: int, limit: int) -> list[str]:
        """The ids of grants that ended before a time and stand in no round's list.

        Looks at every grant there is, so it is asked in a reading transaction, which holds up
        nobody.
        """
        query = select(col(Grant.token_id)).where(_is_old_grant(before)).limit(limit)
        return list(self._session.scalars(query))

    def remove_grants(self, token_ids: Sequence[str], *, before: int) -> int:
        """Remove those of some grants that are as ``old_grants`` says; returns how many."""
        named = col(Grant.token_id).in_(token_ids)
        found = list(
            self._session.scalars(select(col(Grant.token_id)).where(named, _is_old_grant(before)))
        )
        self._session.execute(delete(Grant).where(col(Grant.token_id).in_(found)))
        return len(found)

    def refusals(self, *, before: int, limit: int) -> int:
        """Remove refusals of rounds that were committed, or else announced, before a time."""
        committed = select(col(RoundCommit.task), col(RoundCommit.round_id)).where(
            col(RoundCommit.committed_at) < before
        )
        listed = exists().where(
            col(RoundCommit.task) == col(RoundPolicy.task),
            col(RoundCommit.round_id) == col(RoundPolicy.round_id),
        )
        announced = select(col(RoundPolicy.task), col(RoundPolicy.round_id)).where(
            col(RoundPolicy.published_at) < before, ~listed
        )
        over = committed.union(announced).subquery()
        of_round = and_(over.c.task == col(Refusal.task), over.c.round_id == col(Refusal.round_id))
        return self._remove(Refusal, select(*_keys(Refusal)).join(over, of_round), limit)

    def requests(self, *, before: int, limit: int) -> int:
        """Remove requests that were closed before a time, with their steps.

        Those of erasures stay: they go with the rest, when the time of proof is over.
        """
        of_erasures = select(col(Erasure.request_id)).where(col(Erasure.request_id).is_not(None))
        kept = col(RightsRequest.id).in_(of_erasures)
        old = and_(col(RightsRequest.closed_at) < before, ~kept)
        closed = select(col(RightsRequest.id)).where(old).order_by(col(RightsRequest.id))
        found = list(self._session.scalars(closed.limit(limit)))
        if found:
            self._session.execute(delete(RightsStep).where(col(RightsStep.request_id).in_(found)))
            self._session.execute(delete(RightsRequest).where(col(RightsRequest.id).in_(found)))
        return len(found)

    def _remove(self, table: type[Base], old: Select[Any], limit: int) -> int:
        found = [tuple(row) for row in self._session.execute(old.limit(limit))]
        if not found:
            return 0
        self._session.execute(delete(table).where(tuple_(*_keys(table)).in_(found)))
        return len(found)


def _keys(table: type[Base]) -> Sequence[Any]:
    found: Sequence[Any] = inspect(table).primary_key
    return found


def _is_old_grant(before: int) -> ColumnElement[bool]:
    committed = exists().where(col(CommittedGrant.token_id) == col(Grant.token_id))
    return and_(col(Grant.expires_at) < before // 1000, ~committed)  # grants count in seconds


class RunRepository:
    """Who runs the job now, and how earlier runs went."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lease(self, name: str, *, holder: str, now: int, until: int) -> bool:
        """Take or renew a job, unless somebody else has it; tells whether it worked."""
        row = self._session.get(JobLease, name)
        if row is None:
            self._session.add(JobLease(name=name, holder=holder, until=until))
        elif row.holder == holder or row.until <= now:
            row.holder, row.until = holder, until
        else:
            return False
        self._session.flush()
        return True

    def release(self, name: str, *, holder: str) -> None:
        """Let go of a job."""
        row = self._session.get(JobLease, name)
        if row is not None and row.holder == holder:
            self._session.delete(row)

    def add(self, run: RetentionRun) -> None:
        """Store a run, at once."""
        self._session.add(run)
        self._session.flush()

    def runs(self, *, limit: int) -> list[RetentionRun]:
        """The latest runs, newest first."""
        query = select(RetentionRun).order_by(col(RetentionRun.id).desc()).limit(limit)
        return list(self._session.scalars(query))

    def last_success(self) -> int | None:
        """When the last run ended that finished every class."""
        query = (
            select(col(RetentionRun.ended_at))
            .where(col(RetentionRun.failed) == "")
            .order_by(col(RetentionRun.id).desc())
            .limit(1)
        )
        return self._session.scalar(query)
