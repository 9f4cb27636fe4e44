"""Nothing of a shopper in any log: everything is called, and all that is then said is read.

What she sends and is given (names, passwords, codes, tokens, ids) are canaries. They are looked for
in every log record down to DEBUG, as the service writes it, and in both standard streams.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.types import ASGIApp, Receive, Scope, Send

from consent.panel.app import create_site
from consent.service.accounts.tables import Account
from consent.service.auth import scope
from consent.service.diagnostics import Reticent
from consent.service.openapi import ROLES
from consent.service.principals import Role
from consent.service.problems import MEDIA_TYPE
from consent.service.quotas import Quotas
from consent.service.routes import Operation, operations
from consent.service.settings import Settings
from consent.service.tables import METADATA
from tests.conftest import NewDatabase
from tests.unit.consent.service.matrix import World
from tests.unit.consent.service.test_api_matrix import FORM, body_of, made_body

NAME: Final = "canary-otter-of-the-lake"
PASSWORD: Final = "canary walks by the sea"
CODE: Final = "CANR-YCDE-7K2M"
SUBJECT: Final = "canary-subject-at-her-shop"
EMAIL: Final = "canary@shop.example"
SENT: Final = {NAME, PASSWORD, CODE, SUBJECT, EMAIL}
# Ids, tokens, keys, thumbprints and codes, whatever they are called; words are told from them.
_OPAQUE: Final = re.compile(r"[A-Za-z0-9_-]{24,}|\b[A-Z0-9]{4}(?:-[A-Z0-9]{4})+\b")
_WORDS: Final = re.compile(r"[a-z_-]+")
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_LOG: Final = logging.getLogger("consent.service.broken")


class AsUvicorn:
    """Logs what nobody caught, as the server around the application does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
            raise


class Heard(logging.Handler):
    """Every record, as the service would write it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(Reticent("%(name)s %(levelname)s: %(message)s"))
        self.lines: list[str] = []
        self._caller = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "httpx" or record.thread != self._caller:  # the caller's own client
            self.lines.append(self.format(record))


@contextmanager
def listening() -> Iterator[Heard]:
    heard, changed = Heard(), {}
    for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy"):
        logger = logging.getLogger(name)
        changed[logger] = (logger.level, logger.propagate)
        # SQLAlchemy tells everything when told to; whether the service tells it to is its own.
        logger.setLevel(logging.WARNING if name == "sqlalchemy" else logging.DEBUG)
        logger.propagate = True
    logging.getLogger().addHandler(heard)
    try:
        yield heard
    finally:
        logging.getLogger().removeHandler(heard)
        for logger, (level, propagate) in changed.items():
            logger.setLevel(level)
            logger.propagate = propagate


class Shopper:
    """Calls everything with canaries, and remembers what was sent and given."""

    def __init__(self, world: World) -> None:
        self.world = world
        document = world.stage.app.openapi()
        public = world.stage.http.get("/v1/openapi.json").text + str(FORM)
        self._known = set(_OPAQUE.findall(public))
        self.canaries = set(SENT) | world.ann.markers() | set(world.tokens.values())
        self._document = document

    def call(
        self, operation: Operation, path: str, token: str | None, **sent: Any
    ) -> httpx.Response:
        headers = {"If-Match": "*", "Idempotency-Key": "a-key-of-the-logs-test"}
        if token is not None:
            headers |= {"Authorization": f"Bearer {token}", "Cookie": f"fedcart_session={token}"}
        answer = self.world.stage.http.request(operation.method, path, headers=headers, **sent)
        self.world.stage.http.cookies.clear()
        self._remember(f"{path} {token} {sent} {answer.text} {answer.headers}")
        return answer

    def _remember(self, said: str) -> None:
        found = set(_OPAQUE.findall(said)) - self._known
        self.canaries |= {each for each in found if not _WORDS.fullmatch(each)}

    def example(self, operation: Operation) -> Any:
        """A body that fits, with canaries for whatever words are free."""
        return with_canaries(made_body(self.world, operation))

    def broken(self, operation: Operation) -> Iterator[Any]:
        """Bodies that don't fit, with a canary in each place in turn."""
        fits = body_of(self._document, operation)
        if fits is not None:
            yield from misfits(fits)
            yield NAME
            yield {**fits, EMAIL: PASSWORD}

    def visit(self, operation: Operation, path: str, token: str | None) -> httpx.Response:
        """A page, or a form of it sent with canaries."""
        cookies = {} if token is None else {"fedcart_session": token}
        http = self.world.stage.http
        if operation.method == "GET":
            answer = http.get(path, headers=cookie(cookies))
        else:
            shown = http.get("/notices", headers=cookie(cookies))
            for line in shown.headers.get_list("set-cookie"):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value.strip('"')
            found = _CSRF.search(shown.text)
            assert found is not None
            form = {**FORM, **FREE, "csrf": found[1]}
            http.cookies.clear()
            answer = http.post(path, data=form, headers=cookie(cookies))
        http.cookies.clear()
        self._remember(f"{path} {cookies} {answer.headers}")
        return answer


