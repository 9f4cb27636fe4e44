"""Publishing task policies, writing diaries after a release, and reading both.

A policy is the coordinator's signed manifest and nothing else, so what a shopper is shown is what
clients and key holders enforce. A release is reported once it is published; its diary entries and
points are written in one transaction, once, however often it is reported.
"""

from typing import Final, cast

from sqlalchemy.orm import Session

from consent.rounds import NOT_PINNED
from consent.service.commits.repository import CommitRepository
from consent.service.context import Context
from consent.service.points import service as points
from consent.service.problems import Problem
from consent.service.rounds.repository import DiaryRepository, PolicyRepository
from consent.service.rounds.schemas import Policies, Policy, ReleaseReport, RoundState
from consent.service.rounds.tables import RoundPolicy, RoundRelease
from consent.service.schemas import SignedRecordSchema
from consent.service.tables import RoundCommit
from consent.tasks.names import TaskName
from crypto.commit import Commit
from crypto.errors import InvalidInputError
from crypto.manifest import Manifest, context_of
from crypto.wire import SignedRecord, b64, canonical, digest, parse_object, public_bytes

PAGE: Final = 20
NEWEST: Final = 2**53


def publish(context: Context, task: TaskName, round_id: str, record: SignedRecord) -> RoundState:
    """Store a round's manifest as its task policy, with the exact bytes that were signed.

    Raises:
        WireError: not a manifest that the pinned coordinator signed.
        InvalidInputError: it is another round's.
        Problem: 409, no coordinator key is pinned, or the round has another manifest.
    """
    manifest = _verified(context, record)
    if (manifest.task, manifest.round_id) != (task, round_id):
        raise InvalidInputError("This manifest is another round's.")
    made = RoundPolicy(
        task=task,
        round_id=round_id,
        context=context_of(record),
        record=record.to_bytes(),
        published_at=context.now_ms(),
    )
    with context.database.writing() as session:
        policies = PolicyRepository(session)
        found = policies.find(task, round_id)
        if found is None:
            policies.add(made)
        elif found.context != made.context:
            raise Problem(409, "Another manifest was published for this round.")
        return _state(session, found or made)


def released(context: Context, task: TaskName, round_id: str, report: ReleaseReport) -> RoundState:
    """Write the diary and credit the points of a round that was published.

    Guarantee: one entry and at most one credit for each pseudonym of the list. The same report
    again changes nothing.

    Raises:
        Problem: 409, no coordinator key is pinned, the round has no policy or no list bound to it,
            or the report contradicts those or an earlier report.
    """
    if context.settings.coordinator_key is None:
        raise _not_pinned()
    report_hash = digest("release-report", canonical(report.model_dump())).hex()
    with context.database.writing() as session:
        policy = PolicyRepository(session).find(task, round_id)
        if policy is None:
            raise Problem(409, "No task policy was published for this round.")
        known = DiaryRepository(session).release(policy.id)
        if known is None:
            commit = _checked(context, session, policy, report)
            _write(context, session, _release(context, policy, commit, report, report_hash))
        elif known.report_hash != report_hash:
            raise Problem(409, "Another release was reported for this round.")
        return _state(session, policy)


def state(context: Context, task: TaskName, round_id: str) -> RoundState:
    """A round as it is now.

    Raises:
        Problem: 404, it has no policy.
    """
    with context.database.reading() as session:
        policy = PolicyRepository(session).find(task, round_id)
        if policy is None:
            raise Problem(404, "No task policy was published for this round.")
        return _state(session, policy)


def latest(context: Context) -> Policies:
    """The newest policy of each task."""
    with context.database.reading() as session:
        found = PolicyRepository(session).latest()
    return _policies(context, found)


def of_task(context: Context, task: TaskName, cursor: int | None, limit: int = PAGE) -> Policies:
    """A page of a task's policies."""
    before = NEWEST if cursor is None else cursor
    with context.database.reading() as session:
        found = PolicyRepository(session).of_task(task, before=before, limit=limit)
    return _policies(context, found, following=found[-1].id if len(found) == limit else None)


def policy(context: Context, task: TaskName, round_id: str) -> Policy:
    """The policy of one round.

    Raises:
        Problem: 404, it has none.
    """
    with context.database.reading() as session:
        found = PolicyRepository(session).find(task, round_id)
    if found is None:
        raise Problem(404, "No task policy was published for this round.")
    return _policy(found)


def _verified(context: Context, record: SignedRecord) -> Manifest:
    key = context.settings.coordinator_key
    if key is None:
        raise _not_pinned()
    return Manifest.verify(record, key)


def _not_pinned() -> Problem:
    return Problem(
        409, "No coordinator key pinned; run fedcart consent pin-coordinator.", kind=NOT_PINNED
    )


def _checked(
    context: Context, session: Session, policy: RoundPolicy, report: ReleaseReport
) -> RoundCommit:
    """The round's list, if policy, list and report agree."""
    row = CommitRepository(session).find(policy.task, policy.round_id)
    if row is None:
        raise Problem(409, "This round has no commit; nothing of it can have been released.")
    commit = Commit.verify(SignedRecord.from_bytes(row.record), context.key.public_key())
    if commit.context != policy.context:
        raise Problem(409, "This round was committed under another manifest than was published.")
    manifest = _verified(context, SignedRecord.from_bytes(policy.record))
    stated = (report.epsilon, report.delta, report.clients, report.shoppers)
    if stated != (manifest.epsilon, manifest.plan.delta, commit.clients, commit.shoppers):
        raise Problem(409, "The report contradicts the round's manifest or its signed list.")
    return row


def _release(
    context: Context,
    policy: RoundPolicy,
    commit: RoundCommit,
    report: ReleaseReport,
    report_hash: str,
) -> RoundRelease:
    return RoundRelease(
        policy_id=cast("int", policy.id),  # both are stored
        commit_id=cast("int", commit.id),
        report_hash=report_hash,
        epsilon=report.epsilon,
        spent=report.epsilon_spent_in_all,
        delta=report.delta,
        clients=report.clients,
        shoppers=report.shoppers,
        artefact=report.artefact,
        released_at=context.now_ms(),
    )


def _write(context: Context, session: Session, release: RoundRelease) -> None:
    diary = DiaryRepository(session)
    participants = diary.participants(release.commit_id)
    diary.add_release(release)
    diary.write(release.policy_id, participants)
    points.credit(context, session, {each.subject: each.shopper for each in participants})


def _state(session: Session, policy: RoundPolicy) -> RoundState:
    diary = DiaryRepository(session)
    release = diary.release(policy.id)
    entries, credited = (0, 0) if release is None else diary.counts(policy.id)
    return RoundState(
        task=TaskName(policy.task),
        round=policy.round_id,
        context=policy.context,
        published_at=policy.published_at,
        released_at=release and release.released_at,
        diary_entries=entries,
        points_issued=credited,
    )


def _policies(
    context: Context, found: list[RoundPolicy], *, following: int | None = None
) -> Policies:
    key = context.settings.coordinator_key
    return Policies(
        coordinator_key=key and b64(public_bytes(key)),
        policies=[_policy(row) for row in found],
        next=following,
    )


def _policy(row: RoundPolicy) -> Policy:
    record = SignedRecord.from_bytes(row.record)
    body = parse_object(record.body, what="manifest")
    return Policy(
        task=TaskName(row.task),
        round=row.round_id,
        context=row.context,
        published_at=row.published_at,
        opens=body["opens"] * 1000,
        closes=body["closes"] * 1000,
        manifest=SignedRecordSchema(**record.to_json()),
    )
