"""The shopper's own page and its local API as one application."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from client.home import ClientHome
from client.page import api
from client.page.bounds import Bounds
from client.page.desk import Desk
from client.page.door import Door, Session
from client.page.headers import Headers
from client.page.pages import about, data, entrance, leaving, left, shelf
from client.page.problems import add_handlers, refusal
from client.page.rate import Bucket

PAGES = (entrance.router, shelf.router, left.router, data.router, about.router, leaving.router)


def create_page(folder: Path, releases: Path, announce: Callable[[str], None]) -> FastAPI:
    """Build the page of the device in a folder.

    Args:
        folder: the device's home.
        releases: where released artefacts lie.
        announce: told the key of each opening address after the first one.

    Raises:
        InvalidInputError: there is no device in the folder, or it is a store's.
    """
    _ = ClientHome.load(folder).shopper
    app = FastAPI(
        title="fedcart device",
        description="One shopper's own recommender on this machine. Errors follow RFC 9457.",
        version="1",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{api.PREFIX}/openapi.json",
    )
    session = Session(announce)
    app.state.desk = Desk(folder=folder, releases=releases, session=session)
    app.state.bucket = Bucket(at_once=api.AT_ONCE, per_minute=api.PER_MINUTE)
    for router in (*PAGES, api.router):
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(Bounds, refuse=_refuser(app))
    app.add_middleware(Door, session=session, refuse=_refuser(app))
    app.add_middleware(Headers)
    return app


def _refuser(app: FastAPI) -> Callable[..., Any]:
    """The door's refusals as answers; it stands outside of the routes and sets ``app`` itself."""

    def refuse(request: Any, status: int) -> Any:
        request.scope["app"] = app
        return refusal(request, status)

    return refuse
