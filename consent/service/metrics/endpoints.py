"""HTTP endpoint for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import Response

from consent.service.auth import BearerToken, scope
from consent.service.context import ContextDep
from consent.service.metrics import service
from consent.service.principals import Role
from consent.service.problems import answers

router = APIRouter(tags=["operators"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **answers(401, 404),
    },
    openapi_extra=scope(Role.OPERATOR, Role.AUDITOR),
)
def metrics(token: BearerToken, context: ContextDep) -> Response:
    """What this process counted, in the text format of Prometheus; no label is an id."""
    return Response(service.scrape(context, token), media_type=service.MEDIA_TYPE)
