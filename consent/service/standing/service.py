"""Live answers: which grants stand now, and which clients have anybody's consent."""

from consent import standing as rules
from consent.service.context import Context
from consent.service.standing.repository import IssuedGrant, StandingRepository
from consent.service.standing.schemas import (
    EligibleAnswer,
    EligibleRequest,
    StandingAnswer,
    StandingRequest,
)
from consent.tasks.task import REQUIRED_PURPOSE


def grant_stands(grant: IssuedGrant) -> bool:
    """Whether an issued grant counts under its shopper's consent as it was read."""
    return rules.stands(task=grant.task, epoch=grant.epoch, consent=grant.consent)


def standing(context: Context, request: StandingRequest) -> StandingAnswer:
    """Those of the asked grants that stand now."""
    asked = dict.fromkeys(request.token_ids)
    with context.database.reading() as session:
        grants = StandingRepository(session, now=context.now_ms()).grants_by_id(asked)
    live = {grant.token_id for grant in grants if grant_stands(grant)}
    return StandingAnswer(standing=[token_id for token_id in asked if token_id in live])


def eligible(context: Context, request: EligibleRequest) -> EligibleAnswer:
    """Those of the asked clients that stand for a shopper who gives what the task requires."""
    asked = dict.fromkeys(request.clients)
    with context.database.reading() as session:
        members = StandingRepository(session, now=context.now_ms()).members(
            asked, REQUIRED_PURPOSE[request.task]
        )
    found = {member.client_id for member in members if member.consent.allows(request.task)}
    return EligibleAnswer(eligible=[client for client in asked if client in found])
