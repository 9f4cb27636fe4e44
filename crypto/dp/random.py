"""Randomness for secrets and noise: AES-256 in counter mode, keyed by the operating system.

NumPy's and torch's generators never make a secret or a noise sample, and nothing that runs in a
client can be given a seed: a simulation's choices repeat, its noise does not.
"""

import os
import threading

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_KEY_BYTES = 32
_FLOAT_BITS = 53


class SecureRandom:
    """A keyed cryptographic stream read as arrays; safe to share between threads.

    Guarantee: computationally indistinguishable from uniform bits as long as the key is secret.
    """

    def __init__(self, key: bytes | None = None) -> None:
        """Key the stream: from the operating system, or (public streams, tests) from ``key``."""
        secret = os.urandom(_KEY_BYTES) if key is None else key
        if len(secret) != _KEY_BYTES:
            raise ValueError(f"Expected a key of {_KEY_BYTES} bytes, got {len(secret)}.")
        self._stream = Cipher(AES(secret), CTR(bytes(16))).encryptor()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "SecureRandom(<keyed>)"

    def __reduce__(self) -> str:
        raise TypeError("A SecureRandom must not be pickled: its key would travel with it.")

    def bytes(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        with self._lock:
            return self._stream.update(bytes(count))

    def uint64(self, count: int) -> npt.NDArray[np.uint64]:
        """Uniform 64-bit words, shape (count,)."""
        return np.frombuffer(self.bytes(8 * count), dtype="<u8").astype(np.uint64, copy=False)

    def below(self, bound: int, count: int) -> npt.NDArray[np.int64]:
        """Exactly uniform integers in ``[0, bound)``, shape (count,), by rejection.

        Raises:
            ValueError: ``bound`` is not within 1..2**62.
        """
        if not 0 < bound <= 2**62:
            raise ValueError(f"Expected a bound from 1 to 2**62, got {bound}.")
        limit = np.uint64((2**64 // bound) * bound - 1)
        words = self.uint64(count)
        while (rejected := np.flatnonzero(words > limit)).size:
            words = words.copy()
            words[rejected] = self.uint64(rejected.size)
        return (words % np.uint64(bound)).astype(np.int64)

    def uniform(self, count: int) -> npt.NDArray[np.float64]:
        """Multiples of 2**-53 in [0, 1), shape (count,)."""
        shift = np.uint64(64 - _FLOAT_BITS)
        return (self.uint64(count) >> shift).astype(np.float64) * 2.0**-_FLOAT_BITS

    def signs(self, count: int) -> npt.NDArray[np.float64]:
        """Uniform +1.0 and -1.0, shape (count,)."""
        bits = np.unpackbits(np.frombuffer(self.bytes(-(-count // 8)), np.uint8), count=count)
        return 1.0 - 2.0 * bits.astype(np.float64)
