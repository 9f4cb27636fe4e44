"""Every query about passkeys, their challenges, and the ways into an account."""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.accounts.tables import Account
from consent.service.oidc.tables import FederatedIdentity
from consent.service.passkeys.tables import Passkey, WebauthnChallenge


class PasskeyRepository:
    """Passkeys of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, passkey: Passkey) -> None:
        """Add a passkey, at once."""
        self._session.add(passkey)
        self._session.flush()

    def of_account(self, account_id: str) -> list[Passkey]:
        """An account's passkeys, oldest first."""
        query = select(Passkey).where(col(Passkey.account_id) == account_id)
        return list(self._session.scalars(query.order_by(col(Passkey.created_at), col(Passkey.id))))

    def find(self, account_id: str, passkey_id: str) -> Passkey | None:
        """One passkey of an account."""
        query = select(Passkey).where(
            col(Passkey.id) == passkey_id, col(Passkey.account_id) == account_id
        )
        return self._session.scalar(query)

    def by_credential(self, credential_id: str) -> tuple[Passkey, Account] | None:
        """The passkey with this credential id, and whose it is."""
        query = select(Passkey, Account).join(Account, col(Account.id) == col(Passkey.account_id))
        found = self._session.execute(
            query.where(col(Passkey.credential_id) == credential_id)
        ).first()
        return None if found is None else (found[0], found[1])

    def save(self, passkey: Passkey) -> None:
        """Store what was changed of a passkey, at once."""
        self._session.add(passkey)
        self._session.flush()

    def delete(self, passkey: Passkey) -> None:
        """Delete a passkey, at once."""
        self._session.delete(passkey)
        self._session.flush()

    def delete_all(self, account_id: str) -> None:
        """Delete every passkey of an account."""
        self._session.execute(delete(Passkey).where(col(Passkey.account_id) == account_id))

    def add_challenge(self, challenge: WebauthnChallenge, *, now: int) -> None:
        """Add a challenge, and forget those whose time is over."""
        self._session.execute(
            delete(WebauthnChallenge).where(col(WebauthnChallenge.expires_at) <= now)
        )
        self._session.add(challenge)
        self._session.flush()

    def take_challenge(self, challenge_hash: str) -> WebauthnChallenge | None:
        """Use up the challenge with this hash."""
        found = self._session.get(WebauthnChallenge, challenge_hash)
        if found is not None:
            self._session.delete(found)
            self._session.flush()
        return found


def ways_in(session: Session, account: Account) -> int:
    """How many ways there are into an account: its password, passkeys and retailers' logins."""
    password = int(account.name is not None and account.password_hash is not None)
    return password + sum(
        session.scalar(select(func.count()).where(col(owner) == account.id)) or 0
        for owner in (Passkey.account_id, FederatedIdentity.account_id)
    )
