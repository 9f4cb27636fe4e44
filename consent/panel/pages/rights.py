"""My rights: one form a right, her requests with their clocks, and the honest erasure page."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from consent.ages import AgeBand
from consent.panel import rights_words as words
from consent.panel.page import (
    Form,
    FormDep,
    ShopperDep,
    VisitorDep,
    redirect,
    render,
    signed_out,
)
from consent.rights.clock import Residence
from consent.rights.request import RequestKind
from consent.service.erasure import service as erasure
from consent.service.exports import service as exports
from consent.service.exports.archive import pieces
from consent.service.exports.schemas import FetchExport
from consent.service.problems import Problem
from consent.service.rights import service
from consent.service.rights.schemas import NewRequest, Proof
from crypto.errors import InvalidInputError

router = APIRouter(include_in_schema=False)
RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_KEY: Final = range(16, 65)


@router.get("/rights")
def rights(request: Request, visitor: ShopperDep) -> Response:
    """Every right with its form, and her requests."""
    found = service.read_all(visitor.context, visitor.shopper, visitor.token)
    return render(
        request,
        visitor,
        "rights.html",
        found=found,
        residence=service.residence(visitor.context, visitor.shopper, visitor.token),
        key=secrets.token_urlsafe(24),
        rights=[words.LIFT, *words.RIGHTS] if found.restricted_since else list(words.RIGHTS),
        ages=[band for band in AgeBand if band is not AgeBand.NOT_STATED],
        words=words,
    )


@router.post("/rights/residence")
def residence(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Where she lives, on which the law and the time for an answer depend."""
    if form.text("residence") not in list(Residence):
        said = visitor.say("Choose where you live.")
        return redirect(request, visitor, "/rights#residence", flash=said, kind="bad")
    stated = Residence(form.text("residence"))
    service.state_residence(visitor.context, visitor.shopper, visitor.token, stated)
    return redirect(request, visitor, "/rights#residence", flash=visitor.say("It is saved."))


@router.post("/rights/ask")
def ask(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Open a request. The form has a key, so pressing twice asks once."""
    try:
        asked = NewRequest.model_validate(_asked(form))
        opened = service.open_request(
            visitor.context, visitor.shopper, visitor.token, asked, _key(form)
        )
    except (ValidationError, InvalidInputError):
        said = visitor.say("Say what is wrong: fill in at least one field, and each one wholly.")
        return redirect(request, visitor, "/rights#correct", flash=said, kind="bad")
    except Problem as error:
        if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
            raise
        said = visitor.say("That could not be done as it was asked. Nothing was changed.")
        return redirect(request, visitor, "/rights", flash=said, kind="bad")
    said = visitor.say("We received your request.")
    if opened.needs_proof:
        said = visitor.say("We received your request. One step of yours is left.")
    return redirect(request, visitor, f"/rights/requests/{opened.id}", flash=said)


@router.get("/rights/requests/{request_id}")
def one(request: Request, visitor: ShopperDep, request_id: RequestId) -> Response:
    """One request: its state, clock, steps, each client's status, and what she can do."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, request_id)
    return render(
        request,
        visitor,
        "rights_request.html",
        found=found,
        erases=found.right is RequestKind.ERASURE,
        words=words,
    )


@router.post("/rights/requests/{request_id}/confirm")
def confirm(
    request: Request, visitor: ShopperDep, request_id: RequestId, _form: FormDep
) -> Response:
    """Have it carried out; a login that was not shown lately leads to showing it first."""
    done = service.confirm(visitor.context, visitor.shopper, visitor.token, request_id, Proof())
    if done.right is RequestKind.ERASURE:
        response = redirect(request, visitor, f"/rights/status?code={done.status_code}")
        signed_out(request, response)
        return response
    return redirect(
        request, visitor, f"/rights/requests/{request_id}", flash=visitor.say("It was begun.")
    )


@router.post("/rights/requests/{request_id}/cancel")
def cancel(
    request: Request, visitor: ShopperDep, request_id: RequestId, _form: FormDep
) -> Response:
    """Take it back."""
    service.cancel(visitor.context, visitor.shopper, visitor.token, request_id)
    said = visitor.say("You took it back. Nothing was done.")
    return redirect(request, visitor, "/rights", flash=said)


@router.post("/rights/requests/{request_id}/export")
def export(visitor: ShopperDep, request_id: RequestId, _form: FormDep) -> Response:
    """The file with everything that the service holds about her."""
    made = exports.fetch(visitor.context, visitor.shopper, visitor.token, request_id, FetchExport())
    return StreamingResponse(
        pieces(made),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="fedcart-export.zip"'},
    )


@router.get("/rights/erasure")
def before_erasure(request: Request, visitor: ShopperDep) -> Response:
    """What an erasure does and does not do, before she asks for it."""
    return render(
        request,
        visitor,
        "rights_erasure.html",
        preview=erasure.preview(visitor.context, visitor.shopper, visitor.token),
        residence=service.residence(visitor.context, visitor.shopper, visitor.token),
        key=secrets.token_urlsafe(24),
        words=words,
    )


@router.get("/rights/status")
def status(
    request: Request,
    visitor: VisitorDep,
    code: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """How an erasure stands, for whoever has its code; no login is needed."""
    found = None
    if code:
        try:
            found = erasure.status(visitor.context, code)
        except Problem as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
    return render(
        request,
        visitor,
        "rights_status.html",
        status=HTTPStatus.NOT_FOUND if code and found is None else HTTPStatus.OK,
        code=code,
        found=found,
        words=words,
    )


def _key(form: Form) -> str:
    key = form.text("key")
    if len(key) not in _KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise Problem(422, "Open the page again; its form has no key.")
    return key


def _asked(form: Form) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "kind": form.text("kind"),
        "residence": form.text("residence") or Residence.ELSEWHERE,
        "exact": form.text("exact") == "yes",
    }
    if form.text("kind") != RequestKind.RECTIFICATION:
        return asked
    own = {name: form.text(name).strip() for name in ("name", "language", "age_band")}
    stated = {name: value for name, value in own.items() if value}
    return {
        **asked,
        "own": stated or None,
        "purchases": _purchases(form),
        "note": form.text("note").strip(),
    }


def _purchases(form: Form) -> list[dict[str, Any]]:
    item, day, price = (form.text(name).strip() for name in ("item", "day", "price"))
    if not item and not day:
        return []
    named: dict[str, Any] = {"item": item, "day": day}
    if not price:
        return [{**named, "delete": True}]
    try:
        return [{**named, "values": {"price": float(price)}}]
    except ValueError as error:
        raise InvalidInputError("A price is a number.") from error
