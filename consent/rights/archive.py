"""The form of an export: its signed manifest, and text cells that no spreadsheet runs.

``manifest.json`` names every other file of the archive with its SHA-256 and size. What is signed is
its canonical JSON without the member ``proof``, as a record of type ``export-manifest``.

CSV files follow RFC 4180 (UTF-8, CRLF, every row as long as the first). A spreadsheet takes a cell
that begins with ``=``, ``+``, ``-``, ``@`` or a tab for a formula, so such a text gets one ``'``
before it; so does one that begins with ``'``, so that taking one ``'`` off gives the text back.
Numbers are written as they are.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.wire import SignedRecord, b64, canonical, get_str, parse_object, unb64

RECORD_TYPE: Final = "export-manifest"
MANIFEST: Final = "manifest.json"
SCHEMA: Final = "fedcart-export-1"
# A line break too: it hides what follows it. The last four are the full-width forms.
_STARTS: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "'",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)


def guarded(text: str) -> str:
    """A text as a CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_STARTS) else text


def unguarded(cell: str) -> str:
    """The text of a cell that ``guarded`` made."""
    return cell.removeprefix("'")


def sign_manifest(
    files: Mapping[str, tuple[str, int]],
    *,
    about: Mapping[str, Any],
    key: Ed25519PrivateKey,
) -> bytes:
    """The bytes of a manifest.

    Args:
        files: each file's hex SHA-256 and size.
        about: what else the manifest says: when, by whom, for whom.
        key: the service's key.
    """
    body = {
        **about,
        "schema": SCHEMA,
        "files": {name: {"sha256": sha, "bytes": size} for name, (sha, size) in files.items()},
    }
    record = SignedRecord.sign(RECORD_TYPE, body, key)
    document = {**body, "proof": {"signature": b64(record.signature)}}
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode()


def verify_archive(path: Path, key: Ed25519PublicKey) -> dict[str, Any]:
    """The manifest of an archive whose files are exactly those that ``key`` signed for.

    Raises:
        WireError: no archive, another key, or a file that is missing, altered or added.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            body = _manifest(archive.read(MANIFEST), key)
            found = {name: _hashed(archive, name) for name in archive.namelist()}
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise WireError("This is no export, or it was cut short.") from error
    del found[MANIFEST]
    if found != body["files"]:
        raise WireError("A file of this export is missing, altered or was added.")
    return body


def _manifest(data: bytes, key: Ed25519PublicKey) -> dict[str, Any]:
    document = parse_object(data, what=RECORD_TYPE)
    proof = document.pop("proof", None)
    if not isinstance(proof, dict) or proof.keys() != {"signature"}:
        raise WireError("The manifest of an export has a proof with a signature.")
    signature = unb64(get_str(proof, "signature"), what="signature", length=64)
    record = SignedRecord(type=RECORD_TYPE, body=canonical(document), signature=signature)
    return record.verified(RECORD_TYPE, key)


def _hashed(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    state, size = hashlib.sha256(), 0
    with archive.open(name) as file:
        while part := file.read(65536):
            state.update(part)
            size += len(part)
    return {"sha256": state.hexdigest(), "bytes": size}
