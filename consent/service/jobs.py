"""What a serving process does beside answering: delivering webhooks, running retention, counting.

Each job has a thread that ends with the service. Several processes may run them on one database:
webhooks are leased one by one, retention is held by one process at a time, and figures that two of
them count at once do no harm.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from consent.service.context import Context
from consent.service.inventory.figures import renew_if_due
from consent.service.retention.service import retain
from consent.service.webhooks.delivery import deliver

STOP_S: Final = 20.0  # longer than the one webhook that may be under way
_LOG: Final = logging.getLogger(__name__)
_Stopping = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do again and again, with so many seconds in between."""

    name: str
    every_s: float
    run: Callable[[Context, _Stopping], object]


def _deliver(context: Context, stopping: _Stopping) -> object:
    return deliver(context, stopping=stopping)


def _retain(context: Context, stopping: _Stopping) -> object:
    return retain(context, only_if_due=True, stopping=stopping)


def _count(context: Context, _stopping: _Stopping) -> None:
    renew_if_due(context)


JOBS: Final = (
    Job(name="webhooks", every_s=2.0, run=_deliver),
    Job(name="retention", every_s=60.0, run=_retain),  # it does something once an hour
    Job(name="figures", every_s=60.0, run=_count),  # likewise
)


@contextmanager
def running(context: Context, jobs: tuple[Job, ...] = JOBS) -> Iterator[None]:
    """Run the jobs, if the settings say so, until the block ends; then wait for their threads."""
    stop = threading.Event()
    wanted = jobs if context.settings.background_jobs else ()
    threads = [
        threading.Thread(
            target=_loop, args=(context, job, stop), name=f"fedcart {job.name}", daemon=True
        )
        for job in wanted
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_S)


def _loop(context: Context, job: Job, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            job.run(context, stop.is_set)
        except Exception:  # a job that failed is tried again, the service goes on
            context.metrics.job_failures.labels(job.name).inc()
            _LOG.exception("the job %s failed and is tried again", job.name)
        stop.wait(job.every_s)
