"""Every route, as every caller, for what is a stranger's: nothing is readable, nothing changes.

The routes are read from the application, the panel's pages among them, so a new route is covered
from its first day; a path parameter without a fixture fails. What is made up in a call is the
document's own example.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI, Request

from consent.panel.app import create_site
from consent.purpose import Purpose
from consent.redemption import Redemption
from consent.service.auth import scope
from consent.service.openapi import ROLES
from consent.service.principals import Role
from consent.service.quotas import Quotas
from consent.service.routes import Operation, operations
from consent.service.shoppers.repository import ShopperRepository
from tests.conftest import NewDatabase
from tests.unit.consent.harness import NOTICE, Stage
from tests.unit.consent.service.matrix import Person, World

DEAD: Final = ("nobody", "expired", "revoked", "closed")
CALLERS: Final = (*DEAD, "device", *Role)
ROLE_OF: Final[dict[str, Role]] = {"device": Role.SHOPPER, **{role.value: role for role in Role}}
# What belongs to one shopper; everything else in a path is the service's.
OWNED: Final = {"shopper", "session", "passkey", "identity", "ward"}
HIDDEN: Final = {401, 404}
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
FORM: Final = {
    "epoch": "1",
    "notice": NOTICE,
    "yes": "research.purchases",
    "name": "somebody",
    "age_band": "adult",
    "answer": "no",
    "cell": "research.browsing",
    "code": "AAAA-AAAA",
    "password": "a long walk by the sea",
    "kind": "access",
    "residence": "eea",
    "points": "1",
    "language": "en",
}


@pytest.fixture
def world(tmp_path: Path, new_database: NewDatabase) -> Iterator[World]:
    made = World.build(tmp_path / "world", database=new_database, quotas=Quotas.off())
    yield made
    made.stage.close()


def body_of(document: dict[str, Any], operation: Operation) -> Any:
    """The document's example of a request."""
    described = document["paths"][operation.path][operation.method.lower()]
    content = described.get("requestBody", {}).get("content", {})
    for each in content.values():
        return document["components"]["schemas"][each["schema"]["$ref"].rpartition("/")[2]][
            "examples"
        ][0]
    return None


def made_body(world: World, operation: Operation) -> Any:
    """The document's example, or a record that was really signed where form comes first."""
    if operation.path == "/v1/codes/redeem":
        key = world.ann.device.key
        asked = Redemption(
            code="A" * 24, sale="1", client_key=key.public_key(), issued_at=int(world.stage.clock())
        )
        return asked.sign(key).to_json()
    return body_of(world.stage.app.openapi(), operation)


def call(world: World, operation: Operation, whose: Person, caller: str) -> httpx.Response:
    headers = {"If-Match": "*", "Idempotency-Key": "a-key-of-the-matrix"} | world.fresh(caller)
    return world.stage.http.request(
        operation.method,
        world.path(operation.path, whose),
        json=made_body(world, operation),
        headers=headers,
        params={"task": "popularity", "round": "round-1", "first": "1", "second": "1"}
        if operation.path in ("/v1/funnel", "/v1/log/consistency")
        else None,
    )


def is_hers(operation: Operation) -> bool:
    return bool(OWNED & set(re.findall(r"{(\w+)}", operation.path)))


def allowed(operation: Operation, caller: str) -> set[int] | None:
    """The only statuses that may come; None where a caller is in her own scope."""
    roles, role = operation.extra[ROLES], ROLE_OF.get(caller)
    if not roles:
        return None
    if role is None:
        return {401} if caller == "nobody" else HIDDEN
    if role not in roles or is_hers(operation):
        return HIDDEN
    return None


def leaks(world: World, answer: httpx.Response, sent: str) -> set[str]:
    """Which of the stranger's markers an answer shows, beyond what was asked with."""
    shown = answer.text + str(answer.headers)
    return {marker for marker in world.bea.markers() if marker in shown and marker not in sent}


def faults_of(world: World, operation: Operation, caller: str) -> list[str]:
    """What is wrong with one call for the stranger's things."""
    role, roles = ROLE_OF.get(caller), operation.extra[ROLES]
    serves = role is not Role.SHOPPER and role in roles  # in her own scope: the service's staff
    answer = call(world, operation, world.ann if serves else world.bea, caller)
    where = f"{caller}: {operation.method} {operation.path} gave {answer.status_code}"
    expected = allowed(operation, caller)
    found = [where] if answer.status_code >= 500 else []
    if expected is not None and answer.status_code not in expected:
        found.append(f"{where}, expected {sorted(expected)}")
    if not serves and (shown := leaks(world, answer, world.path(operation.path, world.bea))):
        found.append(f"{where} with {sorted(shown)}")
    return found


def faults(world: World, chosen: list[Operation], callers: Sequence[str] = CALLERS) -> list[str]:
    found: list[str] = []
    before = world.digest(world.bea)
    for operation in chosen:
        for caller in callers:
            found += faults_of(world, operation, caller)
        after = world.digest(world.bea)
        changed = {name for name in after if after[name] != before[name]}
        if changed:
            found.append(f"{operation.method} {operation.path} changed {sorted(changed)} of hers")
        before = after
    return found


def of_the_api(app: FastAPI) -> list[Operation]:
    return [each for each in operations(app) if each.listed]


