"""Every query about what became of a withdrawal. The history decides; no flag is asked."""

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import ENDED_STATES
from consent.service.rounds.tables import RoundPolicy
from consent.service.tables import CommittedGrant, ConsentEvent, Grant, RoundCommit
from consent.withdrawal import WITHDRAWN_STATES, floor_before

_ENDS: Final = col(ConsentEvent.state).in_(list(WITHDRAWN_STATES))
_ROUND: Final = (
    select(
        col(Grant.token_id),
        col(Grant.task),
        col(Grant.round_id),
        col(RoundCommit.committed_at),
        col(RoundCommit.after_event),
        col(RoundCommit.record),
        col(CommittedGrant.commit_id),
        col(RoundPolicy.record),
    )
    .outerjoin(
        RoundCommit,
        and_(
            col(RoundCommit.task) == col(Grant.task),
            col(RoundCommit.round_id) == col(Grant.round_id),
        ),
    )
    .outerjoin(CommittedGrant, col(CommittedGrant.token_id) == col(Grant.token_id))
    .outerjoin(
        RoundPolicy,
        and_(
            col(RoundPolicy.task) == col(Grant.task),
            col(RoundPolicy.round_id) == col(Grant.round_id),
        ),
    )
    .order_by(col(Grant.issued_at).desc(), col(Grant.token_id))
)


class GrantHeld(NamedTuple):
    """A grant that stood when she withdrew, with its round's list and policy if there are any."""

    token_id: str
    task: str
    round_id: str
    committed_at: int | None
    committed_after: int | None
    commit: bytes | None
    in_list: bool
    policy: bytes | None


class WithdrawalRepository:
    """What one transaction sees of a shopper's withdrawals."""

    def __init__(self, session: Session, shopper_id: str) -> None:
        self._session = session
        self._shopper = shopper_id

    def epochs(self, *, before: int, limit: int) -> list[int]:
        """The epochs in which given consent ended, newest first."""
        query = (
            select(col(ConsentEvent.epoch))
            .distinct()
            .where(self._hers(), _ENDS, col(ConsentEvent.epoch) < before)
            .order_by(col(ConsentEvent.epoch).desc())
        )
        return list(self._session.scalars(query.limit(limit)))

    def ended(self, epochs: list[int]) -> list[ConsentEvent]:
        """What ended in some epochs."""
        query = select(ConsentEvent).where(self._hers(), _ENDS, col(ConsentEvent.epoch).in_(epochs))
        return list(self._session.scalars(query.order_by(col(ConsentEvent.id))))

    def first_event(self, epoch: int) -> int:
        """The number of an epoch's first event in the history."""
        query = select(func.min(col(ConsentEvent.id))).where(
            self._hers(), col(ConsentEvent.epoch) == epoch
        )
        return self._session.scalar(query) or 0

    def died(self, epoch: int, first_event: int) -> list[GrantHeld]:
        """The grants that stood just before an epoch and whose round was not frozen by then."""
        open_then = or_(col(RoundCommit.id).is_(None), col(RoundCommit.after_event) >= first_event)
        rows = self._session.execute(_ROUND.where(*self._standing_before(epoch), open_then))
        return [_held(row) for row in rows.all()]

    def frozen_before(self, epoch: int, first_event: int, *, limit: int) -> list[GrantHeld]:
        """The newest grants that stood just before an epoch and were in a list by then."""
        rows = self._session.execute(
            _ROUND.where(*self._standing_before(epoch), *_frozen(first_event)).limit(limit)
        )
        return [_held(row) for row in rows.all()]

    def count_frozen_before(self, epoch: int, first_event: int) -> int:
        """How many of them there are."""
        query = (
            select(func.count())
            .select_from(Grant)
            .join(CommittedGrant, col(CommittedGrant.token_id) == col(Grant.token_id))
            .join(RoundCommit, col(RoundCommit.id) == col(CommittedGrant.commit_id))
            .where(*self._standing_before(epoch), col(RoundCommit.after_event) < first_event)
        )
        return self._session.scalar(query) or 0

    def _standing_before(self, epoch: int) -> tuple[ColumnElement[bool], ...]:
        floor = self._floor_before(epoch)
        return (
            col(Grant.shopper_id) == self._shopper,
            col(Grant.epoch) >= floor,
            col(Grant.epoch) < epoch,
        )

    def _floor_before(self, epoch: int) -> int:
        earlier = (
            select(col(ConsentEvent.epoch))
            .distinct()
            .where(self._hers(), col(ConsentEvent.epoch) < epoch)
        )
        ended = earlier.where(col(ConsentEvent.state).in_(list(ENDED_STATES)))
        return floor_before(
            list(self._session.scalars(earlier)), list(self._session.scalars(ended)), epoch
        )

    def _hers(self) -> ColumnElement[bool]:
        return col(ConsentEvent.shopper_id) == self._shopper


def _frozen(first_event: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(CommittedGrant.commit_id).is_not(None),
        col(RoundCommit.after_event) < first_event,
    )


def _held(row: Row[str, str, str, int, int, bytes, int, bytes]) -> GrantHeld:
    token_id, task, round_id, committed_at, after, record, commit_id, policy = row
    return GrantHeld(
        token_id=token_id,
        task=task,
        round_id=round_id,
        committed_at=committed_at,
        committed_after=after,
        commit=record,
        in_list=commit_id is not None,
        policy=policy,
    )
