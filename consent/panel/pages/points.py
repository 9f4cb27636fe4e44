"""Points: balance, where they come from, the opt-in of their own, and codes for the till."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from consent.incentive import MAX_POINTS, OPT_IN
from consent.panel import markdown
from consent.panel.matrix import Ask
from consent.panel.page import FormDep, ShopperDep, redirect, render
from consent.service.notices import service as notices
from consent.service.points import codes, service
from consent.service.points.schemas import CodeRequest
from consent.service.points.service import NEWEST
from consent.service.problems import Problem
from consent.service.shoppers import service as shoppers

router = APIRouter(include_in_schema=False)
_KEY_LENGTH = (16, 64)


@router.get("/points")
def points(
    request: Request,
    visitor: ShopperDep,
    cursor: Annotated[int | None, Query(ge=0, le=NEWEST)] = None,
) -> Response:
    """What she has, what it is worth, and how she got it."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, cursor)
    consents = shoppers.read_consents(visitor.context, visitor.shopper, visitor.token)
    state = next(e for e in consents.consents if (e.purpose, e.category) == OPT_IN)
    terms = visitor.context.settings.incentive
    title, text = "", ""
    if terms.points_per_round:
        notice = service.incentive(visitor.context, visitor.language)
        title, text = markdown.without_title(notice.text)
    return render(
        request,
        visitor,
        "points.html",
        points=found,
        newest=cursor is None,
        ask=Ask(state),
        epoch=consents.epoch,
        notice=notices.read_all(visitor.context).current,
        terms=terms,
        title=title,
        text=markdown.html(text, below=1),
        codes=codes.read_all(visitor.context, visitor.shopper, visitor.token),
        key=secrets.token_urlsafe(24),
    )


@router.post("/points/codes")
def make_code(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Turn points into a code. The form has a key, so pressing twice makes one code."""
    amount = form.number("points", low=1, high=MAX_POINTS)
    key = form.text("key")
    short, long = _KEY_LENGTH
    if amount is None or not (short <= len(key) <= long and key.isascii()):
        said = visitor.say("Enter how many points, as a whole number of at least 1.")
        return redirect(request, visitor, "/points#make", flash=said, kind="bad")
    try:
        made = codes.issue(
            visitor.context, visitor.shopper, visitor.token, CodeRequest(points=amount), key
        )
    except Problem as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        said = visitor.say("You have fewer points than that. No code was made.")
        return redirect(request, visitor, "/points#make", flash=said, kind="bad")
    said = visitor.say("Your code: {code}. It takes {value} off.", code=made.code, value=made.value)
    return redirect(request, visitor, "/points#codes", flash=said)
