"""Requests and answers about pairing devices."""

from typing import Annotated

from pydantic import Field, StringConstraints

from consent.service.schemas import Schema
from consent.service.shoppers.schemas import ClientKind
from consent.tasks.names import TaskName

DeviceLabel = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"), Field(default="")
]


class CodeWish(Schema):
    """Ask for a pairing code; ``label`` is what she calls the device."""

    label: DeviceLabel = ""


class NewCode(Schema):
    """A pairing code, shown once; it works once, until ``expires_at`` (Unix milliseconds)."""

    code: str
    expires_at: int


class PairedDevice(Schema):
    """What a device gets for a good code: whose it is now, and its own token (shown once)."""

    shopper: str
    token: str
    client: str
    epoch: int


class PairedClient(Schema):
    """A client that stands for the shopper: in some tasks, or in all others if none is named.

    ``paired_at`` (Unix milliseconds) is missing for one that was not paired by a code.
    """

    client: str
    kind: ClientKind
    label: str
    tasks: list[TaskName]
    paired_at: int | None


class PairedClients(Schema):
    """The shopper's clients, and until when a pairing code of hers is open."""

    clients: list[PairedClient]
    code_expires_at: int | None
