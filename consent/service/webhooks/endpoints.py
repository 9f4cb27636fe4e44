"""HTTP endpoints for webhooks."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from consent.service import etag
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.etag import IfMatch
from consent.service.principals import Role
from consent.service.problems import answers
from consent.service.webhooks import subscriptions
from consent.service.webhooks.schemas import (
    Deliveries,
    Delivery,
    Endpoint,
    EndpointChange,
    Endpoints,
    NewSecret,
    Subscribed,
    Subscription,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
EndpointId = Annotated[
    str, Path(description="The webhook's id.", max_length=64, pattern=r"^[0-9a-f]+$")
]
Number = Annotated[int, Path(description="The delivery's number.", ge=1, le=2**53)]
_OPERATOR = scope(Role.OPERATOR)
_READERS = scope(Role.OPERATOR, Role.AUDITOR)


@router.post(
    "", status_code=201, responses=answers(401, 403, 404, 409, 422), openapi_extra=_OPERATOR
)
def subscribe(request: Subscription, token: BearerToken, context: ContextDep) -> Subscribed:
    """Send some kinds of events to a URL, signed as Standard Webhooks says.

    The URL is https on a public host. The answer holds the secret, which is not shown again.
    Events carry opaque ids and no names.
    """
    return subscriptions.subscribe(context, token, request)


@router.get("", responses=answers(401, 404), openapi_extra=_READERS)
def read_all(token: BearerToken, context: ContextDep) -> Endpoints:
    """Every webhook, and how many events wait for it."""
    return subscriptions.read_all(context, token)


@router.get("/{endpoint}", responses=answers(401, 404, 422), openapi_extra=_READERS)
def read(
    endpoint: EndpointId, token: BearerToken, context: ContextDep, response: Response
) -> Endpoint:
    """One webhook; its ETag is for changing it."""
    found = subscriptions.read(context, token, endpoint)
    response.headers["ETag"] = etag.tag(found.version)
    return found


@router.patch(
    "/{endpoint}",
    responses=answers(401, 403, 404, 412, 422, 428),
    openapi_extra=_OPERATOR,
)
def change(
    endpoint: EndpointId,
    request: EndpointChange,
    token: BearerToken,
    context: ContextDep,
    response: Response,
    if_match: IfMatch = None,
) -> Endpoint:
    """Change a webhook, stop it or start it again, from the state that If-Match says you read."""
    made = subscriptions.change(context, token, endpoint, request, if_match=if_match)
    response.headers["ETag"] = etag.tag(made.version)
    return made


@router.delete(
    "/{endpoint}",
    status_code=204,
    responses=answers(401, 403, 404, 422),
    openapi_extra=_OPERATOR,
)
def remove(endpoint: EndpointId, token: BearerToken, context: ContextDep) -> None:
    """Remove a webhook with everything that waits for it."""
    subscriptions.remove(context, token, endpoint)


@router.post("/{endpoint}/secret", responses=answers(401, 403, 404, 422), openapi_extra=_OPERATOR)
def rotate(endpoint: EndpointId, token: BearerToken, context: ContextDep) -> NewSecret:
    """Make a new secret, which is not shown again; the old one signs too for 24 hours."""
    return subscriptions.rotate(context, token, endpoint)


@router.get("/{endpoint}/deliveries", responses=answers(401, 404, 422), openapi_extra=_READERS)
def deliveries(
    endpoint: EndpointId,
    token: BearerToken,
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=subscriptions.NEWEST)] = None,
    limit: Annotated[int, Query(ge=1, le=subscriptions.PAGE)] = subscriptions.PAGE,
) -> Deliveries:
    """What was sent to a webhook and how it went, newest first, a page at a time."""
    return subscriptions.deliveries(context, token, endpoint, cursor, limit)


@router.post(
    "/{endpoint}/deliveries/{number}/replay",
    responses=answers(401, 403, 404, 409, 422),
    openapi_extra=_OPERATOR,
)
def replay(
    endpoint: EndpointId, number: Number, token: BearerToken, context: ContextDep
) -> Delivery:
    """Send one event once more, under the same id."""
    return subscriptions.replay(context, token, endpoint, number)
