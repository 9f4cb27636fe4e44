"""Withdrawals with their proof: a tracker that says how far each has come."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Path, Query, Request, Response

from consent.instruction import InstructionState
from consent.instruction_report import Outcome
from consent.log.head import TreeHead
from consent.panel.page import ShopperDep, SignedIn, mark, render
from consent.panel.rights_words import CLIENT_STATES
from consent.service.instructions.schemas import InstructionStatus
from consent.service.withdrawals import service
from consent.service.withdrawals.schemas import StepState, Withdrawal
from consent.withdrawal import RoundFate
from crypto.wire import SignedRecord, b64, public_bytes

router = APIRouter(include_in_schema=False)
Epoch = Annotated[int, Path(ge=0, le=service.MAX_EPOCH)]
# The page asks again: often while somebody is likely to look, seldom after that.
_FRESH_MS: Final = 5 * 60 * 1000
OFTEN: Final = "every 2s"
SELDOM: Final = "every 30s"
_STATES: Final = {
    StepState.DONE: ("done", mark("Done")),
    StepState.WAITING: ("now", mark("Waiting")),
    StepState.FAILED: ("bad", mark("Not done")),
    StepState.NOT_NEEDED: ("done", mark("Nothing to do")),
}
_FATES: Final = {
    RoundFate.DROPPED: mark("Its list was frozen without you."),
    RoundFate.COMMITTED_BEFORE: mark(
        "Its list was frozen before you withdrew. That stays lawful and can't be taken back."
    ),
    RoundFate.OPEN: mark("It is still open. Your grant is dead, so you can't be counted any more."),
    RoundFate.CLOSED: mark("It ended without a list."),
    RoundFate.COUNTED: mark("It counted you after you withdrew. That must not be: complain to us."),
}
_TOLD: Final = {
    InstructionState.ISSUED: mark("It has not asked yet. It does so when it is next online."),
    InstructionState.FETCHED: mark("It has been told, and has not reported yet."),
    InstructionState.DONE: mark("It reported that it uses the data no more."),
    InstructionState.REFUSED: mark("It reported that it refused."),
    InstructionState.FAILED: mark("It reported that it failed, and will try again."),
    InstructionState.EXPIRED: mark("It never reported, and the time for it is over."),
    InstructionState.SUPERSEDED: mark("Called off: you agreed again before it asked."),
}
_REFUSED: Final = {
    Outcome.UNKNOWN_SHOPPER: mark("It says that it holds nothing of yours."),
    Outcome.TOO_LATE: mark("It was told too late."),
}


class Step(NamedTuple):
    """One step as it is shown: its style, its state in words, and when it was done."""

    style: str
    word: str
    time: int | None


@router.get("/withdrawals")
def withdrawals(
    request: Request,
    visitor: ShopperDep,
    cursor: Annotated[int | None, Query(ge=0, le=service.MAX_EPOCH)] = None,
) -> Response:
    """Every withdrawal, newest first."""
    found = service.read_all(visitor.context, visitor.shopper, visitor.token, cursor)
    return render(request, visitor, "withdrawals.html", found=found, newest=cursor is None)


@router.get("/withdrawals/{epoch}")
def withdrawal(
    request: Request,
    visitor: ShopperDep,
    epoch: Epoch,
    seen: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """One withdrawal, step by step; nothing where the page has seen it like this already."""
    found = service.read(visitor.context, visitor.shopper, visitor.token, epoch)
    version = _version(found)
    if visitor.fetched and seen == version:
        return Response(status_code=204)
    fresh = visitor.context.now_ms() - found.time < _FRESH_MS
    return render(
        request,
        visitor,
        "withdrawal.html",
        found=found,
        version=version,
        again=None if found.settled else OFTEN if fresh else SELDOM,
        steps={name: _step(visitor, found, name) for name in _NAMES},
        summary=_summary(visitor, found),
        fates=[(each, visitor.say(_FATES[each.fate])) for each in found.rounds.rounds],
        clients=[(each, _told(visitor, each)) for each in found.clients.instructions],
        told=CLIENT_STATES,
        head=TreeHead.verify(_head(found), visitor.context.key.public_key()),
        key=b64(public_bytes(visitor.context.key.public_key())),
        proof=json.dumps(found.saved.model_dump(mode="json"), ensure_ascii=False, indent=1),
    )


@router.get("/withdrawals/{epoch}/proof.json")
def proof(visitor: ShopperDep, epoch: Epoch) -> Response:
    """Everything that proves it, as one file to keep."""
    return Response(
        service.bundle(visitor.context, visitor.shopper, visitor.token, epoch),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="withdrawal-{epoch}.json"'},
    )


_NAMES: Final = ("saved", "grants", "rounds", "clients")


def _step(visitor: SignedIn, found: Withdrawal, name: str) -> Step:
    step = getattr(found, name)
    style, word = _STATES[step.state]
    return Step(style, visitor.say(word), step.time)


def _summary(visitor: SignedIn, found: Withdrawal) -> str:
    states = _states(found)
    if StepState.FAILED in states:
        return visitor.say("Something is not done. Look at the steps below.")
    if StepState.WAITING in states:
        waiting = states.count(StepState.WAITING)
        return visitor.say_n(
            "Your withdrawal counts already. {n} step is still under way.",
            "Your withdrawal counts already. {n} steps are still under way.",
            waiting,
        )
    return visitor.say("Everything is done.")


def _told(visitor: SignedIn, each: InstructionStatus) -> str:
    if each.outcome in _REFUSED:
        return visitor.say(_REFUSED[each.outcome])
    return visitor.say(_TOLD[each.state])


def _states(found: Withdrawal) -> Sequence[StepState]:
    return [getattr(found, name).state for name in _NAMES]


def _head(found: Withdrawal) -> SignedRecord:
    return SignedRecord.from_json(found.saved.head.model_dump())


def _version(found: Withdrawal) -> str:
    """Another text for each state that the page can show, whatever the log has grown by."""
    shown = found.model_dump(mode="json", exclude={"saved"})
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]
