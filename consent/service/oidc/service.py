"""Signing in through a retailer's identity provider: authorization code with PKCE, as a shopper.

What a sign-in is bound to: ``state`` to the attempt, the attempt to a cookie of the browser that
began it (so nobody can be signed in to somebody else's account by a link), the callback's address
and the ``iss`` of the answer to the provider that was asked, nonce and PKCE to the very sign-in.

Whatever a provider says about somebody, she is a shopper here: no claim gives another role, and an
account of another role can't be signed in to this way.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from consent.origin import Origin, local_path
from consent.service import rates
from consent.service.accounts.login import opened
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.schemas import OpenedSession
from consent.service.accounts.service import create_account, open_session, prove, signed_in
from consent.service.accounts.tables import Account
from consent.service.context import Context
from consent.service.notices.repository import NoticeRepository
from consent.service.oidc.fetch import ProviderError
from consent.service.oidc.id_token import SignInError
from consent.service.oidc.providers import Provider, SignIn
from consent.service.oidc.repository import OidcRepository
from consent.service.oidc.schemas import Identities, IdentitySchema, ProviderList, ProviderSchema
from consent.service.oidc.tables import FederatedIdentity, OidcAttempt
from consent.service.passkeys.repository import ways_in
from consent.service.principals import Role, proved
from consent.service.problems import Problem
from consent.service.shoppers import service as shoppers
from consent.service.shoppers.schemas import Registration
from consent.service.tokens import token_hash, token_matches
from crypto.wire import b64

ATTEMPT_MS: Final = 10 * 60 * 1000
CALLBACK: Final = "/login/oidc/{name}/callback"
MAX_CODE: Final = 2048


class Purpose(StrEnum):
    """What somebody is sent to a provider for."""

    LOGIN = "login"
    LINK = "link"
    STEP_UP = "step-up"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Where to send the browser, and what to keep in its cookie until it comes back."""

    url: str
    binding: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the browser came back with.

    ``token`` is that of the login that its cookie holds now; ``signal`` says whether it sent Global
    Privacy Control, which binds a shopper who is new.
    """

    provider: str
    state: str = field(repr=False)
    code: str = field(repr=False)
    issuer: str | None = None
    binding: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    signal: bool = False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A sign-in that was finished: what for, where to go on, and the login if one was opened."""

    purpose: Purpose
    next_path: str
    opened: OpenedSession | None = None
    is_new: bool = False


def listed(context: Context) -> ProviderList:
    """The providers, in the operator's order."""
    return ProviderList(
        providers=[
            ProviderSchema(name=each.name, label=each.shown) for each in context.settings.oidc
        ]
    )


def begin(
    context: Context,
    provider: str,
    origin: Origin | None,
    *,
    purpose: Purpose,
    next_path: str = "/",
    token: str | None = None,
    peer: str = "",
) -> Begun:
    """Begin a sign-in, a link of the account of ``token``, or a step-up of its login.

    Raises:
        Problem: 401 or 404, no login's token, no shopper's, no such provider, or the service does
            not know where it stands; 403, linking needs a step-up; 409, no identity of this
            account at this provider; 429, too many from this peer; 502, the provider is away.
    """
    asked, redirect_uri = _asked(context, provider, origin)
    if purpose is Purpose.LOGIN:
        rates.check(context, "register", f"oidc {peer}")
    else:
        _check_caller(context, purpose, token, asked)
    state, binding = context.new_token(), context.new_token()
    with _as_problems():
        url = asked.authorization_url(
            _sign_in(binding, redirect_uri), state=state, fresh=purpose is Purpose.STEP_UP
        )
    now = context.now_ms()
    attempt = OidcAttempt(
        state_hash=token_hash(state),
        binding_hash=token_hash(binding),
        provider=provider,
        purpose=purpose,
        session_hash=None if token is None or purpose is Purpose.LOGIN else token_hash(token),
        next_path=local_path(next_path),
        created_at=now,
        expires_at=now + ATTEMPT_MS,
    )
    with context.database.writing() as session:
        OidcRepository(session).add_attempt(attempt, now=now)
    return Begun(url=url, binding=binding)


