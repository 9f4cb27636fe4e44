"""Every query about machines' tokens."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.accounts.tables import ApiToken


class MachineRepository:
    """Machines' tokens of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, token: ApiToken) -> None:
        """Add a token, at once."""
        self._session.add(token)
        self._session.flush()

    def all(self) -> list[ApiToken]:
        """Every token that there ever was, oldest first."""
        oldest = (col(ApiToken.created_at), col(ApiToken.id))
        return list(self._session.scalars(select(ApiToken).order_by(*oldest)))

    def find(self, token_id: str) -> ApiToken | None:
        """The token of this id."""
        return self._session.get(ApiToken, token_id)

    def save(self, token: ApiToken) -> None:
        """Store what was changed of a token, at once."""
        self._session.add(token)
        self._session.flush()
