"""Requests and answers about task policies, releases and diaries.

Times are Unix milliseconds. An ε is the planned worst case of a round at its δ, as the signed
manifest states it: it depends on no data. Null means that the round carried no noise.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from consent.service.schemas import HexHash, Schema, SignedRecordSchema
from consent.tasks.names import TaskName

Epsilon = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]


class Policy(Schema):
    """A task policy word for word: the manifest with the bytes that the coordinator signed.

    ``context`` is the hash of those bytes, to which grants, uploads and the round's list are
    bound. The round takes uploads from ``opens`` to ``closes``.
    """

    task: TaskName
    round: str
    context: str
    published_at: int
    opens: int
    closes: int
    manifest: SignedRecordSchema


class Policies(Schema):
    """Task policies, newest first; pass ``next`` as ``cursor`` for older ones.

    ``coordinator_key`` is the pinned base64url key that signed them all.
    """

    coordinator_key: str | None
    policies: list[Policy]
    next: int | None = None


class ReleaseReport(Schema):
    """What the coordinator published for a round.

    ``epsilon_spent_in_all`` is the composed bound of all its releases up to this one, at δ;
    ``artefact`` the hex SHA-256 of the published file.
    """

    epsilon: Epsilon | None
    epsilon_spent_in_all: Epsilon | None
    delta: Annotated[float, Field(gt=0, lt=1, strict=True)]
    clients: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    shoppers: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]
    artefact: HexHash

    @model_validator(mode="after")
    def _composed(self) -> Self:
        if (self.epsilon is None) != (self.epsilon_spent_in_all is None):
            raise ValueError("both bounds are stated, or none")
        return self


class RoundState(Schema):
    """A round as the coordinator sees it: counts of shoppers and points, never their ids."""

    task: TaskName
    round: str
    context: str
    published_at: int
    released_at: int | None
    diary_entries: int
    points_issued: int


class DiaryEntrySchema(Schema):
    """A released round that her data was part of.

    Attributes:
        number: place in the diary of all; later entries have larger ones.
        committed_at: when the list was frozen: from then on her part could not be taken out.
        others: how many other shoppers were in the sum.
        epsilon, delta: the round's planned worst-case bound.
        epsilon_so_far: bound on all rounds up to this one together, as the coordinator's record
            states it; hers is at most that, because it also counts rounds without her.
        stopped_at: when her consent to this task ended since, if it is not given now. It stops
            further use; what was published before stays, and so does its ε.
    """

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


class Diary(Schema):
    """A shopper's diary of rounds, newest first; pass ``next`` as ``cursor`` for older ones.

    ``epsilon_so_far`` bounds everything published with her data, at the rounds' δ: an upper bound,
    because it counts all rounds up to her latest one. Null with entries means that one of her
    rounds carried no noise, so there is no bound. Withdrawing refunds no ε.
    """

    shopper: str
    rounds: int
    epsilon_so_far: float | None
    withdrawal_refunds_epsilon: Literal[False] = False
    entries: list[DiaryEntrySchema]
    next: int | None = None
