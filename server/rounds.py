"""The round as pure steps: plan it, check what arrives, check the commit, release the sum.

No network and no files here; ``server/conductor.py`` calls these in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE
from consent.tasks.task import Task
from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.dp.rotation import Rotation
from crypto.errors import CohortTooSmallError, RoundError, WireError
from crypto.grant import ParticipationGrant
from crypto.holder_card import HolderCard
from crypto.invitation import Invitation
from crypto.manifest import NO_MANIFEST, Manifest, context_of
from crypto.update import IntArray, ReleasedSum, SealedUpdate
from crypto.upload import Role, Upload
from crypto.wire import SignedRecord
from server.code_hash import code_hash


@dataclass(frozen=True, kw_only=True)
class PlannedRound:
    """A round that is fixed and signed, before anybody contributes."""

    task: Task
    manifest: Manifest
    record: SignedRecord
    round_keys: tuple[SignedRecord, ...] = ()
    accepts: tuple[SignedRecord, ...] = ()

    @property
    def context(self) -> str:
        """The hash that binds everything in this round."""
        return context_of(self.record)

    @property
    def plan(self) -> PrivacyPlan:
        """The privacy plan."""
        return self.manifest.plan

    @property
    def invitation(self) -> Invitation:
        """What clients are sent."""
        return Invitation(manifest=self.record, round_keys=self.round_keys, accepts=self.accepts)


@dataclass(frozen=True, kw_only=True)
class RoundTerms:
    """What all rounds of a run share.

    ``unpaired_devices``: whether devices outside an alliance may take part.
    """

    population: str
    catalogue: str
    cards: tuple[HolderCard, ...]
    unpaired_devices: bool = False


@dataclass(frozen=True, kw_only=True)
class RoundPlace:
    """A round's id, its times (Unix seconds) and its place: in a run, and after which manifest."""

    round_id: str
    opens: int
    closes: int
    previous: str = NO_MANIFEST
    run: str = ""
    number: int = 0


def plan_round(
    task: Task,
    plan: PrivacyPlan,
    *,
    place: RoundPlace,
    terms: RoundTerms,
    key: Ed25519PrivateKey,
    round_keys: Sequence[SignedRecord] = (),
) -> PlannedRound:
    """Write and sign a round's manifest; ``round_keys`` are the key holders', none in share sum."""
    hashes = [record.hash for record in round_keys] or [card.context_hash for card in terms.cards]
    manifest = Manifest(
        population=terms.population,
        task=task.name,
        round_id=place.round_id,
        run=place.run,
        number=place.number,
        previous=place.previous,
        parameters=task.to_json(),
        catalogue=terms.catalogue,
        code=code_hash(),
        plan=plan,
        epsilon=plan.round_epsilon() if plan.private else None,
        purposes=(REQUIRED_PURPOSE[task.name],),
        categories=tuple(sorted(REQUIRED_CATEGORIES[task.name])),
        key_hashes=tuple(hashes),
        unpaired_devices=terms.unpaired_devices,
        opens=place.opens,
        closes=place.closes,
    )
    return PlannedRound(
        task=task, manifest=manifest, record=manifest.sign(key), round_keys=tuple(round_keys)
    )


@dataclass(frozen=True, kw_only=True)
class Received:
    """A checked upload with its packed grants and their ids."""

    upload: Upload
    grants: bytes
    sealed: SealedUpdate
    token_ids: tuple[str, ...]


def receive(
    header: SignedRecord,
    grants: bytes,
    sealed: SealedUpdate,
    planned: PlannedRound,
    *,
    consent_key: Ed25519PublicKey,
    now: int,
) -> Received:
    """Check an upload: signature, bytes, scheme, round, and every grant it carries.

    Raises:
        WireError: any check fails; the upload is not kept.
    """
    upload = Upload.parse(header)
    upload.check_sealed(sealed)
    manifest = planned.manifest
    if (upload.context, upload.scheme) != (planned.context, manifest.scheme):
        raise WireError("The upload is for another round.")
    if upload.role is not Role.CLIENT:
        raise WireError("The upload is not a client's.")
    if not manifest.opens <= now < manifest.closes:
        raise WireError("The upload came outside the round's time.")
    found = [
        ParticipationGrant.verify(
            token,
            consent_key,
            task=manifest.task,
            context=planned.context,
            client_key=upload.client,
            now=now,
        )
        for token in upload.tokens(grants)
    ]
    token_ids = tuple(grant.token_id for grant in found)
    if len(set(token_ids)) != len(token_ids) or len({g.subject for g in found}) != len(found):
        raise WireError("The upload carries a grant or a shopper twice.")
    return Received(upload=upload, grants=grants, sealed=sealed, token_ids=token_ids)


def check_commit(
    record: SignedRecord, planned: PlannedRound, received: Sequence[Upload], key: Ed25519PublicKey
) -> Commit:
    """Verify the consent service's list against what was received.

    Raises:
        WireError: not signed by the consent service, or it names an upload that never came.
        RoundError: it is for another round, or more than the plan's fields hold.
        CohortTooSmallError: fewer than n_min remain; nothing is released.
    """
    commit = Commit.verify(record, key)
    manifest = planned.manifest
    expected = (manifest.task, manifest.round_id, planned.context)
    if (commit.task, commit.round_id, commit.context) != expected:
        raise RoundError("The signed list is for another round.")
    known = {(upload.hash, upload.client) for upload in received}
    if not {(entry.upload, entry.client) for entry in commit.uploads} <= known:
        raise WireError("The signed list names an upload that was never received.")
    plan = planned.plan
    if commit.clients > plan.max_clients or commit.shoppers > plan.max_shoppers:
        raise RoundError(
            f"The list has {commit.clients} clients and {commit.shoppers} shoppers; the plan's "
            f"fields hold {plan.max_clients} and {plan.max_shoppers}. Plan a larger round."
        )
    require_cohort(commit.clients, planned)
    return commit


def require_cohort(clients: int, planned: PlannedRound) -> None:
    """Refuse to go on below the minimum cohort.

    Raises:
        CohortTooSmallError: fewer than n_min; nothing is released and no budget is spent.
    """
    minimum = planned.plan.min_clients
    if clients < minimum:
        raise CohortTooSmallError(
            f"{clients} clients remain at the commit of {planned.manifest.task!r}, at least "
            f"{minimum} are needed; nothing is released and no budget is spent. Start a new run "
            "when more clients are connected, or plan with a smaller min_clients."
        )


def release(integers: IntArray, planned: PlannedRound, commit: Commit) -> ReleasedSum:
    """Bring the opened integer sum back to the contribution's units: unscale, then unrotate.

    Where coins decided who is in the sum, it is divided by their rate: an estimate of everybody's.
    """
    plan = planned.plan
    rotation = Rotation(planned.context, plan.dimension)
    unit = plan.clipping_norm / plan.scale / plan.sampling_rate
    return ReleasedSum(
        values=rotation.backward(integers.astype(np.float64) * unit),
        noise_stddev=plan.noise_stddev(commit.clients, number=planned.manifest.number)
        / plan.sampling_rate,
        clients=commit.clients,
        shoppers=commit.shoppers,
    )
