"""The tables of erasure: who was erased and until when proof is kept, and models to be rebuilt.

The triggers of the append-only tables read ``erasure``: rows of a shopper can be deleted once she
has one and its purge has begun, which the checks here allow only when the time of proof is over.
"""

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field

from consent.service.tables import BIG, Base


class Erasure(Base, table=True):
    """One erased shopper.

    ``code_hash`` is of the code with which she sees the status without a login. When everything
    is gone, ``shopper_id`` and ``request_id`` are emptied too; what stays says what was asked and
    when it was done, not by whom (11 CCR §7101).
    """

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("purge_after >= erased_at", name="held"),
        CheckConstraint(
            "purge_started_at IS NULL OR purge_started_at >= purge_after", name="purged_late"
        ),
    )

    id: str = Field(primary_key=True)
    code_hash: str = Field(unique=True)
    shopper_id: str | None = Field(default=None, foreign_key="shopper.id", unique=True)
    request_id: str | None = Field(default=None, foreign_key="rights_request.id")
    kind: str
    received_at: int = Field(sa_type=BIG)
    erased_at: int = Field(sa_type=BIG)
    backups_until: int = Field(sa_type=BIG)
    purge_after: int = Field(sa_type=BIG, index=True)
    purge_started_at: int | None = Field(default=None, sa_type=BIG)
    purged_at: int | None = Field(default=None, sa_type=BIG)
    points_lost: int = 0


class Rebuild(Base, table=True):
    """A task whose models are to be rebuilt from before a round, for everybody who asked by then.

    ``from_commit`` is the earliest commit that any of them was part of. At most one of a task is
    open: ``open_task`` is its name while it is, and is emptied when the operator has done it.
    """

    __tablename__ = "rebuild"

    id: str = Field(primary_key=True)
    task: str
    open_task: str | None = Field(default=None, unique=True)
    from_commit: int = Field(foreign_key="round_commit.id", sa_type=BIG)
    asked_at: int = Field(sa_type=BIG)
    done_at: int | None = Field(default=None, sa_type=BIG)
    artefact: str = ""


class ErasureRebuild(Base, table=True):
    """An erasure that a rebuild is for."""

    __tablename__ = "erasure_rebuild"
    __table_args__ = (UniqueConstraint("erasure_id", "rebuild_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    erasure_id: str = Field(foreign_key="erasure.id")
    rebuild_id: str = Field(foreign_key="rebuild.id", index=True)
