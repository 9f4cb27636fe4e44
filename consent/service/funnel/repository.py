"""The audit queries: what happened in a round, told by the history of decisions alone."""

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import ENDED_STATES
from consent.service.tables import CommittedGrant, ConsentEvent, Grant, Refusal, RoundCommit


class FunnelRepository:
    """Counts over one round. Epochs and current consent are not consulted."""

    def __init__(self, session: Session, *, task: str, round_id: str) -> None:
        self._session = session
        self._of_round = (col(Grant.task) == task, col(Grant.round_id) == round_id)
        self._refused_in_round = (col(Refusal.task) == task, col(Refusal.round_id) == round_id)
        self._same_round = (col(RoundCommit.task) == task) & (col(RoundCommit.round_id) == round_id)

    def granted(self) -> int:
        """Shoppers with a grant."""
        query = select(func.count()).select_from(Grant).where(*self._of_round)
        return self._session.scalar(query) or 0

    def refused(self) -> int:
        """Shoppers who were asked for and never got a grant."""
        granted = exists().where(*self._of_round, col(Grant.shopper_id) == col(Refusal.shopper_id))
        query = select(func.count()).select_from(Refusal).where(*self._refused_in_round, ~granted)
        return self._session.scalar(query) or 0

    def withdrawn_before_commit(self) -> int:
        """Grants followed by a no that the commit, if there is one, came after."""
        before = or_(
            col(RoundCommit.id).is_(None), col(ConsentEvent.id) <= col(RoundCommit.after_event)
        )
        query = (
            select(func.count())
            .select_from(Grant)
            .outerjoin(RoundCommit, self._same_round)
            .where(*self._of_round, _said_no(before))
        )
        return self._session.scalar(query) or 0

    def aggregated_after_withdrawal(self) -> int:
        """Grants that a commit holds although a no came between grant and commit."""
        query = (
            select(func.count())
            .select_from(CommittedGrant)
            .join(Grant, col(Grant.token_id) == col(CommittedGrant.token_id))
            .join(RoundCommit, col(RoundCommit.id) == col(CommittedGrant.commit_id))
            .where(*self._of_round, _said_no(col(ConsentEvent.id) <= col(RoundCommit.after_event)))
        )
        return self._session.scalar(query) or 0


def _said_no(before: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        col(ConsentEvent.shopper_id) == col(Grant.shopper_id),
        col(ConsentEvent.state).in_(list(ENDED_STATES)),
        col(ConsentEvent.id) > col(Grant.after_event),
        before,
    )
