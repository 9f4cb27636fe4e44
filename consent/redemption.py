"""The request of a till to redeem a discount code: a store signs it with its own client key.

The record proves possession of the key that its body names and nothing else. Whether that key is a
store's, and whether the code is worth anything, is for the consent service to judge.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.participation import MAX_AGE_S, NAME_PATTERN
from crypto.errors import WireError
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
    thumbprint,
)

RECORD_TYPE: Final = "redeem"
CODE_LENGTH: Final = 24  # base32: 120 bits
_CODE: Final = re.compile(r"[A-Z2-7]{24}")
_NAME: Final = re.compile(NAME_PATTERN.replace("$", r"\Z"))
_FIELDS: Final = {"code", "sale", "client_key", "issued_at"}


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """A store redeems a code for one of its sales. ``issued_at`` is in Unix seconds.

    ``sale`` is the till's own name for the purchase: the same code for the same sale is one
    redemption, however often it is sent.
    """

    code: str
    sale: str
    client_key: Ed25519PublicKey
    issued_at: int

    @cached_property
    def client(self) -> str:
        """The thumbprint of the store's client."""
        return thumbprint(self.client_key)

    def is_fresh(self, now: float) -> bool:
        """Whether the request was made within MAX_AGE_S of ``now`` (Unix seconds), either way."""
        return abs(now - self.issued_at) <= MAX_AGE_S

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the request with the store's key."""
        body = {
            "code": self.code,
            "sale": self.sale,
            "client_key": b64(public_bytes(self.client_key)),
            "issued_at": self.issued_at,
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, text that is no code, or a signature that does
                not hold.
        """
        claimed = parse_object(record.body, what=RECORD_TYPE)
        key = parse_public_key(get_str(claimed, "client_key"), what="client key")
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"A redemption has exactly {', '.join(sorted(_FIELDS))}.")
        sale = get_str(body, "sale")
        if not _NAME.match(sale):
            raise WireError("Field 'sale': expected letters, digits and ._:- , 1 to 128 of them.")
        return cls(
            code=as_typed(get_str(body, "code")),
            sale=sale,
            client_key=key,
            issued_at=get_int(body, "issued_at", low=0, high=2**53),
        )


def as_typed(text: str) -> str:
    """A code as it is stored, from what somebody typed: spaces, dashes and case don't matter.

    Raises:
        WireError: not of the form of a code.
    """
    code = text.replace("-", "").replace(" ", "").upper()
    if not _CODE.fullmatch(code):
        raise WireError(f"Field 'code': expected {CODE_LENGTH} letters and digits.")
    return code


def as_shown(code: str) -> str:
    """A code in groups of four, as people read it."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))
