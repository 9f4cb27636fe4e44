"""Signing in and out, registering, recovering, and showing once more who one is.

A refused form is shown again with what was wrong beside it, and never with the password in it.
Recovery codes are shown in the answer to the form that made them, and nowhere else.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from consent.ages import AgeBand
from consent.credentials import (
    MAX_NAME,
    MAX_PASSWORD,
    MIN_NAME,
    MIN_PASSWORD,
    Rule,
    UnfitError,
    account_name,
    new_password,
)
from consent.panel.browsers import label
from consent.panel.language import mark
from consent.panel.page import (
    Form,
    FormDep,
    SignedIn,
    SignedInDep,
    Visitor,
    VisitorDep,
    local_path,
    redirect,
    render,
    signed_in,
    signed_out,
)
from consent.panel.visitor import become
from consent.service.accounts import login, registration, upkeep
from consent.service.accounts.schemas import (
    AccountRegistration,
    Credentials,
    PasswordProof,
    Recovery,
)
from consent.service.notices import service as notices
from consent.service.oidc import service as oidc
from consent.service.passkeys import service as passkeys
from consent.service.peer import PeerDep
from consent.service.problems import Problem
from consent.service.shoppers.schemas import Registration

router = APIRouter(include_in_schema=False)

UNFIT: Final[Mapping[Rule, str]] = {
    Rule.NAME: mark("A name has {min} to {max} letters, digits or . _ - + @ and no spaces."),
    Rule.LENGTH: mark("A password has {min} to {max} characters. A few words are fine."),
    Rule.SAME: mark("The password is the same as the name. Choose another."),
    Rule.COMMON: mark("This password is among the first that are tried. Choose another."),
}
_REFUSED: Final[Mapping[int, str]] = {
    401: mark("Name and password don't match, or there is no such account."),
    403: mark("This is not the password."),
    409: mark("This name is taken. Choose another."),
    429: mark("Too many attempts. Wait a little, then try again."),
    503: mark("Too many people are signing in just now. Try again in a moment."),
}
_NO_CODE: Final = mark("Name and code don't match, or the code was used or has expired.")


@router.get("/login")
def login_page(request: Request, visitor: VisitorDep, next: str = "/") -> Response:  # noqa: A002
    """The form to sign in, and the other ways."""
    if isinstance(visitor, SignedIn):
        return redirect(request, visitor, local_path(next))
    return _login(request, visitor, next_path=local_path(next))


@router.post("/login")
def log_in(request: Request, visitor: VisitorDep, form: FormDep, peer: PeerDep) -> Response:
    """Sign in with name and password; always under a new token."""
    next_path = local_path(form.text("next"))
    try:
        credentials = Credentials(
            name=form.text("name"), password=form.text("password"), label=label(request)
        )
        opened = login.log_in(visitor.context, credentials, peer=peer)
    except ValidationError:
        return _login(request, visitor, next_path, form, Problem(401, ""))
    except (Problem, UnfitError) as error:
        return _login(request, visitor, next_path, form, error)
    end_login(visitor)
    response = redirect(request, visitor, next_path, whole_page=True)
    signed_in(request, response, visitor, opened.token, opened.expires_at)
    return response


@router.post("/logout")
def log_out(request: Request, visitor: VisitorDep, form: FormDep) -> Response:  # noqa: ARG001
    """End this login at the service, and forget it in the browser."""
    end_login(visitor)
    response = redirect(request, visitor, "/", flash=visitor.say("You are signed out."))
    signed_out(request, response)
    return response


@router.get("/register")
def register_page(request: Request, visitor: VisitorDep) -> Response:
    """The form for a new account."""
    if isinstance(visitor, SignedIn):
        return redirect(request, visitor, "/")
    return _register(request, visitor)


@router.post("/register")
def register(request: Request, visitor: VisitorDep, form: FormDep, peer: PeerDep) -> Response:
    """Make a shopper with an account; nothing is agreed to by it."""
    try:
        wish = _wish(request, visitor, form)
        made = registration.register(visitor.context, wish, peer=peer, signal=visitor.gpc)
    except (Problem, UnfitError) as error:
        return _register(request, visitor, form, error)
    end_login(visitor)
    new = become(visitor, made.session.token)
    response = render(request, new, "codes.html", codes=made.recovery_codes, fresh=True)
    signed_in(request, response, new, made.session.token, made.session.expires_at)
    return response


@router.get("/recover")
def recover_page(request: Request, visitor: VisitorDep) -> Response:
    """The form for a recovery or setup code."""
    return _recover(request, visitor)


@router.post("/recover")
def recover(request: Request, visitor: VisitorDep, form: FormDep, peer: PeerDep) -> Response:
    """Set a password with a code."""
    try:
        name = account_name(form.text("name"))
        new_password(form.text("password"), name=name)
        wish = Recovery(
            name=name, code=form.text("code") or "-", new_password=form.text("password")
        )
        upkeep.recover(visitor.context, wish, peer=peer)
    except ValidationError:
        return _recover(request, visitor, form, UnfitError(Rule.LENGTH, ""))
    except (Problem, UnfitError) as error:
        return _recover(request, visitor, form, error)
    said = visitor.say("The password is set. Sign in with it.")
    return redirect(request, visitor, "/login", flash=said)


@router.get("/confirm")
def confirm_page(request: Request, visitor: SignedInDep, next: str = "/") -> Response:  # noqa: A002
    """The form to show once more who one is."""
    return _confirm(request, visitor, local_path(next))


@router.post("/confirm")
def confirm(request: Request, visitor: SignedInDep, form: FormDep) -> Response:
    """Show the password once more, and go back to what needed it."""
    next_path = local_path(form.text("next"))
    try:
        proof = PasswordProof(password=form.text("password"))
        login.prove_password(visitor.context, visitor.token, proof)
    except ValidationError:
        return _confirm(request, visitor, next_path, Problem(403, ""))
    except (Problem, UnfitError) as error:
        return _confirm(request, visitor, next_path, error)
    said = visitor.say("Thank you. For ten minutes you can now do what needs it.")
    return redirect(request, visitor, next_path, flash=said)


def end_login(visitor: Visitor) -> None:
    """End the login that the browser had, so that it never has two."""
    if isinstance(visitor, SignedIn):
        login.log_out(visitor.context, visitor.token)


def refusal(visitor: Visitor, error: Problem | UnfitError) -> str:
    """What was wrong with a form, in her language.

    Raises:
        Problem: one that is not about the form.
    """
    if isinstance(error, UnfitError):
        bounds = {Rule.NAME: (MIN_NAME, MAX_NAME), Rule.LENGTH: (MIN_PASSWORD, MAX_PASSWORD)}
        low, high = bounds.get(error.rule, (0, 0))
        return visitor.say(UNFIT[error.rule], min=low, max=high)
    if error.status not in _REFUSED:
        raise error
    return visitor.say(_REFUSED[error.status])


def _status(error: Problem | UnfitError | None) -> int:
    if error is None:
        return HTTPStatus.OK
    return HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(error, UnfitError) else error.status


def _login(
    request: Request,
    visitor: Visitor,
    next_path: str,
    form: Form | None = None,
    error: Problem | UnfitError | None = None,
) -> Response:
    return render(
        request,
        visitor,
        "login.html",
        status=_status(error),
        next=next_path,
        name=form.text("name") if form else "",
        error=refusal(visitor, error) if error else None,
    )


def _register(
    request: Request,
    visitor: Visitor,
    form: Form | None = None,
    error: Problem | UnfitError | None = None,
) -> Response:
    of_name = isinstance(error, UnfitError) and error.rule is Rule.NAME
    of_name = of_name or (isinstance(error, Problem) and error.status == HTTPStatus.CONFLICT)
    of_password = isinstance(error, UnfitError) and not of_name
    return render(
        request,
        visitor,
        "register.html",
        status=_status(error),
        name=form.text("name") if form else "",
        age_band=form.text("age_band") if form else "",
        age_bands=list(AgeBand),
        error=refusal(visitor, error) if error else None,
        field="name" if of_name else "password" if of_password else "",
        bounds=(MIN_PASSWORD, MAX_PASSWORD, MAX_NAME),
    )


def _recover(
    request: Request,
    visitor: Visitor,
    form: Form | None = None,
    error: Problem | UnfitError | None = None,
) -> Response:
    said = None
    if error is not None:
        wrong = isinstance(error, Problem) and error.status == HTTPStatus.UNAUTHORIZED
        said = visitor.say(_NO_CODE) if wrong else refusal(visitor, error)
    return render(
        request,
        visitor,
        "recover.html",
        status=_status(error),
        name=form.text("name") if form else "",
        error=said,
        bounds=(MIN_PASSWORD, MAX_PASSWORD, MAX_NAME),
    )


def _confirm(
    request: Request,
    visitor: SignedIn,
    next_path: str,
    error: Problem | UnfitError | None = None,
) -> Response:
    return render(
        request,
        visitor,
        "confirm.html",
        status=_status(error),
        next=next_path,
        has_password=upkeep.state(visitor.context, visitor.token).has_password,
        has_passkey=bool(passkeys.own(visitor.context, visitor.token).passkeys),
        linked=[
            each for each in oidc.own(visitor.context, visitor.token).identities if each.provider
        ],
        error=refusal(visitor, error) if error else None,
    )


def _wish(request: Request, visitor: Visitor, form: Form) -> AccountRegistration:
    name = account_name(form.text("name"))
    new_password(form.text("password"), name=name)
    stated = form.text("age_band")
    try:
        return AccountRegistration(
            name=name,
            password=form.text("password"),
            language=visitor.language,
            label=label(request),
            shopper=Registration(
                consents=[],
                notice_version=notices.read_all(visitor.context).current,
                language=visitor.language,
                age_band=AgeBand(stated) if stated in list(AgeBand) else AgeBand.NOT_STATED,
            ),
        )
    except ValidationError as error:  # such as a character that folds into several
        raise UnfitError(Rule.LENGTH, "A password has other bounds.") from error
