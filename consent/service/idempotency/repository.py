"""Every query about requests that may be sent again."""

from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.idempotency.tables import KeyedRequest


class KeyedRepository:
    """The keyed requests of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, key_hash: str) -> KeyedRequest | None:
        """The request of a key."""
        return self._session.get(KeyedRequest, key_hash, populate_existing=True)

    def add(self, row: KeyedRequest) -> None:
        """Add a request, at once."""
        self._session.add(row)
        self._session.flush()

    def mark_changed(self, key_hash: str, *, claimed_until: int) -> bool:
        """Note that the request changes something in this transaction; whether it has its claim."""
        return self._set(key_hash, claimed_until, changed=True)

    def keep(self, key_hash: str, answer: bytes, *, claimed_until: int) -> None:
        """Store the answer, if the request has its claim still."""
        self._set(key_hash, claimed_until, answer=answer)

    def forget(self, key_hash: str) -> None:
        """Delete a request."""
        self._session.execute(delete(KeyedRequest).where(col(KeyedRequest.key_hash) == key_hash))

    def prune(self, *, now: int) -> None:
        """Delete the requests whose time is over."""
        self._session.execute(delete(KeyedRequest).where(col(KeyedRequest.expires_at) <= now))

    def _set(self, key_hash: str, claimed_until: int, **values: object) -> bool:
        query = update(KeyedRequest).where(
            col(KeyedRequest.key_hash) == key_hash,
            col(KeyedRequest.claimed_until) == claimed_until,
        )
        changed = self._session.execute(
            query.values(**values).returning(col(KeyedRequest.key_hash))
        )
        return bool(changed.all())
