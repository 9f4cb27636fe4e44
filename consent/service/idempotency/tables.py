"""The table of requests that may be sent again."""

from sqlmodel import Field

from consent.service.tables import BIG, Base


class KeyedRequest(Base, table=True):
    """A request with an idempotency key, and its answer once there is one.

    ``key_hash`` is an HMAC over caller, route and key. ``answer`` is encrypted under a key that is
    made of the caller's own idempotency key, which is stored nowhere: with the database, and even
    with the service's key, nobody reads an answer that holds a token. ``changed`` is set in the
    very transaction that the request changed something in.
    """

    __tablename__ = "keyed_request"

    key_hash: str = Field(primary_key=True)
    fingerprint: str
    changed: bool = False
    answer: bytes | None = None
    claimed_until: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG, index=True)
