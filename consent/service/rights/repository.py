"""Every query about requests."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.rights.request import OPEN, RequestKind, RequestState
from consent.service.accounts.tables import Account
from consent.service.instructions.tables import InstructionRow, OpenInstruction
from consent.service.rights.tables import RightsRequest, RightsStep


class Place(NamedTuple):
    """Where in the queue a request stands."""

    due_at: int
    id: str


class RightsRepository:
    """The requests that one transaction sees and changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, request: RightsRequest) -> None:
        """Store a request, at once."""
        self._session.add(request)
        self._session.flush()

    def find(self, request_id: str) -> RightsRequest | None:
        """The request of this id."""
        if "\0" in request_id:
            return None
        return self._session.get(RightsRequest, request_id)

    def under_key(self, shopper_id: str, request_hash: str) -> RightsRequest | None:
        """The request that a shopper opened under an idempotency key."""
        query = select(RightsRequest).where(
            col(RightsRequest.shopper_id) == shopper_id,
            col(RightsRequest.request_hash) == request_hash,
        )
        return self._session.scalar(query)

    def of_shopper(self, shopper_id: str, *, limit: int) -> list[RightsRequest]:
        """A shopper's requests, newest first."""
        query = select(RightsRequest).where(col(RightsRequest.shopper_id) == shopper_id)
        newest = (col(RightsRequest.received_at).desc(), col(RightsRequest.id).desc())
        return list(self._session.scalars(query.order_by(*newest).limit(limit)))

    def erasures(self, shopper_id: str) -> list[RightsRequest]:
        """A shopper's requests to be erased, newest first, under either law's word."""
        query = select(RightsRequest).where(
            col(RightsRequest.shopper_id) == shopper_id,
            col(RightsRequest.kind).in_([RequestKind.ERASURE.value, RequestKind.DELETE.value]),
        )
        newest = (col(RightsRequest.received_at).desc(), col(RightsRequest.id).desc())
        return list(self._session.scalars(query.order_by(*newest)))

    def count_open(self, shopper_id: str | None = None, *, due_before: int | None = None) -> int:
        """How many requests are open; of one shopper, or due before a time."""
        query = select(func.count()).select_from(RightsRequest).where(col(RightsRequest.open))
        if shopper_id is not None:
            query = query.where(col(RightsRequest.shopper_id) == shopper_id)
        if due_before is not None:
            query = query.where(col(RightsRequest.due_at) <= due_before)
        return self._session.scalar(query) or 0

    def queue(
        self,
        *,
        states: Iterable[str],
        due_before: int | None,
        after: Place | None,
        limit: int,
    ) -> list[RightsRequest]:
        """Requests in some states by when they are due, after a place."""
        wanted = set(states)
        query = select(RightsRequest).where(col(RightsRequest.state).in_(sorted(wanted)))
        if wanted <= OPEN or not wanted & OPEN:  # so that the index gives them in their order
            query = query.where(col(RightsRequest.open) == (wanted <= OPEN))
        if due_before is not None:
            query = query.where(col(RightsRequest.due_at) <= due_before)
        if after is not None:
            same = and_(col(RightsRequest.due_at) == after.due_at, col(RightsRequest.id) > after.id)
            query = query.where(or_(col(RightsRequest.due_at) > after.due_at, same))
        order = (col(RightsRequest.due_at), col(RightsRequest.id))
        return list(self._session.scalars(query.order_by(*order).limit(limit)))

    def without_open_instructions(self, *, limit: int) -> list[RightsRequest]:
        """Requests that wait for clients although no client has anything left to do."""
        left = (
            select(col(InstructionRow.id))
            .join(OpenInstruction, col(OpenInstruction.instruction_id) == col(InstructionRow.id))
            .where(col(InstructionRow.request) == col(RightsRequest.id))
        )
        query = select(RightsRequest).where(
            col(RightsRequest.open),
            col(RightsRequest.state) == RequestState.WAITING_FOR_CLIENTS.value,
            ~left.exists(),
        )
        return list(self._session.scalars(query.limit(limit)))

    def add_step(self, step: RightsStep) -> None:
        """Store a step, at once."""
        self._session.add(step)
        self._session.flush()

    def steps(self, request_ids: Iterable[str]) -> dict[str, list[RightsStep]]:
        """The steps of some requests, oldest first."""
        ids = list(request_ids)
        found: dict[str, list[RightsStep]] = {each: [] for each in ids}
        query = select(RightsStep).where(col(RightsStep.request_id).in_(ids))
        for row in self._session.scalars(query.order_by(col(RightsStep.id))):
            found[row.request_id].append(row)
        return found

    def account(self, shopper_id: str) -> Account | None:
        """A shopper's account."""
        return self._session.scalar(select(Account).where(col(Account.shopper_id) == shopper_id))
