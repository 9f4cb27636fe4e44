"""The tables of the consent service.

Times are Unix milliseconds. ``consent_event`` is the history of every decision; it and the commits
can't be changed or deleted, by trigger. Grants and commits remember the last event that preceded
them (``after_event``): event numbers only grow and writers are serialised, so the history alone
tells which came first, whatever the clock did.

The tables are made by the migrations, never from here; a test holds the two to each other. After a
change here, draft a migration (``consent.service.migrations.draft`` says how).
"""

from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Index, Integer, MetaData, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# 64 bits on every database; SQLite's rows are numbered by INTEGER, which has 64 there.
BIG: Final = BigInteger().with_variant(Integer(), "sqlite")
# SQLite keeps such a table as one tree by its key instead of two: what live checks look up most.
_BY_KEY: Final = {"sqlite_with_rowid": False}
# Constraints with names can be changed by a later migration, whichever database it is.
_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Base(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """The consent service's own tables, apart from any other service's in the same process."""


METADATA: MetaData = Base.metadata
EVERY_TASK: Final = ""  # sorts before every task's name
# Tables whose rows can't be changed or deleted; a slice with tables of its own adds their names.
APPEND_ONLY: Final[set[str]] = {"consent_event", "round_commit", "committed_grant"}


class Owner(NamedTuple):
    """Whose a row of an append-only table is, and when it may be deleted after her erasure.

    Attributes:
        sql: what names the shopper of the row ``OLD``.
        at_once: from her erasure on, and not only once the time of proof is over.
    """

    sql: str
    at_once: bool = False


# The append-only tables that hold something of one shopper: once she is erased, her rows can be
# deleted, and only hers.
ERASABLE: Final[dict[str, Owner]] = {
    "consent_event": Owner("OLD.shopper_id"),
    "committed_grant": Owner(
        "(SELECT shopper_id FROM participation_grant WHERE token_id = OLD.token_id)"
    ),
}

# The append-only tables whose oldest rows the retention schedule ends: what must hold of a row
# ``OLD`` for it to be deleted.
PRUNABLE: Final[dict[str, str]] = {}


class Shopper(Base, table=True):
    """A shopper: an opaque id, her token's hash, and her consent epoch and floor.

    ``restricted_at`` is set while her data is kept and not used. ``residence`` is where she said
    that she lives (``consent.rights.clock``), empty where she said nothing.

    ``given`` and ``ends_at`` repeat what live checks need of her cells, so that a check of
    thousands of grants reads one row for each shopper: her live cells of the purposes that tasks
    require, and when the first of all her live cells ends. They are stored with the cells, in the
    same step (``ShopperRepository.save_cells``), and never apart from them.
    """

    __tablename__ = "shopper"
    __table_args__ = _BY_KEY

    id: str = Field(primary_key=True)
    token_hash: str = Field(unique=True)
    epoch: int = Field(ge=0)
    floor: int = Field(ge=0)
    created_at: int = Field(sa_type=BIG)
    restricted_at: int | None = Field(default=None, sa_type=BIG)
    residence: str = Field(default="", sa_column_kwargs={"server_default": ""})
    given: str = Field(default="", sa_column_kwargs={"server_default": ""})
    ends_at: int | None = Field(default=None, sa_type=BIG)


class ConsentEvent(Base, table=True):
    """One change of one cell, for ever, and the number of its leaf in the log."""

    __tablename__ = "consent_event"
    __table_args__ = (
        Index("consent_event_shopper", "shopper_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    shopper_id: str = Field(foreign_key="shopper.id")
    purpose: str
    category: str
    state: str
    notice_version: str
    language: str
    epoch: int = Field(sa_type=BIG)
    time: int = Field(sa_type=BIG)
    expires_at: int | None = Field(sa_type=BIG)
    leaf: int = Field(sa_type=BIG, unique=True)


class Consent(Base, table=True):
    """The state of one cell now; ``since`` is the time and ``epoch`` the epoch of its decision.

    ``expires_at`` is set while consent is given: from then on the cell counts as expired.
    """

    __tablename__ = "consent"
    __table_args__ = _BY_KEY

    shopper_id: str = Field(foreign_key="shopper.id", primary_key=True)
    purpose: str = Field(primary_key=True)
    category: str = Field(primary_key=True)
    state: str
    notice_version: str
    epoch: int
    since: int = Field(sa_type=BIG)
    expires_at: int | None = Field(sa_type=BIG, index=True)


class Client(Base, table=True):
    """A device or store, known by the thumbprint of its Ed25519 key.

    ``store`` says whose a store's client is: the name of the tokens that it acts with.
    """

    __tablename__ = "client"

    thumbprint: str = Field(primary_key=True)
    public_key: str
    kind: str
    store: str | None = None


class Membership(Base, table=True):
    """The one client that stands for a shopper in a task.

    The row of EVERY_TASK is about every task that she has no row of its own for.
    """

    __tablename__ = "membership"

    shopper_id: str = Field(foreign_key="shopper.id", primary_key=True)
    task: str = Field(default="", primary_key=True, sa_column_kwargs={"server_default": ""})
    client_id: str = Field(foreign_key="client.thumbprint", index=True)


class Grant(Base, table=True):
    """The one grant of a shopper in a round. Its terms never change; a repeat renews its time."""

    __tablename__ = "participation_grant"
    __table_args__ = (
        UniqueConstraint("shopper_id", "task", "round_id"),
        Index("participation_grant_round", "task", "round_id"),
        _BY_KEY,
    )

    token_id: str = Field(primary_key=True)
    shopper_id: str = Field(foreign_key="shopper.id")
    client_id: str = Field(foreign_key="client.thumbprint")
    task: str
    round_id: str
    context: str
    subject: str = Field(unique=True)
    epoch: int
    notice_version: str
    categories: str
    issued_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)
    after_event: int = Field(sa_type=BIG)


class Refusal(Base, table=True):
    """A shopper for whom a round was asked and refused, with the latest reason."""

    __tablename__ = "refusal"

    task: str = Field(primary_key=True)
    round_id: str = Field(primary_key=True)
    shopper_id: str = Field(foreign_key="shopper.id", primary_key=True)
    reason: str


class RoundCommit(Base, table=True):
    """The frozen, signed list of a round, and the answer that was given with it."""

    __tablename__ = "round_commit"
    __table_args__ = (UniqueConstraint("task", "round_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    task: str
    round_id: str
    request_hash: str
    record: bytes
    dropped: str
    committed_at: int = Field(sa_type=BIG)
    after_event: int = Field(sa_type=BIG)


class CommittedGrant(Base, table=True):
    """A grant that a commit froze, and the upload it stands in."""

    __tablename__ = "committed_grant"

    token_id: str = Field(foreign_key="participation_grant.token_id", primary_key=True)
    commit_id: int = Field(foreign_key="round_commit.id", index=True, sa_type=BIG)
    upload: str
