"""Requests and answers about points, codes and the financial incentive."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from consent.incentive import MAX_POINTS
from consent.notice import Language
from consent.service.schemas import Schema


class Account(StrEnum):
    """The accounts of the ledger: who gives points, who has them, and what was turned to codes."""

    ISSUER = "issuer"
    SHOPPER = "shopper"
    REDEEMED = "redeemed"


class EntrySchema(Schema):
    """Points that moved from one account (debit) to another (credit).

    ``reference`` is the pseudonym of the round, the id of the code, or ``returned:`` with the id
    of a code that expired unused. The time is in Unix milliseconds.
    """

    number: int
    debit: Account
    credit: Account
    points: int
    reference: str
    time: int


class Points(Schema):
    """A shopper's balance and entries, newest first; pass ``next`` as ``cursor`` for older ones."""

    shopper: str
    balance: int
    value: str
    entries: list[EntrySchema]
    next: int | None = None


class CodeRequest(Schema):
    """How many points to turn into a code."""

    points: Annotated[int, Field(ge=1, le=MAX_POINTS, strict=True)]


class IssuedCode(Schema):
    """A discount code, the only time that it is shown, and what it is worth at the till.

    ``balance`` is what remains. ``expires_at`` is in Unix milliseconds.
    """

    id: str
    code: str
    points: int
    value: str
    expires_at: int
    balance: int


class CodeState(Schema):
    """One of a shopper's codes. ``code`` is there while a till would take it.

    Times are Unix milliseconds.
    """

    id: str
    code: str | None
    points: int
    value: str
    created_at: int
    expires_at: int
    used_at: int | None


class Redeemed(Schema):
    """A code that was redeemed: what to take off this sale. Times are Unix milliseconds."""

    id: str
    sale: str
    points: int
    value: str
    redeemed_at: int


class IncentiveNotice(Schema):
    """The financial-incentive notice with its terms, and the hex SHA-256 of the text."""

    language: Language
    points_per_round: int
    point_value: str
    code_days: int
    sha256: str
    text: str
