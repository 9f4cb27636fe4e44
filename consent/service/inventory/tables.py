"""The tables of the inventory: counted figures, and attacks that somebody ran against a model."""

from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, Base


class Figure(Base, table=True):
    """A count over every shopper, as it was at a time; the next count takes its place."""

    __tablename__ = "figure"

    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BIG)
    counted_at: int = Field(sa_type=BIG)


class AttackAudit(Base, table=True):
    """What one attack on a task's released model reached, as an operator recorded it."""

    __tablename__ = "attack_audit"

    id: str = Field(primary_key=True)
    task: str = Field(index=True)
    attack: str
    measure: str
    value: float
    report_sha256: str
    recorded_at: int = Field(sa_type=BIG)
    actor: str


APPEND_ONLY.add("attack_audit")