FREE: Final = {
    "name": NAME,
    "password": PASSWORD,
    "new_password": PASSWORD,
    "current_password": PASSWORD,
    "code": CODE,
    "subject": SUBJECT,
    "email": EMAIL,
    "label": NAME,
}


def with_canaries(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: FREE.get(key) or with_canaries(value) for key, value in body.items()}
    if isinstance(body, list):
        return [with_canaries(each) for each in body]
    return body


def misfits(body: Any) -> Iterator[Any]:
    """The same body with one value after another replaced by what doesn't fit there."""
    places = body.items() if isinstance(body, dict) else enumerate(body)
    for place, value in list(places):
        if isinstance(value, (dict, list)) and value:
            wrong: Iterator[Any] = misfits(value)
        else:
            wrong = iter((f"{NAME} {PASSWORD}", {EMAIL: PASSWORD}, [CODE, SUBJECT]))
        for each in wrong:
            changed = body.copy()
            changed[place] = each
            yield changed


def cookie(values: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in values.items())}


def make(settings: Settings) -> FastAPI:
    app = create_site(settings)
    app.add_middleware(AsUvicorn)
    return app


Build = Callable[[Settings], FastAPI]
MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    made: list[World] = []

    def build(database: NewDatabase | None = None, build: Build = make) -> World:
        made.append(
            World.build(tmp_path / "world", database=database, build=build, quotas=Quotas.off())
        )
        return made[-1]

    yield build
    for world in made:
        world.stage.close()


def walk(shopper: Shopper) -> None:
    """Every operation, as her and as whoever it is for: twice, and for a stranger's things."""
    world = shopper.world
    for operation in operations(world.stage.app):
        for caller in {Role.SHOPPER, *operation.extra.get(ROLES, [])[:1]}:
            token = world.token(caller)
            hers, foreign = (world.path(operation.path, who) for who in (world.ann, world.bea))
            if operation.listed:
                body = shopper.example(operation)
                for path in (hers, hers, foreign):
                    shopper.call(operation, path, token, json=body)
            else:
                shopper.visit(operation, hers, token)


def echoes(shopper: Shopper) -> list[str]:
    """Answers to requests that don't fit which repeat something of them."""
    world, found = shopper.world, []
    for operation in operations(world.stage.app):
        if not operation.listed:
            continue
        role = next(iter(operation.extra[ROLES]), "nobody")
        token, path = world.token(role), world.path(operation.path, world.ann)
        for body in shopper.broken(operation):
            answer = shopper.call(operation, path, token, json=body, params={NAME: PASSWORD})
            where = f"{operation.method} {operation.path} gave {answer.status_code}"
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == MEDIA_TYPE, where
                said = answer.text + str(answer.headers)
                found += [f"{where} with {each}" for each in SENT if each in said]
                found += [f"{where} with {token}"] if token and token in said else []
            if answer.status_code >= 500:
                found.append(where)
    return found


