"""The table of the audit trail: what operators, auditors and the service itself did."""

from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, PRUNABLE, Base


class AuditEntry(Base, table=True):
    """One act, chained to the one before it.

    ``id`` counts without a gap. ``hash`` covers every other column, ``previous`` among them, so a
    row that is changed, removed or put in between shows.
    """

    __tablename__ = "audit_entry"

    id: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    time: int = Field(sa_type=BIG, index=True)
    actor: str = Field(index=True)
    role: str
    action: str = Field(index=True)
    target: str
    details: str
    previous: str
    hash: str = Field(unique=True)


class AuditMark(Base, table=True):
    """That the retention schedule has ended the entries up to one, and with which hash that was."""

    __tablename__ = "audit_mark"

    through: int = Field(primary_key=True, sa_type=BIG, sa_column_kwargs={"autoincrement": False})
    hash: str
    time: int = Field(sa_type=BIG)


APPEND_ONLY.update({"audit_entry", "audit_mark"})
PRUNABLE["audit_entry"] = "EXISTS (SELECT 1 FROM audit_mark WHERE audit_mark.through >= OLD.id)"
