"""Flows that must not type-check. Never run: mypy reads this file, and so does test_typing.

Each marked line is an error today. The day one becomes legal, mypy reports its ignore as unused.
"""

from functools import partial
from pathlib import Path

import httpx

from client.contributions.registry import contribute as contribution_of
from client.gateway import Gateway
from client.home import ClientHome, Trust
from client.outbox import Contribution, Outbox
from client.participate import check_invitation, check_manifest, contribute
from client.protect import protect
from client.register import Cap, Charge, charge
from consent.admit import ConsentedEvents
from consent.events import Events
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import Task
from crypto.dp.clipping import clip
from crypto.dp.noise import add_centred_noise, add_noise, holder_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.ingest import Batch
from crypto.invitation import Invitation
from crypto.keyholder.desk import Desk
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.ingesting import ingest
from crypto.keyholder.register import Register
from crypto.keyholder.rules import answer
from crypto.keyholder.voting import vote
from crypto.manifest import Manifest
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.open import HeldPieces, sum_pieces
from crypto.update import (
    ClippedUpdate,
    FloatArray,
    NoisedUpdate,
    PartSum,
    RawUpdate,
    ReleasedSum,
    RoundedUpdate,
    SealedSum,
    SealedUpdate,
)
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord
from server.rounds import PlannedRound, release


def sealing(
    scheme: SecureSum,
    raw: RawUpdate,
    clipped: ClippedUpdate,
    rounded: RoundedUpdate,
    noised: NoisedUpdate,
    rng: SecureRandom,
) -> None:
    """Only noised updates are sealed."""
    scheme.seal(raw, sender=b"key", rng=rng)  # type: ignore[arg-type]
    scheme.seal(clipped, sender=b"key", rng=rng)  # type: ignore[arg-type]
    scheme.seal(rounded, sender=b"key", rng=rng)  # type: ignore[arg-type]
    scheme.seal(noised.values, sender=b"key", rng=rng)  # type: ignore[arg-type]
    scheme.seal(noised, rng=rng)  # type: ignore[call-arg]
    scheme.seal(noised, sender=b"key", rng=rng)


def adding(
    scheme: SecureSum,
    raw: RawUpdate,
    noised: NoisedUpdate,
    sealed: SealedUpdate,
    total: SealedSum,
    part: PartSum,
    held: HeldPieces,
) -> None:
    """Only sealed updates are added, and only opened parts combined with what was added."""
    scheme.add([raw])  # type: ignore[list-item]
    scheme.add([noised])  # type: ignore[list-item]
    scheme.add([total])  # type: ignore[list-item]
    scheme.add([sealed])
    scheme.combine(total, [sealed])  # type: ignore[list-item]
    scheme.combine(total, [total])  # type: ignore[list-item]
    scheme.combine(total, [held])  # type: ignore[list-item]
    scheme.combine(sealed, [part])  # type: ignore[arg-type]
    scheme.combine(total, [part])


def bounding(
    raw: RawUpdate,
    clipped: ClippedUpdate,
    rounded: RoundedUpdate,
    vector: FloatArray,
    plan: PrivacyPlan,
    rng: SecureRandom,
) -> None:
    """No step of the way is skipped or taken twice, and none goes without a generator."""
    rotation = Rotation("context", 2)
    clip(vector, clipping_norm=1.0)  # type: ignore[arg-type]
    clip(clipped, clipping_norm=1.0)  # type: ignore[arg-type]
    clip(raw, clipping_norm=1.0)
    round_update(raw, rotation=rotation, scale=1, rng=rng)  # type: ignore[arg-type]
    round_update(rounded, rotation=rotation, scale=1, rng=rng)  # type: ignore[arg-type]
    round_update(clipped, rotation=rotation, scale=1)  # type: ignore[call-arg]
    add_noise([raw], plan=plan, rng=rng)  # type: ignore[list-item]
    add_noise([clipped], plan=plan, rng=rng)  # type: ignore[list-item]
    add_noise([rounded], plan=plan)  # type: ignore[call-arg]
    add_noise([rounded], plan=plan, rng=rng)


def centring(
    raw: RawUpdate,
    clipped: ClippedUpdate,
    rounded: RoundedUpdate,
    plan: PrivacyPlan,
    rng: SecureRandom,
) -> None:
    """Set B draws around clipped vectors; a key holder's entry is noise and nothing else."""
    rotation = Rotation("context", 2)
    add_centred_noise([raw], plan=plan, rotation=rotation, rng=rng)  # type: ignore[list-item]
    add_centred_noise([rounded], plan=plan, rotation=rotation, rng=rng)  # type: ignore[list-item]
    add_centred_noise([clipped], plan=plan, rng=rng)  # type: ignore[call-arg]
    add_centred_noise([clipped], plan=plan, rotation=rotation, rng=rng)
    holder_noise(plan=plan)  # type: ignore[call-arg]
    holder_noise(plan=plan, rng=rng)


