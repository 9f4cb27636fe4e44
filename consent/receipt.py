"""Receipts: a full, signed copy of one decision, which its shopper keeps and can check offline.

The fields are those of ISO/IEC TS 27560, with W3C DPV terms, as JSON-LD whose context is inlined.
A receipt covers the events of one epoch of one shopper: what was decided together, or what expired
together. What is signed is the canonical JSON of the document without its member ``proof``, as a
record of type ``receipt``; ``proof`` carries that signature and the places of the events in the
log (``consent.log``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent import dpv
from consent.log.leaf import KEY_BYTES, LoggedEvent
from consent.notice import Language
from consent.purpose import LIVE_STATES, ConsentState, Purpose
from crypto.errors import InvalidInputError, WireError
from crypto.wire import SignedRecord, b64, canonical, get_int, get_str, parse_object, unb64

RECORD_TYPE: Final = "receipt"
SCHEMA: Final = "ISO/IEC TS 27560:2023"
NOT_STATED: Final = "not stated"
MEDIA_TYPE: Final = "application/ld+json"
_MAX_INDEX: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class Controller:
    """Who is responsible for the data, as the operator names herself.

    What she leaves out is shown as "not stated" in every receipt rather than left away.
    """

    name: str = NOT_STATED
    address: str = NOT_STATED
    contact: str = NOT_STATED
    jurisdiction: str = NOT_STATED
    storage: str = NOT_STATED

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            if not 1 <= len(value) <= 256 or not value.isprintable():
                raise InvalidInputError(
                    f"The controller's {field} has 1 to 256 printable characters."
                )

    def to_json(self) -> dict[str, str]:
        """All fields."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes; a field that is missing is not stated.

        Raises:
            InvalidInputError: an unknown field, or one that is no text.
        """
        if not isinstance(value, dict) or not value.keys() <= cls.__dataclass_fields__.keys():
            raise InvalidInputError("The controller has unknown fields.")
        return cls(**{name: get_str(value, name) for name in value})


NOBODY_STATED: Final = Controller()


@dataclass(frozen=True, kw_only=True)
class LeafProof:
    """Where in the log an event stands, and the inclusion proof of its leaf."""

    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class LogProof:
    """A signed tree head, the shopper's log key, and one proof an event in the same order."""

    head: SignedRecord
    key: bytes
    leaves: tuple[LeafProof, ...]

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON."""
        return {
            "head": self.head.to_json(),
            "key": b64(self.key),
            "leaves": [
                {"index": leaf.index, "path": [b64(part) for part in leaf.path]}
                for leaf in self.leaves
            ],
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes.

        Raises:
            WireError: another form.
        """
        if not isinstance(value, dict) or value.keys() != {"head", "key", "leaves"}:
            raise WireError("A log proof has exactly the fields head, key and leaves.")
        if not isinstance(value["leaves"], list):
            raise WireError("The leaves of a log proof are a list.")
        return cls(
            head=SignedRecord.from_json(value["head"]),
            key=unb64(get_str(value, "key"), what="log key", length=KEY_BYTES),
            leaves=tuple(_leaf(entry) for entry in value["leaves"]),
        )


def parse_path(value: object) -> tuple[bytes, ...]:
    """Parse the hashes of an inclusion or consistency proof.

    Raises:
        WireError: not a list of at most 128 base64url hashes.
    """
    if not isinstance(value, list) or len(value) > 128:
        raise WireError("A proof is a list of at most 128 hashes.")
    if not all(isinstance(part, str) for part in value):
        raise WireError("The hashes of a proof are strings.")
    return tuple(unb64(part, what="proof", length=32) for part in value)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A signed receipt: the record and its place in the log."""

    record: SignedRecord
    log: LogProof

    def verified(self, key: Ed25519PublicKey) -> tuple[dict[str, Any], tuple[LoggedEvent, ...]]:
        """The body and its events, if ``key`` signed it.

        Guarantee: every event that a reader sees in the body says what its log entry says.

        Raises:
            WireError: another key, altered bytes, or events that contradict their entries.
        """
        body = self.record.verified(RECORD_TYPE, key)
        entries = body.get("events")
        if not isinstance(entries, list) or not entries:
            raise WireError("A receipt lists its events.")
        events = tuple(_logged(entry) for entry in entries)
        if [_event(event) for event in events] != entries:
            raise WireError("An event of this receipt contradicts its log entry.")
        if {event.shopper for event in events} != {body.get("pii_principal_id")}:
            raise WireError("An event of this receipt is about somebody else.")
        return body, events

    def to_json(self) -> dict[str, Any]:
        """The JSON-LD document."""
        proof = {"signature": b64(self.record.signature), "log": self.log.to_json()}
        return {**parse_object(self.record.body, what="receipt"), "proof": proof}

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a document, whatever its spacing and order of fields.

        Raises:
            WireError: not a receipt.
        """
        document = parse_object(data, what="receipt")
        proof = document.pop("proof", None)
        if not isinstance(proof, dict) or proof.keys() != {"signature", "log"}:
            raise WireError("A receipt has a proof with a signature and its place in the log.")
        try:
            body = canonical(document)
        except ValueError as error:  # lone surrogates, which no signed body holds
            raise WireError("This receipt holds text that is no text.") from error
        signature = unb64(get_str(proof, "signature"), what="signature", length=64)
        record = SignedRecord(type=RECORD_TYPE, body=body, signature=signature)
        return cls(record=record, log=LogProof.from_json(proof["log"]))


