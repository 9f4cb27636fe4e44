"""Pages about age: stating a band, finding a guardian, and being one."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from consent.ages import AgeBand
from consent.panel import matrix
from consent.panel.matrix import MAX_EPOCH
from consent.panel.page import FormDep, Refused, ShopperDep, Visitor, mark, redirect, render
from consent.purpose import LIVE_STATES, Decision
from consent.service import etag
from consent.service.guardians import service
from consent.service.guardians.schemas import ShownCode, WardCode
from consent.service.notices import service as notices
from consent.service.problems import Problem
from consent.service.shoppers.schemas import DecisionEntry, Decisions
from consent.service.signals.gate import CONFLICT

router = APIRouter(include_in_schema=False)
WardId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_BANDS: Final[Mapping[AgeBand, str]] = {
    AgeBand.NOT_STATED: mark("not said"),
    AgeBand.UNDER_13: mark("Under 13"),
    AgeBand.TEEN: mark("13 to 15"),
    AgeBand.OLDER_TEEN: mark("16 or 17"),
    AgeBand.ADULT: mark("18 or older"),
}
_SHOWN: Final = LIVE_STATES | matrix.WAITING


@router.get("/age")
def show_age(request: Request, visitor: ShopperDep) -> Response:
    """What the shopper said of her age, and whether she needs a guardian."""
    return _age(request, visitor)


@router.post("/age")
def state_age(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """State an age band."""
    stated = form.text("age_band")
    if stated not in set(AgeBand) - {AgeBand.NOT_STATED}:
        raise Refused(422, visitor.say("Choose one of the age bands."))
    try:
        service.state_age(visitor.context, visitor.shopper, visitor.token, AgeBand(stated))
    except Problem as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        said = visitor.say("An older age band is taken 30 days after the last answer.")
        return redirect(request, visitor, "/age", flash=said, kind="bad")
    return redirect(request, visitor, "/age", flash=visitor.say("Saved."))


@router.post("/age/code")
def show_code(request: Request, visitor: ShopperDep, form: FormDep) -> Response:  # noqa: ARG001
    """A code for the guardian, shown in this answer only."""
    code = service.show_code(visitor.context, visitor.shopper, visitor.token)
    return _age(request, visitor, code)


@router.post("/age/leave")
def leave(request: Request, visitor: ShopperDep, form: FormDep) -> Response:  # noqa: ARG001
    """End the guardianship as the minor."""
    service.leave(visitor.context, visitor.shopper, visitor.token)
    said = visitor.say("You have no guardian any more. What was agreed to for you has ended.")
    return redirect(request, visitor, "/age", flash=said)


@router.get("/guardian")
def show_wards(request: Request, visitor: ShopperDep) -> Response:
    """The shopper's wards."""
    found = service.read_wards(visitor.context, visitor.shopper, visitor.token)
    return render(request, visitor, "guardian.html", wards=found.wards, bands=_bands(visitor))


@router.post("/guardian")
def adopt(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Become a guardian with the code that a minor showed."""
    try:
        code = WardCode(code=form.text("code").strip().upper()).code
        made = service.adopt(visitor.context, visitor.shopper, visitor.token, code)
    except ValueError:
        return _no_code(request, visitor)
    except Problem as error:
        if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return _no_code(request, visitor)
        if error.status == HTTPStatus.CONFLICT:
            said = visitor.say("A guardian says first that she is 18 or older, on her own page.")
            return redirect(request, visitor, "/age", flash=said, kind="bad")
        raise
    said = visitor.say("You are her guardian now.")
    return redirect(request, visitor, f"/guardian/{made.ward}", flash=said)


@router.get("/guardian/{ward}")
def show_ward(request: Request, visitor: ShopperDep, ward: WardId) -> Response:
    """What a ward asks for or has."""
    found = service.read_consents(visitor.context, visitor.shopper, visitor.token, ward)
    return render(
        request,
        visitor,
        "ward.html",
        ward=ward,
        epoch=found.epoch,
        cells=[cell for cell in found.consents if cell.state in _SHOWN],
        live=LIVE_STATES,
        notice=notices.read_all(visitor.context).current,
    )


@router.post("/guardian/{ward}")
def decide(request: Request, visitor: ShopperDep, ward: WardId, form: FormDep) -> Response:
    """Agree to one thing that the ward asked for, or say no to it."""
    answer, cell = form.text("answer"), matrix.parsed(form.text("cell"))
    if answer not in ("yes", "no") or cell is None:
        raise Refused(422, visitor.say("Choose Yes or No."))
    entry = DecisionEntry(
        purpose=cell.purpose,
        category=cell.category,
        decision=Decision.GIVEN if answer == "yes" else Decision.REFUSED,
    )
    current = notices.read_all(visitor.context).current
    if answer == "yes" and form.text("notice") != current:
        said = visitor.say("This was changed meanwhile. Look again, then decide.")
        return redirect(request, visitor, f"/guardian/{ward}", flash=said, kind="bad")
    request_made = Decisions(
        decisions=[entry],
        notice_version=current,
        language=visitor.language,
    )
    epoch = form.number("epoch", low=0, high=MAX_EPOCH)
    seen = etag.tag(epoch if epoch is not None else "none") if answer == "yes" else etag.ANY
    try:
        service.decide(
            visitor.context, visitor.shopper, visitor.token, ward, request_made, if_match=seen
        )
    except Problem as error:
        said = _reason(visitor, error)
        return redirect(request, visitor, f"/guardian/{ward}", flash=said, kind="bad")
    return redirect(request, visitor, f"/guardian/{ward}", flash=visitor.say("Saved."))


@router.post("/guardian/{ward}/end")
def release(request: Request, visitor: ShopperDep, ward: WardId, form: FormDep) -> Response:  # noqa: ARG001
    """End the guardianship as the guardian."""
    service.release(visitor.context, visitor.shopper, visitor.token, ward)
    said = visitor.say("You are not her guardian any more. What you agreed to has ended.")
    return redirect(request, visitor, "/guardian", flash=said)


def _age(request: Request, visitor: ShopperDep, code: ShownCode | None = None) -> Response:
    age = service.read_age(visitor.context, visitor.shopper, visitor.token)
    return render(request, visitor, "age.html", age=age, code=code, bands=_bands(visitor))


def _bands(visitor: Visitor) -> dict[AgeBand, str]:
    return {band: visitor.say(text) for band, text in _BANDS.items()}


def _no_code(request: Request, visitor: Visitor) -> Response:
    said = visitor.say("No child shows this code now. Ask for a new one.")
    return redirect(request, visitor, "/guardian", flash=said, kind="bad")


def _reason(visitor: Visitor, error: Problem) -> str:
    """Why a decision was not taken; a problem that leads elsewhere goes on.

    Raises:
        Problem: she has to show who she is first, or there is no such ward.
    """
    if error.kind == CONFLICT:
        return visitor.say(
            "The child's browser or device says no to this, so only she can say yes."
        )
    if error.status == HTTPStatus.PRECONDITION_FAILED:
        return visitor.say("This was changed meanwhile. Look again, then decide.")
    if error.status == HTTPStatus.CONFLICT:
        return visitor.say("This was not saved: nobody asked for it, or nobody may.")
    raise error
