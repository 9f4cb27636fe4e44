"""The tables of value sharing: the points ledger and discount codes.

The ledger is double entry: one row debits one account and credits another with the same points, so
all accounts together are always zero. A shopper's balance is what her rows say; it is stored
nowhere. Rows are added and never changed. When the rows of an erased shopper are deleted, their
sums take their place under nobody, so that what was issued and redeemed still adds up.
"""

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, ERASABLE, Base, Owner


class PointsEntry(Base, table=True):
    """Points that moved between a shopper's account and another.

    ``reference`` says why, once: the pseudonym of a round, the id of a code,
    ``returned:`` with the id of a code that expired unused, or an erasure.
    """

    __tablename__ = "points_entry"
    __table_args__ = (
        CheckConstraint("points > 0", name="positive"),
        CheckConstraint("debit <> credit", name="moves"),
        Index("points_entry_shopper", "shopper_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    shopper_id: str | None = Field(default=None, foreign_key="shopper.id")
    debit: str
    credit: str
    points: int
    reference: str = Field(unique=True)
    time: int = Field(sa_type=BIG)


class DiscountCode(Base, table=True):
    """A code that a shopper made of her points: its hash, and the request that asked for it."""

    __tablename__ = "discount_code"
    __table_args__ = (UniqueConstraint("shopper_id", "request_hash"),)

    id: str = Field(primary_key=True)
    shopper_id: str = Field(foreign_key="shopper.id")
    request_hash: str
    code_hash: str = Field(unique=True)
    points: int
    value: str
    created_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)


class CodeUse(Base, table=True):
    """The one use of a code: the store's client, and its name for the sale."""

    __tablename__ = "code_use"

    code_id: str = Field(foreign_key="discount_code.id", primary_key=True)
    client_id: str = Field(foreign_key="client.thumbprint")
    sale: str
    used_at: int = Field(sa_type=BIG)


APPEND_ONLY.update({"points_entry", "discount_code", "code_use"})
ERASABLE.update(
    {
        "points_entry": Owner("OLD.shopper_id"),
        "discount_code": Owner("OLD.shopper_id", at_once=True),
        "code_use": Owner("(SELECT shopper_id FROM discount_code WHERE id = OLD.code_id)"),
    }
)
