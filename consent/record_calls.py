"""Calls to the consent service about its records: receipts, and the log that they stand in.

Part of ``consent.client.ConsentClient``, and fails closed like the rest of it: whatever the pinned
key did not sign, or what its proof does not bear out, is a ``ConsentError``.
"""

from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.answers import Answer, RecordAnswer
from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.log.proof import included
from consent.purpose import Category, ConsentState, Purpose
from consent.receipt import MEDIA_TYPE, Receipt, parse_path
from consent.transport import call
from consent.verify import ConsistencyProof, Evidence, verify
from crypto.errors import ConsentError, FedcartError, WireError
from crypto.wire import SignedRecord, unb64


class ReceiptSummary(Answer):
    """One receipt: its number, the time of its events (Unix milliseconds), how many cells."""

    record: int
    time: int
    changes: int


class ReceiptsAnswer(Answer):
    """A page of receipts, oldest first."""

    receipts: list[ReceiptSummary]
    next: int | None


class ConsistencyAnswer(Answer):
    """The proof that the log only grew."""

    first: int
    second: int
    path: list[str]


class _EventAnswer(Answer):
    shopper: str
    epoch: int
    purpose: Purpose
    category: Category
    state: ConsentState
    notice: str
    language: str
    time: int
    expires_at: int | None


class _ProvedAnswer(Answer):
    event: _EventAnswer
    index: int
    path: list[str]


class _LogAnswer(Answer):
    head: RecordAnswer
    key: str
    events: list[_ProvedAnswer]
    next: int | None


class RecordCalls:
    """What a shopper reads of her records, checked against the pinned key."""

    _http: httpx.Client
    _key: Ed25519PublicKey

    def receipts(self, shopper: str, token: str) -> tuple[ReceiptSummary, ...]:
        """All receipts of a shopper, oldest first.

        Raises:
            ConsentError: no proper answer.
        """
        found: list[ReceiptSummary] = []
        params: dict[str, str] | None = None
        while True:
            path = f"{_of(shopper)}/receipts"
            page = call(self._http, "GET", path, ReceiptsAnswer, params=params, token=token)
            found += page.receipts
            if page.next is None:
                return tuple(found)
            params = _after(page.next, params)

    def receipt(self, shopper: str, token: str, record: int) -> Receipt:
        """One receipt; signed, hers, and borne out by its own proof.

        Raises:
            ConsentError: no proper answer, or a receipt that does not hold.
        """
        path = f"{_of(shopper)}/receipts/{record}"
        headers = {"Authorization": f"Bearer {token}", "Accept": MEDIA_TYPE}
        try:
            response = self._http.get(path, headers=headers)
        except (httpx.HTTPError, ValueError, RuntimeError) as error:
            raise ConsentError("The consent service can't be reached for a receipt.") from error
        if not response.is_success:
            raise ConsentError(f"The consent service answered {response.status_code} to {path}.")
        try:
            found = Receipt.from_bytes(response.content)
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
        found: list[LoggedEvent] = []
        params: dict[str, str] | None = None
        while True:
            page = call(
                self._http, "GET", f"{_of(shopper)}/log", _LogAnswer, params=params, token=token
            )
            found += self._proved(page, shopper)
            if page.next is None:
                return tuple(found)
            params = _after(page.next, params)

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
        answer = call(self._http, "GET", "/v1/log/consistency", ConsistencyAnswer, params=params)
        if (answer.first, answer.second) != (first, second):
            raise ConsentError("The consent service proved something else.")
        try:
            return ConsistencyProof(first=first, second=second, path=parse_path(answer.path))
        except WireError as error:
            raise ConsentError("The consent service sent no proof.") from error

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
            event = LoggedEvent(**entry.event.model_dump())
            try:
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


def _after(cursor: int, params: dict[str, str] | None) -> dict[str, str]:
    if params is not None and cursor <= int(params["cursor"]):
        raise ConsentError("The consent service's pages do not end.")
    return {"cursor": str(cursor)}
