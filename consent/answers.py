"""What the consent service answers, as a caller reads it: strictly, and of the right type only."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from consent.purpose import Category, Cell, ConsentState, Purpose
from crypto.commit import Commit
from crypto.grant import ParticipationGrant
from crypto.wire import SignedRecord


class Answer(BaseModel):
    """Parsed in strict mode: unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RegisteredAnswer(Answer):
    """A new shopper."""

    shopper: str
    token: str
    epoch: int


class CellAnswer(Answer):
    """One cell of the matrix."""

    purpose: Purpose
    category: Category
    state: ConsentState
    notice_version: str | None
    since: int | None


class ConsentsAnswer(Answer):
    """A shopper's matrix."""

    shopper: str
    epoch: int
    consents: list[CellAnswer]


class PairedAnswer(Answer):
    """The client that stands for a shopper."""

    client: str
    epoch: int


class GrantedAnswer(Answer):
    """One granted shopper."""

    shopper: str
    token: str


class RefusedAnswer(Answer):
    """One refused shopper."""

    shopper: str
    reason: str


class ParticipationAnswer(Answer):
    """All asked shoppers."""

    grants: list[GrantedAnswer]
    refused: list[RefusedAnswer]


class StandingAnswer(Answer):
    """Grants that stand."""

    standing: list[str]


class EligibleAnswer(Answer):
    """Clients with consent."""

    eligible: list[str]


class RecordAnswer(Answer):
    """A signed record."""

    type: str
    body: str
    signature: str


class DroppedAnswer(Answer):
    """An upload that was left out."""

    upload: str
    reason: str


class CommitAnswer(Answer):
    """A commit and what it leaves out."""

    commit: RecordAnswer
    dropped: list[DroppedAnswer]


class KeysAnswer(Answer):
    """The issuer and its key."""

    issuer: str
    public_key: str


class Funnel(Answer):
    """The consent funnel of a round: counts of shoppers."""

    asked: int
    granted: int
    refused: int
    withdrawn_before_commit: int
    aggregated_after_withdrawal: int


@dataclass(frozen=True, kw_only=True)
class ServiceKeys:
    """The issuer's name and the key that signs its grants and commits."""

    issuer: str
    key: Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A new shopper: her id, her bearer token (shown once) and her consent epoch."""

    shopper: str
    token: str = field(repr=False)
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Consents:
    """A shopper's epoch and the state of every cell of her matrix."""

    epoch: int
    cells: dict[Cell, ConsentState]


@dataclass(frozen=True, kw_only=True)
class VerifiedGrant:
    """A grant that the pinned key signed for this client, task and round, and its token."""

    token: str = field(repr=False)
    grant: ParticipationGrant


@dataclass(frozen=True, kw_only=True)
class Participation:
    """Every asked shopper: her grant, or the code of the reason why she has none."""

    grants: dict[str, VerifiedGrant]
    refused: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An upload that the coordinator offers for the commit: hash, client, ids of its grants."""

    upload: str
    client: str
    grants: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The signed list as sent to key holders, its parsed form, and why each other was dropped."""

    record: SignedRecord
    commit: Commit
    dropped: dict[str, str]
