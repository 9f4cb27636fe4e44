"""The table of what is counted: attempts a window, under keys that say nothing."""

from sqlmodel import Field

from consent.service.tables import BIG, Base


class Hit(Base, table=True):
    """How often one key was used in one window of time.

    ``key`` is an HMAC under a key of the service's, so neither addresses nor names can be read or
    guessed from it. A row is of no use after ``expires_at`` (Unix milliseconds) and is then pruned.
    """

    __tablename__ = "hit"

    key: str = Field(primary_key=True)
    window: int = Field(sa_type=BIG, primary_key=True)
    count: int
    expires_at: int = Field(sa_type=BIG, index=True)
