"""Every query about task policies, releases and diaries."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.points.tables import PointsEntry
from consent.service.rounds.tables import DiaryEntry, RoundPolicy, RoundRelease
from consent.service.tables import METADATA, CommittedGrant, Grant, RoundCommit

_ADD_ENTRIES: Final = insert(METADATA.tables["diary_entry"])
_PARTICIPANTS = select(col(Grant.shopper_id), col(Grant.subject), col(Grant.notice_version)).join(
    CommittedGrant, col(CommittedGrant.token_id) == col(Grant.token_id)
)
_PAGE = (
    select(
        DiaryEntry,
        RoundPolicy,
        RoundRelease,
        col(RoundCommit.committed_at),
        func.coalesce(col(PointsEntry.points), 0),
    )
    .join(RoundPolicy, col(RoundPolicy.id) == col(DiaryEntry.policy_id))
    .join(RoundRelease, col(RoundRelease.policy_id) == col(DiaryEntry.policy_id))
    .join(RoundCommit, col(RoundCommit.id) == col(RoundRelease.commit_id))
    .outerjoin(PointsEntry, col(PointsEntry.reference) == col(DiaryEntry.subject))
    .order_by(col(DiaryEntry.id).desc())
)


class Participant(NamedTuple):
    """A shopper in a round's list, with the pseudonym and notice version of her grant."""

    shopper: str
    subject: str
    notice_version: str


class Page(NamedTuple):
    """One diary entry with its round."""

    entry: DiaryEntry
    policy: RoundPolicy
    release: RoundRelease
    committed_at: int
    points: int


class Bounds(NamedTuple):
    """How many rounds a shopper has, the largest composed bound, and her first without noise."""

    rounds: int
    spent: float | None
    unbounded_from: int | None


class PolicyRepository:
    """The task policies that one transaction sees and adds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, task: str, round_id: str) -> RoundPolicy | None:
        """The policy of a round."""
        query = select(RoundPolicy).where(
            col(RoundPolicy.task) == task, col(RoundPolicy.round_id) == round_id
        )
        return self._session.scalar(query)

    def add(self, policy: RoundPolicy) -> None:
        """Store a policy, at once."""
        self._session.add(policy)
        self._session.flush()

    def latest(self) -> list[RoundPolicy]:
        """The newest policy of each task, newest first."""
        newest = select(func.max(col(RoundPolicy.id))).group_by(col(RoundPolicy.task))
        query = select(RoundPolicy).where(col(RoundPolicy.id).in_(newest))
        return list(self._session.scalars(query.order_by(col(RoundPolicy.id).desc())))

    def of_task(self, task: str, *, before: int, limit: int) -> list[RoundPolicy]:
        """The policies of a task, newest first."""
        query = select(RoundPolicy).where(
            col(RoundPolicy.task) == task, col(RoundPolicy.id) < before
        )
        return list(self._session.scalars(query.order_by(col(RoundPolicy.id).desc()).limit(limit)))


class DiaryRepository:
    """The releases and diary entries that one transaction sees and adds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def release(self, policy_id: int | None) -> RoundRelease | None:
        """The release of a round."""
        return self._session.get(RoundRelease, policy_id)

    def add_release(self, release: RoundRelease) -> None:
        """Store a release, at once."""
        self._session.add(release)
        self._session.flush()

    def participants(self, commit_id: int | None) -> list[Participant]:
        """Everybody in a round's list."""
        query = _PARTICIPANTS.where(col(CommittedGrant.commit_id) == commit_id)
        return [Participant(*row) for row in self._session.execute(query)]

    def write(self, policy_id: int, participants: Iterable[Participant]) -> None:
        """Add one entry a participant."""
        rows = [
            {
                "shopper_id": person.shopper,
                "policy_id": policy_id,
                "subject": person.subject,
                "notice_version": person.notice_version,
            }
            for person in participants
        ]
        if rows:
            self._session.execute(_ADD_ENTRIES, rows)

    def counts(self, policy_id: int | None) -> tuple[int, int]:
        """How many entries a round has, and how many points were credited for it."""
        query = (
            select(func.count(), func.coalesce(func.sum(col(PointsEntry.points)), 0))
            .select_from(DiaryEntry)
            .outerjoin(PointsEntry, col(PointsEntry.reference) == col(DiaryEntry.subject))
            .where(col(DiaryEntry.policy_id) == policy_id)
        )
        entries, points = self._session.execute(query).one()
        return entries, int(points)

    def pages(self, shopper_id: str, *, before: int, limit: int) -> list[Page]:
        """A shopper's entries, newest first."""
        query = _PAGE.where(col(DiaryEntry.shopper_id) == shopper_id, col(DiaryEntry.id) < before)
        rows = self._session.execute(query.limit(limit))
        return [Page(*row) for row in rows]

    def bounds(self, shopper_id: str) -> Bounds:
        """What bounds a shopper's rounds together."""
        of_shopper = (
            select(func.count(), func.max(col(RoundRelease.spent)))
            .select_from(DiaryEntry)
            .join(RoundRelease, col(RoundRelease.policy_id) == col(DiaryEntry.policy_id))
            .where(col(DiaryEntry.shopper_id) == shopper_id)
        )
        rounds, spent = self._session.execute(of_shopper).one()
        unbounded = (
            select(func.min(col(DiaryEntry.id)))
            .join(RoundRelease, col(RoundRelease.policy_id) == col(DiaryEntry.policy_id))
            .where(col(DiaryEntry.shopper_id) == shopper_id, col(RoundRelease.epsilon).is_(None))
        )
        return Bounds(rounds, spent, self._session.scalar(unbounded))
