"""One whole round that key holders vote on, over its real messages, measured step by step.

Everything but the network is real: round keys, accepts, sealed and signed uploads with signed
grants, key holders that check, write to disk, vote and add, and a coordinator that opens the sum.
The sum must equal the plain integers bit for bit, key holders' own noise included.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.tasks.popularity import PopularityTask
from crypto.ballot import UploadList, release_hash
from crypto.commit import Commit, CommittedUpload
from crypto.dp.noise import add_centred_noise, add_noise, holder_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.widths import NoiseSet
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants
from crypto.holder_card import HolderCard
from crypto.ingest import MAX_BATCH, Batch, Receipt, Submission
from crypto.keyholder.home import Pins, create
from crypto.keyholder.peers import Peer, set_peers
from crypto.keyholder.station import Station
from crypto.manifest import Manifest, context_of
from crypto.opening import decode_part
from crypto.round_key import RoundKeyRequest
from crypto.sealing import secure_sum
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS, THRESHOLD, Scheme
from crypto.update import (
    ClippedUpdate,
    IntArray,
    NoisedUpdate,
    PartSum,
    RoundedUpdate,
    SealedUpdate,
)
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, public_bytes, thumbprint, unpack_frames

_NOW: Final = 1_800_000_000
_POPULATION: Final = "bench"
_ResultT = TypeVar("_ResultT")


class _NoVotes:
    """Nobody has seen a vote of a key holder that is a minute old."""

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        del peer, holder
        return None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a round came to. Seconds of processor time on one thread.

    Attributes:
        bytes_per_value: everything a client sends, header and grant included, per value.
        seal: seconds a client needs to seal, per million values.
        add: the coordinator's seconds to add, per client and million values.
        holder_ms: a key holder's milliseconds per client: parse, check, write, open, add.
        open: the coordinator's seconds to open the sum, per million values.
        exact: whether the sum equals the plain integers.
    """

    scheme: str
    noise: str
    clients: int
    dim: int
    bytes_per_value: float
    seal: float
    add: float
    holder_ms: float
    open: float
    exact: bool


@dataclass(frozen=True, kw_only=True)
class _Parties:
    coordinator: Ed25519PrivateKey
    consent: Ed25519PrivateKey
    stations: tuple[Station, ...]
    cards: tuple[HolderCard, ...]
    noise_keys: tuple[bytes, ...]


@dataclass(kw_only=True)
class _Sent:
    """What the clients made: headers with their parts in memory, and the plain sum."""

    uploads: list[tuple[SignedRecord, bytes, SealedUpdate]] = field(default_factory=list)
    plain: IntArray
    seal_seconds: float = 0.0
    sent_bytes: int = 0


def measure_round(
    folder: Path, *, scheme: Scheme, noise: NoiseSet, dimension: int, clients: int
) -> Measured:
    """Run one round in ``folder`` and measure it.

    Raises:
        ValueError: the opened sum differs from the plain one (it never may).
    """
    plan = _plan(scheme, noise, dimension, clients)
    parties = _parties(folder)
    manifest, keys, accepts = _opened(parties, plan)
    record = manifest.sign(parties.coordinator)
    summing = secure_sum(manifest, context_of(record), cards=parties.cards, round_keys=keys)
    sent = _contribute(parties, manifest, context_of(record), summing, clients)
    entries = [_entry(station, context_of(record), keys, accepts) for station in parties.stations]
    for key in parties.noise_keys:
        sent.plain += holder_noise(plan=plan, rng=SecureRandom(key)).values
    parts, holder_seconds = _open(parties, manifest, context_of(record), sent, entries)
    sealed = [update for _, _, update in (*entries, *sent.uploads)]
    total, add_seconds = timed(lambda: summing.add(sealed))
    found, open_seconds = timed(lambda: summing.combine(total, parts[:THRESHOLD]))
    if not np.array_equal(found, sent.plain):
        raise ValueError("The sealed sum differs from the plain sum.")
    for station in parties.stations:
        station.close()
    millions = plan.padded_dimension / 1e6
    return Measured(
        scheme=scheme,
        noise=noise,
        clients=clients,
        dim=dimension,
        bytes_per_value=round(sent.sent_bytes / clients / dimension, 4),
        seal=round(sent.seal_seconds / clients / millions, 4),
        add=round(add_seconds / len(sealed) / millions, 5),
        holder_ms=round(1e3 * holder_seconds / clients, 3),
        open=round(open_seconds / millions, 4),
        exact=True,
    )


