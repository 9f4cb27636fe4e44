"""The tables of the records: published notices and the log.

A node of the log is stored under its in-order position (``consent.log.tree``); leaf i is node 2i,
and the event that it stands for says so (``consent_event.leaf``). Keys lie apart from everything
else, so that destroying one row unlinks a shopper's leaves.
"""

from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, Base


class PublishedNotice(Base, table=True):
    """A notice version, what it covers and changes; ``number`` counts the publications."""

    __tablename__ = "published_notice"

    version: str = Field(primary_key=True)
    number: int = Field(unique=True)
    purposes: str
    categories: str
    touches: str
    published_at: int = Field(sa_type=BIG)


class NoticeText(Base, table=True):
    """The exact text of a published version in one language."""

    __tablename__ = "notice_text"

    version: str = Field(foreign_key="published_notice.version", primary_key=True)
    language: str = Field(primary_key=True)
    text: bytes
    sha256: str


class LogKey(Base, table=True):
    """The key under which a shopper's events are hashed into the log."""

    __tablename__ = "log_key"

    shopper_id: str = Field(foreign_key="shopper.id", primary_key=True)
    key: bytes


class LogNode(Base, table=True):
    """The hash of one complete subtree."""

    __tablename__ = "log_node"

    position: int = Field(sa_type=BIG, primary_key=True)
    hash: bytes


class LogHead(Base, table=True):
    """A tree head that was signed and handed out; at most one a size."""

    __tablename__ = "log_head"

    size: int = Field(sa_type=BIG, primary_key=True)
    record: bytes


APPEND_ONLY.update({"published_notice", "notice_text", "log_node", "log_head"})
