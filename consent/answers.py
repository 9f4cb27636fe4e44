"""What the consent service answers, as a caller reads it: strictly, and of the right type only."""

from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from consent.tasks.names import TaskName
from crypto.commit import Commit
from crypto.grant import ParticipationGrant
from crypto.wire import SignedRecord


class Answer(BaseModel):
    """Parsed in strict mode: unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Page(Answer):
    """A page of something; ``next`` is the cursor of the page that follows, if one does."""

    next: int | None


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
    expires_at: int | None


class ConsentsAnswer(Answer):
    """A shopper's matrix."""

    shopper: str
    epoch: int
    restricted: bool
    consents: list[CellAnswer]


class PairedAnswer(Answer):
    """The client that stands for a shopper."""

    client: str
    epoch: int


class DevicePairedAnswer(Answer):
    """A device that answered a pairing code."""

    shopper: str
    token: str
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


class RoundAnswer(Answer):
    """A round's task policy and what came of it: counts of shoppers and points."""

    task: TaskName
    round: str
    context: str
    published_at: int
    released_at: int | None
    diary_entries: int
    points_issued: int


class DiaryEntry(Answer):
    """A released round that a shopper's data was part of; times are Unix milliseconds."""

    number: int
    task: TaskName
    round: str
    context: str
    committed_at: int
    released_at: int
    others: int
    epsilon: float | None
    delta: float
    epsilon_so_far: float | None
    points: int
    notice_version: str
    artefact: str
    stopped_at: int | None


class DiaryAnswer(Page):
    """A page of a shopper's diary, newest first."""

    shopper: str
    rounds: int
    epsilon_so_far: float | None
    withdrawal_refunds_epsilon: Literal[False]
    entries: list[DiaryEntry]


class PointsEntry(Answer):
    """Points that moved from one account to another."""

    number: int
    debit: str
    credit: str
    points: int
    reference: str
    time: int


class PointsAnswer(Page):
    """A shopper's balance and a page of her entries, newest first."""

    shopper: str
    balance: int
    value: str
    entries: list[PointsEntry]


@dataclass(frozen=True, kw_only=True)
class ServiceKeys:
    """The issuer's name and the key that signs its grants and commits."""

    issuer: str
    key: Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class DevicePaired:
    """Whose a device is now: her id, the device's own token (shown once) and her epoch."""

    shopper: str
    token: str = field(repr=False)
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A new shopper: her id, her bearer token (shown once) and her consent epoch."""

    shopper: str
    token: str = field(repr=False)
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Consents:
    """A shopper's epoch, the state of every cell of her matrix, and whether it is restricted."""

    epoch: int
    cells: dict[Cell, ConsentState]
    restricted: bool

    def categories(self, purpose: Purpose) -> frozenset[Category]:
        """All categories that may be used for a purpose; none while her data is restricted."""
        given = {cell for cell, state in self.cells.items() if state in LIVE_STATES}
        return frozenset(
            cell.category for cell in given if cell.purpose is purpose and not self.restricted
        )


@dataclass(frozen=True, kw_only=True)
class Diary:
    """A shopper's whole diary, newest first, and the bound on all of its rounds together."""

    epsilon_so_far: float | None
    entries: tuple[DiaryEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Points:
    """A shopper's balance and all entries that it comes from, newest first."""

    balance: int
    entries: tuple[PointsEntry, ...]


@dataclass(frozen=True, kw_only=True)
class ReleaseReport:
    """What the coordinator tells about a release that it published.

    ``artefact`` is the hex SHA-256 of the published file; the bounds are None without noise.
    """

    epsilon: float | None
    epsilon_spent_in_all: float | None
    delta: float
    clients: int
    shoppers: int
    artefact: str


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
