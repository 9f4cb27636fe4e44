"""The tables of sign-in through a retailer: who is whom there, and sign-ins under way."""

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consent.service.tables import BIG, Base


class FederatedIdentity(Base, table=True):
    """That somebody at an identity provider is an account here.

    ``subject_hash`` is an HMAC of issuer and subject under a key of the service's own. A retailer's
    subject may be its customer number: who gets a copy of this table can't match shoppers with a
    retailer's customers by it, and the service needs the subject for nothing but finding this row.
    """

    __tablename__ = "federated_identity"
    __table_args__ = (
        UniqueConstraint("issuer", "subject_hash"),
        UniqueConstraint("account_id", "issuer"),
    )

    id: str = Field(primary_key=True)
    issuer: str
    subject_hash: str
    account_id: str = Field(foreign_key="account.id")
    created_at: int = Field(sa_type=BIG)
    last_used_at: int | None = Field(default=None, sa_type=BIG)


class OidcAttempt(Base, table=True):
    """A sign-in that was begun: hashes of its state, of the cookie it is bound to, of the login.

    PKCE verifier and nonce are derived from the cookie's value, so a copy of this table can finish
    nothing.
    """

    __tablename__ = "oidc_attempt"

    state_hash: str = Field(primary_key=True)
    binding_hash: str
    provider: str
    purpose: str
    session_hash: str | None = None
    next_path: str
    created_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG, index=True)
