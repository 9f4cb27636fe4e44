"""Released artefacts as inputs of a task: named by hash in its parameters, sent beside the round.

The manifest that carries the parameters is signed, so a hash there fixes every byte of an artefact.
"""

from hashlib import sha256
from typing import Final

from consent.tasks.task import Task

# The largest artefacts hold a few numbers for each of some million pairs of items.
MAX_INPUT_BYTES: Final = 1 << 26


def named_by(task: Task) -> tuple[str, ...]:
    """Hex SHA-256 of the encoded artefacts that a task builds on; none for most tasks."""
    named: tuple[str, ...] = getattr(task, "inputs", ())
    return named


def hash_of(encoded: bytes) -> str:
    """The name of an artefact, from the bytes that ``encode_artefact`` wrote."""
    return sha256(encoded).hexdigest()
