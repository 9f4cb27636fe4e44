"""What is told about an erasure and about rebuilt models. Times are Unix milliseconds."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from consent.instruction import InstructionState
from consent.rights.request import RequestKind, RequestState
from consent.service.schemas import HexHash, Schema
from consent.tasks.names import TaskName


class ErasedClient(Schema):
    """A device or store that was told to erase, and how far it has come."""

    kind: str
    state: InstructionState
    changed_at: int


class ModelTrace(Schema):
    """A round whose sum had her data, and the bound on what the released model keeps of it.

    ``epsilon`` and ``delta`` are the round's planned worst case, ``epsilon_so_far`` the bound on
    all releases up to it; null where the round carried no noise, so that there is no bound, or
    where nothing was released yet. ``shoppers`` is how many were in the sum.
    """

    task: TaskName
    round: str
    committed_at: int
    released_at: int | None
    epsilon: float | None
    delta: float | None
    epsilon_so_far: float | None
    shoppers: int | None
    artefact: str | None


class RebuildState(Schema):
    """A task whose models are rebuilt from before a round, and whether that was done."""

    task: TaskName
    from_round: str
    asked_at: int
    done_at: int | None
    artefact: str


class Tier(StrEnum):
    """The tiers of erasure: her records, the trace in shared models, their exact rebuilding."""

    RECORDS = "records"
    BOUND = "bound"
    EXACT = "exact"


class ErasureStatus(Schema):
    """How an erasure stands, for whoever has its code.

    Attributes:
        state: the state of the request; null once everything is gone.
        tiers: which tiers ran or are under way.
        purge_after: until when her choices stand under the opaque id alone, as proof of consent.
        purged_at: when those were deleted too.
        backups_until: by when the last backup that holds what was erased is gone.
        points_lost: points that she had not used.
        models: the shared models that had her data; empty once everything is gone.
    """

    kind: RequestKind
    state: RequestState | None
    tiers: list[Tier]
    received_at: int
    erased_at: int
    backups_until: int
    purge_after: int
    purged_at: int | None
    points_lost: int
    clients: list[ErasedClient]
    models: list[ModelTrace]
    rebuilds: list[RebuildState]


class ErasurePreview(Schema):
    """What an erasure would do now: what she should know before she confirms.

    ``points`` are lost with it, ``code_points`` are those of codes that she has not used.
    """

    points: int
    code_points: int
    clients: int
    backups_until: int
    purge_after: int
    models: list[ModelTrace]


class RebuildSchema(RebuildState):
    """A rebuild as operators see it: for how many erasures, and the manifest it goes back to."""

    id: str
    erasures: int
    context: str | None


class Rebuilds(Schema):
    """Rebuilds, open ones first."""

    rebuilds: list[RebuildSchema]


class RebuildDone(Schema):
    """That the models of a task were rebuilt: the hex SHA-256 of what was published instead."""

    artefact: Annotated[HexHash, Field(description="SHA-256 of the rebuilt model's file.")]
