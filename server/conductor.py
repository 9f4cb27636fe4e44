"""The conductor: runs one planned round over a Flower Grid, in the order that privacy needs.

select -> contribute -> repair -> commit -> reserve -> add -> open -> finish -> publish. A crash at
any point leaves either no release or exactly one: the consent service, the ledger, the key
holders and the registry each answer a repeated request with what they already have.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flwr.serverapp import Grid

from consent.answers import Offer
from consent.client import ConsentClient
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import Task
from crypto.dp.plan import PrivacyPlan
from crypto.sums.interface import SecureSum
from crypto.sums.share_sum.scheme import ShareSum
from server.artefacts.registry import finish
from server.cohort import Member, select
from server.collect import Collector, Progress, Tally
from server.inbox import Inbox
from server.keyholders import HolderEndpoint, open_sum
from server.ledger import Ledger
from server.registry import Registry, Release
from server.rounds import PlannedRound, RoundTerms, check_commit, plan_round, release


@dataclass(frozen=True, kw_only=True)
class Federation:
    """Everybody the conductor works with, injected.

    Attributes:
        contexts: the key holders' public contexts, in their order; their hashes are in ``terms``.
        folder: where the inbox lies.
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


@dataclass
class _Watch:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = round(now - self.started, 3)
        self.started = now


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
    existing = federation.registry.load(task.name, round_id)
    if existing is not None:
        return existing
    watch, tally = _Watch(), Tally()
    planned = _plan(task, plan, federation, round_id)
    cohort = select(members, federation.consent, task=task.name, minimum=plan.min_clients)
    watch.lap("select")
    inbox = Inbox(federation.folder / "inbox", max_share=planned.share_bytes)
    collector = Collector(
        grid=grid,
        planned=planned,
        inbox=inbox,
        consent=federation.consent,
        consent_key=federation.consent_key,
        timeout=federation.timeout,
        progress=federation.progress,
        tally=tally,
        clock=federation.clock,
    )
    try:
        collector.collect(cohort)
        watch.lap("contribute")
        collector.repair(cohort)
        watch.lap("repair")
        finished = _release(planned, federation, inbox, watch, tally)
    finally:
        inbox.clear()
    federation.registry.save(finished)
    return finished


def _plan(task: Task, plan: PrivacyPlan, federation: Federation, round_id: str) -> PlannedRound:
    now = int(federation.clock())
    return plan_round(
        task,
        plan,
        round_id=round_id,
        terms=federation.terms,
        key=federation.identity,
        opens=now - 5,
        closes=now + 2 * int(federation.timeout) + 60,
    )


def _release(
    planned: PlannedRound, federation: Federation, inbox: Inbox, watch: _Watch, tally: Tally
) -> Release:
    waiting = inbox.waiting
    offers = [
        Offer(upload=item.upload.hash, client=item.upload.client, grants=item.token_ids)
        for item in waiting
    ]
    task, manifest = planned.task, planned.manifest
    committed = federation.consent.commit(
        task=task.name, round_id=manifest.round_id, context=planned.context, offers=offers
    )
    commit = check_commit(
        committed.record, planned, [item.upload for item in waiting], federation.consent_key
    )
    watch.lap("commit")
    spent = federation.ledger.reserve(
        task=task.name,
        round_id=manifest.round_id,
        context=planned.context,
        releases=planned.plan.releases(),
        now=int(federation.clock()),
    )
    watch.lap("reserve")
    scheme = federation.scheme(planned)
    total = scheme.add(inbox.read(entry.upload for entry in commit.uploads))
    watch.lap("add")
    opened = open_sum(
        total, manifest=planned.record, commit=committed.record, holders=federation.holders
    )
    watch.lap("open")
    released = release(scheme.combine(opened.parts), planned, commit)
    artefact = finish(
        task,
        released.values,
        noise_stddev=released.noise_stddev,
        catalogue=federation.catalogue,
    )
    watch.lap("finish")
    record = _record(planned, spent, watch, tally) | {
        "clients": commit.clients,
        "shoppers": commit.shoppers,
        "noise_stddev": released.noise_stddev,
        "dropped_at_commit": len(committed.dropped),
        "opened_by": [part.holder for part in opened.parts],
        "key_holders_away": opened.refusals,
    }
    return Release(
        task=task.name,
        round_id=manifest.round_id,
        artefact=artefact,
        total=released,
        record=record,
        manifest=planned.record,
        commit=committed.record,
    )


def _record(planned: PlannedRound, spent: float, watch: _Watch, tally: Tally) -> dict[str, Any]:
    """The privacy and cost record that is published with the artefact."""
    plan = planned.plan
    return {
        "task": planned.task.name,
        "round": planned.manifest.round_id,
        "context": planned.context,
        "epsilon": planned.manifest.epsilon,
        "epsilon_spent_in_all": spent if plan.private else None,
        "plan": plan.to_json(),
        "scheme": planned.manifest.scheme,
        "sealing": "full",
        "seconds": watch.seconds,
        "bytes_up_per_client": max(tally.bytes_up, default=0),
        "sealed_bytes_per_client": tally.sealed_bytes,
        "bytes_per_value": tally.sealed_bytes / plan.dimension,
        "declined": dict(tally.declined),
        "resealed": tally.resealed,
    }
