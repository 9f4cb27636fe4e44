"""Passkeys: adding, using and removing them.

Adding one leaves the account's other logins open: nothing that anybody knew has changed. Removing
one ends every login that it opened, so a device that was lost is out at once; logins that were
opened otherwise stay. The last way into an account can't be removed.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from consent.origin import Origin
from consent.service import rates
from consent.service.accounts.login import opened
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.schemas import OpenedSession
from consent.service.accounts.service import open_session, prove, signed_in
from consent.service.accounts.tables import Account
from consent.service.context import Context
from consent.service.passkeys import webauthn
from consent.service.passkeys.repository import PasskeyRepository, ways_in
from consent.service.passkeys.schemas import (
    LoginOptions,
    NewCredential,
    Options,
    Passkeys,
    PasskeySchema,
    SignedCredential,
)
from consent.service.passkeys.tables import Passkey, WebauthnChallenge
from consent.service.passkeys.webauthn import PasskeyRefusedError, RelyingParty
from consent.service.principals import proved
from consent.service.problems import Problem
from consent.service.tokens import token_hash, token_matches
from crypto.wire import b64, unb64

MAX_PASSKEYS: Final = 20
CHALLENGE_MS: Final = 5 * 60 * 1000
_CHALLENGE_BYTES: Final = 32


class Ceremony(StrEnum):
    """What a challenge was made for; it is good for nothing else."""

    REGISTER = "register"
    LOGIN = "login"
    STEP_UP = "step-up"


def relying_party(origin: Origin | None) -> RelyingParty:
    """Whom passkeys are for.

    Raises:
        Problem: 404, the service does not know where it stands, or stands at a bare address.
    """
    if origin is None or not _is_name(origin.host):
        raise Problem(404, "This service has no passkeys; its operator sets its public address.")
    return RelyingParty(origin=origin)


def available(origin: Origin | None) -> bool:
    """Whether passkeys can be used at this origin."""
    return origin is not None and _is_name(origin.host)


def begin_registration(context: Context, token: str, party: RelyingParty) -> Options:
    """Options for a new passkey of whoever is logged in.

    Raises:
        Problem: 401 or 404, no login's token; 403, step-up; 409, too many passkeys.
    """
    challenge = _fresh(context)
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        proved(context, principal)
        known = PasskeyRepository(session).of_account(account.id)
        _refuse_too_many(known)
        _store(context, session, challenge, Ceremony.REGISTER, bound_to=token)
    options = webauthn.creation_options(
        party,
        account_id=account.id,
        name=account.name or "fedcart",
        challenge=challenge,
        known=known,
    )
    return Options(options=options)


def finish_registration(
    context: Context, token: str, party: RelyingParty, credential: NewCredential, name: str
) -> PasskeySchema:
    """Add the passkey that a browser made.

    Raises:
        Problem: 401 or 404, no login's token; 403, step-up, or the answer does not hold; 409, too
            many passkeys, or it is known already.
    """
    challenge = _taken(context, credential, Ceremony.REGISTER, bound_to=token)
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        proved(context, principal)
        passkeys = PasskeyRepository(session)
        _refuse_too_many(passkeys.of_account(account.id))
        made = _checked_new(party, credential, challenge)
        if passkeys.by_credential(made.credential_id) is not None:
            raise Problem(409, "This passkey is known already.")
        passkey = Passkey(
            id=context.new_id(),
            credential_id=made.credential_id,
            account_id=account.id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=",".join(credential.response.transports),
            backed_up=made.backed_up,
            name=name,
            created_at=context.now_ms(),
        )
        passkeys.add(passkey)
    return _shown(passkey)


def begin_login(context: Context, party: RelyingParty, *, peer: str) -> LoginOptions:
    """Options for a login by any passkey; nobody says who she is before.

    Raises:
        Problem: 429, too many from this peer.
    """
    rates.check(context, "register", f"passkey {peer}")
    challenge, ceremony = _fresh(context), context.new_token()
    with context.database.writing() as session:
        _store(context, session, challenge, Ceremony.LOGIN, bound_to=ceremony)
    options = webauthn.request_options(party, challenge=challenge)
    return LoginOptions(options=options, ceremony=ceremony)


def finish_login(
    context: Context,
    party: RelyingParty,
    ceremony: str,
    credential: SignedCredential,
    *,
    label: str,
) -> OpenedSession:
    """Open a login for the owner of the passkey that signed.

    Raises:
        Problem: 401, her account is closed; 403, the answer does not hold, or the passkey's
            counter went back.
    """
    challenge = _taken(context, credential, Ceremony.LOGIN, bound_to=ceremony)
    if credential.response.userHandle is None:
        raise _refusal()
    with context.database.writing() as session:
        passkey, account = _used(context, session, party, credential, challenge)
        token = open_session(
            context, session, account, label=label, credential=f"passkey:{passkey.id}"
        )
        return opened(context, account, token)


def begin_step_up(context: Context, token: str, party: RelyingParty) -> Options:
    """Options for showing once more who she is, with a passkey of the account's own.

    Raises:
        Problem: 401 or 404, no login's token; 409, the account has no passkey.
    """
    challenge = _fresh(context)
    with context.database.writing() as session:
        _, account = signed_in(context, session, token)
        known = PasskeyRepository(session).of_account(account.id)
        if not known:
            raise Problem(409, "This account has no passkey; use its password.")
        _store(context, session, challenge, Ceremony.STEP_UP, bound_to=token)
    options = webauthn.request_options(party, challenge=challenge, allowed=known)
    return Options(options=options)


def finish_step_up(
    context: Context, token: str, party: RelyingParty, credential: SignedCredential
) -> None:
    """Mark that she has shown who she is.

    Raises:
        Problem: 401 or 404, no login's token; 403, the answer does not hold, is by another
            account's passkey, or its counter went back.
    """
    challenge = _taken(context, credential, Ceremony.STEP_UP, bound_to=token)
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        _, owner = _used(context, session, party, credential, challenge)
        if owner.id != account.id:
            raise _refusal()
        prove(context, session, principal)


def own(context: Context, token: str) -> Passkeys:
    """The passkeys of whoever is logged in.

    Raises:
        Problem: 401 or 404, no login's token.
    """
    with context.database.reading() as session:
        _, account = signed_in(context, session, token)
        found = PasskeyRepository(session).of_account(account.id)
    return Passkeys(passkeys=[_shown(passkey) for passkey in found])


def rename(context: Context, token: str, passkey_id: str, name: str) -> PasskeySchema:
    """Give a passkey another name.

    Raises:
        Problem: 401 or 404, no login's token, or none of her passkeys.
    """
    with context.database.writing() as session:
        _, account = signed_in(context, session, token)
        passkey = _own(session, account, passkey_id)
        passkey.name = name
        PasskeyRepository(session).save(passkey)
    return _shown(passkey)


def delete(context: Context, token: str, passkey_id: str) -> None:
    """Delete a passkey and end every login that it opened, this one too if it did.

    Raises:
        Problem: 401 or 404, no login's token, or none of her passkeys; 403, step-up; 409, it is
            the last way into the account.
    """
    with context.database.writing() as session:
        principal, account = signed_in(context, session, token)
        passkey = _own(session, account, passkey_id)
        proved(context, principal)
        if ways_in(session, account) == 1:
            raise Problem(
                409, "This is the last way into the account; set a password or add a passkey first."
            )
        PasskeyRepository(session).delete(passkey)
        AccountRepository(session).end_sessions_of(account.id, f"passkey:{passkey.id}")


def _used(
    context: Context,
    session: Session,
    party: RelyingParty,
    credential: SignedCredential,
    challenge: bytes,
) -> tuple[Passkey, Account]:
    """The passkey that signed, with its new counter stored, and whose it is."""
    passkeys = PasskeyRepository(session)
    found = passkeys.by_credential(credential.id)
    if found is None:
        raise _refusal()
    passkey, account = found
    handle = credential.response.userHandle
    if handle is not None and handle != b64(bytes.fromhex(account.id)):
        raise _refusal()
    try:
        signed = webauthn.signed(party, credential, passkey, challenge=challenge)
    except PasskeyRefusedError as error:
        raise _refusal() from error
    if (signed.sign_count or passkey.sign_count) and signed.sign_count <= passkey.sign_count:
        raise Problem(
            403,
            "This passkey's counter went back, so there may be a copy of it: it was not accepted. "
            "Log in another way and delete it.",
        )
    passkey.sign_count, passkey.backed_up = signed.sign_count, signed.backed_up
    passkey.last_used_at = context.now_ms()
    passkeys.save(passkey)
    return passkey, account


def _checked_new(
    party: RelyingParty, credential: NewCredential, challenge: bytes
) -> webauthn.Registered:
    try:
        return webauthn.registered(party, credential, challenge=challenge)
    except PasskeyRefusedError as error:
        raise _refusal() from error


def _fresh(context: Context) -> bytes:
    return context.settings.entropy(_CHALLENGE_BYTES)


def _store(
    context: Context, session: Session, challenge: bytes, ceremony: Ceremony, *, bound_to: str
) -> None:
    now = context.now_ms()
    PasskeyRepository(session).add_challenge(
        WebauthnChallenge(
            challenge_hash=token_hash(b64(challenge)),
            ceremony=ceremony,
            bound_to=token_hash(bound_to),
            expires_at=now + CHALLENGE_MS,
        ),
        now=now,
    )


def _taken(
    context: Context,
    credential: NewCredential | SignedCredential,
    ceremony: Ceremony,
    *,
    bound_to: str,
) -> bytes:
    """Use up the challenge that an answer names; it is gone also if the answer is refused later."""
    try:
        named = webauthn.challenge_in(credential)
    except PasskeyRefusedError as error:
        raise _refusal() from error
    with context.database.writing() as session:
        found = PasskeyRepository(session).take_challenge(token_hash(named))
    if (
        found is None
        or found.ceremony != ceremony
        or found.expires_at <= context.now_ms()
        or not token_matches(bound_to, found.bound_to)
    ):
        raise _refusal()
    return unb64(named, what="challenge")


def _own(session: Session, account: Account, passkey_id: str) -> Passkey:
    found = PasskeyRepository(session).find(account.id, passkey_id)
    if found is None:
        raise Problem(404, "There is no such passkey for this token.")
    return found


def _refuse_too_many(known: list[Passkey]) -> None:
    if len(known) >= MAX_PASSKEYS:
        raise Problem(409, f"An account has at most {MAX_PASSKEYS} passkeys; delete one first.")


def _refusal() -> Problem:
    return Problem(403, "The passkey was not accepted, or it took too long; start again.")


def _is_name(host: str) -> bool:
    """Whether browsers take a host as RP id: a name, no address."""
    return ":" not in host and not host.replace(".", "").isdecimal()


def _shown(passkey: Passkey) -> PasskeySchema:
    return PasskeySchema(
        id=passkey.id,
        name=passkey.name,
        backed_up=passkey.backed_up,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )
