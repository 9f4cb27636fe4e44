"""Live answers: which grants stand now, and which clients have anybody's consent."""

from consent.service.context import Context
from consent.service.standing.repository import StandingRepository
from consent.service.standing.schemas import (
    EligibleAnswer,
    EligibleRequest,
    StandingAnswer,
    StandingRequest,
)


def standing(context: Context, request: StandingRequest) -> StandingAnswer:
    """Those of the asked grants that stand now."""
    asked = dict.fromkeys(request.token_ids)
    with context.database.reading() as session:
        found = StandingRepository(session, now=context.now_ms()).ids_by_terms(asked)
    live = {token_id for terms, ids in found if terms.stand for token_id in ids}
    return StandingAnswer(standing=[token_id for token_id in asked if token_id in live])


def eligible(context: Context, request: EligibleRequest) -> EligibleAnswer:
    """Those of the asked clients that stand for a shopper who gives what the task requires."""
    asked = dict.fromkeys(request.clients)
    with context.database.reading() as session:
        members = StandingRepository(session, now=context.now_ms()).members(asked, request.task)
    found = {member.client_id for member in members if member.consent.allows(request.task)}
    return EligibleAnswer(eligible=[client for client in asked if client in found])
