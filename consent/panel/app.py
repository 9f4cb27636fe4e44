"""The panel and the API as one application: what ``fedcart consent serve`` serves."""

from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from consent.panel.errors import PagesForRefusals, add_pages_for_errors
from consent.panel.headers import PageHeaders
from consent.panel.page import STATIC
from consent.panel.pages.account import router as account
from consent.panel.pages.choices import router as choices
from consent.panel.pages.diary import router as diary
from consent.panel.pages.guardian import router as guardian
from consent.panel.pages.history import router as history
from consent.panel.pages.languages import router as languages
from consent.panel.pages.login import router as login
from consent.panel.pages.notices import router as notices
from consent.panel.pages.oidc import router as oidc
from consent.panel.pages.operators import router as operators
from consent.panel.pages.overview import router as overview
from consent.panel.pages.passkeys import router as passkeys
from consent.panel.pages.points import router as points
from consent.panel.pages.policies import router as policies
from consent.panel.pages.queue import router as queue
from consent.panel.pages.rights import router as rights
from consent.panel.pages.signals import router as signals
from consent.panel.pages.withdrawals import router as withdrawals
from consent.service.app import create_app
from consent.service.routes import serve
from consent.service.settings import Settings

# One line a page.
PAGES: Final = (
    overview,
    choices,
    diary,
    points,
    history,
    withdrawals,
    rights,
    queue,
    policies,
    operators,
    notices,
    languages,
    login,
    account,
    passkeys,
    oidc,
    guardian,
    signals,
)


def create_site(settings: Settings) -> FastAPI:
    """The service with its panel.

    Raises:
        InvalidInputError: the key or the database can't be used.
    """
    app = create_app(settings)
    serve(app, *PAGES)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_pages_for_errors(app)
    app.add_middleware(PagesForRefusals)
    app.add_middleware(PageHeaders)
    return app
