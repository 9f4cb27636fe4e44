"""The request of a till to redeem a discount code: a store signs it with its own client key.

The record proves possession of the key that its body names and nothing else. Whether that key is a
store's, and whether the code is worth anything, is for the consent service to judge.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from consent.client_record import ClientRequest, get_issued_at, own_body
from consent.participation import parse_name
from consent.typed_codes import bare
from crypto.errors import WireError
from crypto.wire import SignedRecord, get_str

RECORD_TYPE: Final = "redeem"
CODE_LENGTH: Final = 24  # base32: 120 bits
_CODE: Final = re.compile(r"[A-Z2-7]{24}")
_FIELDS: Final = {"code", "sale", "client_key", "issued_at"}


@dataclass(frozen=True, kw_only=True)
class Redemption(ClientRequest):
    """A store redeems a code for one of its sales.

    ``sale`` is the till's own name for the purchase: the same code for the same sale is one
    redemption, however often it is sent.
    """

    RECORD_TYPE: ClassVar = RECORD_TYPE
    code: str
    sale: str

    def stated(self) -> dict[str, Any]:
        """The code and the sale."""
        return {"code": self.code, "sale": self.sale}

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field, text that is no code, or a signature that does
                not hold.
        """
        body, key = own_body(record, RECORD_TYPE, _FIELDS, what="A redemption")
        return cls(
            code=as_typed(get_str(body, "code")),
            sale=parse_name(body, "sale"),
            client_key=key,
            issued_at=get_issued_at(body),
        )


def as_typed(text: str) -> str:
    """A code as it is stored, from what somebody typed: spaces, dashes and case don't matter.

    Raises:
        WireError: not of the form of a code.
    """
    code = bare(text)
    if not _CODE.fullmatch(code):
        raise WireError(f"Field 'code': expected {CODE_LENGTH} letters and digits.")
    return code
