"""Running the retention schedule: a batch a transaction, one process at a time, written down.

A class that fails does not keep the others from running; the run then says which failed, and the
time of the last success stays where it was, which an alert can watch.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from consent.retention import SCHEDULE, RecordClass
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.principals import Role, required
from consent.service.retention.registry import PURGES, Purge
from consent.service.retention.repository import OldRows, RunRepository
from consent.service.retention.schemas import RetentionReport, RetentionRule, RetentionRunSchema
from consent.service.retention.tables import RetentionRun

JOB: Final = "retention"
BATCH: Final = 200
FOUND: Final = 20_000  # old grants that are looked for at once
MAX_DRY: Final = 2000
LEASE_MS: Final = 10 * 60 * 1000
EVERY_MS: Final = 60 * 60 * 1000
_SHOWN: Final = 50
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run did: how many records of each class, and which classes were not finished."""

    counts: dict[RecordClass, int]
    failed: tuple[RecordClass, ...] = ()


class _Undone(Exception):  # noqa: N818 - no error
    """Ends a transaction of which nothing stays."""


def retain(
    context: Context,
    *,
    only_if_due: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Ran | None:
    """Run the whole schedule; None if another process runs it now, or ran it within the hour.

    Args:
        context: the service.
        only_if_due: do nothing if a run ended less than an hour ago.
        stopping: asked between batches; what is left then is for the next run.
    """
    holder, started = context.new_id(), context.now_ms()
    if not _take(context, holder, only_if_due=only_if_due):
        return None
    counts: dict[RecordClass, int] = {}
    failed: list[RecordClass] = []
    try:
        for record_class, purge in PURGES.items():
            if stopping() or not _lease(context, holder):
                failed.append(record_class)
                continue
            counts[record_class] = 0
            try:
                _purge(context, record_class, purge, counts, stopping)
            except Exception:  # one class never keeps the others from being removed
                _LOG.exception("retention of %s failed", record_class)
                failed.append(record_class)
        ran = Ran(counts=counts, failed=tuple(failed))
        _write_down(context, ran, started)
    finally:
        with context.database.writing() as session:
            RunRepository(session).release(JOB, holder=holder)
    return ran


def rehearse(context: Context) -> Ran:
    """What ``retain`` would remove now, a class at most MAX_DRY records; nothing is changed."""
    counts: dict[RecordClass, int] = {}
    for record_class, purge in PURGES.items():
        before = context.settings.retention.before(record_class, context.now_ms())
        with _undone(context) as session:
            counts[record_class] = purge(context, session, before, MAX_DRY)
    return Ran(counts=counts)


def report(context: Context, token: str) -> RetentionReport:
    """The schedule and its latest runs.

    Raises:
        Problem: 401 or 404, neither an operator nor an auditor.
    """
    with context.database.reading() as session:
        required(context, session, token, Role.OPERATOR, Role.AUDITOR)
        repository = RunRepository(session)
        runs, success = repository.runs(limit=_SHOWN), repository.last_success()
    return RetentionReport(
        schedule=schedule(context), last_success=success, runs=[_run(row) for row in runs]
    )


def schedule(context: Context) -> list[RetentionRule]:
    """The periods as they are in force here."""
    return [
        RetentionRule(
            record_class=record_class,
            days=context.settings.retention.days(record_class),
            default_days=rule.days,
            begins=rule.begins,
            ground=rule.ground,
            source=rule.source,
        )
        for record_class, rule in SCHEDULE.items()
    ]


@contextmanager
def _undone(context: Context) -> Iterator[Session]:
    """A writing transaction of which nothing stays, nor is done after it."""
    with suppress(_Undone), context.database.writing() as session:
        yield session
        raise _Undone


def _take(context: Context, holder: str, *, only_if_due: bool) -> bool:
    now = context.now_ms()
    if only_if_due:
        with context.database.reading() as session:
            latest = RunRepository(session).runs(limit=1)
        if latest and now - latest[0].ended_at < EVERY_MS:
            return False
    return _lease(context, holder)


def _lease(context: Context, holder: str) -> bool:
    now = context.now_ms()
    with context.database.writing() as session:
        return RunRepository(session).lease(JOB, holder=holder, now=now, until=now + LEASE_MS)


def _purge(
    context: Context,
    record_class: RecordClass,
    purge: Purge,
    counts: dict[RecordClass, int],
    stopping: Callable[[], bool],
) -> None:
    before = context.settings.retention.before(record_class, context.now_ms())
    if record_class is RecordClass.GRANTS:
        _purge_grants(context, before, counts, stopping)
        return
    while not stopping():
        with context.database.writing() as session:
            done = purge(context, session, before, BATCH)
        counts[record_class] += done
        if not done:
            return


def _purge_grants(
    context: Context,
    before: int,
    counts: dict[RecordClass, int],
    stopping: Callable[[], bool],
) -> None:
    """Look for old grants without holding up writers, then remove them a batch at a time."""
    while not stopping():
        with context.database.reading() as session:
            found = OldRows(session).old_grants(before=before, limit=FOUND)
        for start in range(0, len(found), BATCH):
            if stopping():
                return
            with context.database.writing() as session:
                part = found[start : start + BATCH]
                done = OldRows(session).remove_grants(part, before=before)
            counts[RecordClass.GRANTS] += done
        if len(found) < FOUND:
            return


def _write_down(context: Context, ran: Ran, started: int) -> None:
    counts = {record_class.value: count for record_class, count in ran.counts.items() if count}
    with context.database.writing() as session:
        RunRepository(session).add(
            RetentionRun(
                started_at=started,
                ended_at=context.now_ms(),
                counts=json.dumps(counts, sort_keys=True),
                failed=" ".join(ran.failed),
            )
        )
        audit.record(
            context,
            session,
            None,
            "retention.run",
            details={"removed": counts, "failed": list(ran.failed)},
        )


def _run(row: RetentionRun) -> RetentionRunSchema:
    return RetentionRunSchema(
        started_at=row.started_at,
        ended_at=row.ended_at,
        counts=json.loads(row.counts),
        failed=row.failed.split(),
    )
