"""The OpenAPI document: complete, true to the application, with examples that hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from consent.service.app import create_app
from consent.service.openapi import ROLES, TAGS, operations
from consent.service.principals import Role
from consent.service.problems import MEDIA_TYPE
from consent.service.settings import Settings, create_home


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home: Path = tmp_path_factory.mktemp("openapi") / "home"
    create_home(home, issuer="shop")
    app = create_app(Settings.load(home))
    yield app.openapi()
    app.state.context.database.close()


def test_every_operation_says_what_it_is(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("description"), where
        assert len(operation.get("tags", [])) == 1, where
        assert set(operation["tags"]) <= set(TAGS), where


def test_every_operation_declares_who_may_call_it(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert ROLES in operation, where
        assert set(operation[ROLES]) <= set(Role), where
        if operation[ROLES]:
            assert operation.get("security"), where
            assert {"401"} <= set(operation["responses"]), where
        else:
            assert not operation.get("security"), where


def test_every_failure_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == [MEDIA_TYPE], (method, path, status)
                schema = answer["content"][MEDIA_TYPE]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemDetails"}
        assert {"429", "503"} <= set(operation["responses"])
        if "requestBody" in operation:
            assert {"400", "413", "422"} <= set(operation["responses"]), (method, path)


def test_every_schema_has_an_example_that_it_accepts(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if "enum" in schema:
            continue
        whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        validator = jsonschema_rs.validator_for(whole)
        assert schema["examples"], name
        for example in schema["examples"]:
            errors = [error.message for error in validator.iter_errors(example)]
            assert not errors, (name, example, errors)


def test_every_json_body_and_answer_refers_to_such_a_schema(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in bodies:
            for content in body["content"].values():
                assert "$ref" in content["schema"], (method, path)


def test_a_wrong_example_would_be_seen(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    whole = {"$ref": "#/components/schemas/Decisions", "components": {"schemas": schemas}}
    assert not jsonschema_rs.is_valid(whole, {"decisions": []})


def test_it_names_itself_its_server_and_its_groups(document: dict[str, Any]) -> None:
    assert document["info"]["version"]
    assert document["servers"]
    assert all(tag["description"] for tag in document["tags"])
    purposes = document["components"]["schemas"]["Purpose"]["description"]
    assert "train_ai_system" in purposes


def test_lists_have_one_form(document: dict[str, Any]) -> None:
    """Whoever takes a cursor answers with the next one, and nobody names them otherwise."""
    schemas = document["components"]["schemas"]
    for path, method, operation in operations(document):
        names = {each["name"] for each in operation.get("parameters", ())}
        assert not names & {"page", "offset", "after", "before", "per_page", "size"}, path
        if "cursor" in names:
            assert "limit" in names, (method, path)
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
            made = schemas[answer["$ref"].rpartition("/")[2]]
            assert "next" in made["properties"], (method, path)
