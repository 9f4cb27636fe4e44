"""The notices, as they were published: every version, in every language."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from consent.notice import Language
from consent.panel import language as languages
from consent.panel import markdown
from consent.panel.page import VisitorDep, render
from consent.participation import NAME_PATTERN
from consent.service.notices import service
from consent.service.problems import Problem

router = APIRouter(include_in_schema=False)


@router.get("/notices")
def notices(request: Request, visitor: VisitorDep) -> Response:
    """Every version, newest first, and what each of them changed."""
    found = service.read_all(visitor.context)
    return render(request, visitor, "notices.html", notices=found.notices[::-1])


@router.get("/notices/{version}")
def notice(
    request: Request,
    visitor: VisitorDep,
    version: Annotated[str, Path(pattern=NAME_PATTERN)],
    language: str = "",
) -> Response:
    """One version's text; in the visitor's language unless another is asked for."""
    shown = languages.parsed(language) or visitor.language
    told = service.read_all(visitor.context)
    summary = next((each for each in told.notices if each.version == version), None)
    if summary is None:
        raise Problem(404, "No notice of this version was published.")
    found = service.read(visitor.context, version, shown)
    title, text = markdown.without_title(found.text)
    return render(
        request,
        visitor,
        "notice.html",
        notice=found,
        summary=summary,
        is_current=version == told.current,
        title=title or version,
        text=markdown.html(text),
        shown_in=languages.TAGS[shown],
        others=[each for each in Language if each is not shown],
        names=languages.OWN_NAMES,
    )
