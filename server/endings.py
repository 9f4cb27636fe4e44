"""Rounds that ended without a release, for good: nothing that a resume does can bring one about.

Their sealed uploads are of no use to anybody then and go; a note stays, so that no later attempt
takes the round for one that goes on. What a resume might still need is never touched.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import CohortTooSmallError, FedcartError
from crypto.manifest import Manifest
from crypto.round_times import deadline
from crypto.sums.schemes import HOLDERS, THRESHOLD
from crypto.wire import SignedRecord
from server.journal import Journal
from server.keyholders import HoldersError
from server.registry import Registry


@contextmanager
def ending(
    journal: Journal,
    registry: Registry,
    *,
    task: str,
    round_id: str,
    key: Ed25519PublicKey,
    now: int,
) -> Iterator[None]:
    """Note and clean up a round that an error in the block ends for good; the error goes on.

    ``key`` is the coordinator's own, ``now`` Unix seconds.
    """
    try:
        yield
    except FedcartError as error:
        if registry.is_disputed(task, round_id):
            journal.clear()
        elif _is_over(journal, error, key, now=now):
            registry.give_up(task, round_id, reason=str(error))
            journal.clear()
        raise


def _is_over(journal: Journal, error: FedcartError, key: Ed25519PublicKey, *, now: int) -> bool:
    if journal.manifest is None:
        return False
    manifest = Manifest.verify(journal.manifest, key)
    if isinstance(error, CohortTooSmallError):
        # A frozen list never grows, and nothing that comes after the closing is taken.
        return journal.commit is not None or now >= manifest.closes
    if not manifest.scheme.votes or now < deadline(manifest.closes):
        return False
    if journal.upload_list is None:
        return True
    # Who refuses to vote after the deadline has not voted; who refuses to release has not either.
    refused = len(error.refused) if isinstance(error, HoldersError) else 0
    return refused > (HOLDERS - THRESHOLD if journal.votes else 0)


def sweep(folder: Path, registry: Registry, *, key: Ed25519PublicKey, now: int) -> None:
    """End the rounds in ``folder`` (rounds/TASK/ROUND) that nobody resumed before their deadline.

    Only those without a list to vote on: for one with a list, key holders may have voted.
    """
    for place in sorted(folder.glob("*/*/manifest.json")):
        if place.with_name("list.json").exists():
            continue
        manifest = Manifest.verify(SignedRecord.from_bytes(place.read_bytes()), key)
        if manifest.scheme.votes and now >= deadline(manifest.closes):
            reason = "Nobody resumed it before its deadline."
            registry.give_up(manifest.task, manifest.round_id, reason=reason)
            shutil.rmtree(place.parent)
