"""Requests and answers about standing grants and eligible clients."""

from typing import Annotated, Final

from pydantic import Field

from consent.service.schemas import Identifier, Schema, Thumbprint
from consent.tasks.names import TaskName

MAX_TOKENS: Final = 10_000
MAX_CLIENTS: Final = 100_000


class StandingRequest(Schema):
    """Ids of grants. An id has 128 random bits: whoever knows one was shown the grant."""

    token_ids: Annotated[list[Identifier], Field(max_length=MAX_TOKENS)]


class StandingAnswer(Schema):
    """Those of the asked ids whose grants stand now, in the order asked, each once."""

    standing: list[str]


class EligibleRequest(Schema):
    """Thumbprints of the clients that the coordinator could select."""

    task: TaskName
    clients: Annotated[list[Thumbprint], Field(max_length=MAX_CLIENTS)]


class EligibleAnswer(Schema):
    """Those of the asked clients that have a shopper with live consent, in the order asked."""

    eligible: list[str]