def sign_receipt(
    events: Sequence[LoggedEvent],
    *,
    controller: Controller,
    text_hashes: Mapping[str, Mapping[Language, str]],
    issued_at: int,
    key: Ed25519PrivateKey,
) -> SignedRecord:
    """Build and sign the record of some events of one shopper and epoch.

    Args:
        events: what the receipt is about.
        controller: who answers for it, as the operator says at ``issued_at``.
        text_hashes: the hex SHA-256 of each notice that the events name, by language.
        issued_at: when this copy is made, Unix milliseconds.
        key: the service's key.

    Raises:
        InvalidInputError: no events, or of more than one shopper or epoch.
    """
    if len({(event.shopper, event.epoch) for event in events}) != 1:
        raise InvalidInputError("A receipt covers one epoch of one shopper.")
    first = events[0]
    identifier = f"urn:fedcart:record:{first.shopper}:{first.epoch}"
    body = {
        "@context": dict(dpv.CONTEXT),
        "@id": identifier,
        "@type": "dpv:ConsentReceipt",
        "schema_version": SCHEMA,
        "record_id": identifier,
        "pii_principal_id": first.shopper,
        "issued_at": moment(issued_at),
        "privacy_notice": [
            {
                "version": version,
                "sha256": {str(language): text for language, text in hashes.items()},
                "location": f"/v1/notices/{version}",
            }
            for version, hashes in text_hashes.items()
        ],
        "language": first.language or NOT_STATED,
        "pii_processing": [
            _processing(purpose, events, controller)
            for purpose in dict.fromkeys(event.purpose for event in events)
        ],
        "party_identification": [_party(controller), _SHOPPER, _SERVICE],
        "events": [_event(event) for event in events],
    }
    return SignedRecord.sign(RECORD_TYPE, body, key)


def moment(time: int) -> str:
    """A time in Unix milliseconds as ISO 8601 in UTC."""
    seconds, milliseconds = divmod(time, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


_SHOPPER: Final = {"party_id": "shopper", "type": "dpv:DataSubject"}
_SERVICE: Final = {"party_id": "service", "type": "fedcart:ConsentService"}


def _party(controller: Controller) -> dict[str, str]:
    return {
        "party_id": "controller",
        "name": controller.name,
        "address": controller.address,
        "contact": controller.contact,
        "type": "dpv:DataController",
    }


def _processing(
    purpose: Purpose, events: Iterable[LoggedEvent], controller: Controller
) -> dict[str, Any]:
    return {
        "purpose": str(purpose),
        "purpose_terms": list(dpv.PURPOSES[purpose]),
        "lawful_basis": "dpv:Consent",
        "pii_information": [
            {"category": str(event.category), "pii_type": dpv.CATEGORIES[event.category]}
            for event in events
            if event.purpose is purpose
        ],
        "pii_controllers": ["controller"],
        "storage_locations": ["fedcart:ShoppersOwnClient", controller.storage],
        "retention_period": "fedcart:UntilErasedAtTheClient",
        "jurisdiction": controller.jurisdiction,
        "recipient_third_parties": list(dpv.RECIPIENTS[purpose]),
        "withdrawal_method": "PUT /v1/shoppers/{shopper}/consents, or: fedcart device choose",
    }


def _event(event: LoggedEvent) -> dict[str, Any]:
    hers = event.state is not ConsentState.EXPIRED
    described = {
        "event_time": moment(event.time),
        "entity_id": "shopper" if hers else "service",
        "event_type": "dpv:ExplicitlyExpressedConsent" if hers else "fedcart:Expiry",
        "event_state": dpv.STATES[event.state],
        "logged_event": event.to_json(),
    }
    if event.state in LIVE_STATES and event.expires_at is not None:
        described["validity_duration"] = f"PT{(event.expires_at - event.time) // 1000}S"
    return described


def _logged(entry: object) -> LoggedEvent:
    logged = entry.get("logged_event") if isinstance(entry, dict) else None
    if not isinstance(logged, dict):
        raise WireError("An event of this receipt has no log entry.")
    return LoggedEvent.from_json(logged)


def _leaf(entry: object) -> LeafProof:
    if not isinstance(entry, dict) or entry.keys() != {"index", "path"}:
        raise WireError("The place of an event has exactly the fields index and path.")
    return LeafProof(
        index=get_int(entry, "index", low=0, high=_MAX_INDEX), path=parse_path(entry["path"])
    )
