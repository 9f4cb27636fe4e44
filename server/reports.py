"""Telling the consent service what was released, so that diaries and points are written.

A report comes after publication and never undoes it: whatever goes wrong, the release stands and
is reported again by the next run. The consent service writes each release once.
"""

import hashlib
from contextlib import suppress

from consent.answers import ReleaseReport
from consent.client import ConsentClient
from consent.tasks.names import TaskName
from crypto.errors import ConsentError
from server.registry import Registry, Release


def report(release: Release, registry: Registry, consent: ConsentClient) -> None:
    """Report one release, unless it is reported already. Does not fail."""
    if registry.is_reported(release.task, release.round_id):
        return
    with suppress(ConsentError):
        task, told = TaskName(release.task), _report_of(release, registry)
        if consent.released(told, task=task, round_id=release.round_id):
            registry.mark_reported(release.task, release.round_id)


def report_missing(registry: Registry, consent: ConsentClient) -> None:
    """Report every release that an earlier run could not report. Does not fail."""
    for record in registry.records():
        task, round_id = record["task"], record["round"]
        if not registry.is_reported(task, round_id):
            release = registry.load(task, round_id)
            if release is not None:
                report(release, registry, consent)


def _report_of(release: Release, registry: Registry) -> ReleaseReport:
    record = release.record
    published = registry.artefact_file(release.task, release.round_id).read_bytes()
    return ReleaseReport(
        epsilon=record["epsilon"],
        epsilon_spent_in_all=record["epsilon_spent_in_all"],
        delta=record["plan"]["delta"],
        clients=record["clients"],
        shoppers=record["shoppers"],
        artefact=hashlib.sha256(published).hexdigest(),
    )
