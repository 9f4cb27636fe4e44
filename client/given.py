"""The released artefacts that come with an invitation, as far as its manifest names them.

Whoever sends them is not believed: each is bounded, then compared with its hash in the signed
manifest, and only then parsed. What a shopper gives is bounded and under noise whatever they hold,
so a made-up artefact that the coordinator signs for can spoil a task and harms nobody's privacy.
"""

from collections.abc import Mapping

from consent.tasks.artefact import Artefact, decode_artefact
from consent.tasks.inputs import MAX_INPUT_BYTES, hash_of, named_by
from consent.tasks.names import TaskName
from consent.tasks.task import Task
from crypto.errors import WireError


def artefacts_for(
    task: Task, given: Mapping[str, bytes], *, catalogue: str
) -> dict[TaskName, Artefact]:
    """The artefacts that a task names, by the task that each came from.

    Args:
        task: from a manifest whose signature was checked.
        given: the bytes that came with it, by the hash that each is said to have.
        catalogue: hash of the item list that all of them must be over.

    Raises:
        WireError: one is missing, unknown, too large, altered, malformed, over other items, or
            from the same task as another.
    """
    named = named_by(task)
    if given.keys() != set(named):
        raise WireError(
            f"The task names {len(set(named))} artefacts; {len(given.keys() & set(named))} of them "
            f"came, and {len(given.keys() - set(named))} that it does not name."
        )
    found: dict[TaskName, Artefact] = {}
    for name in named:
        artefact = _checked(name, given[name])
        if artefact.catalogue != catalogue:
            raise WireError("An artefact that came with the round is over another item list.")
        if artefact.task in found:
            raise WireError(f"Two artefacts of {artefact.task} came with the round.")
        found[artefact.task] = artefact
    return found


def _checked(name: str, encoded: bytes) -> Artefact:
    if len(encoded) > MAX_INPUT_BYTES:
        raise WireError(
            f"An artefact that came with the round has {len(encoded)} bytes, at most "
            f"{MAX_INPUT_BYTES} are read."
        )
    if hash_of(encoded) != name:
        raise WireError("An artefact that came with the round is not the one that was named.")
    return decode_artefact(encoded)
