"""The fixed parameters of share sum. There is no negotiation: others are another scheme.

BFV with N = 4096 and a 109-bit modulus gives 128-bit security (HomomorphicEncryption.org
standard, ternary secret); 1,000 additions leave 2 bits of noise budget with this plain modulus,
so a sum has at most ``MAX_ADDITIONS`` terms.
"""

import hashlib
from typing import Final

POLY_MODULUS_DEGREE: Final = 4096
COEFF_MODULUS_BITS: Final = (54, 55)
# The least prime above 2**40 that is 1 mod 2N, so slots hold integers below it and BFV addition
# is addition of Shamir shares.
PLAIN_MODULUS: Final = 1_099_511_799_809
SLOTS: Final = POLY_MODULUS_DEGREE
FIELDS_PER_SLOT: Final = 2
MAX_ADDITIONS: Final = 1000
# TenSEAL compresses, so a ciphertext's length wavers by some 50 bytes around 61,735 whatever is
# in it; every one is padded to this length, and none may exceed it.
CIPHERTEXT_BYTES: Final = 61_952
PUBLIC_CONTEXT_MAX_BYTES: Final = 262_144


def ciphertexts(padded_dimension: int) -> int:
    """How many ciphertexts one key holder's share of a vector takes."""
    return -(-padded_dimension // (FIELDS_PER_SLOT * SLOTS))


def context_hash(data: bytes) -> str:
    """Hex SHA-256: how manifests and cards name a public context."""
    return hashlib.sha256(data).hexdigest()
