"""What the service tells machines and staff is what the threat model says, field by field."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from consent.purpose import Decision
from consent.service.app import create_app
from consent.service.openapi import ROLES, operations
from consent.service.principals import Role
from consent.service.settings import Settings, create_home
from consent.service.webhooks.service import Kind
from consent.service.webhooks.tables import WebhookMessage
from tests.unit.consent.harness import TRAIN_PURCHASES, Stage
from tests.unit.consent.service.rights_calls import operator, person

MODEL: Final = Path(__file__).parents[4] / "docs" / "threat-model.md"
# Open to all: of nobody, or what a shopper is told about herself when she enters.
OPEN: Final = {
    "GET /v1/healthz",
    "GET /v1/keys",
    "GET /v1/notices",
    "GET /v1/notices/{version}",
    "GET /v1/log/head",
    "GET /v1/log/heads",
    "GET /v1/log/consistency",
    "GET /v1/policies",
    "GET /v1/policies/{task}",
    "GET /v1/incentive",
    "GET /v1/identity-providers",
    "GET /.well-known/gpc.json",
    "POST /v1/shoppers",
    "POST /v1/accounts",
    "POST /v1/accounts/recovery",
    "POST /v1/sessions",
    "POST /v1/passkeys/login/options",
    "POST /v1/passkeys/login",
}
_WORD: Final = re.compile(r"`([^`]+)`")


def rows(heading: str) -> Iterator[list[set[str]]]:
    """The words in backticks of each cell of a table, which begins with a heading."""
    table = MODEL.read_text().partition(heading)[2].partition("\n\n")[0]
    for line in table.strip().splitlines()[1:]:
        yield [set(_WORD.findall(cell)) for cell in line.strip("|").split(" | ")]


def stated() -> list[tuple[set[str], set[str]]]:
    """Operations and the fields of their answers, as the threat model has them."""
    return [(row[1], row[2]) for row in rows("| who | asks | is told | of shoppers |")]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home = tmp_path_factory.mktemp("released") / "home"
    create_home(home, issuer="shop")
    app = create_app(Settings.load(home))
    yield app.openapi()
    app.state.context.database.close()


def told(document: dict[str, Any], chosen: Iterable[str]) -> set[str]:
    """Every field of the answers to some operations."""
    found: set[str] = set()
    for each in chosen:
        method, _, path = each.partition(" ")
        for status, answer in document["paths"][path][method.lower()]["responses"].items():
            for content in answer.get("content", {}).values() if status < "300" else ():
                found |= fields(document["components"]["schemas"], content.get("schema", {}))
    return found


def fields(schemas: dict[str, Any], schema: Any) -> set[str]:
    """Every name in a schema and in whatever stands in it."""
    found: set[str] = set()
    if not isinstance(schema, dict):
        return found
    if "$ref" in schema:
        return fields(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    for part in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(part, ()):
            found |= fields(schemas, each)
    for part in ("items", "additionalProperties"):
        found |= fields(schemas, schema.get(part))
    for name, inner in schema.get("properties", {}).items():
        found |= {name} | fields(schemas, inner)
    return found


def test_whatever_is_not_a_shoppers_own_is_named(document: dict[str, Any]) -> None:
    named = [each for asked, _ in stated() for each in asked]
    assert len(named) == len(set(named))
    released = {
        f"{method.upper()} {path}"
        for path, method, operation in operations(document)
        if operation[ROLES] != [Role.SHOPPER]
    }
    assert set(named) == released - OPEN
    assert released >= OPEN


def test_every_field_is_named(document: dict[str, Any]) -> None:
    found = stated()
    assert len(found) > 15
    for asked, named in found:
        assert told(document, asked) == named, sorted(asked)


def test_a_new_field_is_noticed(document: dict[str, Any]) -> None:
    """The control: a name in an answer that nobody wrote down, however deep."""
    changed = json.loads(json.dumps(document))
    step = changed["components"]["schemas"]["InstructionStatus"]["properties"]
    step["login"] = {"type": "string"}
    asked, named = next(row for row in stated() if "GET /v1/requests" in row[0])
    assert told(changed, asked) - named == {"login"}


def test_no_webhook_says_more(stage: Stage) -> None:
    headers = operator(stage)
    body = {"url": "https://hooks.example.com/x", "kinds": list(Kind)}
    assert stage.http.post("/v1/webhooks", json=body, headers=headers).status_code == 201
    her = person(stage)
    stage.decide(her.device, {TRAIN_PURCHASES: Decision.WITHDRAWN})
    stage.decide(her.device, {TRAIN_PURCHASES: Decision.GIVEN})
    asked = her.ask("access").json()["id"]
    assert her.cancel(asked).json()["state"] == "cancelled"
    her.erased()
    with stage.context.database.reading() as session:
        bodies = [json.loads(row.body) for row in session.scalars(select(WebhookMessage))]
    named = {kind: said for kinds, said in rows("| event | `data` |") for kind in kinds}
    assert set(named) == set(Kind) == {each["type"] for each in bodies}
    for each in bodies:
        assert set(each) == {"type", "timestamp", "data"}
        assert set(each["data"]) == named[each["type"]]
