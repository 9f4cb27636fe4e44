"""What callers must not get away with."""

import json
from typing import Any

import httpx
import pytest

from consent.service import context
from crypto.wire import SignedRecord, b64, digest, public_bytes
from tests.unit.consent.harness import CONTEXT, NOTICE, TASK, Stage

QUOTES = "x'; DROP TABLE shopper; --"
PARTICIPATION = {"type": "participation", "body": "AA", "signature": "A" * 86}
REGISTRATION: dict[str, Any] = {"consents": [], "notice_version": NOTICE}
ENTRY = {"purpose": "train-shared-models", "category": "purchases", "decision": "given"}
COMMIT: dict[str, Any] = {"task": TASK, "round": "r", "context": CONTEXT, "uploads": []}
UPLOAD: dict[str, Any] = {"upload": "ab" * 32, "client": "c" * 43, "grants": ["0" * 32]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("shoppers", {**REGISTRATION, "admin": True}),
        ("shoppers", {**REGISTRATION, "notice_version": QUOTES}),
        ("shoppers", {**REGISTRATION, "notice_version": ""}),
        ("shoppers", {**REGISTRATION, "consents": [{**ENTRY, "decision": "withdrawn"}]}),
        ("shoppers", {**REGISTRATION, "consents": [{**ENTRY, "decision": True}]}),
        ("shoppers", {**REGISTRATION, "consents": [{**ENTRY, "purpose": "everything"}]}),
        ("shoppers", {**REGISTRATION, "consents": [{**ENTRY, "purpose": "*"}]}),
        ("shoppers", {**REGISTRATION, "consents": [ENTRY, ENTRY]}),
        ("shoppers", {**REGISTRATION, "consents": [{**ENTRY, "state": "given"}]}),
        ("shoppers", {**REGISTRATION, "client": {"public_key": "A" * 43, "kind": "server"}}),
        ("shoppers", []),
        ("shoppers", None),
        ("participation", {**PARTICIPATION, "extra": ""}),
        ("participation", PARTICIPATION),
        ("participation", {**PARTICIPATION, "body": QUOTES}),
        ("participation", {**PARTICIPATION, "body": "W10"}),
        ("participation", {**PARTICIPATION, "signature": 1}),
        ("standing", {"token_ids": [QUOTES]}),
        ("standing", {"token_ids": [None]}),
        ("standing", {"token_ids": {"$ne": ""}}),
        ("standing", {"token_ids": [], "all": True}),
        ("eligible", {"task": TASK, "clients": [QUOTES]}),
        ("eligible", {"task": "sell-data", "clients": []}),
        ("commits", {**COMMIT, "round": QUOTES}),
        ("commits", {**COMMIT, "task": "sell-data"}),
        ("commits", {**COMMIT, "uploads": [{**UPLOAD, "grants": []}]}),
        ("commits", {**COMMIT, "uploads": [{**UPLOAD, "grants": ["0" * 32] * 2}]}),
        ("commits", {**COMMIT, "uploads": [{**UPLOAD, "upload": "AB" * 32}]}),
        ("commits", {**COMMIT, "uploads": [{**UPLOAD, "client": "../x"}]}),
        ("commits", {**COMMIT, "force": True}),
    ],
)
def test_other_forms_are_422_and_never_echoed(stage: Stage, path: str, body: object) -> None:
    answer = stage.http.post(f"/v1/{path}", json=body, headers=stage.coordinator)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() <= {"type", "title", "status", "detail", "errors"}
    assert "DROP" not in answer.text
    assert stage.http.get("/v1/healthz").status_code == 200


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"token_ids": NaN}', b"[" * 100_000])
def test_broken_json_is_refused(stage: Stage, content: bytes) -> None:
    answer = stage.http.post(
        "/v1/standing", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_fields_are_not_named_back(stage: Stage) -> None:
    answer = stage.http.post("/v1/shoppers", json={**REGISTRATION, "my-token": "secret"})
    assert "my-token" not in answer.text
    assert "secret" not in answer.text


def test_a_long_body_is_413(stage: Stage) -> None:
    size = stage.settings.max_body_bytes + 1
    answer = stage.http.post(
        "/v1/standing", content=b" " * size, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("declared", [None, "2"])
def test_a_long_chunked_body_is_413_whatever_it_declares(
    stage: Stage, declared: str | None
) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    request = httpx.Request(
        "POST",
        "http://consent.test/v1/standing",
        content=b" " * (stage.settings.max_body_bytes + 1),
        headers=headers,
    )
    del request.headers["Content-Length"]
    if declared is not None:
        request.headers["Content-Length"] = declared
    assert stage.http.send(request).status_code == 413


def test_sql_in_a_path_finds_nobody(stage: Stage) -> None:
    device = stage.device()
    header = {"Authorization": f"Bearer {device.shoppers[device.shopper]}"}
    for shopper in ("' OR 1=1 --", "%", "..", "x" * 65):
        answer = stage.http.get(f"/v1/shoppers/{shopper}/consents", headers=header)
        assert answer.status_code in (404, 422)


def test_no_page_that_loads_scripts_is_served(stage: Stage) -> None:
    for path in ("/docs", "/redoc"):
        answer = stage.http.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    spec = stage.http.get("/v1/openapi.json").json()
    assert all(
        operation.get("description") or operation.get("summary")
        for path in spec["paths"].values()
        for operation in path.values()
    )


def test_a_fault_is_a_vague_500(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: context.Context) -> str:
        raise RuntimeError("secret path /srv/consent")

    monkeypatch.setattr(context.Context, "new_id", fail)
    answer = stage.http.post("/v1/shoppers", json=REGISTRATION)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_ids_that_are_no_text_are_refused(stage: Stage) -> None:
    device = stage.device()
    body = {
        "task": TASK,
        "round": "r",
        "context": CONTEXT,
        "client_key": b64(public_bytes(device.key.public_key())),
        "issued_at": int(stage.clock.now),
        "shoppers": ["\\ud800"],
    }
    data = json.dumps(body).replace("\\\\ud800", "\\ud800").encode()
    signature = device.key.sign(digest("sig/participation", data))
    record = SignedRecord(type="participation", body=data, signature=signature)
    answer = stage.http.post("/v1/participation", json=record.to_json())
    assert answer.status_code == 422
    paths = ("/v1/shoppers/%ff/consents", "/v1/shoppers/%00/consents")
    for path in paths:
        answer = stage.http.get(path, headers={b"Authorization": b"Bearer \xff"})
        assert answer.status_code == 404


@pytest.mark.parametrize("name", ["%00", "%ff", "..%2Fx", "x" * 129])
def test_rounds_are_asked_for_by_a_name(stage: Stage, name: str) -> None:
    for path in (f"/v1/commits/{TASK}/{name}", f"/v1/funnel?task={TASK}&round={name}"):
        answer = stage.http.get(path, headers=stage.coordinator)
        assert answer.status_code in (404, 422)
