"""What the service tells about a shopper's privacy signal."""

from enum import StrEnum

from pydantic import ConfigDict

from consent.purpose import Category, Purpose
from consent.service.schemas import Schema


class SignalStatus(StrEnum):
    """Whether an opt-out preference signal of hers is honoured (11 CCR §7025(c)(6))."""

    HONOURED = "honoured"
    NOT_SEEN = "not-seen"


class SignalCell(Schema):
    """A cell that the signal is about."""

    purpose: Purpose
    category: Category


class Signals(Schema):
    """A shopper's Global Privacy Control signal, and what it does.

    Attributes:
        since: when it was first seen, Unix milliseconds.
        bound: the purposes that it binds: all that leave the device.
        withdrawn: what it ended when it was first seen.
        affirmed: bound cells that are given now, because she affirmed them since.
        points_conflict: it took her out of the points programme, and she has not affirmed since
            that she wants to stay in it. No new points are credited; none are taken back.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shopper": "0f" * 16,
                    "gpc": "honoured",
                    "since": 1_800_000_000_000,
                    "bound": ["train-shared-models", "value-sharing"],
                    "withdrawn": [{"purpose": "value-sharing", "category": "purchases"}],
                    "affirmed": [],
                    "points_conflict": True,
                }
            ]
        }
    )

    shopper: str
    gpc: SignalStatus
    since: int | None = None
    bound: list[Purpose]
    withdrawn: list[SignalCell]
    affirmed: list[SignalCell]
    points_conflict: bool


class WellKnown(Schema):
    """The resource ``/.well-known/gpc.json``: this service honours the signal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"gpc": True, "lastUpdate": "2026-11-23"}]}
    )

    gpc: bool
    lastUpdate: str  # noqa: N815 - the specification's own spelling
