"""Pairing a device by a short code, and removing it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from consent.pairing import ALPHABET, PairingRequest, as_typed, new_code
from consent.service.accounts import service as accounts
from consent.service.quotas import Kind, Quotas
from consent.service.tables import METADATA
from consent.tasks.names import TaskName
from consent.typed_codes import as_shown
from crypto.errors import ConsentError, WireError
from crypto.wire import SignedRecord, thumbprint
from tests.unit.consent.harness import CONTEXT, GIVE, Device, Stage
from tests.unit.consent.service.people import Person, bearer, log_in, register


def ask(person: Person, label: str = "") -> str:
    answer = person.call("POST", f"/shoppers/{person.shopper}/pairing-code", {"label": label})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def request(stage: Stage, code: str, key: Ed25519PrivateKey, **changes: Any) -> PairingRequest:
    fields: dict[str, Any] = {
        "code": as_typed(code),
        "client_key": key.public_key(),
        "issued_at": int(stage.clock.now),
    }
    return PairingRequest(**(fields | changes))


def send(stage: Stage, record: SignedRecord) -> httpx.Response:
    return stage.http.post("/v1/pairings", json=record.to_json())


def answer(stage: Stage, code: str, device: Device, **changes: Any) -> httpx.Response:
    found = send(stage, request(stage, code, device.key, **changes).sign(device.key))
    if found.status_code == 201:
        device.shoppers = {found.json()["shopper"]: found.json()["token"]}
    return found


def paired(person: Person, label: str = "", **changes: Any) -> Device:
    device = Device()
    assert answer(person.stage, ask(person, label), device, **changes).status_code == 201
    return device


def shown(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.call("GET", f"/shoppers/{person.shopper}/clients").json()
    return found


def wrong(code: str) -> str:
    """The same first half, another second one."""
    return code[:5] + ("2222" if code[5:] != "2222" else "3333")


class TestPairing:
    def test_the_device_stands_for_her_with_a_token_of_its_own(self, stage: Stage) -> None:
        anna = register(stage)
        device = paired(anna, "my phone")
        assert device.shopper == anna.shopper
        consents = f"/v1/shoppers/{anna.shopper}/consents"
        token = device.shoppers[anna.shopper]
        assert stage.http.get(consents, headers=bearer(token)).status_code == 200
        assert len(stage.grants(device)) == 1
        (client,) = shown(anna)["clients"]
        assert (client["client"], client["label"]) == (device.name, "my phone")
        assert (client["kind"], client["tasks"]) == ("device", [])

    def test_a_device_paired_anew_takes_the_place_of_the_old_one(self, stage: Stage) -> None:
        anna = register(stage)
        old = paired(anna)
        (grant,) = stage.grants(old).values()
        assert stage.client.standing([grant]) == {grant}
        new = paired(anna)
        assert not stage.client.standing([grant])
        consents = f"/v1/shoppers/{anna.shopper}/consents"
        assert (
            stage.http.get(consents, headers=bearer(old.shoppers[anna.shopper])).status_code == 404
        )
        assert [each["client"] for each in shown(anna)["clients"]] == [new.name]

    def test_an_old_registrations_token_dies_with_its_device(self, stage: Stage) -> None:
        device = stage.device()
        token = device.shoppers[device.shopper]
        body = {"name": "Anna", "password": "a long walk by the sea"}
        path = f"/v1/shoppers/{device.shopper}"
        assert stage.http.post(f"{path}/account", json=body, headers=bearer(token)).is_success
        anna = Person(stage, "anna", log_in(stage).json()["token"], shopper=device.shopper)
        paired(anna)
        assert stage.http.get(f"{path}/consents", headers=bearer(token)).status_code == 404

    def test_a_code_is_used_once(self, stage: Stage) -> None:
        anna = register(stage)
        code = ask(anna)
        assert answer(stage, code.lower().replace("-", " "), Device()).status_code == 201
        assert answer(stage, code, Device()).status_code == 404

    def test_one_of_many_devices_at_once_is_paired(self, stage: Stage) -> None:
        anna = register(stage)
        code, devices = ask(anna), [Device() for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda device: answer(stage, code, device), devices))
        assert sorted(each.status_code for each in found) == [201, 404, 404, 404]
        assert len(shown(anna)["clients"]) == 1

    def test_a_code_lives_ten_minutes(self, stage: Stage) -> None:
        anna = register(stage)
        late = ask(anna)
        stage.clock.now += 600
        assert shown(anna)["code_expires_at"] is None
        assert answer(stage, late, Device()).status_code == 404
        good = ask(anna)
        stage.clock.now += 599
        assert answer(stage, good, Device()).status_code == 201

    def test_a_new_code_replaces_the_old_one(self, stage: Stage) -> None:
        anna = register(stage)
        first, second = ask(anna), ask(anna)
        assert answer(stage, first, Device()).status_code == 404
        assert answer(stage, second, Device()).status_code == 201

    def test_five_wrong_tries_end_a_code(self, stage: Stage) -> None:
        anna = register(stage)
        code = ask(anna)
        tries = [answer(stage, wrong(code), Device()) for _ in range(5)]
        assert {each.status_code for each in tries} == {404}
        assert answer(stage, code, Device()).status_code == 404

    def test_four_wrong_tries_do_not(self, stage: Stage) -> None:
        anna = register(stage)
        code = ask(anna)
        for _ in range(4):
            assert answer(stage, wrong(code), Device()).status_code == 404
        assert answer(stage, code, Device()).status_code == 201

    def test_tries_of_a_peer_are_counted(self, tmp_path: Any) -> None:
        stage = Stage(tmp_path / "few", quotas=Quotas(named={Kind.PAIRING: "2 per hour"}))
        anna = register(stage)
        code = ask(anna)
        tries = [answer(stage, "2345-6789", Device()).status_code for _ in range(3)]
        assert tries == [404, 404, 429]
        assert answer(stage, code, Device()).status_code == 429
        stage.close()

    def test_whatever_is_wrong_with_a_code_the_answer_is_the_same(self, stage: Stage) -> None:
        anna = register(stage)
        used = ask(anna)
        answer(stage, used, Device())
        code = ask(anna)
        found = [answer(stage, each, Device()) for each in (used, wrong(code), "2345-6789")]
        assert {each.status_code for each in found} == {404}
        assert len({each.content for each in found}) == 1

    def test_a_code_needs_a_login_with_a_fresh_proof(self, stage: Stage) -> None:
        anna, berta = register(stage), register(stage, "berta")
        device = paired(anna)
        path = f"/shoppers/{anna.shopper}/pairing-code"
        by_device = Person(stage, "device", device.shoppers[anna.shopper])
        assert by_device.call("POST", path, {}).status_code == 404
        assert berta.call("POST", path, {}).status_code == 404
        assert Person(stage, "nobody", "x").call("POST", path, {}).status_code == 401
        stage.clock.now += 11 * 60
        assert anna.call("POST", path, {}).status_code == 403

    def test_strangers_do_not_use_up_her_codes(self, stage: Stage) -> None:
        anna, berta = register(stage), register(stage, "berta")
        for _ in range(11):
            path = f"/shoppers/{anna.shopper}/pairing-code"
            assert berta.call("POST", path, {}).status_code == 404
        assert ask(anna)

    def test_the_key_must_have_signed(self, stage: Stage) -> None:
        anna = register(stage)
        code, device, other = ask(anna), Device(), Device()
        good = request(stage, code, device.key)
        wrong_ones = [
            good.sign(other.key),
            replace(good, issued_at=good.issued_at - 61).sign(device.key),
            replace(good, issued_at=good.issued_at + 61).sign(device.key),
            SignedRecord.sign("participation", {"code": code}, device.key),
            SignedRecord.sign("pairing", {"code": code}, device.key),
        ]
        assert {send(stage, each).status_code for each in wrong_ones} == {422}
        assert send(stage, good.sign(device.key)).status_code == 201

    def test_a_stores_key_is_not_paired_as_a_device(self, stage: Stage) -> None:
        anna, store = register(stage), stage.device(kind="store")
        code = ask(anna)
        assert answer(stage, code, store).status_code == 409
        assert answer(stage, code, Device()).status_code == 201  # nothing was used up

    def test_the_code_is_not_stored(self, stage: Stage) -> None:
        code = as_typed(ask(register(stage)))
        with stage.context.database.reading() as session:
            stored = str(session.execute(select(METADATA.tables["pairing_code"])).all())
        assert code[:4] in stored
        assert code[4:] not in stored


class TestRemoving:
    def test_grants_and_token_die_at_once(self, stage: Stage) -> None:
        anna = register(stage)
        device = paired(anna)
        (grant,) = stage.grants(device).values()
        path = f"/shoppers/{anna.shopper}/clients/{device.name}"
        assert register(stage, "berta").call("DELETE", path).status_code == 404
        assert stage.client.standing([grant]) == {grant}
        assert anna.call("DELETE", path).status_code == 204
        assert not stage.client.standing([grant])
        assert shown(anna)["clients"] == []
        consents = f"/v1/shoppers/{anna.shopper}/consents"
        token = device.shoppers[anna.shopper]
        assert stage.http.get(consents, headers=bearer(token)).status_code == 404
        assert anna.call("DELETE", path).status_code == 404
        with pytest.raises(ConsentError):
            stage.client.decide(anna.shopper, token, GIVE, notice_version="2026-11")

    def test_it_can_come_back(self, stage: Stage) -> None:
        anna = register(stage)
        device = paired(anna)
        anna.call("DELETE", f"/shoppers/{anna.shopper}/clients/{device.name}")
        assert answer(stage, ask(anna), device).status_code == 201
        assert len(stage.grants(device, "round-2")) == 1

    def test_a_shopper_without_an_account_keeps_her_token(self, stage: Stage) -> None:
        device = stage.device()
        token = device.shoppers[device.shopper]
        caller = Person(stage, "device", token, shopper=device.shopper)
        path = f"/shoppers/{device.shopper}/clients/{device.name}"
        assert caller.call("DELETE", path).status_code == 204
        assert shown(caller)["clients"] == []

    def test_an_erased_shoppers_devices_are_out(self, stage: Stage) -> None:
        anna = register(stage)
        device = paired(anna)
        ask(anna)
        with stage.context.database.writing() as session:
            accounts.erase(stage.context, session, anna.shopper)
        consents = f"/v1/shoppers/{anna.shopper}/consents"
        token = device.shoppers[anna.shopper]
        assert stage.http.get(consents, headers=bearer(token)).status_code == 404


class TestTasks:
    """At most one client stands for a shopper in a task."""

    def grants(self, stage: Stage, device: Device, who: str, task: TaskName, round_id: str) -> int:
        device.shoppers.setdefault(who, "")
        found = stage.client.participation(
            device.key, task=task, round_id=round_id, context=CONTEXT, shoppers=[who]
        )
        return len(found.grants)

    def test_a_client_for_one_task_leaves_the_others(self, stage: Stage) -> None:
        anna, rounds = register(stage), count()
        phone = paired(anna, "phone")
        tablet = paired(anna, "tablet", tasks=(TaskName.ITEM_ITEM,))

        def who_takes_part(task: TaskName) -> tuple[int, int]:
            found = [
                self.grants(stage, each, anna.shopper, task, f"r-{next(rounds)}")
                for each in (phone, tablet)
            ]
            return found[0], found[1]

        assert who_takes_part(TaskName.POPULARITY) == (1, 0)
        assert who_takes_part(TaskName.ITEM_ITEM) == (0, 1)
        eligible = stage.client.eligible(TaskName.ITEM_ITEM, [phone.name, tablet.name])
        assert set(eligible) == {tablet.name}
        tasks = {each["label"]: each["tasks"] for each in shown(anna)["clients"]}
        assert tasks == {"phone": [], "tablet": ["item-item"]}
        anna.call("DELETE", f"/shoppers/{anna.shopper}/clients/{tablet.name}")
        assert who_takes_part(TaskName.ITEM_ITEM) == (1, 0)

    def test_grants_of_a_task_that_moves_die(self, stage: Stage) -> None:
        anna = register(stage)
        phone = paired(anna)
        (grant,) = stage.grants(phone).values()
        paired(anna, tasks=(TaskName.POPULARITY,))
        assert not stage.client.standing([grant])

    def test_a_client_for_every_task_leaves_the_named_ones(self, stage: Stage) -> None:
        anna = register(stage)
        paired(anna, "phone")
        paired(anna, "tablet", tasks=(TaskName.ITEM_ITEM,))
        paired(anna, "new phone")
        labels = {each["label"] for each in shown(anna)["clients"]}
        assert labels == {"new phone", "tablet"}


@pytest.mark.parametrize(
    "text", ["", "ABCD-EFG", "ABCD-EFG0", "ABCD-EFGI", "ABCD-EFGH-J", "ＡBCDEFGH"]
)
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(WireError):
        as_typed(text)


def test_codes_are_uniform_over_the_alphabet() -> None:
    stream = count()
    drawn = "".join(
        new_code(lambda n: bytes(next(stream) % 256 for _ in range(n))) for _ in range(620)
    )
    counts = {char: drawn.count(char) for char in ALPHABET}
    assert set(drawn) == set(ALPHABET)
    assert max(counts.values()) - min(counts.values()) <= 1 + 620 * 8 // 248
    assert as_typed(as_shown(drawn[:8])) == drawn[:8]


def test_a_request_names_each_task_once() -> None:
    key = Ed25519PrivateKey.generate()
    made = PairingRequest(code="23456789", client_key=key.public_key(), issued_at=1)
    twice = replace(made, tasks=(TaskName.POPULARITY, TaskName.POPULARITY))
    assert PairingRequest.parse(made.sign(key)) == made
    assert made.client == thumbprint(key.public_key())
    with pytest.raises(WireError, match="once"):
        PairingRequest.parse(twice.sign(key))
