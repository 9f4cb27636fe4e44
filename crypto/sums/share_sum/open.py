"""Opening a share of a sum. Only key holders import this (import-linter checks it)."""

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import tenseal as ts

from crypto.dp.rotation import padded
from crypto.errors import SealError
from crypto.sums.share_sum import ciphertext
from crypto.sums.share_sum.context import _DROPPED, _parse, generate, public_context_bytes
from crypto.sums.share_sum.parameters import PLAIN_MODULUS, ciphertexts
from crypto.update import PartSum


@dataclass(frozen=True, repr=False)
class OpeningKey:
    """A key holder's secret BFV key; refuses to be pickled or shown."""

    context: ts.Context

    @classmethod
    def generate(cls) -> "OpeningKey":
        """A fresh key."""
        return cls(generate())

    @classmethod
    def from_bytes(cls, data: bytes) -> "OpeningKey":
        """Load what ``to_bytes`` wrote.

        Raises:
            SealError: not a context with a secret key.
        """
        context = _parse(data)
        if not context.is_private():
            raise SealError("This key file holds no secret key.")
        return cls(context)

    def to_bytes(self) -> bytes:
        """The secret key's bytes, for the key holder's own 0600 file and nothing else."""
        data: bytes = self.context.serialize(save_public_key=True, save_secret_key=True, **_DROPPED)
        return data

    @property
    def public(self) -> bytes:
        """The public context that clients seal to."""
        return public_context_bytes(self.context)

    def open_share(self, share: bytes, *, holder: int, context: str, dimension: int) -> PartSum:
        """Decrypt one key holder's share of a sum.

        Raises:
            SealError: the bytes are not a share of this length (never says more).
        """
        vectors = ciphertext.decode(share, ciphertexts(padded(dimension)), self.context)
        try:
            chunks = [np.asarray(vector.decrypt(), dtype=np.int64) for vector in vectors]
        except Exception as error:
            raise SealError("A sealed share is malformed.") from error
        values = np.concatenate(chunks) % PLAIN_MODULUS
        return PartSum(holder=holder, context=context, values=values)

    def __repr__(self) -> str:
        return "OpeningKey(<secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An OpeningKey must not be pickled; it stays in its key holder's file.")
