"""One round over the real messages, step by step, so that an attack can bend any of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from crypto.ballot import UploadList, release_hash
from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.ingest import Batch, Receipt
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.opening import decode_part
from crypto.sealing import pieced_sum, round_public_keys
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS
from crypto.update import FloatArray, IntArray, NoisedUpdate, PartSum, SealedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord, unpack_frames
from simulations.attacks.messages import (
    TASK,
    Client,
    Sent,
    ask_round_keys,
    make_grant,
    make_manifest,
    signed,
)
from simulations.attacks.parties import Parties
from simulations.attacks.pipeline import Pipeline
from simulations.attacks.tries import RefusedError

_MAX_FRAME = 1 << 28


@dataclass(frozen=True, kw_only=True)
class StagedRound:
    """A round that all key holders accepted."""

    parties: Parties
    rng: SecureRandom
    manifest: Manifest
    record: SignedRecord
    round_keys: tuple[SignedRecord, ...]
    accepts: tuple[SignedRecord, ...]

    @classmethod
    def plan(
        cls,
        parties: Parties,
        plan: PrivacyPlan,
        *,
        name: str,
        rng: SecureRandom,
        **changes: Any,
    ) -> Self:
        """Steps 1 and 2: round keys, manifest, accepts; ``changes`` are of the manifest."""
        keys = ask_round_keys(parties, name)
        manifest = make_manifest(plan, name=name, round_keys=keys, **changes)
        record = manifest.sign(parties.coordinator)
        accepts = tuple(
            SignedRecord.from_bytes(station.accept(record)) for station in parties.stations
        )
        return cls(
            parties=parties,
            rng=rng,
            manifest=manifest,
            record=record,
            round_keys=keys,
            accepts=accepts,
        )

    @property
    def context(self) -> str:
        """The manifest's hash."""
        return context_of(self.record)

    @property
    def invitation(self) -> Invitation:
        """What clients are sent."""
        return Invitation(manifest=self.record, round_keys=self.round_keys, accepts=self.accepts)

    @cached_property
    def scheme(self) -> SecureSum:
        """The secure sum under the round keys."""
        keys = round_public_keys(self.manifest, self.round_keys, self.parties.identities)
        return pieced_sum(self.manifest.plan, self.context, keys)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What clients do before they seal."""
        return Pipeline(plan=self.manifest.plan, context=self.context, rng=self.rng)

    def grant(self, client: Client, subject: str, **changes: Any) -> str:
        """A grant as the consent service signs it, with fields changed at will."""
        made = make_grant(
            client,
            subject,
            context=self.context,
            now=int(self.parties.clock.now),
            **({"round_id": self.manifest.round_id} | changes),
        )
        return made.sign(self.parties.consent)

    def upload(self, client: Client, noised: NoisedUpdate, *, subject: str) -> Sent:
        """Step 4 for a client of one shopper."""
        sealed = self.scheme.seal(noised, sender=client.sender, rng=self.rng)
        tokens = (self.grant(client, subject),)
        return replace(signed(client, sealed, tokens), noised=noised)

    def uploads(self, vectors: Sequence[FloatArray]) -> list[Sent]:
        """An honest client of her own for every vector."""
        return [
            self.upload(Client(), self.pipeline.client([vector]), subject=f"shopper-{number}")
            for number, vector in enumerate(vectors)
        ]

    def entries(self) -> list[Sent]:
        """Step 5: the key holders' own noise."""
        return [self.entry(number) for number in range(1, HOLDERS + 1)]

    def entry(self, number: int) -> Sent:
        """One key holder's noise entry."""
        data = self.parties.stations[number - 1].entry(self.context, self.round_keys, self.accepts)
        header, body, *shares = unpack_frames(data, count=2 + HOLDERS, max_frame=_MAX_FRAME)
        record = SignedRecord.from_bytes(header)
        sealed = SealedUpdate(
            scheme=self.scheme.scheme,
            context=self.context,
            shares=tuple(shares),
            body=body,
            commitments=Upload.parse(record).commitments,
        )
        return Sent(header=record, grants=b"", sealed=sealed)

    def hand_over(self, sent: Iterable[Sent], number: int) -> Receipt:
        """Step 6 at one key holder."""
        batch = Batch(
            context=self.context, submissions=tuple(each.for_holder(number) for each in sent)
        )
        station = self.parties.stations[number - 1]
        data = station.ingest(Batch.from_bytes(batch.to_bytes()))
        return Receipt.verify(SignedRecord.from_bytes(data), self.parties.identities[number - 1])

    def hand_to_all(self, sent: Sequence[Sent]) -> list[Receipt]:
        """Step 6 at every key holder."""
        return [self.hand_over(sent, number) for number in range(1, HOLDERS + 1)]

    def commit(self, sent: Iterable[Sent], **changes: Any) -> SignedRecord:
        """The consent service's signed list of clients' uploads."""
        listed = [Upload.parse(each.header) for each in sent]
        fields: dict[str, Any] = {
            "task": TASK,
            "round_id": self.manifest.round_id,
            "context": self.context,
            "uploads": tuple(
                sorted(
                    CommittedUpload(upload=each.hash, client=each.client, shoppers=each.grant_count)
                    for each in listed
                )
            ),
            "committed_at": 1000 * int(self.parties.clock.now),
        }
        return Commit(**(fields | changes)).sign(self.parties.consent)

    def listing(self, sent: Iterable[Sent]) -> SignedRecord:
        """Step 7: the coordinator's proposal."""
        hashes = tuple(sorted(each.hash for each in sent))
        return UploadList(context=self.context, uploads=hashes).sign(self.parties.coordinator)

    def vote(self, number: int, commit: SignedRecord, listing: SignedRecord) -> SignedRecord:
        """Step 8 at one key holder."""
        station = self.parties.stations[number - 1]
        return SignedRecord.from_bytes(station.vote(self.context, commit, listing))

    def release(self, number: int, votes: Sequence[SignedRecord]) -> PartSum:
        """Step 9 at one key holder, checked as the coordinator checks it."""
        data = self.parties.stations[number - 1].release(votes)
        return decode_part(
            data, request_hash=release_hash(votes), identity=self.parties.identities[number - 1]
        )

    def finish(self, sent: Sequence[Sent], parts: Sequence[PartSum]) -> IntArray:
        """Step 10: the opened integer sum."""
        return self.scheme.combine(self.scheme.add(each.sealed for each in sent), parts)

    def play(self, clients: Sequence[Sent]) -> "Played":
        """Everything after the uploads, honestly.

        Raises:
            FedcartError: a step refused.
        """
        everything = [*clients, *self.entries()]
        self.hand_to_all(everything)
        commit, listing = self.commit(clients), self.listing(everything)
        votes = [self.vote(number, commit, listing) for number in range(1, HOLDERS + 1)]
        parts = [self.release(number, votes) for number in range(1, HOLDERS + 1)]
        return Played(
            everything=tuple(everything),
            votes=tuple(votes),
            parts=tuple(parts),
            total=self.finish(everything, parts),
        )


@dataclass(frozen=True, kw_only=True)
class Played:
    """A round that was played to its end.

    Attributes:
        everything: the uploads in the sum, the key holders' entries among them.
        total: the opened integer sum.
    """

    everything: tuple[Sent, ...]
    votes: tuple[SignedRecord, ...]
    parts: tuple[PartSum, ...]
    total: IntArray


def take(staged: StagedRound, sent: Sent, *, holders: Iterable[int] = (1, 2)) -> None:
    """Hand an upload to the honest key holders.

    Raises:
        RefusedError: one of them excludes it; the message is its reason.
    """
    for number in holders:
        receipt = staged.hand_over([sent], number)
        for entry in receipt.excluded:
            raise RefusedError(f"{entry.reason}{' (sender blamed)' if entry.blamed else ''}")
