"""What a file of vectors is: JSON whose bytes are hex, or base64url where they are long."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crypto.wire import b64

Document = dict[str, Any]
# A list of numbers, which goes on one line.
_NUMBERS = re.compile(r"\[\n([-+.,e\d\s]*)\]")
FOLDER = Path(__file__).parents[2] / "docs" / "vectors"


def packed(data: bytes) -> str:
    """Long bytes as unpadded base64url; fields that hold them end in ``_b64``."""
    return b64(data)


def small(values: npt.NDArray[np.signedinteger[Any]]) -> str:
    """Integers of a byte each, two's complement, as base64url; fields end in ``_i8_b64``.

    Raises:
        ValueError: one does not fit.
    """
    if np.abs(values).max() > 127:
        raise ValueError("An integer does not fit a byte.")
    return b64(values.astype(np.int8).tobytes())


def sha256(data: bytes) -> str:
    """Plain SHA-256 as hex, for bytes that are too long to write down."""
    return hashlib.sha256(data).hexdigest()


def render(document: Document) -> str:
    """The text of a file."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text) + "\n"


def read(name: str) -> Document:
    """A file as it lies in docs/vectors; empty where there is none yet."""
    path = FOLDER / f"{name}.json"
    found: Document = json.loads(path.read_text()) if path.is_file() else {}
    return found
