"""The conductor: runs one planned round over a Flower Grid, in the order that privacy needs.

plan -> policy -> select -> contribute -> repair -> ingest -> commit -> reserve -> vote -> add ->
open -> finish -> publish -> report; share sum has no ingest and no vote. A crash at any point
leaves either no release or exactly one: the consent service, the ledger, the key holders and the
registry each answer a repeated request with what they already have, and the round's journal lets a
coordinator that starts again go on from where it was.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flwr.serverapp import Grid

from consent.answers import Offer
from consent.client import ConsentClient
from consent.tasks.catalogue import Catalogue
from consent.tasks.inputs import named_by
from consent.tasks.task import Task
from crypto.ballot import UploadList
from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.errors import ConsentError, SealError
from crypto.sealing import secure_sum
from crypto.sums.interface import SecureSum
from crypto.sums.sizes import sealed_sizes
from crypto.update import IntArray, SealedSum
from crypto.wire import SignedRecord
from server.artefacts.registry import finish
from server.cohort import Member, in_turn, select
from server.collect import Collector, Progress, Tally
from server.endings import ending
from server.journal import Journal
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.planning import ONLY, Planner, Spot
from server.record import Watch, record_of
from server.registry import Registry, Release, as_published
from server.reports import report
from server.rounds import PlannedRound, RoundTerms, check_commit, release, require_cohort
from server.share_opening import Opened, open_sum
from server.voting import Voting, propose


@dataclass(frozen=True, kw_only=True)
class Federation:
    """Everybody the conductor works with, injected.

    Attributes:
        folder: where journals of rounds lie.
        timeout: seconds that clients have to answer.
        clock: Unix seconds.
    """

    identity: Ed25519PrivateKey
    consent: ConsentClient
    consent_key: Ed25519PublicKey
    holders: tuple[HolderEndpoint, ...]
    terms: RoundTerms
    catalogue: Catalogue
    ledger: Ledger
    registry: Registry
    folder: Path
    timeout: float
    progress: Progress
    clock: Callable[[], float] = time.time

    def scheme(self, planned: PlannedRound) -> SecureSum:
        """The secure sum of a round."""
        return secure_sum(
            planned.manifest,
            planned.context,
            cards=self.terms.cards,
            round_keys=planned.round_keys,
        )

    @property
    def voting(self) -> Voting:
        """The key holders, for schemes that they vote in."""
        return Voting(holders=self.holders)


def run_round(
    grid: Grid,
    members: Sequence[Member],
    task: Task,
    plan: PrivacyPlan,
    federation: Federation,
    *,
    round_id: str,
    spot: Spot = ONLY,
    why: str = "",
) -> Release:
    """Run one round of one task to its release; returns the existing one if there is one.

    ``why`` says why the task has its share of the budget; it is published with the release.

    Raises:
        CohortTooSmallError: below n_min at selection or commit; nothing was released.
        BudgetError: the ledger refuses; nothing was released.
        RoundError, ConsentError, SealError: the round can't go on; nothing was released.
    """
    journal = Journal(
        federation.folder / "rounds" / task.name / round_id, max_part=sealed_sizes(plan).largest
    )
    existing = federation.registry.load(task.name, round_id)
    if existing is not None:
        journal.clear()
        report(existing, federation.registry, federation.consent)
        return existing
    federation.registry.check_not_over(task.name, round_id)
    with ending(
        journal,
        federation.registry,
        task=task.name,
        round_id=round_id,
        key=federation.identity.public_key(),
        now=int(federation.clock()),
    ):
        planned = _planner(federation, journal).plan(task, plan, round_id=round_id, spot=spot)
        finished = _conduct(grid, members, planned, federation, journal)
    finished.record["why"] = why
    federation.registry.save(finished)
    journal.clear()
    report(finished, federation.registry, federation.consent)
    return finished


def _conduct(
    grid: Grid,
    members: Sequence[Member],
    planned: PlannedRound,
    federation: Federation,
    journal: Journal,
) -> Release:
    """From the planned round to what will be published."""
    watch, tally = Watch(), Tally()
    task, round_id = planned.task.name, planned.manifest.round_id
    federation.consent.publish_policy(planned.record, task=task, round_id=round_id)
    committed = _commit_found(federation, planned, journal)
    if committed is None:
        _collect(grid, members, planned, federation, journal, watch, tally)
        if planned.plan.scheme.votes:
            _ingest(planned, federation, journal, tally)
            watch.lap("ingest")
        committed = _commit(federation, planned, journal)
    watch.lap("commit")
    return _release(planned, federation, journal, committed, watch, tally)


def _planner(federation: Federation, journal: Journal) -> Planner:
    return Planner(
        journal=journal,
        voting=federation.voting,
        terms=federation.terms,
        identity=federation.identity,
        chain=federation.folder / "rounds" / "chain.json",
        timeout=federation.timeout,
        clock=federation.clock,
    )


def _collect(
    grid: Grid,
    members: Sequence[Member],
    planned: PlannedRound,
    federation: Federation,
    journal: Journal,
    watch: Watch,
    tally: Tally,
) -> None:
    minimum, manifest = planned.plan.min_clients, planned.manifest
    artefacts = federation.registry.encoded(named_by(planned.task))
    turn = in_turn(
        members,
        run=manifest.run,
        number=manifest.number,
        separation=planned.plan.separation,
    )
    cohort = select(turn, federation.consent, task=planned.task.name, minimum=minimum)
    watch.lap("select")
    collector = Collector(
        grid=grid,
        planned=planned,
        scheme=federation.scheme(planned),
        journal=journal,
        consent=federation.consent,
        consent_key=federation.consent_key,
        timeout=federation.timeout,
        progress=federation.progress,
        tally=tally,
        artefacts=artefacts,
        clock=federation.clock,
    )
    collector.collect(cohort)
    watch.lap("contribute")
    collector.repair(cohort)
    watch.lap("repair")


def _ingest(planned: PlannedRound, federation: Federation, journal: Journal, tally: Tally) -> None:
    """Have every key holder check every upload; what one excludes is left out before the commit."""
    require_cohort(len(journal.waiting), planned)
    federation.voting.fetch_entries(planned, federation.scheme(planned), journal)
    tally.declined.update(federation.voting.ingest(planned, journal))


def _commit_found(
    federation: Federation, planned: PlannedRound, journal: Journal
) -> SignedRecord | None:
    """The list of a round that was committed before a crash, from the journal or the service."""
    if journal.commit is not None or not journal.waiting:
        return journal.commit
    try:
        found = federation.consent.read_commit(
            task=planned.task.name, round_id=planned.manifest.round_id
        )
    except ConsentError:
        return None
    journal.committed(found.record)
    return found.record


def _commit(federation: Federation, planned: PlannedRound, journal: Journal) -> SignedRecord:
    """Have the consent service freeze the list; not before enough uploads are here."""
    require_cohort(len(journal.waiting), planned)
    offers = [
        Offer(upload=item.upload.hash, client=item.upload.client, grants=item.token_ids)
        for item in sorted(journal.waiting, key=lambda item: item.upload.hash)
    ]
    committed = federation.consent.commit(
        task=planned.task.name,
        round_id=planned.manifest.round_id,
        context=planned.context,
        offers=offers,
    )
    journal.committed(committed.record)
    return committed.record


def _sum(
    planned: PlannedRound, federation: Federation, journal: Journal, names: Sequence[str]
) -> SealedSum:
    scheme = federation.scheme(planned)
    found = journal.total(scheme=scheme.scheme, context=planned.context, count=len(names))
    if found is not None:
        return found
    total = scheme.add(journal.read(names))
    journal.added(total)
    return total


def _listed(
    planned: PlannedRound, federation: Federation, journal: Journal, commit: Commit
) -> SignedRecord | None:
    """The signed list that key holders vote on; None in share sum, where they don't."""
    if not planned.plan.scheme.votes:
        return None
    if journal.upload_list is None:
        names = [entry.upload for entry in commit.uploads]
        journal.proposed(propose(planned, names, journal).sign(federation.identity))
    return journal.upload_list


