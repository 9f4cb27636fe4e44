"""The diary: every round that her data was part of, and what left her device for it."""

from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from consent.panel.page import ShopperDep, render
from consent.panel.policy import PolicyFacts, facts
from consent.purpose import Purpose
from consent.service.rounds import diary as service
from consent.service.rounds import service as rounds
from consent.service.rounds.schemas import DiaryEntrySchema
from consent.service.rounds.service import NEWEST
from consent.tasks.names import REQUIRED_PURPOSE

router = APIRouter(include_in_schema=False)
SHOWN: Final = 20


class Part(NamedTuple):
    """One round with the policy that it ran under."""

    entry: DiaryEntrySchema
    policy: PolicyFacts

    @property
    def purpose(self) -> Purpose:
        """What her consent was for."""
        return REQUIRED_PURPOSE[self.entry.task]


@router.get("/diary")
def diary(
    request: Request,
    visitor: ShopperDep,
    cursor: Annotated[int | None, Query(ge=0, le=NEWEST)] = None,
) -> Response:
    """Her rounds, newest first, a sentence each."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, cursor)
    shown = found.entries[:SHOWN]
    parts = [
        Part(entry, facts(rounds.policy(visitor.context, entry.task, entry.round)))
        for entry in shown
    ]
    more = len(found.entries) > SHOWN or found.next is not None
    return render(
        request,
        visitor,
        "diary.html",
        diary=found,
        parts=parts,
        older=shown[-1].number if shown and more else None,
        newest=cursor is None,
    )
