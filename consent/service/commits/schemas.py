"""Requests and answers about commits."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from consent.service.schemas import (
    HexHash,
    Identifier,
    Name,
    Schema,
    SignedRecordSchema,
    Thumbprint,
)
from consent.tasks.names import TaskName
from crypto.wire import canonical, digest

MAX_UPLOADS: Final = 100_000
MAX_GRANTS: Final = 10_000


class OfferedUpload(Schema):
    """One upload that the coordinator holds: its hash, its client and the grants it presented."""

    upload: HexHash
    client: Thumbprint
    grants: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_GRANTS)]


class CommitRequest(Schema):
    """Every upload of a round; uploads, clients and grants each named once."""

    task: TaskName
    round: Name
    context: Name
    uploads: Annotated[list[OfferedUpload], Field(max_length=MAX_UPLOADS)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _refuse_repeats("upload", [entry.upload for entry in self.uploads])
        _refuse_repeats("client", [entry.client for entry in self.uploads])
        _refuse_repeats("grant", [grant for entry in self.uploads for grant in entry.grants])
        return self

    def hash(self) -> str:
        """Hex hash of what is asked; the order of uploads and of grants makes no difference."""
        uploads = sorted([e.upload, e.client, sorted(e.grants)] for e in self.uploads)
        body = {"task": self.task, "round": self.round, "context": self.context}
        return digest("commit-request", canonical({**body, "uploads": uploads})).hex()


class DropReason(StrEnum):
    """Why an upload is not in the commit."""

    UNKNOWN_GRANT = "unknown-grant"
    OTHER_BINDING = "other-binding"
    NOT_STANDING = "not-standing"


class DroppedUpload(Schema):
    """An upload that was left out, and why."""

    upload: str
    reason: DropReason


class CommitAnswer(Schema):
    """The signed list (type ``commit``) and the uploads that are not in it."""

    commit: SignedRecordSchema
    dropped: list[DroppedUpload]


def _refuse_repeats(what: str, values: Sequence[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"each {what} is named at most once")
