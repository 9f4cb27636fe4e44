"""The code that shows how an erasure stands, to somebody who has no login any more.

It is an HMAC of the request's id under a key that only the service has, so the same request shows
the same code again until it is confirmed, and the service stores a hash of it only.
"""

import base64
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.redemption import as_shown
from consent.service.context import Context

_BYTES: Final = 20


def status_code(context: Context, request_id: str) -> str:
    """The code of an erasure's request; 160 bits, in groups of four letters and digits."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fedcart erasure codes")
    key = derive.derive(context.key.private_bytes_raw())
    code = hmac.digest(key, request_id.encode(), "sha256")[:_BYTES]
    return as_shown(base64.b32encode(code).decode())
