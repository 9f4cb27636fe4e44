"""The public multipliers a_b of a round, derived from its context by everybody for themselves.

a_b is 2048 words of an AES-256-CTR stream keyed by H("a", context), from counter b · 2**64 on. It
is never received: whoever could choose it could choose a weak one. AES stands in for a random
oracle here, as it does wherever a seed replaces a uniform ring element (FrodoKEM, round 3).
"""

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from crypto.sums.compact_sum.parameters import RING_DEGREE
from crypto.sums.pieces.split import WordArray
from crypto.wire import digest

_BLOCK: Final = bytes(4 * RING_DEGREE)
_COUNTER_BITS: Final = 64


def multipliers(context: str, first: int, count: int) -> WordArray:
    """a_first .. a_(first + count - 1) of a round; uint32, shape (count, 2048)."""
    cipher = AES(digest("a", context.encode()))
    stream = Cipher(cipher, CTR(bytes(16))).encryptor()
    data = bytearray()
    for block in range(first, first + count):
        stream.reset_nonce((block << _COUNTER_BITS).to_bytes(16, "big"))
        data += stream.update(_BLOCK)
    words = np.frombuffer(data, dtype="<u4").astype(np.uint32, copy=False)
    return words.reshape(count, RING_DEGREE)