def cancelled(context: Context, state: str) -> None:
    """Forget an attempt that the provider sent back without a code."""
    with context.database.writing() as session:
        OidcRepository(session).take_attempt(token_hash(state))


def finish(context: Context, answer: Answer, origin: Origin | None, *, label: str) -> Finished:
    """Finish what was begun, once, with the code that the browser brought back.

    Raises:
        Problem: 401 or 404, the login that began it has ended; 403, the answer does not belong to
            this browser, or does not hold, or is somebody else; 409, the identity is another
            account's or the account has one of this provider; 502, the provider is away.
    """
    asked, redirect_uri = _asked(context, answer.provider, origin)
    attempt = _taken(context, answer)
    purpose = Purpose(attempt.purpose)
    since = attempt.created_at / 1000 if purpose is Purpose.STEP_UP else None
    with _as_problems():
        asked.check_issuer(answer.issuer)
        subject = asked.subject(
            _sign_in(answer.binding, redirect_uri), code=answer.code, since=since
        )
    hashed = subject_hash(context, asked.config.issuer, subject)
    with context.database.writing() as session:
        if purpose is Purpose.LOGIN:
            who = asked.config.issuer, hashed
            login, is_new = _logged_in(context, session, who, label, signal=answer.signal)
            return Finished(
                purpose=purpose, next_path=attempt.next_path, opened=login, is_new=is_new
            )
        _linked_or_proved(context, session, answer, purpose, (asked.config.issuer, hashed))
    return Finished(purpose=purpose, next_path=attempt.next_path)


def own(context: Context, token: str) -> Identities:
    """The identities of whoever is logged in.

    Raises:
        Problem: 401 or 404, no login's token.
    """
    with context.database.reading() as session:
        _, account = signed_in(context, session, token)
        found = OidcRepository(session).of_account(account.id)
    known = {each.issuer: each for each in context.settings.oidc}
    return Identities(
        identities=[
            IdentitySchema(
                id=identity.id,
                provider=known[identity.issuer].name if identity.issuer in known else None,
                label=known[identity.issuer].shown if identity.issuer in known else identity.issuer,
                created_at=identity.created_at,
                last_used_at=identity.last_used_at,
            )
            for identity in found
        ]
    )


def unlink(context: Context, token: str, identity_id: str) -> None:
    """Delete an identity and end every login that it opened, this one too if it did.

    Raises:
        Problem: 401 or 404, no login's token, or none of her identities; 403, step-up; 409, it is
            the last way into the account.
    """
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        identities = OidcRepository(session)
        found = identities.find(account.id, identity_id)
        if found is None:
            raise Problem(404, "There is no such identity for this token.")
        proved(context, principal)
        if ways_in(session, account) == 1:
            raise Problem(409, "This is the last way into the account; add a passkey first.")
        identities.delete(found)
        AccountRepository(session).end_sessions_of(account.id, f"identity:{found.id}")


def subject_hash(context: Context, issuer: str, subject: str) -> str:
    """A provider's subject as the database has it; without the service's key it says nothing."""
    secret = context.derived_key("federated subjects")
    message = f"{len(issuer)}:{issuer}{subject}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, "sha256").hex()


def _logged_in(
    context: Context, session: Session, who: tuple[str, str], label: str, *, signal: bool
) -> tuple[OpenedSession, bool]:
    """A login of the account of this identity, or of a new shopper with nothing decided."""
    identities = OidcRepository(session)
    found = identities.owner(*who)
    if found is None:
        account = _new_shopper(context, session, signal=signal)
        identity = _added(context, session, account, *who)
    else:
        identity, account = found
    if account.role != Role.SHOPPER:
        raise Problem(403, "This account is not one of a shopper; log in to it another way.")
    identity.last_used_at = context.now_ms()
    identities.save(identity)
    token = open_session(
        context, session, account, label=label, credential=f"identity:{identity.id}"
    )
    return opened(context, account, token), found is None


