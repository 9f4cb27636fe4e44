"""Calls to the consent service about its records: receipts, and the log that they stand in.

Part of ``consent.client.ConsentClient``, and fails closed like the rest of it: whatever the pinned
key did not sign, or what its proof does not bear out, is a ``ConsentError``.
"""

from typing import Any
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.answers import Answer, Page, RecordAnswer
from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.log.proof import included
from consent.receipt import MEDIA_TYPE, Receipt, parse_path
from consent.transport import call, pages, send
from consent.verify import ConsistencyProof, Evidence, verify
from crypto.errors import ConsentError, FedcartError, WireError
from crypto.wire import SignedRecord, unb64


class ReceiptSummary(Answer):
    """One receipt: its number, the time of its events (Unix milliseconds), how many cells."""

    record: int
    time: int
    changes: int


class ReceiptsAnswer(Page):
    """A page of receipts, oldest first."""

    receipts: list[ReceiptSummary]


class _ProvedAnswer(Answer):
    event: dict[str, Any]  # read as the event that its leaf covers
    index: int
    path: list[str]


class _LogAnswer(Page):
    head: RecordAnswer
    key: str
    events: list[_ProvedAnswer]


class RecordCalls:
    """What a shopper reads of her records, checked against the pinned key."""

    _http: httpx.Client
    _key: Ed25519PublicKey

    def receipts(self, shopper: str, token: str) -> tuple[ReceiptSummary, ...]:
        """All receipts of a shopper, oldest first.

        Raises:
            ConsentError: no proper answer.
        """
        found = pages(self._http, f"{_of(shopper)}/receipts", ReceiptsAnswer, token=token)
        return tuple(receipt for page in found for receipt in page.receipts)

    def receipt(self, shopper: str, token: str, record: int) -> Receipt:
        """One receipt; signed, hers, and borne out by its own proof.

        Raises:
            ConsentError: no proper answer, or a receipt that does not hold.
        """
        path = f"{_of(shopper)}/receipts/{record}"
        content = send(self._http, "GET", path, token=token, headers={"Accept": MEDIA_TYPE})
        try:
            found = Receipt.from_bytes(content)
            body, events = found.verified(self._key)
            checks = verify(Evidence(receipt=found), self._key)
        except FedcartError as error:
            raise ConsentError(f"The consent service sent a receipt that fails: {error}") from error
        if not all(check.holds for check in checks):
            raise ConsentError("The consent service sent a receipt that its log does not bear out.")
        if body["pii_principal_id"] != shopper or {event.epoch for event in events} != {record}:
            raise ConsentError("The consent service sent another receipt.")
        return found

    def log(self, shopper: str, token: str) -> tuple[LoggedEvent, ...]:
        """All events of a shopper, oldest first, each proved to be in the log.

        Raises:
            ConsentError: no proper answer, or an event that its proof does not bear out.
        """
        found = pages(self._http, f"{_of(shopper)}/log", _LogAnswer, token=token)
        return tuple(event for page in found for event in self._proved(page, shopper))

    def head(self) -> tuple[SignedRecord, TreeHead]:
        """The signed head of the log now, as a record to keep and as it reads.

        Raises:
            ConsentError: no proper answer, or a head that the pinned key did not sign.
        """
        answer = call(self._http, "GET", "/v1/log/head", RecordAnswer)
        return self._head(answer)

    def consistency(self, first: int, second: int) -> ConsistencyProof:
        """The proof that the log of ``first`` leaves begins that of ``second``.

        Check it by ``consent.log.proof.consistent`` against heads that you kept.

        Raises:
            ConsentError: no proper answer.
        """
        params = {"first": str(first), "second": str(second)}
        content = send(self._http, "GET", "/v1/log/consistency", params=params)
        try:
            proof = ConsistencyProof.from_bytes(content)
        except WireError as error:
            raise ConsentError("The consent service sent no proof.") from error
        if (proof.first, proof.second) != (first, second):
            raise ConsentError("The consent service proved something else.")
        return proof

    def _head(self, answer: RecordAnswer) -> tuple[SignedRecord, TreeHead]:
        try:
            record = SignedRecord.from_json(answer.model_dump())
            return record, TreeHead.verify(record, self._key)
        except WireError as error:
            raise ConsentError(f"The consent service sent a head that fails: {error}") from error

    def _proved(self, page: _LogAnswer, shopper: str) -> list[LoggedEvent]:
        _, head = self._head(page.head)
        events: list[LoggedEvent] = []
        for entry in page.events:
            try:
                event = LoggedEvent.from_json(entry.event)
                leaf = event.leaf(unb64(page.key, what="log key"))
                path = parse_path(entry.path)
            except WireError as error:
                raise ConsentError("The consent service sent no proof.") from error
            if event.shopper != shopper or not included(
                leaf, entry.index, size=head.size, path=path, root=head.root
            ):
                raise ConsentError("The consent service sent an event that is not in its log.")
            events.append(event)
        return events


def _of(shopper: str) -> str:
    return f"/v1/shoppers/{quote(shopper, safe='')}"
