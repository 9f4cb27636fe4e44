"""The released artefacts that a device recommends from: the newest of each task in a folder."""

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.tasks.artefact import Artefact, decode_artefact
from consent.tasks.names import MEASURING, TaskName
from crypto.errors import InvalidInputError, WireError
from crypto.manifest import Manifest
from crypto.wire import SignedRecord


def newest(folder: Path, coordinator: Ed25519PublicKey) -> tuple[Artefact, ...]:
    """The newest released artefact of each task anywhere in a folder.

    A release is as old as its signed manifest says, or its file where none lies beside it. What
    only measures other releases is left out.

    Raises:
        InvalidInputError: there is none, one is malformed, or a manifest is not the coordinator's.
    """
    files = sorted(artefact_files(folder), key=lambda file: _opened_at(file, coordinator))
    if not files:
        raise InvalidInputError(f"There is no artefact.json in {folder} or the folders in it.")
    found = {
        artefact.task: artefact
        for artefact in map(_decode, files)
        if artefact.task not in MEASURING
    }
    if not found:
        raise InvalidInputError(
            f"What was released in {folder} only measures; no list comes of it."
        )
    return tuple(found[task] for task in TaskName if task in found)


def artefact_files(folder: Path) -> Iterator[Path]:
    """Every artefact.json, but for those of unfinished releases (hidden folders)."""
    for file in sorted(folder.rglob("artefact.json")):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def read_manifest(file: Path, coordinator: Ed25519PublicKey) -> Manifest:
    """A manifest that lies in a release's folder.

    Raises:
        InvalidInputError: it is not the pinned coordinator's.
    """
    try:
        record = SignedRecord.from_bytes(file.read_bytes())
        return Manifest.verify(record, coordinator)
    except WireError as error:
        raise InvalidInputError(f"{file} is not of this device's federation: {error}") from error


def _opened_at(file: Path, coordinator: Ed25519PublicKey) -> float:
    manifest = file.with_name("manifest.json")
    if not manifest.is_file():
        return file.stat().st_mtime
    return float(read_manifest(manifest, coordinator).opens)


def _decode(file: Path) -> Artefact:
    try:
        return decode_artefact(file.read_bytes())
    except WireError as error:
        raise InvalidInputError(f"{file} is no released artefact: {error}") from error
