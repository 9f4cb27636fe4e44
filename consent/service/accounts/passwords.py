"""Hashing passwords: slow on purpose, and bounded so that it can't be turned against the service.

One hash takes 64 MiB and some 50 ms. A few run at a time, a few more wait, and whoever comes then
is told to come back: a flood of logins costs neither the memory nor all the threads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pwdlib import PasswordHash

from consent.credentials import typed_password
from consent.service.problems import Problem

AT_ONCE: Final = 3
WAITING: Final = 12


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a password is right; ``renewed`` is its hash by today's parameters, if it has old."""

    right: bool
    renewed: str | None = None


class Passwords:
    """The one place where passwords are hashed. ``hasher`` may be replaced before its first use."""

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self.hasher = PasswordHash.recommended()
        self._running = threading.BoundedSemaphore(at_once)
        self._room = threading.BoundedSemaphore(at_once + waiting)

    def hash(self, password: str) -> str:
        """The hash of a new password, as it is stored.

        Raises:
            Problem: 503, too many are being hashed.
        """
        with self._slot():
            return self.hasher.hash(typed_password(password))

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare a password with a stored hash.

        Guarantee: without a stored hash it takes the work of one that is wrong, so that time does
        not tell whether there is an account.

        Raises:
            InvalidInputError: longer than any password is.
            Problem: 503, too many are being compared.
        """
        typed = typed_password(password)
        with self._slot():
            against = self._nobodys if stored is None else stored
            right, renewed = self.hasher.verify_and_update(typed, against)
        return Verdict(right=right and stored is not None, renewed=renewed)

    @cached_property
    def _nobodys(self) -> str:
        return self.hasher.hash("nobody's password")

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise Problem(503, "Too many people are logging in just now; try again in a moment.")
        try:
            with self._running:
                _ = self._nobodys  # made before the first comparison of either kind
                yield
        finally:
            self._room.release()
