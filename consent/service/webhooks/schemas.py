"""Requests and answers about webhooks. Times are Unix milliseconds."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from consent.service.schemas import Schema
from consent.service.webhooks.addresses import MAX_URL
from consent.service.webhooks.service import Kind, Status

_URL: Final = StringConstraints(min_length=1, max_length=MAX_URL)
_DESCRIPTION: Final = StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
Url = Annotated[str, _URL]
Description = Annotated[str, _DESCRIPTION]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=len(Kind))]


class Subscription(Schema):
    """Where to send which kinds of events."""

    url: Url
    kinds: Kinds
    description: Description = ""


class EndpointChange(Schema):
    """What to change; a field that is left out stays. ``enabled`` starts a stopped one again."""

    url: Url | None = None
    kinds: Kinds | None = None
    description: Description | None = None
    enabled: bool | None = None


class Endpoint(Schema):
    """A subscribed endpoint. ``waiting`` is how many deliveries are not done yet.

    ``failing_since`` is set while attempts fail, ``disabled_why`` says why nothing is sent.
    """

    id: str
    url: str
    kinds: list[Kind]
    description: str
    created_at: int
    enabled: bool
    disabled_at: int | None
    disabled_why: str
    failing_since: int | None
    waiting: int
    version: int


class Endpoints(Schema):
    """Every endpoint, oldest first."""

    endpoints: list[Endpoint]


class NewSecret(Schema):
    """A secret, shown this once. The one before signs too until ``overlap_until``."""

    endpoint: str
    secret: str
    overlap_until: int | None


class Subscribed(Schema):
    """A new endpoint with its secret, the only time that it is shown."""

    endpoint: Endpoint
    secret: str


class Delivery(Schema):
    """One event on its way to one endpoint.

    ``message`` is the ``webhook-id`` of every attempt; ``outcome`` tells of the last one.
    """

    number: int
    message: str
    kind: Kind
    created_at: int
    status: Status
    attempts: int
    outcome: str
    due_at: int | None
    ended_at: int | None


class Deliveries(Schema):
    """Deliveries, newest first; pass ``next`` as ``cursor`` for older ones."""

    deliveries: list[Delivery]
    next: int | None = None
