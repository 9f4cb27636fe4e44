"""HTTP endpoints for the record of processing and the impact assessment."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from consent.notice import Language
from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.inventory import service
from consent.service.inventory.document import POLICY
from consent.service.inventory.schemas import AttackReport, Format, RecordedAttack
from consent.service.principals import Role
from consent.service.problems import answers

router = APIRouter(prefix="/v1", tags=["operators"])
How = Annotated[Format, Query(alias="format", description="json, csv or html.")]
_READERS: Final = scope(Role.OPERATOR, Role.AUDITOR)
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        }
    },
    **answers(401, 404, 422),
}


@router.get("/ropa", response_class=Response, responses=_ANSWERS, openapi_extra=_READERS)
def ropa(
    token: BearerToken,
    context: ContextDep,
    how: How = Format.JSON,
    language: Language = Language.EN,
) -> Response:
    """The record of processing activities (GDPR art. 30(1)), made from the running service."""
    return _given(service.export(context, token, service.Kind.ROPA, how, language), how)


@router.get("/dpia", response_class=Response, responses=_ANSWERS, openapi_extra=_READERS)
def dpia(
    token: BearerToken,
    context: ContextDep,
    how: How = Format.JSON,
    language: Language = Language.EN,
) -> Response:
    """The impact assessment (GDPR art. 35(7)), with figures of the running service, rounded."""
    return _given(service.export(context, token, service.Kind.DPIA, how, language), how)


@router.post(
    "/dpia/attacks",
    status_code=201,
    responses=answers(401, 403, 404, 422),
    openapi_extra=scope(Role.OPERATOR),
)
def record_attack(request: AttackReport, token: BearerToken, context: ContextDep) -> RecordedAttack:
    """Record what an attack on a released model reached, for the assessment to state."""
    return service.record_attack(context, token, request)


def _given(text: str, how: Format) -> Response:
    headers = {"Content-Security-Policy": POLICY} if how is Format.HTML else None
    return Response(text, media_type=service.MEDIA_TYPES[how], headers=headers)
