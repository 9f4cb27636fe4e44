"""HTTP endpoints for notices."""

from typing import Annotated

from fastapi import APIRouter, Path

from consent.notice import Language
from consent.participation import NAME_PATTERN
from consent.service.auth import scope
from consent.service.context import ContextDep
from consent.service.notices import service
from consent.service.notices.schemas import NoticeInFull, Notices
from consent.service.problems import answers

router = APIRouter(prefix="/v1/notices", tags=["notices"])


@router.get("", openapi_extra=scope())
def read_all(context: ContextDep) -> Notices:
    """Every published version of the notice, and which one is current.

    Decisions name the version that was shown. Publishing a version that touches a purpose ends all
    consent that was given for this purpose before.
    """
    return service.read_all(context)


@router.get("/{version}", responses=answers(404, 422), openapi_extra=scope())
def read(
    version: Annotated[str, Path(pattern=NAME_PATTERN)],
    context: ContextDep,
    language: Language = Language.EN,
) -> NoticeInFull:
    """The exact text of a published version in one language."""
    return service.read(context, version, language)
