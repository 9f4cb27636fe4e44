"""People with accounts, for tests of what needs a login."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from consent.service.accounts import staff
from tests.unit.consent.harness import GIVE, NOTICE, Stage

PASSWORD = "a long walk by the sea"
NEW_PASSWORD = "another walk, by the lake"


@dataclass
class Person:
    """Somebody with a login. ``token`` is the token of her latest one."""

    stage: Stage
    name: str
    token: str
    shopper: str = ""
    codes: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.token)

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.stage.http.request(method, f"/v1{path}", json=body, headers=self.headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def registration(name: str = "Anna", **changes: Any) -> dict[str, Any]:
    cells = [
        {"purpose": cell.purpose, "category": cell.category, "decision": decision}
        for cell, decision in GIVE.items()
    ]
    shopper = {"consents": cells, "notice_version": NOTICE, "age_band": "adult"}
    return {"name": name, "password": PASSWORD, "shopper": shopper, **changes}


def register(stage: Stage, name: str = "Anna", **changes: Any) -> Person:
    answer = stage.http.post("/v1/accounts", json=registration(name, **changes))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Person(
        stage=stage,
        name=name,
        token=made["session"]["token"],
        shopper=made["shopper"],
        codes=made["recovery_codes"],
    )


def log_in(stage: Stage, name: str = "Anna", password: str = PASSWORD) -> httpx.Response:
    return stage.http.post("/v1/sessions", json={"name": name, "password": password})


def operator(stage: Stage, name: str = "Olga", role: str = "operator") -> Person:
    made = staff.add(stage.context, role, name)
    answer = recover(stage, name, made.setup_code, PASSWORD)
    assert answer.status_code == 204, answer.text
    return Person(stage=stage, name=name, token=log_in(stage, name).json()["token"])


def recover(stage: Stage, name: str, code: str, password: str = NEW_PASSWORD) -> httpx.Response:
    body = {"name": name, "code": code, "new_password": password}
    return stage.http.post("/v1/accounts/recovery", json=body)
