"""Every query about counted attempts: a storage for the ``limits`` library in one transaction."""

from typing import Final

from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.hits.tables import Hit
from consent.service.upsert import Upsert

_SAVE: Final = Upsert(Hit, key=["key", "window"], change=["count", "expires_at"])


class HitRepository(Storage, SlidingWindowCounterSupport):
    """Sliding windows as one transaction counts them at ``now`` (Unix seconds).

    Windows are aligned to the clock; an attempt counts wholly in its window and then, weighted by
    what is left of it, in the next. The writers of a database are serialised, so reading and adding
    within the transaction is exact across processes.
    """

    STORAGE_SCHEME = None

    def __init__(self, session: Session, *, now: float) -> None:
        super().__init__()
        self._session = session
        self._now = now

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises."""
        return SQLAlchemyError

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count an attempt if the window has room; a refused one counts nothing."""
        before, rest, current, _ = self.get_sliding_window(key, expiry)
        if before * rest / expiry + current > limit - amount:
            return False
        self._save(key, expiry, current + amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Previous count and the seconds that it still weighs; current count and its seconds."""
        window = self._window(expiry)
        rest = (window + 1) * expiry - self._now
        return self._count(key, window - 1), rest, self._count(key, window), rest + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - its interface
        """Forget a key."""
        self.clear(key)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the window of now, whatever the limit; returns its count."""
        count = self._count(key, self._window(expiry)) + amount
        self._save(key, expiry, count)
        return count

    def get(self, key: str) -> int:
        """What a key has in all windows that are still of use."""
        query = select(func.coalesce(func.sum(col(Hit.count)), 0)).where(
            col(Hit.key) == key, col(Hit.expires_at) > self._now * 1000
        )
        return int(self._session.scalar(query) or 0)

    def get_expiry(self, key: str) -> float:
        """When the last window of a key is of no more use (Unix seconds)."""
        latest = self._session.scalar(
            select(func.max(col(Hit.expires_at))).where(col(Hit.key) == key)
        )
        return self._now if latest is None else latest / 1000

    def check(self) -> bool:
        """Whether the database answers."""
        return self._session.scalar(select(1)) == 1

    def reset(self) -> int | None:
        """Forget every key; returns nothing known."""
        self._session.execute(delete(Hit))
        return None

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._session.execute(delete(Hit).where(col(Hit.key) == key))

    def prune(self) -> None:
        """Delete the windows that are of no more use."""
        self._session.execute(delete(Hit).where(col(Hit.expires_at) <= int(self._now * 1000)))

    def _window(self, expiry: int) -> int:
        return int(self._now // expiry)

    def _count(self, key: str, window: int) -> int:
        query = select(col(Hit.count)).where(col(Hit.key) == key, col(Hit.window) == window)
        return self._session.scalar(query) or 0

    def _save(self, key: str, expiry: int, count: int) -> None:
        window = self._window(expiry)
        ends = (window + 2) * expiry * 1000
        _SAVE.execute(
            self._session, [{"key": key, "window": window, "count": count, "expires_at": ends}]
        )
