"""Every query about accounts, their sessions and their codes."""

from collections.abc import Iterable

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.accounts.tables import Account, AccountCode, AccountSession
from consent.service.tables import METADATA


class AccountRepository:
    """Accounts of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: Account) -> None:
        """Add an account, at once, so that other rows can refer to it."""
        self._session.add(account)
        self._session.flush()

    def find(self, account_id: str) -> Account | None:
        """The account of this id, as it is now."""
        return self._session.get(Account, account_id, populate_existing=True)

    def by_name(self, name: str) -> Account | None:
        """The account of a (folded) name, open or closed."""
        return self._session.scalar(select(Account).where(col(Account.name) == name))

    def of_shopper(self, shopper_id: str) -> Account | None:
        """A shopper's account."""
        return self._session.scalar(select(Account).where(col(Account.shopper_id) == shopper_id))

    def of_roles(self, roles: Iterable[str]) -> list[Account]:
        """The accounts of some roles, oldest first."""
        query = select(Account).where(col(Account.role).in_(list(roles)))
        return list(self._session.scalars(query.order_by(col(Account.created_at), col(Account.id))))

    def save(self, account: Account) -> None:
        """Store what was changed of an account, at once."""
        self._session.add(account)
        self._session.flush()

    def add_session(self, login: AccountSession) -> None:
        """Add an open login."""
        self._session.add(login)
        self._session.flush()

    def login(self, token_hash: str) -> AccountSession | None:
        """The login of this token."""
        return self._session.get(AccountSession, token_hash, populate_existing=True)

    def logins(self, account: Account) -> list[AccountSession]:
        """The logins of an account under its credentials of now, newest first."""
        query = select(AccountSession).where(
            col(AccountSession.account_id) == account.id,
            col(AccountSession.version) == account.version,
        )
        newest = (col(AccountSession.created_at).desc(), col(AccountSession.id))
        return list(self._session.scalars(query.order_by(*newest)))

    def prove(self, token_hash: str, *, now: int) -> None:
        """Remember that somebody showed who she is."""
        self._session.execute(
            update(AccountSession)
            .where(col(AccountSession.token_hash) == token_hash)
            .values(proved_at=now, seen_at=now)
        )

    def touch(self, token_hash: str, *, now: int) -> None:
        """Remember that a login was used."""
        self._session.execute(
            update(AccountSession)
            .where(col(AccountSession.token_hash) == token_hash)
            .values(seen_at=now)
        )

    def keep(self, token_hash: str, *, version: int) -> None:
        """Carry one login over to new credentials."""
        self._session.execute(
            update(AccountSession)
            .where(col(AccountSession.token_hash) == token_hash)
            .values(version=version)
        )

    def end_session(self, account_id: str, session_id: str) -> bool:
        """End one login of an account; whether there was one."""
        query = delete(AccountSession).where(
            col(AccountSession.account_id) == account_id, col(AccountSession.id) == session_id
        )
        return bool(self._session.execute(query.returning(col(AccountSession.id))).all())

    def end_sessions(self, account_id: str, *, keep: str | None = None) -> None:
        """End every login of an account but the one of a token's hash."""
        query = delete(AccountSession).where(col(AccountSession.account_id) == account_id)
        if keep is not None:
            query = query.where(col(AccountSession.token_hash) != keep)
        self._session.execute(query)

    def end_sessions_of(self, account_id: str, credential: str) -> None:
        """End the logins of an account that one passkey or identity opened."""
        self._session.execute(
            delete(AccountSession).where(
                col(AccountSession.account_id) == account_id,
                col(AccountSession.credential) == credential,
            )
        )

    def end_expired(self, account_id: str, *, now: int) -> None:
        """Forget the logins of an account whose time is over."""
        self._session.execute(
            delete(AccountSession).where(
                col(AccountSession.account_id) == account_id, col(AccountSession.expires_at) <= now
            )
        )

    def replace_codes(self, account_id: str, kind: str, codes: Iterable[AccountCode]) -> None:
        """Put new codes of a kind in the place of all earlier ones."""
        self._session.execute(
            delete(AccountCode).where(
                col(AccountCode.account_id) == account_id, col(AccountCode.kind) == kind
            )
        )
        self._session.add_all(codes)
        self._session.flush()

    def count_codes(self, account_id: str, kind: str) -> int:
        """How many codes of a kind are unused."""
        query = select(col(AccountCode.code_hash)).where(
            col(AccountCode.account_id) == account_id, col(AccountCode.kind) == kind
        )
        return len(self._session.scalars(query).all())

    def use_code(self, account_id: str, code_hash: str, *, now: int) -> bool:
        """Use up a code that is good at ``now``; whether there was one."""
        query = delete(AccountCode).where(
            col(AccountCode.code_hash) == code_hash,
            col(AccountCode.account_id) == account_id,
            or_(col(AccountCode.expires_at).is_(None), col(AccountCode.expires_at) > now),
        )
        return bool(self._session.execute(query.returning(col(AccountCode.code_hash))).all())

    def erase(self, account_id: str) -> None:
        """Delete an account and every row of any table that refers to it."""
        account = METADATA.tables["account"]
        for table in METADATA.sorted_tables[::-1]:
            for key in table.foreign_keys:
                if key.column is account.c.id:
                    self._session.execute(table.delete().where(key.parent == account_id))
        self._session.execute(account.delete().where(account.c.id == account_id))
        self._session.expire_all()
