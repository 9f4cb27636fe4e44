"""Share sum: what a key holder checks before it opens anything.

It opens its share of a sum only for a manifest that the coordinator signed and a list that the
consent service signed for that manifest, over enough distinct participants, with enough noise,
within the population's ε, and once per round. That the sum it is handed covers exactly that list
it cannot see: in share sum this rests on the coordinator following the protocol
(docs/threat-model.md).
"""

from collections.abc import Callable

from crypto.commit import Commit
from crypto.errors import RoundError, WireError
from crypto.keyholder import ledger
from crypto.keyholder.desk import Desk
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.pins import Pins, check_manifest
from crypto.keyholder.register import Answered, Register
from crypto.keyholder.voting import check_cohort
from crypto.manifest import Manifest, context_of
from crypto.opening import OpenRequest, encode_part
from crypto.update import PartSum


def _no_charge(_manifest: Manifest, _context: str) -> None:
    """What is charged where nobody keeps a ledger."""


def check(request: OpenRequest, pins: Pins, own_key: str) -> tuple[Manifest, Commit]:
    """Verify a request against the pins.

    Raises:
        WireError: a signature or a field does not hold.
        RoundError: manifest, list and pins do not belong together.
        CohortTooSmallError: fewer participants than the manifest's or the pinned minimum.
    """
    manifest = Manifest.verify(request.manifest, pins.coordinator)
    commit = Commit.verify(request.commit, pins.consent)
    if manifest.scheme.votes:
        raise WireError(f"A round of {manifest.scheme} is voted on, not opened at once.")
    check_manifest(manifest, pins)
    if own_key not in manifest.key_hashes:
        raise RoundError("The manifest names other keys than this key holder's.")
    bound = (manifest.task, manifest.round_id, context_of(request.manifest))
    if (commit.task, commit.round_id, commit.context) != bound:
        raise RoundError("The signed list is for another round than the manifest.")
    check_cohort(manifest, pins, commit.clients, commit.shoppers)
    return manifest, commit


def answer(
    request: OpenRequest,
    holder: KeyHolder,
    register: Register,
    *,
    now: int,
    charge: Callable[[Manifest, str], None] = _no_charge,
) -> PartSum:
    """Check, charge and register on disk, then open this key holder's share.

    Raises:
        FedcartError: any check fails; nothing was opened.
    """
    own_key = holder.key_hash
    manifest, commit = check(request, holder.pins, own_key)
    if manifest.key_hashes[holder.number - 1] != own_key:
        raise RoundError("The manifest names this key holder's key in another's place.")
    if holder.opening is None:
        raise RoundError(
            "This home was restored from a backup, which holds no opening key; make a new one "
            "with: fedcart keyholder rotate."
        )
    part = holder.opening.open_share(
        request.share,
        holder=holder.number,
        context=commit.context,
        dimension=manifest.plan.dimension,
    )
    # Decrypting first keeps malformed sums from using up the round; nothing has left yet.
    entry = Answered(
        population=manifest.population,
        task=manifest.task,
        round_id=manifest.round_id,
        request=request.hash,
        clients=commit.clients,
        answered_at=now,
    )
    register.check(entry)
    charge(manifest, commit.context)
    register.enter(entry)
    return part


def open_sum(desk: Desk, register: Register, request: OpenRequest, *, now: int) -> bytes:
    """The signed part sum for a request, charged to the population's ledger.

    Raises:
        FedcartError: any check fails; nothing was opened.
    """

    def charge(manifest: Manifest, context: str) -> None:
        with desk.log.transaction() as log:
            ledger.charge(log, manifest, context, desk.holder.pins, now=now)
        desk.log.reached(PersistPoint.SHARE_CHARGE)

    part = answer(request, desk.holder, register, now=now, charge=charge)
    desk.log.reached(PersistPoint.SHARE_REGISTER)
    return encode_part(part, request.hash, desk.holder.identity)
