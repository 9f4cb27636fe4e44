"""Flows that must not type-check. Never run: mypy reads this file, and so does test_typing.

Each marked line is an error today. The day one becomes legal, mypy reports its ignore as unused.
"""

import httpx

from client.contributions.registry import contribute as contribution_of
from client.gateway import Gateway
from client.protect import protect
from consent.admit import ConsentedEvents
from consent.events import Events
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import Task
from crypto.dp.clipping import clip
from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.register import Register
from crypto.keyholder.rules import answer
from crypto.manifest import Manifest
from crypto.sums.interface import SecureSum
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
    scheme.seal(raw, rng=rng)  # type: ignore[arg-type]
    scheme.seal(clipped, rng=rng)  # type: ignore[arg-type]
    scheme.seal(rounded, rng=rng)  # type: ignore[arg-type]
    scheme.seal(noised.values, rng=rng)  # type: ignore[arg-type]
    scheme.seal(noised, rng=rng)


def adding(
    scheme: SecureSum,
    raw: RawUpdate,
    noised: NoisedUpdate,
    sealed: SealedUpdate,
    total: SealedSum,
    part: PartSum,
) -> None:
    """Only sealed updates are added, and only opened parts combined."""
    scheme.add([raw])  # type: ignore[list-item]
    scheme.add([noised])  # type: ignore[list-item]
    scheme.add([total])  # type: ignore[list-item]
    scheme.add([sealed])
    scheme.combine([sealed])  # type: ignore[list-item]
    scheme.combine([total])  # type: ignore[list-item]
    scheme.combine([part])


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
    key = home.identity
    protect([events], plan=plan, context="c", scheme=scheme, rng=rng)  # type: ignore[list-item]
    protect([clipped], plan=plan, context="c", scheme=scheme, rng=rng)  # type: ignore[list-item]
    sign_upload(noised, ("grant",), key)  # type: ignore[arg-type]
    sign_upload(sealed, ("grant",), key)


def consenting(
    gateway: Gateway, events: Events, admitted: ConsentedEvents, task: Task, catalogue: Catalogue
) -> None:
    """A contribution is computed from consented events alone."""
    contribution_of(task, events, catalogue)  # type: ignore[arg-type]
    contribution_of(task, gateway, catalogue)  # type: ignore[arg-type]
    contribution_of(task, admitted, catalogue)


def storing(http: httpx.Client, events: Events) -> None:
    """A gateway stands before an event store and a consent client, not before loose events."""
    Gateway(events, http)  # type: ignore[arg-type]


def releasing(
    integers: FloatArray, part: PartSum, planned: PlannedRound, upload: Upload, manifest: Manifest
) -> ReleasedSum:
    """A release takes a combined sum and a signed list."""
    release(part, planned, upload)  # type: ignore[arg-type]
    return release(integers, planned, manifest)  # type: ignore[arg-type]


def opening(manifest: Manifest, holder: KeyHolder, register: Register) -> PartSum:
    """A key holder opens requests, not manifests."""
    return answer(manifest, holder, register, now=0)  # type: ignore[arg-type]
