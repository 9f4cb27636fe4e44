"""Every query about issuing grants."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, exists, func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.tables import ConsentEvent, Grant, Membership, Refusal, RoundCommit
from consent.service.upsert import Upsert
from crypto.grant import ParticipationGrant

_GRANT_OF_ROUND = (col(Grant.task) == bindparam("task")) & (
    col(Grant.round_id) == bindparam("round_id")
)
_STATE = select(
    exists()
    .where(
        col(RoundCommit.task) == bindparam("task"),
        col(RoundCommit.round_id) == bindparam("round_id"),
    )
    .label("committed"),
    exists()
    .where(
        _GRANT_OF_ROUND,
        col(Grant.client_id) == bindparam("client_id"),
        col(Grant.context) != bindparam("context"),
    )
    .label("other_context"),
    select(func.max(col(ConsentEvent.id))).scalar_subquery().label("last_event"),
)
_OF_MEMBERS = (
    select(Grant)
    .join(Membership, col(Membership.shopper_id) == col(Grant.shopper_id))
    .where(_GRANT_OF_ROUND, col(Membership.client_id) == bindparam("client_id"))
)
_REFUSE = Upsert(Refusal, key=["task", "round_id", "shopper_id"], change=["reason"])


class RoundState(NamedTuple):
    """A round as a client finds it.

    Attributes:
        committed: its list is frozen already.
        other_context: the client holds a grant of it under another context.
        last_event: the number of the latest consent event of all; 0 if there is none.
    """

    committed: bool
    other_context: bool
    last_event: int


class GrantRepository:
    """The grants of one round, as one transaction sees and changes them."""

    def __init__(self, session: Session, *, task: str, round_id: str) -> None:
        self._session = session
        self._round = {"task": task, "round_id": round_id}

    def state(self, client_id: str, context: str) -> RoundState:
        """How the round stands for a client that was shown a context."""
        row = self._session.execute(
            _STATE, {**self._round, "client_id": client_id, "context": context}
        ).one()
        return RoundState(committed=row[0], other_context=row[1], last_event=row[2] or 0)

    def of_members(self, client_id: str) -> dict[str, Grant]:
        """The round's grants of a client's shoppers, whichever client asked for them.

        Changes to the rows are stored when the transaction ends.
        """
        rows = self._session.scalars(_OF_MEMBERS, {**self._round, "client_id": client_id})
        return {grant.shopper_id: grant for grant in rows}

    def add(self, grants: Mapping[str, ParticipationGrant], *, after_event: int) -> None:
        """Store new grants, by shopper, with the consent event that preceded them."""
        rows = [
            {
                **self._round,
                "token_id": grant.token_id,
                "shopper_id": shopper_id,
                "client_id": grant.client_key,
                "context": grant.context,
                "subject": grant.subject,
                "epoch": grant.epoch,
                "notice_version": grant.notice_version,
                "categories": " ".join(grant.categories),
                "issued_at": grant.issued_at,
                "expires_at": grant.expires_at,
                "after_event": after_event,
            }
            for shopper_id, grant in grants.items()
        ]
        if rows:
            self._session.execute(insert(Grant), rows)

    def record_refusals(self, reasons: Mapping[str, str]) -> None:
        """Remember for whom the round was asked and refused, with the latest reason."""
        rows = [{**self._round, "shopper_id": who, "reason": why} for who, why in reasons.items()]
        if rows:
            _REFUSE.execute(self._session, rows)
