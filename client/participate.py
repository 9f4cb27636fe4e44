"""One client's part in one round, as plain steps: check, enter, ask for grants, contribute, seal.

Knows nothing of Flower; ``client/app.py`` only translates messages.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType

import httpx
import numpy as np

from client.contributions.registry import contribute as contribution_of
from client.events import EventStore
from client.gateway import Gateway, ShopperGrant
from client.given import artefacts_for
from client.holds import Holds
from client.home import ClientHome, Trust
from client.outbox import Contribution, Outbox
from client.protect import protect
from client.register import Cap, Charge, charge, enter_round, note_sealed, sealed_of
from client.statements import stated_for
from consent.client import ConsentClient
from consent.participation import MAX_SHOPPERS
from consent.tasks.artefact import Artefact
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.task import Task, parse_task
from crypto.acceptance import check_accepts
from crypto.dp.coin import coin
from crypto.dp.conversion import device_epsilon
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.errors import ConsentError, RoundError, WireError
from crypto.grant_list import pack_grants
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.sealing import secure_sum
from crypto.sums.interface import SecureSum
from crypto.update import RawUpdate
from crypto.upload import sign_upload
from crypto.wire import SignedRecord, public_bytes


class UnfitRoundError(RoundError):
    """The manifest breaks a limit that this client pinned. The message names nothing of its own."""


def check_manifest(record: SignedRecord, trust: Trust, *, now: float) -> tuple[Manifest, Task]:
    """Verify a manifest against this client's pins; it decides alone whether it would join.

    Raises:
        WireError: unsigned or malformed.
        UnfitRoundError: any pinned limit is not kept; the message says which.
    """
    manifest = Manifest.verify(record, trust.coordinator_key)
    task = parse_task(manifest.task, manifest.parameters)
    name = TaskName(manifest.task)
    plan = manifest.plan
    refusals = {
        "another population": manifest.population != trust.population,
        "another catalogue": manifest.catalogue != trust.load_catalogue().hash,
        f"a cohort below {trust.n_floor}": plan.min_clients < trust.n_floor,
        f"noise below {trust.z_floor}": plan.noise_multiplier < trust.z_floor,
        "an ε that its plan does not keep": not _keeps_epsilon(manifest),
        "experimental noise": plan.experimental and not trust.experimental,
        "another secure sum than it was set up for": plan.scheme not in trust.schemes,
        "another length than its task": plan.dimension != task.dimension,
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


def _keeps_epsilon(manifest: Manifest) -> bool:
    """Whether the ε that a manifest states is at least what its plan costs, computed here."""
    plan, stated = manifest.plan, manifest.epsilon
    if stated is None:
        return not plan.private
    cost = device_epsilon([plan.release], delta=plan.delta)
    return stated >= cost * (1 - 1e-6)


def check_invitation(invitation: Invitation, manifest: Manifest, trust: Trust) -> SecureSum:
    """Check what vouches for a manifest; returns the round's secure sum under pinned keys.

    Raises:
        WireError: a round key or accept is missing, unsigned, or for another round.
        UnfitRoundError: share sum under other contexts than the pinned ones.
    """
    context = context_of(invitation.manifest)
    cards = trust.load_cards()
    hashes = tuple(card.context_hash for card in cards)
    if manifest.scheme.votes:
        check_accepts(invitation.accepts, trust.holders, context)
    elif manifest.key_hashes != hashes:
        raise UnfitRoundError("This client refuses the round: its manifest has other key holders.")
    return secure_sum(manifest, context, cards=cards, round_keys=invitation.round_keys)


def contribute(
    invitation: Invitation,
    home: ClientHome,
    http: httpx.Client,
    *,
    given: Mapping[str, bytes] = MappingProxyType({}),
    clock: Callable[[], float] = time.time,
) -> Contribution:
    """Take part in a round for every shopper of this client who agreed and whose cap allows it.

    What was sealed for this round before is sent again, as long as every grant in it stands and
    this client was not told meanwhile to use nothing of somebody in it. Then it is sealed once more
    without her; nobody is charged twice for one round.
    ``given`` are the encoded artefacts that came with the invitation, by their hashes.

    Raises:
        RoundError: the manifest breaks a pinned limit, the artefacts are not those that it names,
            or the round was joined differently.
        ConsentError: nobody of this client agreed, or the consent service can't say.
    """
    manifest, task = check_manifest(invitation.manifest, home.trust, now=clock())
    scheme = check_invitation(invitation, manifest, home.trust)
    holds = Holds.load(home)
    if all(holds.refusal(shopper) for shopper in home.shoppers):
        raise ConsentError("This client was told to use nothing of its shoppers.")
    context = context_of(invitation.manifest)
    consent = ConsentClient(http, service_key=home.trust.consent_key, clock=clock)
    outbox = Outbox(home.outbox)
    outbox.sweep(now=clock())
    sealed_before = outbox.find(context)
    if sealed_before is not None and _may_go_again(
        sealed_before, home, holds, manifest, context, consent
    ):
        return sealed_before
    artefacts = _given(task, given, manifest)
    enter_round(
        home.register,
        population=manifest.population,
        task=manifest.task,
        round_id=manifest.round_id,
        context=context,
        epsilon=manifest.epsilon,
    )
    rng = SecureRandom()
    with _purchases(home) as store:
        gateway = Gateway(store, consent, home.trust.load_catalogue(), holds)
        grants = _granted(consent, gateway, home, holds, manifest, context)
        sealed = protect(
            _contributions(gateway, grants, task, artefacts, home, manifest.plan, rng),
            plan=manifest.plan,
            context=context,
            scheme=scheme,
            sender=public_bytes(home.identity.public_key()),
            rng=rng,
        )
    tokens = tuple(item.token for item in grants)
    made = Contribution(
        header=sign_upload(sealed, tokens, home.identity),
        grants=pack_grants(tokens),
        sealed=sealed,
        token_ids=tuple(item.grant.token_id for item in grants),
    )
    outbox.put(context, made, closes=manifest.closes)
    note_sealed(home.register, context, [item.shopper for item in grants])
    return made


def _given(task: Task, given: Mapping[str, bytes], manifest: Manifest) -> dict[TaskName, Artefact]:
    try:
        return artefacts_for(task, given, catalogue=manifest.catalogue)
    except WireError as error:
        raise UnfitRoundError(
            "This client refuses the round: what came with it is not what its manifest names."
        ) from error


def _purchases(home: ClientHome) -> AbstractContextManager[EventStore | None]:
    """The purchases of this client; None where none were ever imported.

    Its shoppers then take part with zeros, as one does of whom there are no lines: a client that
    declined would tell the coordinator, without any noise, that nothing is here.
    """
    return EventStore.open(home.events) if home.events.exists() else nullcontext()


def _may_go_again(
    sealed: Contribution,
    home: ClientHome,
    holds: Holds,
    manifest: Manifest,
    context: str,
    consent: ConsentClient,
) -> bool:
    """Whether everybody in what was sealed may still be used: by this client's holds, by grants."""
    # A register that was lost names nobody; then it may be of anybody.
    inside = sealed_of(home.register, context) or home.shoppers.keys()
    if not all(_usable(holds, shopper, manifest) for shopper in inside):
        return False
    return consent.standing(sealed.token_ids) == frozenset(sealed.token_ids)


