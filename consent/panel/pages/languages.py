"""Switching the language, from any page and back to it."""

from fastapi import APIRouter, Request, Response

from consent.panel import language as languages
from consent.panel.page import FormDep, VisitorDep, local_path, redirect
from consent.panel.visitor import remember_language
from consent.service.problems import Problem

router = APIRouter(include_in_schema=False)


@router.post("/language")
def switch(request: Request, visitor: VisitorDep, form: FormDep) -> Response:
    """Show this site in another language from now on."""
    chosen = languages.parsed(form.text("language"))
    if chosen is None:
        raise Problem(422, "This language is not known here.")
    response = redirect(request, visitor, local_path(form.text("next")), whole_page=True)
    remember_language(request, response, chosen)
    return response
