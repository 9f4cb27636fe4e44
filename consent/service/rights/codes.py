"""The code that shows how an erasure stands, to somebody who has no login any more.

It is an HMAC of her opaque id under a key that only the service has, so she is shown the same code
again until she confirms, it still shows her erasure when that had to be repeated after a restore,
and the service stores a hash of it only.
"""

import base64
import hmac
from typing import Final

from consent.service.context import Context
from consent.typed_codes import as_shown

_BYTES: Final = 20


def status_code(context: Context, shopper_id: str) -> str:
    """The code of a shopper's erasure; 160 bits, in groups of four letters and digits."""
    key = context.derived_key("erasure codes")
    code = hmac.digest(key, shopper_id.encode(), "sha256")[:_BYTES]
    return as_shown(base64.b32encode(code).decode())