@dataclass(frozen=True, kw_only=True)
class _Opening:
    """The exact sum with what vouches for it."""

    integers: IntArray
    opened: Opened
    ballot: dict[str, Any]


def _open(
    planned: PlannedRound,
    federation: Federation,
    journal: Journal,
    record: SignedRecord,
    commit: Commit,
    watch: Watch,
) -> _Opening:
    names = [entry.upload for entry in commit.uploads]
    ballot: dict[str, Any] = {}
    votes: tuple[SignedRecord, ...] = ()
    listed = _listed(planned, federation, journal, commit)
    if listed is not None:
        proposed = UploadList.verify(listed, federation.identity.public_key())
        names = list(proposed.uploads)
        if not journal.votes:
            journal.voted(federation.voting.votes(planned, record, listed))
        votes = journal.votes
        ballot = {"list": proposed.hash, "votes": [vote.to_json() for vote in votes]}
        watch.lap("vote")
    total = _sum(planned, federation, journal, names)
    scheme = federation.scheme(planned)
    watch.lap("add")
    if votes:
        opened = federation.voting.open(votes, scheme)
    else:
        opened = open_sum(
            total,
            manifest=planned.record,
            commit=record,
            holders=federation.holders,
            scheme=scheme,
        )
    watch.lap("open")
    try:
        integers = scheme.combine(total, opened.parts)
    except SealError as error:
        place = federation.registry.dispute(planned.task.name, planned.manifest.round_id, opened)
        raise SealError(f"{error} The signed part sums are in {place}.") from error
    return _Opening(integers=integers, opened=opened, ballot=ballot)


def _release(
    planned: PlannedRound,
    federation: Federation,
    journal: Journal,
    record: SignedRecord,
    watch: Watch,
    tally: Tally,
) -> Release:
    uploads = [item.upload for item in journal.waiting]
    task, manifest = planned.task, planned.manifest
    commit = check_commit(record, planned, uploads, federation.consent_key)
    charged = federation.ledger.last_number(task.name, manifest.run, before=manifest.number)
    spent = federation.ledger.reserve(
        task=task.name,
        round_id=manifest.round_id,
        context=planned.context,
        releases=planned.plan.charges(manifest.number, after=charged),
        now=int(federation.clock()),
        place=(manifest.run, manifest.number) if planned.plan.rounds > 1 else None,
    )
    watch.lap("reserve")
    opening = _open(planned, federation, journal, record, commit, watch)
    released = release(opening.integers, planned, commit)
    artefact = as_published(
        finish(
            task,
            released.values,
            noise_stddev=released.noise_stddev,
            catalogue=federation.catalogue,
        )
    )
    watch.lap("finish")
    published = record_of(planned, spent, watch, tally) | {
        "clients": commit.clients,
        "shoppers": commit.shoppers,
        "noise_stddev": released.noise_stddev,
        "dropped_at_commit": len(uploads) - commit.clients,
        "opened_by": [part.holder for part in opening.opened.parts],
        "key_holders_away": opening.opened.refusals,
        "ballot": opening.ballot,
    }
    return Release(
        task=task.name,
        round_id=manifest.round_id,
        artefact=artefact,
        total=released,
        record=published,
        manifest=planned.record,
        commit=record,
    )
