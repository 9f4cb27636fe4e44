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

    def mark_changed(self, key_hash: str) -> None:
        """Note that the request changed something in this transaction."""
        self._set(key_hash, changed=True)

    def keep(self, key_hash: str, answer: bytes) -> None:
        """Store the answer."""
        self._set(key_hash, answer=answer)

    def forget(self, key_hash: str) -> None:
        """Delete a request."""
        self._session.execute(delete(KeyedRequest).where(col(KeyedRequest.key_hash) == key_hash))

    def prune(self, *, now: int) -> None:
        """Delete the requests whose time is over."""
        self._session.execute(delete(KeyedRequest).where(col(KeyedRequest.expires_at) <= now))

    def _set(self, key_hash: str, **values: object) -> None:
        self._session.execute(
            update(KeyedRequest).where(col(KeyedRequest.key_hash) == key_hash).values(**values)
        )
