"""Three key holders that vote, their coordinator and clients, to be led through rounds by hand.

Everybody plays by the rules here; tests break one rule at a time with what these steps return.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from crypto.ballot import UploadList
from crypto.commit import Commit, CommittedUpload
from crypto.errors import RoundError
from crypto.ingest import Batch, Receipt
from crypto.keyholder.home import KeyHolder, load
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.peers import Peer
from crypto.keyholder.station import Station
from crypto.manifest import NO_MANIFEST, Manifest, context_of
from crypto.round_key import RoundKeyRequest
from crypto.sealing import secure_sum
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.stage import make_holders
from tests.unit.crypto.keyholder.uploads import (
    IntArray,
    Sent,
    VotingRound,
    client_upload,
    entry_of,
    grant_for,
    list_of,
    piece_plan,
)
from tests.unit.crypto.samples import NOW, generator, manifest, signer

__all__ = [
    "NUMBERS",
    "CrashError",
    "Federation",
    "IntArray",
    "Ready",
    "Sent",
    "VotingRound",
    "client_upload",
    "entry_of",
    "grant_for",
    "list_of",
    "piece_plan",
]
NUMBERS = (1, 2, 3)
POPULATION = "test-federation"


class CrashError(BaseException):
    """The power went."""


@dataclass
class Federation:
    """Three stations with one clock; ``unreachable`` key holders answer no peer."""

    homes: tuple[Path, ...]
    now: int = NOW
    reached: Callable[[PersistPoint], None] = lambda _point: None
    unreachable: set[int] = field(default_factory=set)
    stations: dict[int, Station] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, **pins: Any) -> "Federation":
        made = cls(tuple(each.home for each in make_holders(folder, **pins)))
        for number in NUMBERS:
            made.start(number)
        return made

    def start(self, number: int) -> Station:
        """Start a key holder again, from nothing but its home."""
        self.stations[number] = Station(
            load(self.homes[number - 1]),
            clock=lambda: float(self.now),
            source=self,
            rng=generator(f"holder {number}"),
            reached=self._reached,
        )
        return self.stations[number]

    def _reached(self, point: PersistPoint) -> None:
        self.reached(point)

    def holder(self, number: int) -> KeyHolder:
        return self.stations[number].holder

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        """What a peer shows, asked directly (``VoteSource``)."""
        if peer.number in self.unreachable:
            raise RoundError(f"Key holder {peer.number} could not be asked for votes.")
        found = self.stations[peer.number].latest_vote(holder)
        return None if found is None else SignedRecord.from_bytes(found)

    def request(self, round_id: str = "round-1", **changes: Any) -> RoundKeyRequest:
        fields: dict[str, Any] = {
            "population": POPULATION,
            "task": "popularity",
            "round_id": round_id,
            "opens": self.now - 60,
            "closes": self.now + 600,
        }
        return RoundKeyRequest(**(fields | changes))

    def keys(self, round_id: str = "round-1", **changes: Any) -> tuple[SignedRecord, ...]:
        signed = self.request(round_id, **changes).sign(signer("coordinator"))
        answers = [self.stations[number].round_key(signed) for number in NUMBERS]
        return tuple(SignedRecord.from_bytes(answer) for answer in answers)

    def manifest(self, keys: Sequence[SignedRecord], **changes: Any) -> Manifest:
        fields: dict[str, Any] = {
            "plan": piece_plan(),
            "key_hashes": tuple(key.hash for key in keys),
            "previous": NO_MANIFEST,
            "opens": self.now - 60,
            "closes": self.now + 600,
        }
        return manifest(**(fields | changes))

    def accepted(
        self, round_id: str = "round-1", *, task: str = "popularity", **changes: Any
    ) -> VotingRound:
        """Steps 1 and 2 for all three."""
        keys = self.keys(round_id, task=task)
        document = self.manifest(keys, round_id=round_id, task=task, **changes)
        record = document.sign(signer("coordinator"))
        accepts = [self.stations[number].accept(record) for number in NUMBERS]
        cards = [self.holder(number).card for number in NUMBERS]
        return VotingRound(
            manifest=document,
            record=record,
            keys=keys,
            accepts=tuple(SignedRecord.from_bytes(answer) for answer in accepts),
            scheme=secure_sum(document, context_of(record), cards=cards, round_keys=keys),
        )

    def entry(self, made: VotingRound, number: int) -> Sent:
        """Step 5."""
        data = self.stations[number].entry(made.context, made.keys, made.accepts)
        return entry_of(made, data)

    def entries(self, made: VotingRound) -> list[Sent]:
        return [self.entry(made, number) for number in NUMBERS]

    def ingest(self, number: int, made: VotingRound, sent: Sequence[Sent]) -> Receipt:
        """Step 6 for one key holder."""
        batch = Batch(context=made.context, submissions=tuple(each.to(number) for each in sent))
        record = SignedRecord.from_bytes(self.stations[number].ingest(batch))
        return Receipt.verify(record, self.holder(number).identity.public_key())

    def ingest_all(self, made: VotingRound, sent: Sequence[Sent]) -> None:
        """Step 6 for all; everything has to be acknowledged."""
        for number in NUMBERS:
            receipt = self.ingest(number, made, sent)
            assert receipt.excluded == ()
            assert set(receipt.acknowledged) == {each.header.hash for each in sent}

    def ready(self, *, clients: int = 4, **changes: Any) -> "Ready":
        """Everything up to the vote."""
        made = self.accepted(**changes)
        sent = [client_upload(made, f"client {number}") for number in range(clients)]
        entries = self.entries(made)
        self.ingest_all(made, [*sent, *entries])
        return Ready(made=made, clients=tuple(sent), entries=tuple(entries))

    def vote(self, number: int, ready: "Ready", **changes: SignedRecord) -> SignedRecord:
        """Step 8 for one key holder."""
        commit = changes.get("commit") or ready.commit
        proposal = changes.get("proposal") or ready.proposal
        answer = self.stations[number].vote(ready.context, commit, proposal)
        return SignedRecord.from_bytes(answer)

    def votes(self, ready: "Ready") -> list[SignedRecord]:
        return [self.vote(number, ready) for number in NUMBERS]


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A round whose uploads all three key holders acknowledged."""

    made: VotingRound
    clients: tuple[Sent, ...]
    entries: tuple[Sent, ...]

    @property
    def context(self) -> str:
        return self.made.context

    @property
    def listed(self) -> Commit:
        rows = [
            CommittedUpload(
                upload=each.header.hash, client=each.upload.client, shoppers=each.shoppers
            )
            for each in self.clients
        ]
        return Commit(
            task=self.made.manifest.task,
            round_id=self.made.manifest.round_id,
            context=self.context,
            uploads=tuple(sorted(rows)),
            committed_at=1000 * NOW,
        )

    @property
    def commit(self) -> SignedRecord:
        return self.listed.sign(signer("consent"))

    @property
    def upload_list(self) -> UploadList:
        return list_of(self.context, [*self.clients, *self.entries])

    @property
    def proposal(self) -> SignedRecord:
        return self.upload_list.sign(signer("coordinator"))

    def expected(self) -> IntArray:
        """What clients put in, summed in plain integers."""
        values = [each.values for each in self.clients if each.values is not None]
        total: IntArray = np.sum(values, axis=0, dtype=np.int64)
        return total

    def without(self, count: int) -> "Ready":
        """The same round with fewer clients listed."""
        return replace(self, clients=self.clients[count:])
