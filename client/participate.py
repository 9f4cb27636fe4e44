"""One client's part in one round, as plain steps: check, enter, ask for grants, contribute, seal.

Knows nothing of Flower; ``client/app.py`` only translates messages.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from client.contributions.registry import contribute as contribution_of
from client.events import EventStore
from client.gateway import Gateway, ShopperGrant
from client.holds import Holds
from client.home import ClientHome, Trust
from client.protect import protect
from client.register import enter_round
from consent.client import ConsentClient
from consent.purpose import Purpose
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import (
    REQUIRED_CATEGORIES,
    REQUIRED_PURPOSE,
    Task,
    TaskName,
    parse_task,
)
from crypto.dp.random import SecureRandom
from crypto.errors import ConsentError, RoundError
from crypto.manifest import Manifest, context_of
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import RawUpdate, SealedUpdate
from crypto.upload import sign_upload
from crypto.wire import SignedRecord


class UnfitRoundError(RoundError):
    """The manifest breaks a limit that this client pinned. The message names nothing of its own."""


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """What a client sends: the signed header and the sealed bytes it names."""

    header: SignedRecord
    sealed: SealedUpdate


def check_manifest(record: SignedRecord, trust: Trust, *, now: float) -> tuple[Manifest, Task]:
    """Verify a manifest against this client's pins; it decides alone whether it would join.

    Raises:
        WireError: unsigned or malformed.
        UnfitRoundError: any pinned limit is not kept; the message says which.
    """
    manifest = Manifest.verify(record, trust.coordinator_key)
    task = parse_task(manifest.task, manifest.parameters)
    name = TaskName(manifest.task)
    refusals = {
        "another population": manifest.population != trust.population,
        "other key holders": manifest.key_hashes != trust.context_hashes,
        "another catalogue": manifest.catalogue != trust.load_catalogue().hash,
        f"a cohort below {trust.n_floor}": manifest.plan.min_clients < trust.n_floor,
        f"noise below {trust.z_floor}": manifest.plan.noise_multiplier < trust.z_floor,
        "another length than its task": manifest.plan.dimension != task.dimension,
        "no or another purpose": manifest.purposes != (REQUIRED_PURPOSE[name],),
        "fewer categories than its task needs": not REQUIRED_CATEGORIES[name].issubset(
            manifest.categories
        ),
        "another time": not manifest.opens <= now < manifest.closes,
    }
    for reason, applies in refusals.items():
        if applies:
            raise UnfitRoundError(f"This client refuses the round: its manifest has {reason}.")
    return manifest, task


def contribute(
    record: SignedRecord,
    home: ClientHome,
    http: httpx.Client,
    *,
    clock: Callable[[], float] = time.time,
) -> Contribution:
    """Take part in a round for every shopper of this client who agreed.

    Raises:
        RoundError: the manifest breaks a pinned limit, or the round was joined differently.
        ConsentError: nobody of this client agreed, or the consent service can't say.
    """
    manifest, task = check_manifest(record, home.trust, now=clock())
    holds = Holds.load(home)
    if all(holds.refusal(shopper) for shopper in home.shoppers):
        raise ConsentError("This client was told to use nothing of its shoppers.")
    context = context_of(record)
    enter_round(
        home.register,
        population=manifest.population,
        task=manifest.task,
        round_id=manifest.round_id,
        context=context,
        epsilon=manifest.epsilon,
    )
    with EventStore.open(home.events) as store:
        consent = ConsentClient(http, service_key=home.trust.consent_key, clock=clock)
        gateway = Gateway(store, consent, holds)
        grants = _granted(consent, gateway, home, manifest, context)
        sealed = protect(
            _contributions(gateway, grants, task, home.trust.load_catalogue()),
            plan=manifest.plan,
            context=context,
            scheme=scheme_of(manifest, context, home.trust),
            rng=SecureRandom(),
        )
    header = sign_upload(sealed, tuple(item.token for item in grants), home.identity)
    return Contribution(header=header, sealed=sealed)


def scheme_of(manifest: Manifest, context: str, trust: Trust) -> ShareSum:
    """The secure sum of a round with this client's pinned keys."""
    return ShareSum(
        context=context,
        dimension=manifest.plan.dimension,
        public_keys=trust.public_contexts(),
        key_hashes=trust.context_hashes,
    )


def _granted(
    consent: ConsentClient, gateway: Gateway, home: ClientHome, manifest: Manifest, context: str
) -> list[ShopperGrant]:
    names = {identifier: shopper for shopper, identifier in home.shoppers.items()}
    answer = consent.participation(
        home.identity,
        task=TaskName(manifest.task),
        round_id=manifest.round_id,
        context=context,
        shoppers=tuple(names),
    )
    items = [
        ShopperGrant(shopper=names[identifier], token=found.token, grant=found.grant)
        for identifier, found in answer.grants.items()
    ]
    standing = gateway.standing(items) if items else []
    if not standing:
        raise ConsentError("No shopper of this client agrees to this round.")
    return standing


def _contributions(
    gateway: Gateway, grants: Sequence[ShopperGrant], task: Task, catalogue: Catalogue
) -> Iterator[RawUpdate]:
    for events in gateway.hand_over(grants, Purpose.TRAIN):
        yield RawUpdate(contribution_of(task, events, catalogue))