def _linked_or_proved(
    context: Context,
    session: Session,
    answer: Answer,
    purpose: Purpose,
    who: tuple[str, str],
) -> None:
    if answer.token is None:
        raise Problem(401, "Log in first, then begin again.")
    principal, account = signed_in(context, session, answer.token, roles=(Role.SHOPPER,))
    found = OidcRepository(session).owner(*who)
    if purpose is Purpose.STEP_UP:
        if found is None or found[1].id != account.id:
            raise Problem(403, "The retailer says that this is somebody else.")
        prove(context, session, principal)
        return
    proved(context, principal)
    if found is not None:
        raise Problem(409, "This sign-in is linked to an account already.")
    if any(each.issuer == who[0] for each in OidcRepository(session).of_account(account.id)):
        raise Problem(409, "This account has a sign-in through this retailer; remove it first.")
    _added(context, session, account, *who)


def _new_shopper(context: Context, session: Session, *, signal: bool) -> Account:
    current = NoticeRepository(session).history().current
    if current is None:
        raise Problem(503, "No notice is published yet; try again later.")
    # Her own token is dropped: her devices get theirs when they pair.
    nothing = Registration(consents=[], notice_version=current.version)
    made = shoppers.add(context, session, nothing, signal=signal)
    return create_account(context, session, role=Role.SHOPPER, shopper_id=made.shopper, name=None)


def _added(
    context: Context, session: Session, account: Account, issuer: str, hashed: str
) -> FederatedIdentity:
    identity = FederatedIdentity(
        id=context.new_id(),
        issuer=issuer,
        subject_hash=hashed,
        account_id=account.id,
        created_at=context.now_ms(),
    )
    OidcRepository(session).save(identity)
    return identity


def _asked(context: Context, name: str, origin: Origin | None) -> tuple[Provider, str]:
    """The provider of a name, and where it sends browsers back to: an address of its own."""
    config = next((each for each in context.settings.oidc if each.name == name), None)
    if config is None:
        raise Problem(404, "There is no such identity provider.")
    if origin is None:
        raise Problem(404, "This service does not know its public address; its operator sets it.")
    provider = context.providers.of(config, clock=context.now)
    return provider, f"{origin}{CALLBACK.format(name=name)}"


def _check_caller(context: Context, purpose: Purpose, token: str | None, asked: Provider) -> None:
    if token is None:
        raise Problem(401, "Log in first.")
    with context.database.reading() as session:
        principal, account = signed_in(context, session, token, roles=(Role.SHOPPER,))
        linked = {each.issuer for each in OidcRepository(session).of_account(account.id)}
    if purpose is Purpose.LINK:
        proved(context, principal)
    elif asked.config.issuer not in linked:
        raise Problem(409, "This account has no sign-in through this retailer.")


def _taken(context: Context, answer: Answer) -> OidcAttempt:
    """Use up the attempt of a state; it is gone also if the answer is refused later."""
    with context.database.writing() as session:
        found = OidcRepository(session).take_attempt(token_hash(answer.state))
    if (
        found is None
        or found.expires_at <= context.now_ms()
        or found.provider != answer.provider
        or not token_matches(answer.binding, found.binding_hash)
        or not 0 < len(answer.code) <= MAX_CODE
    ):
        raise _refusal()
    if found.session_hash is not None and (
        answer.token is None or not token_matches(answer.token, found.session_hash)
    ):
        raise _refusal()
    return found


def _sign_in(binding: str, redirect_uri: str) -> SignIn:
    """Nonce and PKCE verifier of an attempt: each its own function of the cookie's secret."""
    key = binding.encode()
    return SignIn(
        redirect_uri=redirect_uri,
        nonce=b64(hmac.digest(key, b"fedcart oidc nonce", "sha256")),
        verifier=b64(hmac.digest(key, b"fedcart oidc verifier", "sha256")),
    )


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except SignInError as error:
        raise _refusal() from error
    except ProviderError as error:
        raise Problem(502, "The retailer's sign-in does not answer; try again later.") from error


def _refusal() -> Problem:
    return Problem(403, "The sign-in did not hold, or it took too long; begin it again here.")
