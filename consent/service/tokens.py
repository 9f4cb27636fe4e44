"""Bearer tokens: random, stored as hashes only, compared in constant time.

Tokens carry 256 random bits, so a plain SHA-256 is enough to store them; passwords are another
matter and have no place here.
"""

import hashlib
import hmac


def token_hash(token: str) -> str:
    """Hex SHA-256 of a token: all that the service keeps of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_matches(token: str, expected_hash: str) -> bool:
    """Whether a token has the given hash, in time that does not depend on where they differ."""
    return hmac.compare_digest(token_hash(token).encode(), expected_hash.encode())
