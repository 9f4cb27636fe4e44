"""The tables of passkeys: public keys that accounts sign in with, and open challenges."""

from sqlmodel import Field

from consent.service.tables import BIG, Base


class Passkey(Base, table=True):
    """A passkey: only its public half, so a stolen table signs nobody in.

    ``sign_count`` is the highest counter that its authenticator has shown; most synchronised
    passkeys always show 0. ``backed_up`` says whether it is copied to other devices of its owner.
    """

    __tablename__ = "passkey"

    id: str = Field(primary_key=True)
    credential_id: str = Field(unique=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    public_key: bytes
    sign_count: int = Field(sa_type=BIG)
    transports: str = ""
    backed_up: bool
    name: str
    created_at: int = Field(sa_type=BIG)
    last_used_at: int | None = Field(default=None, sa_type=BIG)


class WebauthnChallenge(Base, table=True):
    """A challenge that may be answered once: its hash, and the hash of what it is bound to.

    That is the token of a login, or the token of an anonymous ceremony, which only whoever began
    it has.
    """

    __tablename__ = "webauthn_challenge"

    challenge_hash: str = Field(primary_key=True)
    ceremony: str
    bound_to: str
    expires_at: int = Field(sa_type=BIG, index=True)
