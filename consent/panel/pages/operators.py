"""Operators' pages: numbers, audit trail, webhooks, retention, and the two records.

An auditor sees them all and changes nothing. To anybody else they do not exist.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from consent.panel.page import FormDep, OperatorDep, SignedIn, mark, redirect, render
from consent.retention import KEPT
from consent.service.audit import reading
from consent.service.audit.repository import Wanted
from consent.service.inventory import service as inventory
from consent.service.inventory.document import speaker
from consent.service.inventory.schemas import Format
from consent.service.metrics import service as metrics
from consent.service.principals import Role
from consent.service.problems import Problem
from consent.service.retention import service as retention
from consent.service.webhooks import subscriptions
from consent.service.webhooks.schemas import EndpointChange, Subscription
from consent.service.webhooks.service import Kind
from crypto.errors import InvalidInputError

router = APIRouter(prefix="/operators", include_in_schema=False)
_WEBHOOKS: Final = "/operators/webhooks"
Cursor = Annotated[int | None, Query(ge=0, le=reading.NEWEST)]
EndpointId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f]+$")]
_KINDS: Final = {
    Kind.CONSENT_GIVEN: mark("A shopper said yes"),
    Kind.CONSENT_WITHDRAWN: mark("A shopper withdrew a yes"),
    Kind.REQUEST_CREATED: mark("A shopper asked for something"),
    Kind.REQUEST_COMPLETED: mark("A request was answered"),
    Kind.ERASURE_COMPLETED: mark("A shopper was erased"),
}
_STATUS: Final = {
    "pending": mark("waits"),
    "delivered": mark("delivered"),
    "failed": mark("given up"),
}
_STOPPED: Final = {
    "by an operator": mark("stopped by an operator"),
    "days of failure": mark("stopped after days of failure"),
    "the receiver is gone (410)": mark("stopped because the receiver is gone"),
}


@router.get("")
def overview(request: Request, visitor: OperatorDep) -> Response:
    """How the service is doing."""
    found = metrics.overview(visitor.context, visitor.token)
    return render(request, visitor, "operators.html", numbers=found)


@router.get("/audit")
def audit(
    request: Request,
    visitor: OperatorDep,
    action: Annotated[str, Query(pattern=r"^[a-z.-]{0,64}$")] = "",
    actor: Annotated[str, Query(pattern=r"^[A-Za-z0-9:_-]{0,128}$")] = "",
    cursor: Cursor = None,
) -> Response:
    """Who did what."""
    wanted = Wanted(action=action or None, actor=actor or None)
    trail = reading.read(visitor.context, visitor.token, wanted, cursor)
    return render(request, visitor, "operators_audit.html", trail=trail, action=action, actor=actor)


@router.get("/retention")
def kept(request: Request, visitor: OperatorDep) -> Response:
    """How long what is kept, and what the job removed."""
    return render(
        request,
        visitor,
        "operators_retention.html",
        report=retention.report(visitor.context, visitor.token),
        kept=KEPT,
        term=speaker(visitor.language),
    )


@router.get("/ropa")
def ropa(request: Request, visitor: OperatorDep) -> Response:
    """The record of processing activities."""
    return _record(request, visitor, inventory.Kind.ROPA)


@router.get("/dpia")
def dpia(request: Request, visitor: OperatorDep) -> Response:
    """The impact assessment."""
    return _record(request, visitor, inventory.Kind.DPIA)


@router.get("/export/{kind}.{how}")
def export(kind: inventory.Kind, how: Format, visitor: OperatorDep) -> Response:
    """A record as a file."""
    text = inventory.export(visitor.context, visitor.token, kind, how, visitor.language)
    return Response(
        text,
        media_type=inventory.MEDIA_TYPES[how],
        headers={"Content-Disposition": f'attachment; filename="{kind}.{how}"'},
    )


@router.get("/webhooks")
def webhooks(request: Request, visitor: OperatorDep) -> Response:
    """Who is told what."""
    return _webhooks(request, visitor)


@router.post("/webhooks")
def subscribe(request: Request, visitor: OperatorDep, form: FormDep) -> Response:
    """Tell one more address. Its secret is shown on the page that answers, and never again."""
    chosen = [kind for kind in Kind if kind.value in form.all("kind")]
    if not chosen or not form.text("url"):
        said = visitor.say("Name an address and choose at least one kind of event.")
        return redirect(request, visitor, _WEBHOOKS, flash=said, kind="bad")
    try:
        made = subscriptions.subscribe(
            visitor.context,
            visitor.token,
            Subscription(
                url=form.text("url").strip(), kinds=chosen, description=form.text("description")
            ),
        )
    except (InvalidInputError, ValueError):
        said = visitor.say(
            "This address can't be used. It begins with https://, names a public host in lower "
            "case, and goes to port 443 or 8443 or one that the settings allow."
        )
        return redirect(request, visitor, _WEBHOOKS, flash=said, kind="bad")
    return _webhooks(request, visitor, secret=made.secret, of=made.endpoint.id)


@router.get("/webhooks/{endpoint}")
def webhook(
    request: Request, visitor: OperatorDep, endpoint: EndpointId, cursor: Cursor = None
) -> Response:
    """One webhook and what was sent to it."""
    context, token = visitor.context, visitor.token
    return render(
        request,
        visitor,
        "operators_webhook.html",
        endpoint=subscriptions.read(context, token, endpoint),
        log=subscriptions.deliveries(context, token, endpoint, cursor),
        kinds=_KINDS,
        words=_STATUS,
        stopped=_STOPPED,
        may_change=visitor.role is Role.OPERATOR,
    )


@router.post("/webhooks/{endpoint}/enabled")
def enable(request: Request, visitor: OperatorDep, form: FormDep, endpoint: EndpointId) -> Response:
    """Stop a webhook, or start it again."""
    wanted = EndpointChange(enabled=form.text("enabled") == "yes")
    subscriptions.change(visitor.context, visitor.token, endpoint, wanted)
    said = visitor.say("The webhook is on.") if wanted.enabled else visitor.say("It is stopped.")
    return redirect(request, visitor, f"{_WEBHOOKS}/{endpoint}", flash=said)


@router.post("/webhooks/{endpoint}/secret")
def rotate(
    request: Request,
    visitor: OperatorDep,
    form: FormDep,  # noqa: ARG001 - its check of where the form is from
    endpoint: EndpointId,
) -> Response:
    """Make a new secret, shown on the page that answers, and never again."""
    made = subscriptions.rotate(visitor.context, visitor.token, endpoint)
    return _webhooks(request, visitor, secret=made.secret, of=made.endpoint)


@router.post("/webhooks/{endpoint}/remove")
def remove(
    request: Request,
    visitor: OperatorDep,
    form: FormDep,  # noqa: ARG001 - its check of where the form is from
    endpoint: EndpointId,
) -> Response:
    """Remove a webhook."""
    subscriptions.remove(visitor.context, visitor.token, endpoint)
    return redirect(request, visitor, _WEBHOOKS, flash=visitor.say("The webhook was removed."))


@router.post("/webhooks/{endpoint}/replay")
def replay(request: Request, visitor: OperatorDep, form: FormDep, endpoint: EndpointId) -> Response:
    """Send one event once more."""
    number = form.number("number", low=1, high=subscriptions.NEWEST)
    if number is None:
        raise Problem(404, "There is no such delivery.")
    path = f"{_WEBHOOKS}/{endpoint}"
    try:
        subscriptions.replay(visitor.context, visitor.token, endpoint, number)
    except Problem as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        said = visitor.say("This event is being sent just now, or the webhook is stopped.")
        return redirect(request, visitor, path, flash=said, kind="bad")
    return redirect(
        request, visitor, path, flash=visitor.say("The event is sent once more, in a moment.")
    )


def _webhooks(request: Request, visitor: SignedIn, *, secret: str = "", of: str = "") -> Response:
    return render(
        request,
        visitor,
        "operators_webhooks.html",
        endpoints=subscriptions.read_all(visitor.context, visitor.token).endpoints,
        kinds=_KINDS,
        stopped=_STOPPED,
        secret=secret,
        secret_of=of,
        may_change=visitor.role is Role.OPERATOR,
    )


def _record(request: Request, visitor: SignedIn, kind: inventory.Kind) -> Response:
    found = inventory.read(visitor.context, visitor.token, kind, visitor.language)
    return render(
        request, visitor, "operators_record.html", document=found, kind=kind, formats=list(Format)
    )
