"""The tables of minors: what was stated of ages, and who is whose guardian."""

from sqlalchemy import Index
from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, ERASABLE, Base, Owner


class AgeStatement(Base, table=True):
    """An age band as its shopper stated it; the latest one counts. No date of birth anywhere."""

    __tablename__ = "age_statement"
    __table_args__ = (Index("age_statement_shopper", "shopper_id", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    shopper_id: str = Field(foreign_key="shopper.id")
    band: str
    time: int = Field(sa_type=BIG)


class GuardianCode(Base, table=True):
    """A short code that a minor shows her guardian: its HMAC, and until when it links them."""

    __tablename__ = "guardian_code"

    code_hash: str = Field(primary_key=True)
    ward_id: str = Field(foreign_key="shopper.id", index=True)
    expires_at: int = Field(sa_type=BIG)


class GuardianLink(Base, table=True):
    """The one guardian of a minor; both are shoppers."""

    __tablename__ = "guardian_link"

    ward_id: str = Field(foreign_key="shopper.id", primary_key=True)
    guardian_id: str = Field(foreign_key="shopper.id", index=True)
    since: int = Field(sa_type=BIG)


APPEND_ONLY.add("age_statement")
ERASABLE["age_statement"] = Owner("OLD.shopper_id")