def test_nothing_of_a_stranger_is_readable_or_writable(world: World) -> None:
    chosen = of_the_api(world.stage.app)
    assert len(chosen) > 90
    few = ("nobody", "device", Role.SHOPPER, Role.OPERATOR)  # the rules are the same on both
    callers = CALLERS if "sqlite" in world.stage.settings.url else few
    assert "\n".join(faults(world, chosen, callers)) == ""


GONE_OR_NONE = {
    # What Ann has none of, or has no more once it was called.
    ("GET", "/v1/shoppers/{shopper}/erasure"),
    ("DELETE", "/v1/shoppers/{shopper}/guardian"),
}


def test_her_own_things_are_reachable(world: World) -> None:
    """The control: the same calls for her own things are answered."""
    order = {"GET": 0, "PUT": 1, "PATCH": 2, "POST": 3, "DELETE": 4}
    first = "/v1/shoppers/{shopper}/clients/{client}"  # before another one takes its place
    mine = [each for each in of_the_api(world.stage.app) if is_hers(each)]
    refused = []
    for operation in sorted(mine, key=lambda each: (each.path != first, order[each.method])):
        answer = call(world, operation, world.ann, Role.SHOPPER)
        if (operation.method, operation.path) in GONE_OR_NONE:
            assert answer.status_code < 500
        elif operation.method == "GET" and answer.status_code != 200:
            refused.append((operation.path, answer.status_code, answer.text))
        elif answer.status_code in HIDDEN or answer.status_code >= 500:
            refused.append((operation.method + operation.path, answer.status_code, answer.text))
    assert refused == []


def visit(world: World, operation: Operation, whose: Person, caller: str) -> httpx.Response:
    """A page, or a form with the token of a page that the caller was shown."""
    token = world.token(caller)
    jar = {} if token is None else {"fedcart_session": token}
    http, path = world.stage.http, world.path(operation.path, whose)

    def headers() -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}

    if operation.method == "GET":
        return http.get(path, headers=headers())
    shown = http.get("/notices", headers=headers())
    for line in shown.headers.get_list("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        jar[name] = value.strip('"')
    http.cookies.clear()
    found = _CSRF.search(shown.text)
    assert found is not None
    return http.post(path, data={**FORM, "csrf": found[1]}, headers=headers())


def test_no_page_shows_or_changes_what_is_a_strangers(world: World) -> None:
    pages = [each for each in operations(world.stage.app) if not each.listed]
    assert len(pages) > 60
    found: list[str] = []
    before = world.digest(world.bea)
    for operation in pages:
        for caller in ("nobody", "expired", "closed", "device", *Role):
            staff = caller in (Role.OPERATOR, Role.AUDITOR)
            answer = visit(world, operation, world.ann if staff else world.bea, caller)
            world.stage.http.cookies.clear()
            where = f"{caller}: {operation.method} {operation.path} gave {answer.status_code}"
            if answer.status_code >= 500:
                found.append(where)
            if not staff and (shown := leaks(world, answer, world.path(operation.path, world.bea))):
                found.append(f"{where} with {sorted(shown)}")
        after = world.digest(world.bea)
        if after != before:
            changed = {name for name in after if after[name] != before[name]}
            found.append(f"{operation.method} {operation.path} changed {sorted(changed)} of hers")
        before = after
    assert "\n".join(found) == ""


def broken(app: FastAPI) -> None:
    """Routes that forget to ask whose they are."""

    @app.get("/v1/shoppers/{shopper}/broken-read", openapi_extra=scope(Role.SHOPPER))
    def read(shopper: str, request: Request) -> dict[str, str]:
        with request.app.state.context.database.reading() as session:
            found = ShopperRepository(session).find(shopper)
        assert found is not None
        return {"shopper": found.id, "client": "of " + found.token_hash[:4], "id": shopper[::-1]}

    @app.post("/v1/shoppers/{shopper}/broken-write", openapi_extra=scope(Role.SHOPPER))
    def write(shopper: str, request: Request) -> None:
        with request.app.state.context.database.writing() as session:
            found = ShopperRepository(session).find(shopper)
            assert found is not None
            found.residence = found.residence + "x"

    @app.get("/v1/broken-list", openapi_extra=scope(Role.SHOPPER))
    def everybody(request: Request) -> list[str]:
        with request.app.state.context.database.reading() as session:
            held = ShopperRepository(session).giving([Purpose.TRAIN], after="", limit=9)
        return list(held)


def test_a_broken_route_is_caught(tmp_path: Path) -> None:
    def build(settings: Any) -> FastAPI:
        app = create_site(settings)
        broken(app)
        return app

    world = World.build(tmp_path / "world", quotas=Quotas.off(), build=build)
    chosen = [each for each in operations(world.stage.app) if "broken" in each.path]
    assert len(chosen) == 3
    found = "\n".join(faults(world, chosen))
    assert "device: GET /v1/shoppers/{shopper}/broken-read gave 200" in found
    assert "nobody: GET /v1/shoppers/{shopper}/broken-read gave 200" in found
    assert "broken-write changed ['shopper'] of hers" in found
    assert "shopper: GET /v1/broken-list gave 200 with" in found
    world.stage.close()


def test_a_route_without_a_fixture_is_caught(tmp_path: Path) -> None:
    world = World.build(tmp_path / "world", quotas=Quotas.off())
    with pytest.raises(AssertionError, match="Give the matrix a fixture for"):
        world.path("/v1/shoppers/{shopper}/things/{thing}", world.bea)
    world.stage.close()
    assert isinstance(world.stage, Stage)
