"""A key holder as one object: every step of a round, one at a time, each with its checks.

The service translates HTTP to these calls and back. Each call first refuses to act for an identity
that was stopped, and aborts what is past its deadline.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from crypto.dp.random import SecureRandom
from crypto.errors import FedcartError
from crypto.ingest import Batch
from crypto.keyholder import closing, recovery
from crypto.keyholder.accepting import accept_manifest
from crypto.keyholder.desk import Desk
from crypto.keyholder.entry import make_entry
from crypto.keyholder.home import LOG_FILE, REGISTER_FILE, KeyHolder
from crypto.keyholder.ingesting import ingest
from crypto.keyholder.keying import issue_round_key
from crypto.keyholder.log import votes
from crypto.keyholder.log.points import Reached, go_on
from crypto.keyholder.log.store import Log
from crypto.keyholder.peers import HttpVotes, VoteSource
from crypto.keyholder.register import Register
from crypto.keyholder.releasing import release
from crypto.keyholder.rules import open_sum
from crypto.keyholder.voting import vote
from crypto.opening import OpenRequest
from crypto.wire import SignedRecord


class Station:
    """A key holder that works.

    Args:
        holder: its keys, pins and home.
        clock: gives Unix seconds.
        source: where it asks its peers for votes; over HTTP unless a test mounts them elsewhere.
        rng: of its noise; the operating system's unless a test says otherwise.
        reached: told of every persist point (tests crash there).
    """

    def __init__(
        self,
        holder: KeyHolder,
        *,
        clock: Callable[[], float] = time.time,
        source: VoteSource | None = None,
        rng: SecureRandom | None = None,
        reached: Reached = go_on,
    ) -> None:
        self.holder = holder
        self._clock = clock
        self._lock = threading.Lock()
        self._desk = Desk(
            holder=holder,
            log=Log(holder.home / LOG_FILE, reached=reached),
            rng=rng or SecureRandom(),
            source=source or HttpVotes(),
        )
        closing.tidy(self._desk)
        closing.sweep(self._desk, now=self._now())

    def close(self) -> None:
        """Close the log."""
        self._desk.log.close()

    def check_peers(self) -> str | None:
        """Ask the peers whether the log is up to date; why not, if it can't be told.

        A key holder that can't ask may serve; it is asked again before the first vote. Nobody
        waits meanwhile: peers may be slow, or ask back.
        """
        try:
            recovery.require_running(self._desk)
            recovery.require_current(self._desk, now=self._now())
        except FedcartError as error:
            return str(error)
        return None

    def round_key(self, request: SignedRecord) -> bytes:
        """Step 1; see ``issue_round_key``."""
        with self._step() as now:
            return issue_round_key(self._desk, request, now=now)

    def accept(self, manifest: SignedRecord) -> bytes:
        """Step 2; see ``accept_manifest``."""
        with self._step() as now:
            return accept_manifest(self._desk, manifest, now=now)

    def entry(
        self, context: str, keys: Sequence[SignedRecord], accepts: Sequence[SignedRecord]
    ) -> bytes:
        """Step 5; see ``make_entry``."""
        with self._step() as now:
            return make_entry(self._desk, context, keys, accepts, now=now)

    def ingest(self, batch: Batch) -> bytes:
        """Step 6; see ``ingest``."""
        with self._step() as now:
            return ingest(self._desk, batch, now=now)

    def vote(self, context: str, commit: SignedRecord, proposal: SignedRecord) -> bytes:
        """Step 8; see ``vote``."""
        with self._step() as now:
            return vote(self._desk, context, commit, proposal, now=now)

    def release(self, records: Sequence[SignedRecord]) -> bytes:
        """Step 9; see ``release``."""
        with self._step() as now:
            return release(self._desk, records, now=now)

    def open_sum(self, request: OpenRequest) -> bytes:
        """Share sum's only step; see ``crypto.keyholder.rules``."""
        with self._step() as now:
            register = Register(self.holder.home / REGISTER_FILE)
            return open_sum(self._desk, register, request, now=now)

    def latest_vote(self, number: int) -> bytes | None:
        """The latest vote of a key holder that this one has seen, as a record's bytes.

        Waits for nobody, so that key holders can ask each other while they vote.
        """
        for party in self.holder.parties():
            if party.number != number:
                continue
            with self._desk.log.reading() as db:
                if number != self.holder.number:
                    return votes.of_peer(db, party.name)
                own = votes.latest(db, party.name)
                return None if own is None else own.record
        return None

    def _now(self) -> int:
        return int(self._clock())

    @contextmanager
    def _step(self) -> Iterator[int]:
        with self._lock:
            recovery.require_running(self._desk)
            now = self._now()
            closing.sweep(self._desk, now=now)
            yield now
