"""Collecting a cohort's uploads: one bad client stops nobody, and a store may seal again.

A store whose shopper withdraws after it has sealed would drop out with all its other shoppers;
before the commit it is therefore asked once more, and its second vector, without her, replaces
the first. Whoever withdraws after that still drops the upload at the commit.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flwr.serverapp import Grid

from consent.client import ConsentClient
from crypto.errors import FedcartError
from crypto.sums.interface import SecureSum
from server.cohort import Member
from server.exchange import Reply, ask, parse_upload, round_content
from server.journal import Journal, Waiting
from server.rounds import PlannedRound, receive

# Told what happens, so that a person can watch: phase, how many done, how many in all.
Progress = Callable[[str, int, int], None]


@dataclass
class Tally:
    """What came of a cohort: reasons of those that sent nothing, sizes of what was sent."""

    declined: Counter[str] = field(default_factory=Counter)
    resealed: int = 0
    bytes_up: set[int] = field(default_factory=set)
    sealed_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Collects one round's uploads into its journal.

    ``artefacts``: the encoded ones that clients need for the task, by their hashes.
    """

    grid: Grid
    planned: PlannedRound
    scheme: SecureSum
    journal: Journal
    consent: ConsentClient
    consent_key: Ed25519PublicKey
    timeout: float
    progress: Progress
    tally: Tally
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def collect(self, cohort: Sequence[Member]) -> None:
        """Ask every member of the cohort whose upload is not here yet; keep what holds."""
        name = str(self.planned.task.name)
        here = {item.upload.client for item in self.journal.waiting}
        missing = [member for member in cohort if member.client not in here]
        self.progress(name, len(cohort) - len(missing), len(cohort))
        for done, reply in enumerate(self._ask(missing), start=len(cohort) - len(missing) + 1):
            self._take(reply)
            self.progress(name, done, len(cohort))

    def repair(self, cohort: Sequence[Member]) -> None:
        """Ask those clients again some, but not all, of whose grants have died meanwhile.

        Raises:
            ConsentError: the consent service can't say which grants stand.
        """
        asked = [token for item in self.journal.waiting for token in item.token_ids]
        alive = self.consent.standing(asked)
        broken = {
            item.upload.client
            for item in self.journal.waiting
            if 0 < len(alive.intersection(item.token_ids)) < len(item.token_ids)
        }
        if not broken:
            return
        for reply in self._ask([member for member in cohort if member.client in broken]):
            if self._take(reply):
                self.tally.resealed += 1

    def _ask(self, cohort: Sequence[Member]) -> Iterator[Reply]:
        nodes = [member.node for member in cohort]
        content = round_content(self.planned.invitation, self.artefacts)
        return ask(self.grid, nodes, "train.contribute", content, timeout=self.timeout)

    def _take(self, reply: Reply) -> bool:
        if isinstance(reply.content, str):
            self.tally.declined[f"failed: {reply.content[:200]}"] += 1
            return False
        try:
            parsed = parse_upload(reply.content)
            if isinstance(parsed, str):
                self.tally.declined[parsed] += 1
                return False
            received = receive(
                parsed.header,
                parsed.grants,
                parsed.sealed,
                self.planned,
                consent_key=self.consent_key,
                now=int(self.clock()),
            )
            self.scheme.check(received.sealed)
        except FedcartError as error:
            self.tally.declined[f"refused: {error}"] += 1
            return False
        item = Waiting(
            upload=received.upload,
            header=parsed.header,
            grants=received.grants,
            token_ids=received.token_ids,
        )
        self.journal.put(item, received.sealed)
        sealed, header = received.sealed.length, len(parsed.header.to_bytes())
        self.tally.sealed_bytes = sealed
        self.tally.bytes_up.add(sealed + header + len(received.grants))
        return True
