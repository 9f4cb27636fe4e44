"""The tables of rounds: task policies, reports of releases, and shoppers' diaries.

All of them are history: rows are added and never changed. A diary entry holds the pseudonym of the
grant that stood in the round's list; the points of the round are in the ledger under the same one.
"""

from sqlalchemy import Float, Index, UniqueConstraint
from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, ERASABLE, Base, Owner


class RoundPolicy(Base, table=True):
    """The signed manifest of a round, exactly as it was published."""

    __tablename__ = "round_policy"
    __table_args__ = (
        UniqueConstraint("task", "round_id"),
        Index("round_policy_task", "task", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    task: str
    round_id: str
    context: str
    record: bytes
    published_at: int = Field(sa_type=BIG)


class RoundRelease(Base, table=True):
    """What the coordinator reported after publication. ``epsilon`` is the planned worst case.

    ``spent`` is the composed bound of everything that was released up to then, at the same δ.
    Both are null where the round carried no noise.
    """

    __tablename__ = "round_release"

    policy_id: int = Field(foreign_key="round_policy.id", primary_key=True, sa_type=BIG)
    commit_id: int = Field(foreign_key="round_commit.id", unique=True, sa_type=BIG)
    report_hash: str
    epsilon: float | None = Field(sa_type=Float)
    spent: float | None = Field(sa_type=Float)
    delta: float = Field(sa_type=Float)
    clients: int
    shoppers: int
    artefact: str
    released_at: int = Field(sa_type=BIG)


class DiaryEntry(Base, table=True):
    """A shopper was in the sum of a released round, under a pseudonym and a notice version."""

    __tablename__ = "diary_entry"
    __table_args__ = (
        UniqueConstraint("policy_id", "subject"),
        Index("diary_entry_shopper", "shopper_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    shopper_id: str = Field(foreign_key="shopper.id")
    policy_id: int = Field(foreign_key="round_release.policy_id", sa_type=BIG)
    subject: str
    notice_version: str


APPEND_ONLY.update({"round_policy", "round_release", "diary_entry"})
ERASABLE["diary_entry"] = Owner("OLD.shopper_id")
