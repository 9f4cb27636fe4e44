"""Signing in through a retailer, in the panel.

A form can't be redirected to another site under the panel's policy, so it leads to a page that
leaves by itself, and says before where to and what is asked for there.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from consent.panel.browsers import label
from consent.panel.page import (
    FormDep,
    SignedInDep,
    Visitor,
    VisitorDep,
    local_path,
    redirect,
    render,
    signed_in,
)
from consent.panel.pages.login import end_login
from consent.panel.pages.passkeys import PAGE, last_way_in, origin
from consent.panel.visitor import own_name, set_cookie
from consent.service.oidc import service
from consent.service.oidc.service import ATTEMPT_MS, Answer, Finished, Purpose
from consent.service.peer import PeerDep
from consent.service.principals import STEP_UP
from consent.service.problems import Problem

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
IdentityId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Word = Annotated[str, Query(max_length=2048)]
_COOKIE: Final = "fedcart_oidc"
_HANDLED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY}


@router.post("/login/oidc/{name}")
def log_in(
    request: Request, visitor: VisitorDep, form: FormDep, name: Name, peer: PeerDep
) -> Response:
    """Leave for the retailer's sign-in."""
    next_path = local_path(form.text("next"))
    return _leave(request, visitor, name, Purpose.LOGIN, next_path, peer=peer)


@router.post("/account/identities/{name}/link")
def link(request: Request, visitor: SignedInDep, form: FormDep, name: Name) -> Response:  # noqa: ARG001
    """Leave for the retailer's sign-in, to link it to this account."""
    return _leave(request, visitor, name, Purpose.LINK, PAGE)


@router.post("/confirm/oidc/{name}")
def confirm(request: Request, visitor: SignedInDep, form: FormDep, name: Name) -> Response:
    """Leave for the retailer's sign-in, to show there once more who she is."""
    next_path = local_path(form.text("next"))
    return _leave(request, visitor, name, Purpose.STEP_UP, next_path)


@router.get("/login/oidc/{name}/callback")
def callback(
    request: Request,
    visitor: VisitorDep,
    name: Name,
    *,
    state: Word = "",
    code: Word = "",
    iss: Word | None = None,
) -> Response:
    """Come back from the retailer's sign-in."""
    cookie = _cookie(request, name)
    answer = Answer(
        provider=name,
        state=state,
        code=code,
        issuer=iss,
        binding=request.cookies.get(cookie, ""),
        token=visitor.token,
        signal=visitor.gpc,
    )
    if code:
        response = _finished(request, visitor, answer)
    else:
        service.cancelled(visitor.context, state)
        response = _back(request, visitor, visitor.say("You were not signed in. Nothing changed."))
    set_cookie(request, response, cookie, "", 0)
    return response


@router.post("/account/identities/{identity}/delete")
def unlink(
    request: Request,
    visitor: SignedInDep,
    form: FormDep,  # noqa: ARG001 - reading it checks where it came from
    identity: IdentityId,
) -> Response:
    """Delete a sign-in through a retailer, with the logins that it opened."""
    try:
        service.unlink(visitor.context, visitor.token, identity)
    except Problem as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return redirect(request, visitor, PAGE, flash=last_way_in(visitor), kind="bad")
    gone = visitor.say("It was removed. Whoever signed in with it is signed out.")
    return redirect(request, visitor, PAGE, flash=gone)


def _leave(
    request: Request,
    visitor: Visitor,
    name: str,
    purpose: Purpose,
    next_path: str,
    *,
    peer: str = "",
) -> Response:
    try:
        begun = service.begin(
            visitor.context,
            name,
            origin(request, visitor),
            purpose=purpose,
            next_path=next_path,
            token=visitor.token,
            peer=peer,
        )
    except Problem as error:
        if error.status != HTTPStatus.BAD_GATEWAY:
            raise
        return _back(request, visitor, _away(visitor))
    provider = next(each for each in visitor.context.settings.oidc if each.name == name)
    page = render(
        request,
        visitor,
        "oidc_leave.html",
        url=begun.url,
        retailer=provider.shown,
        scopes=provider.scopes,
    )
    set_cookie(request, page, _cookie(request, name), begun.binding, ATTEMPT_MS // 1000)
    return page


def _finished(request: Request, visitor: Visitor, answer: Answer) -> Response:
    try:
        done = service.finish(
            visitor.context, answer, origin(request, visitor), label=label(request)
        )
    except Problem as error:
        if error.kind == STEP_UP:
            raise
        if error.status == HTTPStatus.CONFLICT:
            taken = visitor.say("This sign-in belongs to an account already. Nothing changed.")
            return _back(request, visitor, taken)
        if error.status not in _HANDLED:
            raise
        return _back(request, visitor, _why(visitor, error))
    return _welcome(request, visitor, done)


def _welcome(request: Request, visitor: Visitor, done: Finished) -> Response:
    said = {
        Purpose.LINK: visitor.say("You can now sign in through this retailer too."),
        Purpose.STEP_UP: visitor.say("Thank you. For ten minutes you can now do what needs it."),
    }.get(done.purpose)
    if done.is_new:
        said = visitor.say(
            "This is a new account. Nothing is decided yet, so nothing is permitted."
        )
    response = redirect(request, visitor, done.next_path, flash=said)
    if done.opened is not None:
        end_login(visitor)
        signed_in(request, response, visitor, done.opened.token, done.opened.expires_at)
    return response


def _back(request: Request, visitor: Visitor, said: str) -> Response:
    path = PAGE if visitor.token else "/login"
    return redirect(request, visitor, path, flash=said, kind="bad")


def _why(visitor: Visitor, error: Problem) -> str:
    if error.status == HTTPStatus.BAD_GATEWAY:
        return _away(visitor)
    return visitor.say(
        "The sign-in did not hold, or it took too long. Nothing changed; begin it again here."
    )


def _away(visitor: Visitor) -> str:
    return visitor.say("The retailer's sign-in does not answer just now. Try again later.")


def _cookie(request: Request, name: str) -> str:
    """The cookie of a sign-in under way."""
    return own_name(request, f"{_COOKIE}_{name}")
