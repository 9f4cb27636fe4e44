"""One's own account: logins, password, recovery codes, language, and a shopper's devices."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError

from consent.credentials import MAX_PASSWORD, MIN_PASSWORD, Rule, UnfitError
from consent.panel import language as languages
from consent.panel.page import (
    FormDep,
    ShopperDep,
    SignedIn,
    SignedInDep,
    redirect,
    render,
    signed_out,
)
from consent.panel.pages.login import refusal
from consent.panel.visitor import remember_language
from consent.service.accounts import login, upkeep
from consent.service.accounts.schemas import LanguageChoice, PasswordChange
from consent.service.pairing import service as pairing
from consent.service.pairing.schemas import CodeWish
from consent.service.principals import STEP_UP, Role
from consent.service.problems import Problem

router = APIRouter(include_in_schema=False)
PAGE = "/account"
SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
ClientId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]


@router.get(PAGE)
def account(request: Request, visitor: SignedInDep) -> Response:
    """All of one's account on a page."""
    return _page(request, visitor)


@router.post(f"{PAGE}/password")
def change_password(request: Request, visitor: SignedInDep, form: FormDep) -> Response:
    """Set a new password; every other login ends."""
    try:
        change = PasswordChange(
            new_password=form.text("new_password"), old_password=form.text("old_password") or None
        )
        upkeep.change_password(visitor.context, visitor.token, change)
    except ValidationError:
        return _page(request, visitor, UnfitError(Rule.LENGTH, ""))
    except (Problem, UnfitError) as error:
        if isinstance(error, Problem) and (error.kind == STEP_UP or error.status == 409):
            raise
        return _page(request, visitor, error)
    said = visitor.say("The password was changed. Every other login has ended.")
    return redirect(request, visitor, PAGE, flash=said)


@router.post(f"{PAGE}/recovery-codes")
def recovery_codes(request: Request, visitor: SignedInDep, form: FormDep) -> Response:  # noqa: ARG001
    """Show new recovery codes, once; the old ones are useless."""
    made = upkeep.renew_recovery_codes(visitor.context, visitor.token)
    return render(request, visitor, "codes.html", codes=made.recovery_codes, fresh=False)


@router.post(f"{PAGE}/language")
def choose_language(request: Request, visitor: SignedInDep, form: FormDep) -> Response:
    """Remember the language that she reads, here and for what she is sent."""
    chosen = languages.parsed(form.text("language"))
    if chosen is None:
        raise Problem(422, "This language is not known here.")
    upkeep.choose_language(visitor.context, visitor.token, LanguageChoice(language=chosen))
    response = redirect(request, visitor, PAGE, whole_page=True)
    remember_language(request, response, chosen)
    return response


@router.post(f"{PAGE}/sessions/end-others")
def end_others(request: Request, visitor: SignedInDep, form: FormDep) -> Response:  # noqa: ARG001
    """End every login but this one."""
    login.end_all(visitor.context, visitor.token, keep_current=True)
    return redirect(request, visitor, PAGE, flash=visitor.say("Every other login has ended."))


@router.post(f"{PAGE}/sessions/{{session}}/end")
def end_session(
    request: Request,
    visitor: SignedInDep,
    form: FormDep,  # noqa: ARG001
    session: SessionId,
) -> Response:
    """End one login; this one is the same as signing out."""
    open_now = login.own_sessions(visitor.context, visitor.token).sessions
    current = any(each.current for each in open_now if each.id == session)
    login.end_session(visitor.context, visitor.token, session)
    path = "/" if current else PAGE
    response = redirect(request, visitor, path, flash=visitor.say("The login has ended."))
    if current:
        signed_out(request, response)
    return response


@router.post(f"{PAGE}/devices/code")
def pairing_code(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Show a code with which a device can be paired, once."""
    try:
        wish = CodeWish(label=form.text("label"))
    except ValidationError as error:
        raise Problem(422, "The device's name has at most 64 characters.") from error
    made = pairing.new_code(visitor.context, visitor.shopper, visitor.token, wish)
    return render(request, visitor, "pairing_code.html", made=made, label=wish.label)


@router.post(f"{PAGE}/devices/{{client}}/remove")
def unpair(
    request: Request,
    visitor: ShopperDep,
    form: FormDep,  # noqa: ARG001
    client: ClientId,
) -> Response:
    """Remove a device; what it held permission for ends at once."""
    pairing.unpair(visitor.context, visitor.shopper, visitor.token, client)
    said = visitor.say("It was removed. It stands for you no more, from this moment.")
    return redirect(request, visitor, PAGE, flash=said)


def _page(
    request: Request, visitor: SignedIn, error: Problem | UnfitError | None = None
) -> Response:
    context, token = visitor.context, visitor.token
    devices = None
    if visitor.role is Role.SHOPPER:
        devices = pairing.read(context, visitor.shopper, token)
    status = 200 if error is None else error.status if isinstance(error, Problem) else 422
    return render(
        request,
        visitor,
        "account.html",
        status=status,
        account=upkeep.state(context, token),
        sessions=login.own_sessions(context, token).sessions,
        devices=devices,
        error=refusal(visitor, error) if error else None,
        bounds=(MIN_PASSWORD, MAX_PASSWORD),
    )
