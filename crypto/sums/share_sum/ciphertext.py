"""Sealed vectors as bytes of one exact length, and back.

Each ciphertext is framed as u32 length ‖ bytes ‖ zeros up to ``CIPHERTEXT_BYTES``, so the length
of a share depends on the plan alone.
"""

from typing import Any, Final

import tenseal as ts

from crypto.errors import SealError
from crypto.sums.share_sum.parameters import CIPHERTEXT_BYTES, SLOTS

_HEADER: Final = 4


def encode(vectors: list[Any]) -> bytes:
    """Frame ciphertexts; the length is ``len(vectors) * CIPHERTEXT_BYTES``."""
    frames = []
    for vector in vectors:
        data: bytes = vector.serialize()
        if len(data) > CIPHERTEXT_BYTES - _HEADER:
            raise SealError("A ciphertext came out longer than any may be.")
        frame = len(data).to_bytes(_HEADER, "little") + data
        frames.append(frame.ljust(CIPHERTEXT_BYTES, b"\x00"))
    return b"".join(frames)


def decode(share: bytes, count: int, context: ts.Context) -> list[Any]:
    """Parse one share of ``count`` ciphertexts.

    Raises:
        SealError: any other length, padding that is not zero, or not a full ciphertext.
    """
    if len(share) != count * CIPHERTEXT_BYTES:
        raise SealError("A sealed share has another length than this round's.")
    vectors = []
    for start in range(0, len(share), CIPHERTEXT_BYTES):
        frame = share[start : start + CIPHERTEXT_BYTES]
        size = int.from_bytes(frame[:_HEADER], "little")
        data, padding = frame[_HEADER : _HEADER + size], frame[_HEADER + size :]
        if size > CIPHERTEXT_BYTES - _HEADER or padding.strip(b"\x00"):
            raise SealError("A sealed share is malformed.")
        vectors.append(_parse(data, context))
    return vectors


def _parse(data: bytes, context: ts.Context) -> Any:
    try:
        vector = ts.bfv_vector_from(context, data)
        full = vector.size() == SLOTS
    except Exception as error:
        raise SealError("A sealed share is malformed.") from error
    if not full:
        raise SealError("A sealed share is malformed.")
    return vector
