"""An accept: a key holder's word that a manifest is the only one of its round.

It signs one after it has checked the manifest against its pins and written (population, task,
round) -> context to disk; it never signs a second for the same round. A client seals only with
three valid accepts of one context, so no two groups of clients are led into different rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS
from crypto.wire import SignedRecord, get_int, get_str, require_fields

RECORD_TYPE: Final = "accept"


@dataclass(frozen=True, kw_only=True)
class Accept:
    """One key holder's accept of one context (manifest hash)."""

    holder: int
    context: str

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the key holder's identity."""
        body = {"holder": self.holder, "context": self.context}
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, identity: Ed25519PublicKey) -> Self:
        """Parse an accept that a pinned key holder signed.

        Raises:
            WireError: not signed by ``identity``, or malformed.
        """
        body = record.verified(RECORD_TYPE, identity)
        require_fields(body, "holder", "context")
        return cls(
            holder=get_int(body, "holder", low=1, high=HOLDERS), context=get_str(body, "context")
        )


def check_accepts(
    records: Sequence[SignedRecord], identities: Sequence[Ed25519PublicKey], context: str
) -> None:
    """Check that every key holder, in their order, accepted this one context.

    Raises:
        WireError: one is missing, unsigned, or for another context.
    """
    if len(records) != HOLDERS or len(identities) != HOLDERS:
        raise WireError(f"A round needs the accepts of all {HOLDERS} key holders.")
    for number, (record, identity) in enumerate(zip(records, identities, strict=True), start=1):
        if Accept.verify(record, identity) != Accept(holder=number, context=context):
            raise WireError("A key holder accepted another round than this one.")