def _plan(scheme: Scheme, noise: NoiseSet, dimension: int, clients: int) -> PrivacyPlan:
    return PrivacyPlan.fitted(
        dimension=dimension,
        clipping_norm=1.0,
        noise_multiplier=4.0,
        min_clients=max(2, clients // 2),
        max_clients=clients,
        max_shoppers=clients,
        max_colluders=0,
        delta=1e-6,
        scheme=scheme,
        noise=noise,
        experimental=noise is NoiseSet.CENTRED_GAUSSIAN,
    )


def _parties(folder: Path) -> _Parties:
    coordinator, consent = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pins = Pins(
        coordinator=coordinator.public_key(),
        consent=consent.public_key(),
        population=_POPULATION,
        n_floor=2,
        z_floor=0.3,
        epsilon_cap=1e9,
        allow_experimental=True,
    )
    homes = [
        create(folder / f"holder-{number}", number=number, pins=pins)
        for number in range(1, HOLDERS + 1)
    ]
    peers = [Peer(number=home.number, identity=home.identity.public_key()) for home in homes]
    for home in homes:
        set_peers(home.home, [peer for peer in peers if peer.number != home.number])
    # Only here, to know their noise: keys of streams that a key holder takes from its system.
    noise_keys = tuple(bytes([number]) * 32 for number in range(1, HOLDERS + 1))
    stations = tuple(
        Station(home, clock=lambda: float(_NOW), source=_NoVotes(), rng=SecureRandom(key))
        for home, key in zip(homes, noise_keys, strict=True)
    )
    return _Parties(
        coordinator=coordinator,
        consent=consent,
        stations=stations,
        cards=tuple(home.card for home in homes),
        noise_keys=noise_keys,
    )


def _opened(
    parties: _Parties, plan: PrivacyPlan
) -> tuple[Manifest, list[SignedRecord], list[SignedRecord]]:
    """A manifest that all key holders accepted, with their keys and accepts."""
    request = RoundKeyRequest(
        population=_POPULATION, task="popularity", round_id="1", opens=_NOW - 5, closes=_NOW + 300
    ).sign(parties.coordinator)
    keys = [SignedRecord.from_bytes(each.round_key(request)) for each in parties.stations]
    task = PopularityTask(items=plan.dimension)
    manifest = Manifest(
        population=_POPULATION,
        task=task.name,
        round_id="1",
        parameters=task.to_json(),
        catalogue="00" * 32,
        plan=plan,
        epsilon=plan.round_epsilon(),
        purposes=("train-shared-models",),
        categories=("purchases",),
        key_hashes=tuple(key.hash for key in keys),
        unpaired_devices=True,
        opens=_NOW - 5,
        closes=_NOW + 300,
    )
    record = manifest.sign(parties.coordinator)
    accepts = [SignedRecord.from_bytes(each.accept(record)) for each in parties.stations]
    return manifest, keys, accepts


def _contribute(
    parties: _Parties, manifest: Manifest, context: str, summing: SecureSum, clients: int
) -> _Sent:
    sent = _Sent(plain=np.zeros(manifest.plan.padded_dimension, dtype=np.int64))
    rng = SecureRandom()
    for number in range(clients):
        update = _noised(manifest.plan, context, rng)
        sent.plain += update.values
        key = Ed25519PrivateKey.generate()
        sender = public_bytes(key.public_key())
        sealed, seconds = timed(partial(summing.seal, update, sender=sender, rng=rng))
        tokens = (_grant(parties, manifest, context, key, number),)
        header, grants = sign_upload(sealed, tokens, key), pack_grants(tokens)
        sent.uploads.append((header, grants, sealed))
        sent.seal_seconds += seconds
        sent.sent_bytes += len(header.to_bytes()) + len(grants) + sealed.length
    return sent


def _noised(plan: PrivacyPlan, context: str, rng: SecureRandom) -> NoisedUpdate:
    """Noise alone: it fills the fields as wide as a real vector would."""
    if plan.noise is NoiseSet.CENTRED_GAUSSIAN:
        empty = ClippedUpdate(np.zeros(plan.dimension), plan.clipping_norm)
        rotation = Rotation(context, plan.dimension)
        return add_centred_noise([empty], plan=plan, rotation=rotation, rng=rng)
    rounded = RoundedUpdate(np.zeros(plan.padded_dimension, dtype=np.int64), 0.0)
    return add_noise([rounded], plan=plan, rng=rng)


def _grant(
    parties: _Parties, manifest: Manifest, context: str, key: Ed25519PrivateKey, number: int
) -> str:
    return ParticipationGrant(
        issuer="bench",
        task=manifest.task,
        round_id=manifest.round_id,
        context=context,
        subject=f"{number:032d}",
        token_id=f"{number:032x}",
        client_key=thumbprint(key.public_key()),
        purposes=manifest.purposes,
        categories=manifest.categories,
        notice_version="1",
        epoch=1,
        issued_at=_NOW,
        expires_at=_NOW + 600,
    ).sign(parties.consent)


def _entry(
    station: Station, context: str, keys: list[SignedRecord], accepts: list[SignedRecord]
) -> tuple[SignedRecord, bytes, SealedUpdate]:
    data = station.entry(context, keys, accepts)
    header, body, *shares = unpack_frames(data, count=2 + HOLDERS, max_frame=1 << 28)
    record = SignedRecord.from_bytes(header)
    upload = Upload.parse(record)
    sealed = SealedUpdate(
        scheme=upload.scheme,
        context=context,
        shares=tuple(shares),
        body=body,
        commitments=upload.commitments,
    )
    return record, b"", sealed


def _open(
    parties: _Parties,
    manifest: Manifest,
    context: str,
    sent: _Sent,
    entries: Sequence[tuple[SignedRecord, bytes, SealedUpdate]],
) -> tuple[list[PartSum], float]:
    """Ingest, vote and release at every key holder; the part sums, and one key holder's seconds."""
    everything = [*entries, *sent.uploads]
    headers = [Upload.parse(header) for header, _, _ in sent.uploads]
    commit = Commit(
        task=manifest.task,
        round_id=manifest.round_id,
        context=context,
        uploads=tuple(
            sorted(
                CommittedUpload(upload=each.hash, client=each.client, shoppers=1)
                for each in headers
            )
        ),
        committed_at=1000 * _NOW,
    ).sign(parties.consent)
    names = tuple(sorted(header.hash for header, _, _ in everything))
    listed = UploadList(context=context, uploads=names).sign(parties.coordinator)
    seconds = 0.0
    votes = []
    for place, station in enumerate(parties.stations):
        for data in _batches(context, everything, place):
            receipt, taken = timed(partial(_ingest, station, data))
            seconds += taken
            _require_all(receipt, parties.cards[place])
        vote, taken = timed(partial(station.vote, context, commit, listed))
        seconds += taken
        votes.append(SignedRecord.from_bytes(vote))
    parts = []
    for place, station in enumerate(parties.stations):
        answer, taken = timed(partial(station.release, votes))
        seconds += taken
        identity = parties.cards[place].identity
        parts.append(decode_part(answer, request_hash=release_hash(votes), identity=identity))
    return parts, seconds / HOLDERS


def _batches(
    context: str, uploads: Sequence[tuple[SignedRecord, bytes, SealedUpdate]], place: int
) -> Iterator[bytes]:
    for start in range(0, len(uploads), MAX_BATCH):
        submissions = tuple(
            Submission(header=header, grants=grants, share=sealed.shares[place])
            for header, grants, sealed in uploads[start : start + MAX_BATCH]
        )
        yield Batch(context=context, submissions=submissions).to_bytes()


def _ingest(station: Station, data: bytes) -> bytes:
    return station.ingest(Batch.from_bytes(data))


def _require_all(receipt: bytes, card: HolderCard) -> None:
    found = Receipt.verify(SignedRecord.from_bytes(receipt), card.identity)
    if found.excluded:
        raise ValueError(f"A key holder excluded an upload: {found.excluded[0].reason}.")


def timed(work: Callable[[], _ResultT]) -> tuple[_ResultT, float]:
    """The result and the processor seconds that it took."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started
