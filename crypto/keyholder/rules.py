"""What a key holder checks before it opens anything. Pure but for the register that it is given.

It opens its share of a sum only for a manifest that the coordinator signed and a list that the
consent service signed for that manifest, over enough distinct participants, with enough noise,
and once per round. That the sum it is handed covers exactly that list it cannot see: in share sum
this rests on the coordinator following the protocol (docs/threat-model.md).
"""

from crypto.commit import Commit
from crypto.errors import CohortTooSmallError, RoundError
from crypto.keyholder.home import KeyHolder, Pins
from crypto.keyholder.register import Answered, Register
from crypto.manifest import Manifest, context_of
from crypto.opening import OpenRequest
from crypto.update import PartSum


def check(request: OpenRequest, pins: Pins, own_key: str) -> tuple[Manifest, Commit]:
    """Verify a request against the pins.

    Raises:
        WireError: a signature or a field does not hold.
        RoundError: manifest, list and pins do not belong together.
        CohortTooSmallError: fewer participants than the manifest's or the pinned minimum.
    """
    manifest = Manifest.verify(request.manifest, pins.coordinator)
    commit = Commit.verify(request.commit, pins.consent)
    if manifest.population != pins.population:
        raise RoundError(f"This key holder serves {pins.population!r}, not this population.")
    if own_key not in manifest.key_hashes:
        raise RoundError("The manifest names other keys than this key holder's.")
    bound = (manifest.task, manifest.round_id, context_of(request.manifest))
    if (commit.task, commit.round_id, commit.context) != bound:
        raise RoundError("The signed list is for another round than the manifest.")
    if manifest.plan.noise_multiplier < pins.z_floor:
        raise RoundError(
            f"The manifest's noise multiplier {manifest.plan.noise_multiplier} is below this key "
            f"holder's floor {pins.z_floor}."
        )
    _check_epsilon(manifest)
    _check_cohort(manifest, commit, pins)
    return manifest, commit


def _check_epsilon(manifest: Manifest) -> None:
    """The ε that a manifest promises is the one that its plan costs, computed again here."""
    plan, stated = manifest.plan, manifest.epsilon
    if stated is None:
        if plan.private:
            raise RoundError("The manifest states no ε although its plan has noise.")
        return
    cost = plan.round_epsilon()
    if stated < cost * (1 - 1e-9):
        raise RoundError(f"The manifest states ε = {stated:.6g}, but its plan costs {cost:.6g}.")


def _check_cohort(manifest: Manifest, commit: Commit, pins: Pins) -> None:
    minimum = max(manifest.plan.min_clients, pins.n_floor)
    if commit.clients < minimum:
        raise CohortTooSmallError(
            f"The list has {commit.clients} participants, at least {minimum} are needed; nothing "
            "was opened. Plan a new round with more clients or a smaller min_clients."
        )
    plan = manifest.plan
    if commit.clients > plan.max_clients or commit.shoppers > plan.max_shoppers:
        raise RoundError(
            f"The list has {commit.clients} clients and {commit.shoppers} shoppers; the plan's "
            f"fields hold {plan.max_clients} and {plan.max_shoppers}."
        )


def answer(request: OpenRequest, holder: KeyHolder, register: Register, *, now: int) -> PartSum:
    """Check, register on disk, then open this key holder's share.

    Raises:
        FedcartError: any check fails; nothing was opened.
    """
    own_key = holder.key_hash
    manifest, commit = check(request, holder.pins, own_key)
    if manifest.key_hashes[holder.number - 1] != own_key:
        raise RoundError("The manifest names this key holder's key in another's place.")
    part = holder.opening.open_share(
        request.share,
        holder=holder.number,
        context=commit.context,
        dimension=manifest.plan.dimension,
    )
    # Decrypting first keeps malformed sums from using up the round; nothing has left yet.
    register.enter(
        Answered(
            population=manifest.population,
            task=manifest.task,
            round_id=manifest.round_id,
            request=request.hash,
            clients=commit.clients,
            answered_at=now,
        )
    )
    return part