def _usable(holds: Holds, shopper: str, manifest: Manifest) -> bool:
    """Whether this client may use all of a shopper that a round needs."""
    task = TaskName(manifest.task)
    needed = REQUIRED_CATEGORIES[task]
    return holds.usable(shopper, REQUIRED_PURPOSE[task], needed) == needed


def _granted(
    consent: ConsentClient,
    gateway: Gateway,
    home: ClientHome,
    holds: Holds,
    manifest: Manifest,
    context: str,
) -> list[ShopperGrant]:
    """A grant for each shopper who agrees now, of whom the client may use all that is needed."""
    asked = _asked(consent, home, manifest, context)
    standing = gateway.standing(asked) if asked else []
    usable = [each for each in standing if _usable(holds, each.shopper, manifest)]
    if not usable:
        raise ConsentError("No shopper of this client agrees to this round.")
    return _within_caps(usable, home, manifest, context)


def _asked(
    consent: ConsentClient, home: ClientHome, manifest: Manifest, context: str
) -> list[ShopperGrant]:
    """What the consent service grants, asked for as many shoppers at a time as it takes."""
    names = {identifier: shopper for shopper, identifier in home.shoppers.items()}
    identifiers, items = tuple(names), list[ShopperGrant]()
    for start in range(0, len(identifiers), MAX_SHOPPERS):
        answer = consent.participation(
            home.identity,
            task=TaskName(manifest.task),
            round_id=manifest.round_id,
            context=context,
            shoppers=identifiers[start : start + MAX_SHOPPERS],
        )
        items += [
            ShopperGrant(shopper=names[identifier], token=found.token, grant=found.grant)
            for identifier, found in answer.grants.items()
        ]
    if len({item.grant.token_id for item in items}) != len(items):
        raise ConsentError("The consent service sent one grant for two shoppers.")
    return items


def _within_caps(
    grants: Sequence[ShopperGrant], home: ClientHome, manifest: Manifest, context: str
) -> list[ShopperGrant]:
    """Charge the round to each shopper; those whose cap it would pass take no part."""
    cap = Cap(epsilon=home.trust.epsilon_cap, delta=home.trust.delta)
    within = set(
        charge(
            home.register,
            [item.shopper for item in grants],
            Charge(
                context=context,
                release=manifest.plan.release,
                run="/".join((manifest.population, manifest.task, manifest.run or context)),
                number=manifest.number,
                separation=manifest.plan.separation,
            ),
            cap=cap,
        )
    )
    if not within:
        raise UnfitRoundError(
            "This client refuses the round: it would cost its shoppers more privacy than they "
            "allow in all, or follows too soon on one that they took part in."
        )
    return [item for item in grants if item.shopper in within]


def _contributions(
    gateway: Gateway,
    grants: Sequence[ShopperGrant],
    task: Task,
    artefacts: Mapping[TaskName, Artefact],
    home: ClientHome,
    plan: PrivacyPlan,
    rng: SecureRandom,
) -> Iterator[RawUpdate]:
    """Each shopper's vector, or zeros where her private coin leaves her out of this round."""
    catalogue = home.trust.load_catalogue()
    handed = gateway.hand_over(grants, REQUIRED_PURPOSE[task.name])
    for item, events in zip(grants, handed, strict=True):
        stated = stated_for(task, events, home, item.shopper)
        values = contribution_of(task, events, catalogue, artefacts=artefacts, groups=stated)
        yield RawUpdate(values if coin(plan, rng=rng) else np.zeros_like(values))
