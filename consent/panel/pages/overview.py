"""The first page: what this is, or how things stand for the shopper who is signed in."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from consent.panel.page import Elsewhere, SignedIn, VisitorDep, render
from consent.panel.policy import LEARNS
from consent.purpose import LIVE_STATES, Category, Purpose
from consent.service.points import service as points
from consent.service.principals import Role
from consent.service.rights import service as rights
from consent.service.rounds import diary
from consent.service.shoppers import service as shoppers
from consent.service.shoppers.schemas import CellState
from consent.service.withdrawals import service as withdrawals

router = APIRouter(include_in_schema=False)


class Given(NamedTuple):
    """What she gives for one purpose."""

    purpose: Purpose
    categories: list[Category]


@router.get("/")
def overview(request: Request, visitor: VisitorDep) -> Response:
    """Plain sentences: what she gives, to what, what left last, and one way to change things."""
    if not isinstance(visitor, SignedIn):
        return render(request, visitor, "welcome.html")
    if visitor.role is not Role.SHOPPER:
        raise Elsewhere("/operators")
    consents = shoppers.read_consents(visitor.context, visitor.shopper, visitor.token)
    rounds = diary.read(visitor.context, visitor.shopper, visitor.token, None)
    asked = rights.read_all(visitor.context, visitor.shopper, visitor.token)
    return render(
        request,
        visitor,
        "overview.html",
        given=_given(consents.consents),
        decided=any(each.since for each in consents.consents),
        rounds=rounds,
        last=rounds.entries[0] if rounds.entries else None,
        learns=LEARNS,
        open_requests=sum(each.closed_at is None for each in asked.requests),
        restricted_since=asked.restricted_since,
        withdrawn=withdrawals.read_all(
            visitor.context, visitor.shopper, visitor.token, None
        ).withdrawals[:1],
        points=points.read(visitor.context, visitor.shopper, visitor.token, None),
    )


def _given(cells: Iterable[CellState]) -> list[Given]:
    found: Mapping[Purpose, list[Category]] = {purpose: [] for purpose in Purpose}
    for cell in cells:
        if cell.state in LIVE_STATES:
            found[cell.purpose].append(cell.category)
    return [Given(purpose, categories) for purpose, categories in found.items() if categories]
