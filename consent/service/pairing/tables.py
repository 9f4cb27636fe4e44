"""The tables of device pairing: open codes, and the tokens of paired devices."""

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consent.service.tables import BIG, Base


class PairingCode(Base, table=True):
    """The one open code of a shopper. It is deleted when it is used or guessed at too often.

    The first half of a code, ``handle``, says which code is meant, so that wrong guesses count
    against it; the whole is stored as an HMAC.
    """

    __tablename__ = "pairing_code"

    shopper_id: str = Field(foreign_key="shopper.id", primary_key=True)
    handle: str = Field(unique=True)
    code_mac: str
    label: str = ""
    wrong_tries: int = Field(default=0)
    created_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)


class DeviceToken(Base, table=True):
    """The bearer token that a device got when it was paired; it goes when the device does."""

    __tablename__ = "device_token"
    __table_args__ = (UniqueConstraint("shopper_id", "client_id"),)

    token_hash: str = Field(primary_key=True)
    shopper_id: str = Field(foreign_key="shopper.id")
    client_id: str = Field(foreign_key="client.thumbprint", index=True)
    label: str = ""
    created_at: int = Field(sa_type=BIG)
