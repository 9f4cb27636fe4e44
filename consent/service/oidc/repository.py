"""Every query about sign-in through a retailer."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.accounts.tables import Account
from consent.service.oidc.tables import FederatedIdentity, OidcAttempt


class OidcRepository:
    """Identities and attempts of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_attempt(self, attempt: OidcAttempt, *, now: int) -> None:
        """Add an attempt, and forget those whose time is over."""
        self._session.execute(delete(OidcAttempt).where(col(OidcAttempt.expires_at) <= now))
        self._session.add(attempt)
        self._session.flush()

    def take_attempt(self, state_hash: str) -> OidcAttempt | None:
        """Use up the attempt of this state."""
        found = self._session.get(OidcAttempt, state_hash)
        if found is not None:
            self._session.delete(found)
            self._session.flush()
        return found

    def owner(self, issuer: str, subject_hash: str) -> tuple[FederatedIdentity, Account] | None:
        """The identity of somebody at a provider, and her account."""
        query = select(FederatedIdentity, Account).join(
            Account, col(Account.id) == col(FederatedIdentity.account_id)
        )
        found = self._session.execute(
            query.where(
                col(FederatedIdentity.issuer) == issuer,
                col(FederatedIdentity.subject_hash) == subject_hash,
            )
        ).first()
        return None if found is None else (found[0], found[1])

    def of_account(self, account_id: str) -> list[FederatedIdentity]:
        """An account's identities, oldest first."""
        query = select(FederatedIdentity).where(col(FederatedIdentity.account_id) == account_id)
        oldest = (col(FederatedIdentity.created_at), col(FederatedIdentity.id))
        return list(self._session.scalars(query.order_by(*oldest)))

    def find(self, account_id: str, identity_id: str) -> FederatedIdentity | None:
        """One identity of an account."""
        query = select(FederatedIdentity).where(
            col(FederatedIdentity.id) == identity_id,
            col(FederatedIdentity.account_id) == account_id,
        )
        return self._session.scalar(query)

    def save(self, identity: FederatedIdentity) -> None:
        """Add an identity, or store what was changed of it, at once."""
        self._session.add(identity)
        self._session.flush()

    def delete(self, identity: FederatedIdentity) -> None:
        """Delete an identity, at once."""
        self._session.delete(identity)
        self._session.flush()
