"""The conductor: runs one planned round over a Flower Grid, in the order that privacy needs.

policy -> select -> contribute -> repair -> commit -> reserve -> add -> open -> finish -> publish
-> report. A crash at any point leaves either no release or exactly one: the consent service, the
ledger, the key holders and the registry each answer a repeated request with what they already
have, and the round's journal lets a coordinator that starts again go on from where it was.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flwr.serverapp import Grid

from consent.answers import Offer
from consent.client import ConsentClient
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import Task
from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.errors import ConsentError, RoundError
from crypto.manifest import Manifest
from crypto.sums.interface import SecureSum
from crypto.sums.share_sum.parameters import CIPHERTEXT_BYTES, ciphertexts
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import SealedSum
from crypto.wire import SignedRecord
from server.artefacts.registry import finish
from server.cohort import Member, select
from server.collect import Collector, Progress, Tally
from server.journal import Journal
from server.keyholders import HolderEndpoint, open_sum
from server.ledger import Ledger
from server.record import Watch, record_of
from server.registry import Registry, Release
from server.reports import report
from server.rounds import (
    PlannedRound,
    RoundTerms,
    check_commit,
    plan_round,
    release,
    require_cohort,
)


@dataclass(frozen=True, kw_only=True)
class Federation:
    """Everybody the conductor works with, injected.

    Attributes:
        contexts: the key holders' public contexts, in their order; their hashes are in ``terms``.
        folder: where journals of rounds lie.
        timeout: seconds that clients have to answer.
        clock: Unix seconds.
    """

    identity: Ed25519PrivateKey
    consent: ConsentClient
    consent_key: Ed25519PublicKey
    holders: tuple[HolderEndpoint, ...]
    contexts: tuple[bytes, ...]
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
        return ShareSum(
            context=planned.context,
            dimension=planned.plan.dimension,
            public_keys=self.contexts,
            key_hashes=self.terms.key_hashes,
        )


def run_round(
    grid: Grid,
    members: Sequence[Member],
    task: Task,
    plan: PrivacyPlan,
    federation: Federation,
    *,
    round_id: str,
) -> Release:
    """Run one round of one task to its release; returns the existing one if there is one.

    Raises:
        CohortTooSmallError: below n_min at selection or commit; nothing was released.
        BudgetError: the ledger refuses; nothing was released.
        RoundError, ConsentError, SealError: the round can't go on; nothing was released.
    """
    journal = Journal(
        federation.folder / "rounds" / task.name / round_id,
        holders=len(federation.holders),
        max_share=CIPHERTEXT_BYTES * ciphertexts(plan.padded_dimension),
    )
    existing = federation.registry.load(task.name, round_id)
    if existing is not None:
        journal.clear()
        report(existing, federation.registry, federation.consent)
        return existing
    watch, tally = Watch(), Tally()
    planned = _planned(task, plan, federation, round_id, journal)
    federation.consent.publish_policy(planned.record, task=task.name, round_id=round_id)
    committed = _commit_found(federation, planned, journal)
    if committed is None:
        _collect(grid, members, planned, federation, journal, watch, tally)
        committed = _commit(federation, planned, journal)
    watch.lap("commit")
    finished = _release(planned, federation, journal, committed, watch, tally)
    federation.registry.save(finished)
    journal.clear()
    report(finished, federation.registry, federation.consent)
    return finished


def _planned(
    task: Task, plan: PrivacyPlan, federation: Federation, round_id: str, journal: Journal
) -> PlannedRound:
    """The round as its journal has it, or planned now and written down."""
    now = int(federation.clock())
    fresh = plan_round(
        task,
        plan,
        round_id=round_id,
        terms=federation.terms,
        key=federation.identity,
        opens=now - 5,
        closes=now + 2 * int(federation.timeout) + 60,
    )
    record = journal.manifest
    if record is None:
        journal.start(fresh.record)
        return fresh
    manifest = Manifest.verify(record, federation.identity.public_key())
    if {**manifest.body, "opens": 0, "closes": 0} != {
        **fresh.manifest.body,
        "opens": 0,
        "closes": 0,
    }:
        raise RoundError(
            f"Round {round_id!r} of {task.name} was begun under another plan; start a new run "
            "under another id. Its charge, if any, stays in the ledger."
        )
    return PlannedRound(task=task, manifest=manifest, record=record)


def _collect(
    grid: Grid,
    members: Sequence[Member],
    planned: PlannedRound,
    federation: Federation,
    journal: Journal,
    watch: Watch,
    tally: Tally,
) -> None:
    minimum = planned.plan.min_clients
    cohort = select(members, federation.consent, task=planned.task.name, minimum=minimum)
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
        clock=federation.clock,
    )
    collector.collect(cohort)
    watch.lap("contribute")
    collector.repair(cohort)
    watch.lap("repair")


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
    planned: PlannedRound, federation: Federation, journal: Journal, commit: Commit
) -> SealedSum:
    scheme = federation.scheme(planned)
    found = journal.total(scheme=scheme.scheme, context=planned.context, count=commit.clients)
    if found is not None:
        return found
    total = scheme.add(journal.read(entry.upload for entry in commit.uploads))
    journal.added(total)
    return total


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
    spent = federation.ledger.reserve(
        task=task.name,
        round_id=manifest.round_id,
        context=planned.context,
        releases=[planned.plan.release],
        now=int(federation.clock()),
    )
    watch.lap("reserve")
    total = _sum(planned, federation, journal, commit)
    watch.lap("add")
    opened = open_sum(total, manifest=planned.record, commit=record, holders=federation.holders)
    watch.lap("open")
    released = release(federation.scheme(planned).combine(opened.parts), planned, commit)
    artefact = finish(
        task,
        released.values,
        noise_stddev=released.noise_stddev,
        catalogue=federation.catalogue,
    )
    watch.lap("finish")
    published = record_of(planned, spent, watch, tally) | {
        "clients": commit.clients,
        "shoppers": commit.shoppers,
        "noise_stddev": released.noise_stddev,
        "dropped_at_commit": len(uploads) - commit.clients,
        "opened_by": [part.holder for part in opened.parts],
        "key_holders_away": opened.refusals,
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
