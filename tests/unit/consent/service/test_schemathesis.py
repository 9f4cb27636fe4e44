"""The whole OpenAPI document, as schemathesis reads it, against the application in this process.

Every operation, with a token of each role in turn, gets requests that fit the document and some
that do not. Nothing may be a 5xx, answer with a status that is not documented, or with another
content type or form than the document says. The examples are the same in every run.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from consent.service.openapi import ROLES
from consent.service.principals import Role
from consent.service.quotas import Quotas
from consent.service.routes import Operation, operations
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.matrix import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CALLERS: list[str] = ["nobody", "device", *Role]
EXAMPLES = 2


def effort(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def send(stage: Stage, case: Any, headers: dict[str, str]) -> httpx.Response:
    """One generated request, as it is, with our token."""
    made = case.as_transport_kwargs(base_url=str(stage.http.base_url), headers=headers)
    options: dict[str, Any] = {
        name: made[name] for name in ("json", "params", "cookies") if made.get(name) is not None
    }
    if made.get("data") is not None:
        options["content" if isinstance(made["data"], (bytes, str)) else "data"] = made["data"]
    named = {str(name): str(value) for name, value in made["headers"].items()}
    request = httpx.Request(made["method"], made["url"], headers=named, **options)
    answer = stage.http.send(request)
    answer.elapsed = timedelta(0)  # a report has it; there is no network here
    return answer


def walk(world: World, callers: Sequence[str], *, examples: int) -> list[str]:
    """Check every operation with each caller's token; returns what is wrong."""
    stage = world.stage
    schema = schemathesis.openapi.from_dict(stage.app.openapi())
    schema.config.update(base_url=str(stage.http.base_url))
    found = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr] # the document is valid
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @effort(examples if mode is GenerationMode.POSITIVE else 1)
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                world.fill(case.path_parameters)
                for caller in callers:
                    answer = send(stage, case, world.fresh(caller))
                    case.validate_response(answer, checks=CHECKS)

            try:
                check()
            except FailureGroup as failures:
                found += [f"{operation.label}: {failure}" for failure in failures.exceptions]
            except Unsatisfiable:  # nothing can be wrong with a request that has no parts
                assert mode is GenerationMode.NEGATIVE
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.build(tmp_path / "world", quotas=Quotas.off())
    yield made
    made.stage.close()


def test_every_operation_keeps_to_its_document(world: World) -> None:
    assert "\n".join(walk(world, CALLERS, examples=EXAMPLES)) == ""


def test_postgresql_keeps_to_it_too(tmp_path: Path, fresh_postgres: Callable[[], str]) -> None:
    made = World.build(tmp_path / "world", quotas=Quotas.off(), database=fresh_postgres)
    assert "\n".join(walk(made, (Role.SHOPPER, Role.OPERATOR), examples=1)) == ""
    made.stage.close()


def test_an_undocumented_answer_would_be_seen(world: World) -> None:
    @world.stage.app.get("/v1/healthz-broken")
    def broken() -> dict[str, str]:
        raise RuntimeError

    world.stage.app.openapi_schema = None
    document = world.stage.app.openapi()
    document["paths"]["/v1/healthz-broken"] = document["paths"]["/v1/healthz"]
    operation = schemathesis.openapi.from_dict(document)["/v1/healthz-broken"]["get"]
    case = operation.Case()
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        case.validate_response(send(world.stage, case, {}), checks=CHECKS)


def test_no_bytes_in_a_path_make_it_fail(tmp_path: Path, fresh_postgres: Callable[[], str]) -> None:
    """PostgreSQL stores no NUL and refuses to look for it; nobody may notice."""
    made = World.build(tmp_path / "world", quotas=Quotas.off(), database=fresh_postgres)
    failed = []
    for operation in operations(made.stage.app):
        for blank in re.findall(r"{(\w+)}", operation.path):
            for text in ("a%00b", "%ff", "%ED%A0%80", "x" * 5000):
                ids = {**made.ann.ids, blank: text}
                path = operation.path.format_map(ids)
                headers = {"Idempotency-Key": "a-key-of-the-paths", "If-Match": "*"}
                caller = Role.OPERATOR if Role.OPERATOR in roles_of(operation) else Role.SHOPPER
                answer = made.stage.http.request(
                    operation.method, path, headers={**headers, **made.fresh(caller)}
                )
                if answer.status_code >= 500:
                    failed.append(f"{operation.method} {path[:120]} gave {answer.status_code}")
    made.stage.close()
    assert "\n".join(failed) == ""


def roles_of(operation: Operation) -> list[Role]:
    found: list[Role] = operation.extra.get(ROLES, [])
    return found
