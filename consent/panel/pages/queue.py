"""The operators' queue of requests, and the models to rebuild."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError

from consent.panel import rights_words as words
from consent.panel.page import Form, FormDep, OperatorDep, SignedIn, redirect, render
from consent.rights import request as rules
from consent.rights.request import Action, Ground, RequestState
from consent.service import etag
from consent.service.erasure import rebuilds
from consent.service.erasure.schemas import RebuildDone
from consent.service.principals import Role
from consent.service.problems import Problem
from consent.service.rights import queue
from consent.service.rights.schemas import Closing, Extension, RefusalOfRequest

router = APIRouter(include_in_schema=False)
RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_MOST_STEPS: Final = 10**6
_CURSOR: Final = r"^[0-9]{1,15}-[0-9a-f]{32}$"


@router.get("/operators/requests")
def all_requests(
    request: Request,
    visitor: OperatorDep,
    state: Annotated[str, Query(max_length=32)] = "",
    cursor: Annotated[str | None, Query(pattern=_CURSOR)] = None,
) -> Response:
    """Requests by when they are due, the overdue first, and the models to rebuild."""
    chosen = RequestState(state) if state in list(RequestState) else None
    return render(
        request,
        visitor,
        "queue.html",
        queue=queue.read_all(
            visitor.context, visitor.token, state=chosen, due_before=None, cursor=cursor
        ),
        rebuilds=rebuilds.read_all(visitor.context, visitor.token).rebuilds,
        chosen=chosen,
        states=list(RequestState),
        may_change=visitor.role is Role.OPERATOR,
        words=words,
    )


@router.get("/operators/requests/{request_id}")
def one(request: Request, visitor: OperatorDep, request_id: RequestId) -> Response:
    """One request with its steps, each client's status, and what can be done."""
    found = queue.read(visitor.context, visitor.token, request_id)
    state = RequestState(found.state)
    return render(
        request,
        visitor,
        "queue_request.html",
        found=found,
        may_change=visitor.role is Role.OPERATOR and state in rules.OPEN,
        may_extend=found.extended_until is None and found.longest_on is not None,
        may_complete=rules.can(state, Action.COMPLETE),
        may_refuse=rules.can(state, Action.REFUSE),
        grounds=list(Ground),
        words=words,
    )


@router.post("/operators/requests/{request_id}/{step}")
def act(
    request: Request,
    visitor: OperatorDep,
    request_id: RequestId,
    step: Annotated[str, Path(pattern=r"^(take|extend|complete|refuse)$")],
    form: FormDep,
) -> Response:
    """Take it, extend its clock, answer it, or refuse it; each is audited."""
    page = f"/operators/requests/{request_id}"
    try:
        _act(visitor, request_id, step, form)
    except ValidationError:
        said = visitor.say("Say why, in words that she will read.")
        return redirect(request, visitor, page, flash=said, kind="bad")
    except rules.RequestError:
        said = visitor.say("That can't be done with this request now.")
        return redirect(request, visitor, page, flash=said, kind="bad")
    except Problem as error:
        if error.status != HTTPStatus.PRECONDITION_FAILED:
            raise
        said = _changed(visitor, request_id)
        return redirect(request, visitor, page, flash=said, kind="bad")
    return redirect(request, visitor, page, flash=visitor.say("It is noted, and audited."))


@router.post("/operators/rebuilds/{rebuild}")
def rebuilt(request: Request, visitor: OperatorDep, rebuild: RequestId, form: FormDep) -> Response:
    """Note that the models of a task were rebuilt."""
    try:
        report = RebuildDone(artefact=form.text("artefact").strip().lower())
    except ValidationError:
        said = visitor.say("Enter the SHA-256 of the rebuilt model: 64 hex digits.")
        return redirect(request, visitor, "/operators/requests#rebuilds", flash=said, kind="bad")
    rebuilds.done(visitor.context, visitor.token, rebuild, report)
    said = visitor.say("It is noted, and audited.")
    return redirect(request, visitor, "/operators/requests#rebuilds", flash=said)


def _changed(visitor: SignedIn, request_id: str) -> str:
    """She, one of her clients or another operator was faster."""
    state = queue.read(visitor.context, visitor.token, request_id).state
    return visitor.say(
        "Nothing was changed. This request is now: {state}. Look at what happened below, then "
        "decide what can still be done.",
        state=visitor.say(words.REQUEST_STATES[state]),
    )


def _act(visitor: SignedIn, request_id: str, step: str, form: Form) -> None:
    context, token, text = visitor.context, visitor.token, form.text("answer").strip()
    seen = etag.tag(form.number("seen", low=0, high=_MOST_STEPS) or 0)
    if step == "take":
        queue.take(context, token, request_id, if_match=seen)
    elif step == "extend":
        queue.extend(context, token, request_id, Extension(reason=text), if_match=seen)
    elif step == "complete":
        partly = form.text("partly") == "yes"
        closing = Closing(answer=text, partly=partly)
        queue.complete(context, token, request_id, closing, if_match=seen)
    else:
        refusal = RefusalOfRequest.model_validate({"ground": form.text("ground"), "answer": text})
        queue.refuse(context, token, request_id, refusal, if_match=seen)