def told(heard: Heard, capture: pytest.CaptureFixture[str], canaries: set[str]) -> list[str]:
    """Lines of the logs and of both streams that have a canary in them."""
    streams = capture.readouterr()
    said = "\n".join([*heard.lines, streams.out, streams.err])
    lines = dict.fromkeys(said.splitlines())  # most lines of most failures are the same
    everything = "\n".join(lines)
    spoken = {each for each in canaries if each in everything}
    return [line for line in lines if any(each in line for each in spoken)]


def test_no_operation_tells_a_log_of_anybody(
    make_world: MakeWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    with listening() as heard:
        shopper = Shopper(world)
        walk(shopper)
    assert len(shopper.canaries) > 300
    assert told(heard, capfd, shopper.canaries) == []
    metrics = world.stage.context.metrics.text().decode()
    assert [each for each in shopper.canaries if each in metrics] == []


def test_no_refusal_repeats_what_was_sent(
    make_world: MakeWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    with listening() as heard:
        shopper = Shopper(world)
        assert echoes(shopper) == []
    assert told(heard, capfd, shopper.canaries) == []


@contextmanager
def broken_tables(world: World) -> Iterator[None]:
    """Within it no table takes a row."""
    names = [table.name for table in METADATA.sorted_tables]
    for known in (Account.__tablename__, "account_session"):  # so that callers are still known
        names.remove(known)
    database = world.stage.context.database
    with database.reading() as session:
        quotes_rows = session.get_bind().dialect.name == "postgresql"
    with database.writing() as session:
        for name in names:
            for statement in _breaking(name, constraint=quotes_rows):
                session.execute(text(statement))
    yield
    if quotes_rows:  # the next test gets the same database
        with database.writing() as session:
            for name in names:
                session.execute(text(f"ALTER TABLE {name} DROP CONSTRAINT broken"))


def _breaking(table: str, *, constraint: bool) -> Iterator[str]:
    if constraint:
        yield f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (1 = 0) NOT VALID"
        return
    for what in ("INSERT", "UPDATE"):
        yield (
            f"CREATE TRIGGER broken_{what}_{table} BEFORE {what} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )


def test_no_failure_tells_a_log_of_anybody(
    make_world: MakeWorld, new_database: NewDatabase, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make_world(new_database)
    with broken_tables(world), listening() as heard:
        shopper = Shopper(world)
        walk(shopper)
    failures = [line for line in heard.lines if "Exception in ASGI application" in line]
    assert len(failures) > 20  # the control: they do fail, and it is logged
    assert told(heard, capfd, shopper.canaries) == []


def broken(settings: Settings) -> FastAPI:
    """Routes that say who called, in each of the ways that there are."""
    app = make(settings)

    @app.get("/v1/shoppers/{shopper}/told", openapi_extra=scope(Role.SHOPPER))
    def log(shopper: str) -> None:
        _LOG.debug("somebody read %s", shopper)

    @app.get("/v1/shoppers/{shopper}/printed", openapi_extra=scope(Role.SHOPPER))
    def show(shopper: str) -> None:
        print(shopper)  # noqa: T201 - what must not be done

    @app.get("/v1/shoppers/{shopper}/failed", openapi_extra=scope(Role.SHOPPER))
    def fail(shopper: str, request: Request) -> None:
        raise KeyError(shopper, request.headers["Authorization"])

    return app


def test_a_route_that_tells_is_caught(
    make_world: MakeWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    world = make_world(build=broken)
    with listening() as heard:
        shopper = Shopper(world)
        for operation in operations(world.stage.app):
            if operation.path.endswith(("/told", "/printed", "/failed")):
                path = world.path(operation.path, world.ann)
                shopper.call(operation, path, world.token(Role.SHOPPER))
    assert told(heard, capfd, shopper.canaries) == [
        f"consent.service.broken DEBUG: somebody read {world.ann.shopper}",
        world.ann.shopper,
    ]
    (failed,) = [line for line in heard.lines if "Exception in ASGI application" in line]
    assert failed.endswith("builtins.KeyError")  # where and what kind, and not of whom
    assert "in fail\n" in failed
