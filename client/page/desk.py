"""What the page and its API are served from: the device's folder, and where releases lie."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

import httpx
from fastapi import Depends, Request

from client.connection import connect
from client.home import ClientHome
from client.page.door import Session
from client.releases import artefact_files, newest
from client.shelf import Stock, take_stock
from consent.tasks.artefact import Artefact


class Flash(NamedTuple):
    """A message for the next page; ``kind`` is good, info or bad."""

    kind: str
    text: str


@dataclass
class Desk:
    """One per start. The folder is read anew for every request: other commands may change it.

    Released artefacts are public and large, so they are kept in memory while their files stay the
    same. Nothing of hers is kept.

    ``showing`` is held while a list is drawn and noted: two that come together show the same zone.
    """

    folder: Path
    releases: Path
    session: Session
    clock: Callable[[], float] = time.time
    flash: Flash | None = None
    showing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _artefacts: tuple[tuple[object, ...], tuple[Artefact, ...]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def home(self) -> ClientHome:
        """The device, as it is now."""
        return ClientHome.load(self.folder)

    def http(self, home: ClientHome) -> httpx.Client:
        """The connection to its consent service."""
        return connect(home.trust.consent_url)

    def stock(
        self, home: ClientHome, *, at: float | None = None, store: str | None = None
    ) -> Stock:
        """What a list is made from, if she agrees to it at this moment.

        ``at`` and ``store``: when and where the list is for (``client.shelf.take_stock``).

        Raises:
            ConsentError: she doesn't, or the consent service can't say.
            InvalidInputError: no usable artefact, or no purchases.
        """
        return take_stock(home, self.http(home), lambda: self._released(home), at=at, store=store)

    def taken_flash(self) -> Flash | None:
        """The message that waits; it is shown once."""
        with self._lock:
            found, self.flash = self.flash, None
        return found

    def _released(self, home: ClientHome) -> tuple[Artefact, ...]:
        stamps = tuple(
            (str(file), stat.st_mtime_ns, stat.st_size)
            for file in artefact_files(self.releases)
            for stat in (file.stat(),)
        )
        with self._lock:
            if self._artefacts is None or self._artefacts[0] != stamps or not stamps:
                self._artefacts = stamps, newest(self.releases, home.trust.coordinator_key)
            return self._artefacts[1]


def desk_of(request: Request) -> Desk:
    """The desk behind a request."""
    desk: Desk = request.app.state.desk
    return desk


DeskDep = Annotated[Desk, Depends(desk_of)]
