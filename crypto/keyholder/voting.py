"""Step 8: the one vote of a round.

A key holder votes for a list only if every upload on it was acknowledged here, the consent service
signed the same clients with the same numbers of shoppers, the three noise entries are in it, the
cohort is large enough and the population's ledger admits the charge. Vote, charge, list and
sequence are one transaction; then it signs nothing else for this round, ever.
"""

from collections.abc import Mapping, Sequence

from crypto.ballot import UploadList, Vote
from crypto.commit import Commit
from crypto.errors import CohortTooSmallError, RoundError
from crypto.keyholder import ledger
from crypto.keyholder.desk import Desk
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.log import rounds, uploads, votes
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.log.uploads import Acknowledged
from crypto.keyholder.log.votes import CastVote
from crypto.keyholder.pins import Pins
from crypto.keyholder.recovery import require_current
from crypto.manifest import Manifest
from crypto.upload import Role
from crypto.wire import SignedRecord, public_bytes


def vote(
    desk: Desk, context: str, commit: SignedRecord, proposal: SignedRecord, *, now: int
) -> bytes:
    """The signed vote, as a record's bytes; the same list gets the same bytes, at any time.

    Raises:
        WireError: commit or list are not signed by the pinned keys, or malformed.
        RoundError: the round is not accepted here or over, it voted for another list, the list
            does not hold, or its peers can't say whether its log is up to date.
        CohortTooSmallError: fewer clients than the manifest's or the pinned minimum.
        BudgetError: the population's ε does not allow the release, or the disk says no.
    """
    pins = desk.holder.pins
    proposed = UploadList.verify(proposal, pins.coordinator)
    with desk.log.reading() as db:
        row = rounds.of_context(db, context)
        cast = votes.in_round(db, context)
        known = uploads.acknowledged(db, context)
    if row is None:
        raise RoundError("This round is not accepted here.")
    if proposed.context != context:
        raise RoundError("The list is for another round.")
    if cast is not None:
        return _repeated(row, cast, proposed)
    if row.state is not State.ACCEPTED or now >= row.deadline:
        raise RoundError(f"Round {row.round!r} of {row.task!r} is over; plan a new one.")
    manifest = Manifest.verify(row.manifest_record, pins.coordinator)
    listed = Commit.verify(commit, pins.consent)
    if (listed.task, listed.round_id, listed.context) != (row.task, row.round, context):
        raise RoundError("The consent service's list is for another round.")
    chosen = _chosen(proposed, known)
    _check_entries(chosen, desk.holder, row)
    clients = [each for each in chosen if each.role is Role.CLIENT]
    _check_clients(clients, listed)
    check_cohort(manifest, pins, len(clients), sum(each.shoppers for each in clients))
    require_current(desk, now=now)
    return _cast(desk, row, manifest, proposed, now)


def _repeated(row: RoundRow, cast: CastVote, proposed: UploadList) -> bytes:
    if cast.list_hash != proposed.hash:
        raise RoundError(
            f"This key holder voted for another list of round {row.round!r} of {row.task!r}; votes "
            "never change. Plan a new round."
        )
    return cast.record


def _chosen(proposed: UploadList, known: Mapping[str, Acknowledged]) -> list[Acknowledged]:
    missing = [upload for upload in proposed.uploads if upload not in known]
    if missing:
        raise RoundError(
            f"{len(missing)} of {len(proposed.uploads)} listed uploads were not acknowledged here "
            f"(the first: {missing[0]}); hand them over or leave them out."
        )
    return [known[upload] for upload in proposed.uploads]


def _check_entries(chosen: Sequence[Acknowledged], holder: KeyHolder, row: RoundRow) -> None:
    """Exactly one noise entry of each key holder, and the own one is the one that was made."""
    entries = {each.sender: each.upload for each in chosen if each.role is Role.KEY_HOLDER}
    wanted = {public_bytes(party.identity) for party in holder.parties()}
    if entries.keys() != wanted:
        raise RoundError(
            f"The list has the noise entries of {len(entries.keys() & wanted)} of {len(wanted)} "
            "key holders; all are needed."
        )
    if entries[public_bytes(holder.identity.public_key())] != row.entry:
        raise RoundError("The list has another entry of this key holder than it made.")


def _check_clients(clients: Sequence[Acknowledged], listed: Commit) -> None:
    """Every client's upload stands in the consent service's list, with as many shoppers."""
    standing = {each.upload: (each.client, each.shoppers) for each in listed.uploads}
    for each in clients:
        if standing.get(each.upload) != (each.client, each.shoppers):
            raise RoundError(
                f"Upload {each.upload} is not in the consent service's list with this client and "
                "its shoppers; leave it out."
            )


def check_cohort(manifest: Manifest, pins: Pins, clients: int, shoppers: int) -> None:
    """Check the number of participants against manifest and pins.

    Raises:
        CohortTooSmallError: too few.
        RoundError: more than the plan's fields hold.
    """
    plan = manifest.plan
    minimum = max(plan.min_clients, pins.n_floor)
    if clients < minimum:
        raise CohortTooSmallError(
            f"The list has {clients} participants, at least {minimum} are needed; nothing was "
            "opened. Plan a new round with more clients or a smaller min_clients."
        )
    if clients > plan.max_clients or shoppers > plan.max_shoppers:
        raise RoundError(
            f"The list has {clients} clients and {shoppers} shoppers; the plan's fields hold "
            f"{plan.max_clients} and {plan.max_shoppers}."
        )


def _cast(desk: Desk, row: RoundRow, manifest: Manifest, proposed: UploadList, now: int) -> bytes:
    with desk.log.transaction() as log:
        ledger.charge(log, manifest, proposed.context, desk.holder.pins, now=now)
        sequence, previous = votes.next_place(log, desk.holder.name)
        record = Vote(
            holder=desk.holder.number,
            context=proposed.context,
            list_hash=proposed.hash,
            sequence=sequence,
            previous=previous,
        ).sign(desk.holder.identity)
        entry = CastVote(
            identity=desk.holder.name,
            sequence=sequence,
            context=proposed.context,
            list_hash=proposed.hash,
            record=record.to_bytes(),
            record_hash=record.hash,
            voted_at=now,
        )
        votes.cast(log, entry)
        uploads.list_uploads(log, proposed.context, proposed.uploads)
        rounds.set_state(log, row.key_hash, State.VOTED)
    desk.log.reached(PersistPoint.VOTE)
    return entry.record
