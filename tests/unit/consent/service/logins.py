"""Accounts and open logins for tests, without the work of hashing a password."""

from consent.service.accounts.service import create_account, open_session
from consent.service.principals import PROOF_LASTS_MS, Role
from consent.service.shoppers import service as shoppers
from consent.service.shoppers.schemas import Registration
from tests.unit.consent.harness import NOTICE, Stage


def log_in(stage: Stage, name: str, *, role: Role = Role.SHOPPER, password: bool = True) -> str:
    """A new account with an open login; returns its token."""
    context = stage.context
    with context.database.writing() as session:
        shopper = None
        if role is Role.SHOPPER:
            nothing = Registration(consents=[], notice_version=NOTICE)
            shopper = shoppers.add(context, session, nothing).shopper
        account = create_account(
            context,
            session,
            role=role,
            shopper_id=shopper,
            name=name,
            password_hash="never matches" if password else None,
        )
        return open_session(context, session, account, label="test")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def age_proof(stage: Stage) -> None:
    """Let the time pass in which a login counts as proved."""
    stage.clock.now += PROOF_LASTS_MS / 1000 + 1
