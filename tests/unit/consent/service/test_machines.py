"""Machines' tokens: made by command, revoked by operators; and what stores need them for."""

import json
from pathlib import Path

import pytest

from consent.service.audit.tables import AuditEntry
from consent.service.machines import service
from consent.service.principals import Role, identify
from crypto.errors import ConsentError, InvalidInputError
from tests.unit.commands import fedcart
from tests.unit.consent.harness import GIVE, NOTICE, Device, Stage
from tests.unit.consent.service.people import Person, log_in, operator, recover, register

DAY = 24 * 3600


def role_of(stage: Stage, token: str) -> Role | None:
    with stage.context.database.reading() as session:
        found = identify(stage.context, session, token)
    return None if found is None else found.role


def test_a_token_has_its_role_until_it_expires(stage: Stage) -> None:
    made = service.add(stage.context, "auditor", "weekly", days=2)
    assert made.token not in repr(made)
    assert role_of(stage, made.token) is Role.AUDITOR
    stage.clock.now += 2 * DAY - 1
    assert role_of(stage, made.token) is Role.AUDITOR
    stage.clock.now += 1
    assert role_of(stage, made.token) is None


def test_only_machines_roles_names_and_days(stage: Stage) -> None:
    for role, name, days in (
        ("shopper", "x", None),
        ("coordinator", "x", None),
        ("", "x", None),
        ("store", "", None),
        ("store", "two words", None),
        ("store", "x", 0),
        ("store", "x", 3654),
    ):
        with pytest.raises(InvalidInputError):
            service.add(stage.context, role, name, days=days)
    assert service.every(stage.context).tokens == []


def test_an_operator_sees_and_revokes(stage: Stage) -> None:
    olga, till = operator(stage), service.add(stage.context, "store", "north")
    shown = olga.call("GET", "/tokens").json()["tokens"]
    assert [(each["id"], each["role"], each["name"]) for each in shown] == [
        (till.id, "store", "north")
    ]
    assert till.token not in str(shown)
    assert olga.call("DELETE", f"/tokens/{till.id}").status_code == 204
    assert role_of(stage, till.token) is None
    assert olga.call("DELETE", f"/tokens/{till.id}").status_code == 404
    with stage.context.database.reading() as session:
        actions = [(row.action, row.target, row.role) for row in session.query(AuditEntry)]
    assert ("token.revoked", till.id, "operator") in actions
    assert ("token.added", till.id, "service") in actions


def test_revoking_needs_a_fresh_proof(stage: Stage) -> None:
    olga, till = operator(stage), service.add(stage.context, "store", "north")
    stage.clock.now += 11 * 60
    assert olga.call("DELETE", f"/tokens/{till.id}").status_code == 403
    job = Person(stage, "job", service.add(stage.context, "operator", "job").token)
    assert job.call("GET", "/tokens").status_code == 200
    assert job.call("DELETE", f"/tokens/{till.id}").status_code == 403
    assert role_of(stage, till.token) is Role.STORE


def test_others_see_and_revoke_nothing(stage: Stage) -> None:
    till = service.add(stage.context, "store", "north")
    auditor = operator(stage, "Aud", role="auditor")
    for caller in (
        register(stage),
        Person(stage, "till", till.token),
        Person(stage, "coordinator", stage.token),
    ):
        assert caller.call("GET", "/tokens").status_code == 404
        assert caller.call("DELETE", f"/tokens/{till.id}").status_code == 404
    assert auditor.call("GET", "/tokens").status_code == 200
    assert auditor.call("DELETE", f"/tokens/{till.id}").status_code == 404
    assert Person(stage, "nobody", "x").call("GET", "/tokens").status_code == 401
    assert role_of(stage, till.token) is Role.STORE


class TestStores:
    def test_a_store_registers_shoppers_with_its_own_token(self, stage: Stage) -> None:
        key = Device().key.public_key()
        auditor = service.add(stage.context, "auditor", "x").token
        for token in (None, "x", stage.token, auditor):
            with pytest.raises(ConsentError, match=r"40[14]"):
                stage.client.register(
                    {}, notice_version=NOTICE, client=key, kind="store", store_token=token
                )
        first, second = (service.add(stage.context, "store", "north").token for _ in range(2))
        for token in (first, second):  # both are the same store's
            stage.client.register(
                {}, notice_version=NOTICE, client=key, kind="store", store_token=token
            )
        with pytest.raises(ConsentError, match=r"409.*another store"):
            stage.client.register(
                {},
                notice_version=NOTICE,
                client=key,
                kind="store",
                store_token=stage.store_token("south"),
            )

    def test_a_revoked_token_registers_nobody(self, stage: Stage) -> None:
        made = service.add(stage.context, "store", "north")
        service.revoke_here(stage.context, made.id)
        with pytest.raises(ConsentError, match="401"):
            stage.client.register(
                {},
                notice_version=NOTICE,
                client=Device().key.public_key(),
                kind="store",
                store_token=made.token,
            )

    def test_a_shopper_chooses_a_store_that_is_known_and_makes_none(self, stage: Stage) -> None:
        device, store = stage.device(decisions=GIVE), stage.device(kind="store")
        who, token = device.shopper, device.shoppers[device.shopper]
        with pytest.raises(ConsentError, match=r"409.*not registered"):
            stage.client.pair(who, token, client=Device().key.public_key(), kind="store")
        assert stage.client.pair(who, token, client=store.key.public_key(), kind="store") == 2


class TestCommands:
    def test_accounts(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "home")
        made = fedcart(
            "consent", "account", "add", "--home", stage.home, "--role", "auditor", "--name", "Aud"
        )
        assert made.code == 0, made.said
        code = json.loads(made.out)["setup_code"]
        shown = fedcart("consent", "account", "list", "--home", stage.home)
        assert json.loads(shown.out)["has_password"] is False
        stage.clock.now = json.loads(shown.out)["created_at"] / 1000
        assert recover(stage, "aud", code).status_code == 204
        assert log_in(stage, "aud", "another walk, by the lake").json()["role"] == "auditor"
        closed = fedcart("consent", "account", "close", "--home", stage.home, "--name", "aud")
        assert closed.code == 0
        assert log_in(stage, "aud", "another walk, by the lake").status_code == 401
        refused = fedcart(
            "consent", "account", "add", "--home", stage.home, "--role", "shopper", "--name", "x-x"
        )
        assert refused.code == 2
        assert "role" in refused.said
        stage.close()

    def test_tokens(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "home")
        made = fedcart(
            "consent", "token", "add", "--home", stage.home, "--role", "store", "--name", "north"
        )
        token, id_ = (json.loads(made.out)[key] for key in ("token", "id"))
        assert role_of(stage, token) is Role.STORE
        shown = fedcart("consent", "token", "list", "--home", stage.home)
        assert json.loads(shown.out)["id"] == id_
        assert token not in shown.out
        assert fedcart("consent", "token", "revoke", id_, "--home", stage.home).code == 0
        assert role_of(stage, token) is None
        assert fedcart("consent", "token", "revoke", id_, "--home", stage.home).code == 2
        stage.close()
