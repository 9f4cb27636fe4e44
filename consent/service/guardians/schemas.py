"""Requests and answers about ages and guardians. Times are Unix milliseconds."""

from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from consent.ages import AgeBand
from consent.service.schemas import Schema

CODE_PATTERN = r"^[A-Z2-7]{4}-?[A-Z2-7]{4}$"


class Age(Schema):
    """What a shopper stated of her age, and what follows from it.

    ``guardian_needed``: her *yes* waits for a guardian's. ``guardian`` is whether she has one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shopper": "0f" * 16,
                    "band": "13-15",
                    "stated_at": 1_800_000_000_000,
                    "guardian_needed": True,
                    "guardian": False,
                }
            ]
        }
    )

    shopper: str
    band: AgeBand
    stated_at: int | None = None
    guardian_needed: bool
    guardian: bool


class AgeChange(Schema):
    """An age band. A date of birth is never asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"band": "adult"}]})

    band: AgeBand


class ShownCode(Schema):
    """A short code for a minor to show her guardian, once, and until when it works."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "MFRG-GZDF", "expires_at": 1_800_000_900_000}]}
    )

    code: str
    expires_at: int


class WardCode(Schema):
    """The code that a minor has shown her guardian."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "MFRG-GZDF"}]})

    code: Annotated[str, StringConstraints(pattern=CODE_PATTERN)]


class Ward(Schema):
    """A minor whose guardian one is: since when, her age band, and how many cells wait."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ward": "1e" * 16, "band": "13-15", "since": 1_800_000_000_000, "waiting": 1}
            ]
        }
    )

    ward: str
    band: AgeBand
    since: int
    waiting: int


class Wards(Schema):
    """Everybody whose guardian one is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"wards": []}]})

    wards: list[Ward]
