"""Operators and auditors for tests, and the tokens that they call with."""

from typing import Any

from consent.service.accounts.service import create_account, open_session
from consent.service.principals import Role
from tests.unit.consent.harness import Stage


def login(stage: Stage, role: Role = Role.OPERATOR, *, shopper: str | None = None) -> str:
    """The token of a fresh login, whose owner has just shown who she is."""
    context = stage.context
    with context.database.writing() as session:
        account = create_account(context, session, role=role, shopper_id=shopper, name=None)
        return open_session(context, session, account, label="test")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Caller:
    """Calls the API with one token."""

    def __init__(self, stage: Stage, token: str) -> None:
        self.token = token
        self._stage = stage

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = bearer(self.token) | ({"If-Match": "*"} if method == "PATCH" else {})
        headers |= options.pop("headers", {})
        return self._stage.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: object = None) -> Any:
        return self.call("POST", path, json=body)


def operator(stage: Stage) -> Caller:
    return Caller(stage, login(stage))


def auditor(stage: Stage) -> Caller:
    return Caller(stage, login(stage, Role.AUDITOR))
