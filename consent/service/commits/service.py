"""Freezing a round: which uploads stand, decided and signed in one writing transaction.

A withdrawal takes the same write lock, so it lands wholly before a commit (its upload is dropped)
or wholly after (the past stays lawful). The stored answer never changes.
"""

import json
from collections.abc import Mapping
from functools import partial

from consent.service.commits.repository import CommitRepository
from consent.service.commits.schemas import (
    CommitAnswer,
    CommitRequest,
    DroppedUpload,
    DropReason,
    OfferedUpload,
)
from consent.service.context import Context
from consent.service.database import after_commit
from consent.service.problems import Problem
from consent.service.schemas import SignedRecordSchema
from consent.service.standing.repository import IssuedGrant, StandingRepository
from consent.service.tables import RoundCommit
from crypto.commit import Commit, CommittedUpload
from crypto.wire import SignedRecord, canonical


def freeze(context: Context, request: CommitRequest) -> CommitAnswer:
    """Freeze and sign the uploads whose every grant stands at this instant.

    Guarantee: an upload with one dead, unknown or foreign grant is left out wholly. The same
    request again gets the same bytes.

    Raises:
        Problem: 409, the round was committed for another request.
    """
    asked = request.hash()  # before the transaction: of a large round it takes a while
    with context.database.writing() as session:
        commits = CommitRepository(session)
        row = commits.find(request.task, request.round)
        if row is None:
            row = _freeze(
                context, commits, StandingRepository(session, now=context.now_ms()), request, asked
            )
            after_commit(session, partial(_count, context, row))
    if row.request_hash != asked:
        raise Problem(409, "This round was committed for another list of uploads.")
    return _answer(row)


def read(context: Context, task: str, round_id: str) -> CommitAnswer:
    """The stored commit of a round.

    Raises:
        Problem: 404, there is none.
    """
    with context.database.reading() as session:
        row = CommitRepository(session).find(task, round_id)
    if row is None:
        raise Problem(404, "This round has no commit.")
    return _answer(row)


def _count(context: Context, row: RoundCommit) -> None:
    context.metrics.commits.inc()
    for entry in json.loads(row.dropped):
        context.metrics.dropped.labels(entry["reason"]).inc()


def _freeze(
    context: Context,
    commits: CommitRepository,
    standing: StandingRepository,
    request: CommitRequest,
    request_hash: str,
) -> RoundCommit:
    issued = {g.token_id: g for g in standing.grants_of_round(request.task, request.round)}
    judged = [(entry, _fault(entry, request.context, issued)) for entry in request.uploads]
    kept = [entry for entry, fault in judged if fault is None]
    dropped = [{"upload": entry.upload, "reason": fault} for entry, fault in judged if fault]
    commit = Commit(
        task=request.task,
        round_id=request.round,
        context=request.context,
        uploads=tuple(sorted(_committed(entry) for entry in kept)),
        committed_at=context.now_ms(),
    )
    row = RoundCommit(
        task=request.task,
        round_id=request.round,
        request_hash=request_hash,
        record=commit.sign(context.key).to_bytes(),
        dropped=canonical(sorted(dropped, key=lambda entry: entry["upload"])).decode(),
        committed_at=commit.committed_at,
        after_event=standing.last_event(),
    )
    commits.add(row, ((token_id, entry.upload) for entry in kept for token_id in entry.grants))
    return row


def _fault(
    entry: OfferedUpload, context: str, issued: Mapping[str, IssuedGrant]
) -> DropReason | None:
    grants = [issued.get(token_id) for token_id in entry.grants]
    known = [grant for grant in grants if grant is not None]
    if len(known) != len(grants):
        return DropReason.UNKNOWN_GRANT
    if any((grant.client_id, grant.context) != (entry.client, context) for grant in known):
        return DropReason.OTHER_BINDING
    if not all(grant.terms.stand for grant in known):
        return DropReason.NOT_STANDING
    return None


def _committed(entry: OfferedUpload) -> CommittedUpload:
    return CommittedUpload(upload=entry.upload, client=entry.client, shoppers=len(entry.grants))


def _answer(row: RoundCommit) -> CommitAnswer:
    record = SignedRecord.from_bytes(row.record)
    return CommitAnswer(
        commit=SignedRecordSchema(**record.to_json()),
        dropped=[DroppedUpload(**entry) for entry in json.loads(row.dropped)],
    )
