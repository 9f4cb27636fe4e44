"""The opening address, the language switch and the styles."""

import hmac
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from client.page.desk import DeskDep
from client.page.door import OPEN, cookie_name
from client.page.form import FormDep
from client.page.language import COOKIE
from client.page.render import STATIC, static
from consent.origin import local_path
from consent.panel.language import parsed
from consent.problem import Problem

router = APIRouter(include_in_schema=False)
_YEAR_S: Final = 365 * 24 * 60 * 60
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@router.get(OPEN)
def enter(request: Request, desk: DeskDep, key: str = "") -> Response:
    """Take the key of the opening address, once, and let this browser in."""
    if not desk.session.take(key):
        raise Problem(403, "This opening address was used, or is of an earlier start.")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(cookie_name(request), desk.session.cookie, httponly=True, samesite="strict")
    return answer


@router.post("/language")
def choose_language(form: FormDep) -> Response:
    """Remember a language, and go back to where it was chosen."""
    language = parsed(form.text("language"))
    answer = RedirectResponse(local_path(form.text("next")), status_code=303)
    if language is not None:
        answer.set_cookie(COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="strict")
    return answer


@router.get("/static/{name}")
def style(request: Request, name: str) -> Response:
    """One of the few static files."""
    if name not in STATIC:
        raise Problem(404, "There is no such file.")
    version = static(name).partition("?v=")[2]
    current = hmac.compare_digest(request.query_params.get("v", "").encode(), version.encode())
    headers = {"Cache-Control": _FOR_EVER if current else "no-cache"}
    return FileResponse(STATIC[name], headers=headers)
