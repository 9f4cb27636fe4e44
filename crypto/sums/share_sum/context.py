"""TenSEAL contexts: made by key holders, pinned by hash everywhere else.

A context is foreign bytes of a C++ library that accepts altered ones, so none is ever taken from
a client, and a public one is loaded only if its hash is the pinned one.
"""

from functools import lru_cache
from typing import Final

import tenseal as ts

from crypto.errors import SealError
from crypto.sums.share_sum.parameters import (
    COEFF_MODULUS_BITS,
    PLAIN_MODULUS,
    POLY_MODULUS_DEGREE,
    PUBLIC_CONTEXT_MAX_BYTES,
    context_hash,
)

_DROPPED: Final = {"save_galois_keys": False, "save_relin_keys": False}


def generate() -> ts.Context:
    """A fresh BFV context with its secret key: a key holder's, and nobody else's."""
    return ts.context(
        ts.SCHEME_TYPE.BFV,
        poly_modulus_degree=POLY_MODULUS_DEGREE,
        plain_modulus=PLAIN_MODULUS,
        coeff_mod_bit_sizes=list(COEFF_MODULUS_BITS),
    )


def public_context_bytes(context: ts.Context) -> bytes:
    """The public part, without any key that opens or rotates."""
    data: bytes = context.serialize(save_public_key=True, save_secret_key=False, **_DROPPED)
    return data


@lru_cache(maxsize=64)
def load_public(data: bytes, pinned_hash: str) -> ts.Context:
    """Load a public context if it is the pinned one.

    Raises:
        SealError: another hash, an absurd size, or a context that could open something.
    """
    if len(data) > PUBLIC_CONTEXT_MAX_BYTES or context_hash(data) != pinned_hash:
        raise SealError("This is not the key holder's pinned public context.")
    context = _parse(data)
    if context.is_private():
        raise SealError("This public context carries a secret key; it is refused.")
    return context


def _parse(data: bytes) -> ts.Context:
    try:
        return ts.context_from(data)
    except Exception as error:
        raise SealError("This is not a TenSEAL context.") from error
