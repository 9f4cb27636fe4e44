"""The consent service as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from consent.service import jobs
from consent.service.accounts.endpoints import router as accounts
from consent.service.audit.endpoints import router as audit
from consent.service.auth import scope
from consent.service.commits.endpoints import router as commits
from consent.service.conditional import Conditional
from consent.service.context import Context, ContextDep
from consent.service.database import Database
from consent.service.erasure.endpoints import router as erasure
from consent.service.exports.endpoints import router as exports
from consent.service.funnel.endpoints import router as funnel
from consent.service.grants.endpoints import router as grants
from consent.service.guardians.endpoints import router as guardians
from consent.service.idempotency.route import Once
from consent.service.instructions.endpoints import router as instructions
from consent.service.inventory.endpoints import router as inventory
from consent.service.limits import Limits, PeerQuota
from consent.service.log.endpoints import router as log
from consent.service.machines.endpoints import router as machines
from consent.service.metrics.endpoints import router as metrics
from consent.service.metrics.middleware import Measured
from consent.service.metrics.registry import Metrics
from consent.service.notices.endpoints import router as notices
from consent.service.notices.service import publish_first
from consent.service.oidc.endpoints import router as oidc
from consent.service.openapi import describe
from consent.service.pairing.endpoints import router as pairing
from consent.service.passkeys.endpoints import router as passkeys
from consent.service.points.endpoints import router as points
from consent.service.problems import add_handlers
from consent.service.receipts.endpoints import router as receipts
from consent.service.retention.endpoints import router as retention
from consent.service.rights import returned
from consent.service.rights.endpoints import router as rights
from consent.service.rounds.endpoints import router as rounds
from consent.service.routes import serve
from consent.service.schemas import Schema
from consent.service.settings import Settings
from consent.service.shoppers.endpoints import router as shoppers
from consent.service.signals.endpoints import router as signals
from consent.service.standing.endpoints import router as standing
from consent.service.webhooks.endpoints import router as webhooks
from consent.service.withdrawals.endpoints import router as withdrawals
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
        InvalidInputError: the key or the database can't be used, or a restored backup brought
            somebody back who had been erased.
    """
    measured = Metrics()
    context = Context(
        settings=settings,
        key=settings.load_key(),
        database=Database(settings.url, durable=settings.durable, watcher=measured),
        metrics=measured,
    )
    try:
        returned.refuse(context)
        publish_first(context)
    except BaseException:
        context.database.close()
        raise

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with jobs.running(context):
            yield
        context.providers.close()
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
    app.add_middleware(Conditional, service_app=app)
    app.add_middleware(Once, service_app=app, context=context)
    app.add_middleware(PeerQuota, settings=settings)
    app.add_middleware(Limits, max_body_bytes=settings.max_body_bytes)
    app.add_middleware(Measured, metrics=measured)
    add_handlers(app)
    app.get("/v1/healthz", tags=["service"], openapi_extra=scope())(_health)
    app.get("/v1/keys", tags=["service"], openapi_extra=scope())(_keys)
    serve(app, shoppers, grants, standing, commits, funnel, notices, log, receipts)
    serve(app, accounts, machines, pairing)
    serve(app, rounds, points, instructions, withdrawals)
    serve(app, passkeys, oidc)
    serve(app, audit, webhooks, retention, inventory, metrics)
    serve(app, signals, guardians)
    serve(app, rights, erasure, exports)
    describe(app, settings)
    return app
