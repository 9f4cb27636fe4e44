"""The consent service as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from consent.service.commits.endpoints import router as commits
from consent.service.context import Context, ContextDep
from consent.service.database import Database
from consent.service.funnel.endpoints import router as funnel
from consent.service.grants.endpoints import router as grants
from consent.service.limits import Limits
from consent.service.log.endpoints import router as log
from consent.service.notices.endpoints import router as notices
from consent.service.notices.service import publish_first
from consent.service.points.endpoints import router as points
from consent.service.problems import add_handlers
from consent.service.receipts.endpoints import router as receipts
from consent.service.rounds.endpoints import router as rounds
from consent.service.schemas import Schema
from consent.service.settings import Settings
from consent.service.shoppers.endpoints import router as shoppers
from consent.service.standing.endpoints import router as standing
from crypto.wire import b64, public_bytes


class Health(Schema):
    """The service answers."""

    status: str = "ok"


class Keys(Schema):
    """The issuer's name and its base64url Ed25519 public key, which signs grants and commits."""

    issuer: str
    public_key: str


async def _health() -> Health:
    """Whether the service answers."""
    return Health()


async def _keys(context: ContextDep) -> Keys:
    """The key to pin. Whoever has it pinned already compares, and never replaces it silently."""
    public_key = b64(public_bytes(context.key.public_key()))
    return Keys(issuer=context.settings.issuer, public_key=public_key)


def create_app(settings: Settings) -> FastAPI:
    """Build the service: open the database, load the key, mount the slices.

    The interactive documentation is left out: its pages load scripts from elsewhere. The OpenAPI
    document stands at ``/v1/openapi.json``.

    Raises:
        InvalidInputError: the key or the database can't be used.
    """
    context = Context(
        settings=settings,
        key=settings.load_key(),
        database=Database(settings.url, durable=settings.durable),
    )
    publish_first(context)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        context.database.close()

    app = FastAPI(
        title="fedcart consent service",
        description="Who agreed to what, and which grants stand now. Errors follow RFC 9457.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
    )
    app.state.context = context
    app.add_middleware(Limits, max_body_bytes=settings.max_body_bytes)
    add_handlers(app)
    app.get("/v1/healthz", tags=["service"])(_health)
    app.get("/v1/keys", tags=["service"])(_keys)
    for router in (shoppers, grants, standing, commits, funnel, notices, log, receipts):
        app.include_router(router)
    for router in (rounds, points):
        app.include_router(router)
    return app