def making(values: FloatArray, noised: NoisedUpdate) -> None:
    """A noised update needs the door, and does not hand it on."""
    NoisedUpdate(noised.values, 1)  # type: ignore[call-arg]
    ClippedUpdate(values)  # type: ignore[call-arg]


def leaving(
    clipped: ClippedUpdate,
    plan: PrivacyPlan,
    scheme: SecureSum,
    rng: SecureRandom,
    events: Events,
    sealed: SealedUpdate,
    noised: NoisedUpdate,
    home: KeyHolder,
) -> None:
    """Nothing but raw updates enters the exit, and nothing but sealed ones leaves by upload."""
    key, sender = home.identity, b"key"
    into = partial(protect, plan=plan, context="c", scheme=scheme, sender=sender, rng=rng)
    into([events])  # type: ignore[list-item]
    into([clipped])  # type: ignore[list-item]
    protect([], plan=plan, context="c", scheme=scheme, rng=rng)  # type: ignore[call-arg]
    sign_upload(noised, ("grant",), key)  # type: ignore[arg-type]
    sign_upload(sealed, ("grant",), key)


def keeping(outbox: Outbox, sealed: SealedUpdate, noised: NoisedUpdate, sent: Contribution) -> None:
    """What is kept to be sent again is signed and sealed."""
    outbox.put("c", noised, closes=0)  # type: ignore[arg-type]
    outbox.put("c", sealed, closes=0)  # type: ignore[arg-type]
    outbox.put("c", sent, closes=0)


def joining(
    record: SignedRecord,
    invitation: Invitation,
    manifest: Manifest,
    trust: Trust,
    client: ClientHome,
    http: httpx.Client,
) -> None:
    """A client takes part by an invitation with its vouchers, and checks what was signed."""
    contribute(record, client, http)  # type: ignore[arg-type]
    contribute(invitation, client, http)
    check_manifest(manifest, trust, now=0)  # type: ignore[arg-type]
    check_manifest(record, trust, now=0)
    check_invitation(record, manifest, trust)  # type: ignore[arg-type]
    check_invitation(invitation, manifest, trust)


def charging(path: Path, entry: Charge, cap: Cap) -> None:
    """A ledger is charged what a release is, not a number that somebody states."""
    charge(path, ["ann"], 0.5, cap=cap)  # type: ignore[arg-type]
    charge(path, ["ann"], entry)  # type: ignore[call-arg]
    charge(path, ["ann"], entry, cap=cap)


def consenting(
    gateway: Gateway, events: Events, admitted: ConsentedEvents, task: Task, catalogue: Catalogue
) -> None:
    """A contribution is computed from consented events alone."""
    contribution_of(task, events, catalogue)  # type: ignore[arg-type]
    contribution_of(task, gateway, catalogue)  # type: ignore[arg-type]
    contribution_of(task, admitted, catalogue)


def storing(http: httpx.Client, events: Events, catalogue: Catalogue) -> None:
    """A gateway stands before an event store and a consent client, not before loose events."""
    Gateway(events, http, catalogue)  # type: ignore[arg-type]


def releasing(
    integers: FloatArray, part: PartSum, planned: PlannedRound, upload: Upload, manifest: Manifest
) -> ReleasedSum:
    """A release takes a combined sum and a signed list."""
    release(part, planned, upload)  # type: ignore[arg-type]
    return release(integers, planned, manifest)  # type: ignore[arg-type]


def opening(manifest: Manifest, holder: KeyHolder, register: Register) -> PartSum:
    """A key holder opens requests, not manifests."""
    return answer(manifest, holder, register, now=0)  # type: ignore[arg-type]


def summing(sealed: SealedUpdate, total: SealedSum, held: HeldPieces) -> None:
    """A key holder adds pieces that it opened, not what it was sent."""
    sum_pieces([sealed], holder=1, context="c", length=1)  # type: ignore[list-item]
    sum_pieces([total], holder=1, context="c", length=1)  # type: ignore[list-item]
    sum_pieces([held], holder=1, context="c", length=1)


def voting(desk: Desk, batch: Batch, sealed: SealedUpdate, commit: SignedRecord) -> None:
    """A key holder takes batches, and votes on two signed lists."""
    ingest(desk, [sealed], now=0)  # type: ignore[arg-type]
    ingest(desk, batch, now=0)
    vote(desk, "c", commit, now=0)  # type: ignore[call-arg]
    vote(desk, "c", commit, commit, now=0)
