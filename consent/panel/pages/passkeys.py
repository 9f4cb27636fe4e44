"""Passkeys in the panel: signing in with one, showing once more who one is, and keeping them.

A passkey needs a script (``static/passkeys.js``). It asks here for options as JSON, lets the
browser make or use a passkey, and sends the result as a plain form. Without scripts its buttons
stay hidden and the password form is all there is.
"""

from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from consent.origin import Origin, site_origin
from consent.panel.browsers import label
from consent.panel.page import (
    Form,
    FormDep,
    Refused,
    SignedInDep,
    Visitor,
    VisitorDep,
    local_path,
    redirect,
    render,
    signed_in,
)
from consent.panel.pages.login import end_login
from consent.service.oidc import service as oidc
from consent.service.passkeys import service
from consent.service.passkeys.schemas import (
    NewCredential,
    PasskeyName,
    PasskeyRename,
    SignedCredential,
)
from consent.service.passkeys.webauthn import RelyingParty
from consent.service.peer import PeerDep
from consent.service.principals import STEP_UP, Role
from consent.service.problems import Problem
from consent.service.schemas import Schema

router = APIRouter(include_in_schema=False)
PasskeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
PAGE = "/account/passkeys"
CredentialT = TypeVar("CredentialT", NewCredential, SignedCredential)


def origin(request: Request, visitor: Visitor) -> Origin | None:
    """The origin of the site, as this visitor sees it."""
    return site_origin(visitor.context.settings.public_url, request.headers.get("host", ""))


@router.post("/login/passkey/options")
def login_options(request: Request, visitor: VisitorDep, form: FormDep, peer: PeerDep) -> Response:  # noqa: ARG001
    """What the browser needs to sign in."""
    return _json(service.begin_login(visitor.context, _party(request, visitor), peer=peer))


@router.post("/login/passkey")
def log_in(request: Request, visitor: VisitorDep, form: FormDep) -> Response:
    """Sign in with what the passkey signed."""
    next_path = local_path(form.text("next"))
    try:
        opened = service.finish_login(
            visitor.context,
            _party(request, visitor),
            form.text("ceremony"),
            _credential(visitor, form, SignedCredential),
            label=label(request),
        )
    except Problem as error:
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED):
            raise
        return redirect(request, visitor, "/login", flash=_refused(visitor, error), kind="bad")
    end_login(visitor)
    response = redirect(request, visitor, next_path)
    signed_in(request, response, visitor, opened.token, opened.expires_at)
    return response


@router.post("/confirm/passkey/options")
def confirm_options(request: Request, visitor: SignedInDep, form: FormDep) -> Response:  # noqa: ARG001
    """What the browser needs to show once more who she is."""
    party = _party(request, visitor)
    return _json(service.begin_step_up(visitor.context, visitor.token, party))


@router.post("/confirm/passkey")
def confirm(request: Request, visitor: SignedInDep, form: FormDep) -> Response:
    """Show once more who she is, and go on with what she was about to do."""
    credential = _credential(visitor, form, SignedCredential)
    try:
        service.finish_step_up(visitor.context, visitor.token, _party(request, visitor), credential)
    except Problem as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return redirect(request, visitor, "/confirm", flash=_refused(visitor, error), kind="bad")
    thanks = visitor.say("Thank you. For ten minutes you can now do what needs it.")
    return redirect(request, visitor, local_path(form.text("next")), flash=thanks)


@router.get(PAGE)
def passkeys(request: Request, visitor: SignedInDep) -> Response:
    """Her passkeys and her sign-ins through retailers."""
    context = visitor.context
    linked = oidc.own(context, visitor.token).identities
    used = {identity.provider for identity in linked}
    return render(
        request,
        visitor,
        "passkeys.html",
        passkeys=service.own(context, visitor.token).passkeys,
        available=service.available(origin(request, visitor)),
        identities=linked,
        linkable=[
            provider
            for provider in oidc.listed(context).providers
            if visitor.role is Role.SHOPPER and provider.name not in used
        ],
    )


@router.post(f"{PAGE}/options")
def creation_options(request: Request, visitor: SignedInDep, form: FormDep) -> Response:  # noqa: ARG001
    """What the browser needs to make a passkey."""
    party = _party(request, visitor)
    return _json(service.begin_registration(visitor.context, visitor.token, party))


@router.post(PAGE)
def add(request: Request, visitor: SignedInDep, form: FormDep) -> Response:
    """Add the passkey that the browser made."""
    name = _name(visitor, form)
    credential = _credential(visitor, form, NewCredential)
    try:
        service.finish_registration(
            visitor.context, visitor.token, _party(request, visitor), credential, name
        )
    except Problem as error:
        if error.kind == STEP_UP or error.status != HTTPStatus.FORBIDDEN:
            raise
        return redirect(request, visitor, PAGE, flash=_refused(visitor, error), kind="bad")
    return redirect(request, visitor, PAGE, flash=visitor.say("The passkey was added."))


@router.post(f"{PAGE}/{{passkey}}/rename")
def rename(request: Request, visitor: SignedInDep, form: FormDep, passkey: PasskeyId) -> Response:
    """Give a passkey another name."""
    service.rename(visitor.context, visitor.token, passkey, _name(visitor, form))
    return redirect(request, visitor, PAGE, flash=visitor.say("The name was changed."))


@router.post(f"{PAGE}/{{passkey}}/delete")
def delete(request: Request, visitor: SignedInDep, form: FormDep, passkey: PasskeyId) -> Response:  # noqa: ARG001
    """Delete a passkey, with the logins that it opened."""
    try:
        service.delete(visitor.context, visitor.token, passkey)
    except Problem as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return redirect(request, visitor, PAGE, flash=last_way_in(visitor), kind="bad")
    gone = visitor.say("The passkey was deleted. Whoever signed in with it is signed out.")
    return redirect(request, visitor, PAGE, flash=gone)


def last_way_in(visitor: Visitor) -> str:
    """Why a way in stays."""
    return visitor.say(
        "This is the last way into your account, so it stays. Add another one first."
    )


def _party(request: Request, visitor: Visitor) -> RelyingParty:
    return service.relying_party(origin(request, visitor))


def _credential(visitor: Visitor, form: Form, kind: type[CredentialT]) -> CredentialT:
    try:
        return kind.model_validate_json(form.text("credential"))
    except ValidationError as error:
        raise Refused(422, visitor.say("The browser sent no passkey. Try again.")) from error


def _name(visitor: Visitor, form: Form) -> PasskeyName:
    try:
        return PasskeyRename(name=form.text("name")).name
    except ValidationError as error:
        raise Refused(
            422, visitor.say("A name has 1 to 64 characters. Go back and choose another.")
        ) from error


def _refused(visitor: Visitor, error: Problem) -> str:
    if "counter" in error.detail:
        return visitor.say(
            "This passkey's counter went back, so there may be a copy of it. It was not accepted: "
            "sign in another way and delete it."
        )
    return visitor.say("The passkey was not accepted, or it took too long. Try again.")


def _json(options: Schema) -> Response:
    return JSONResponse(options.model_dump(mode="json"))
