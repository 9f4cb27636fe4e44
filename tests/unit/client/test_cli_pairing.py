"""``fedcart device pair``, against the real consent service in this process."""

import json

import httpx
import pytest

from client.connection import connect
from client.events import EventStore
from client.home import ClientHome
from client.personal_export import write_export
from client.register import enter_round
from tests.unit.client.shop import URL, Shop, go_away
from tests.unit.commands import Outcome, fedcart

PASSWORD = "a long walk by the sea"


def account(name: str = "anna") -> dict[str, str]:
    """A shopper with an account: her id and the token of her login."""
    shopper = {"consents": [], "notice_version": "2026-11"}
    body = {"name": name, "password": PASSWORD, "shopper": shopper}
    made = connect(URL).post("/v1/accounts", json=body).json()
    return {"shopper": made["shopper"], "token": made["session"]["token"]}


def call(person: dict[str, str], method: str, path: str, body: object = None) -> httpx.Response:
    found = connect(URL).request(
        method,
        f"/v1/shoppers/{person['shopper']}{path}",
        json=body,
        headers={"Authorization": f"Bearer {person['token']}"},
    )
    assert found.is_success, found.text
    return found


def code_for(person: dict[str, str]) -> str:
    return str(call(person, "POST", "/pairing-code", {}).json()["code"])


def pair(shop: Shop, code: str, *more: str) -> Outcome:
    return fedcart("device", "pair", *shop.setup(), "--code", code, *more)


def pair_again(shop: Shop, code: str) -> Outcome:
    return fedcart("device", "pair", "--home", shop.home, "--code", code)


def lines(shop: Shop) -> int:
    with EventStore.open(ClientHome.load(shop.home).events) as store:
        return store.count()


def remove(shop: Shop, person: dict[str, str]) -> None:
    call(person, "DELETE", f"/clients/{ClientHome.load(shop.home).client_id}")


def test_a_new_device_shows_and_changes_her_choices(shop: Shop) -> None:
    anna = account()
    made = pair(shop, code_for(anna))
    assert made.code == 0, made.said
    line = json.loads(made.out)
    home = ClientHome.load(shop.home)
    assert line["shopper"] == anna["shopper"] == home.shoppers["me"]
    assert line["client"] == home.client_id
    assert home.token not in made.said
    assert home.token != anna["token"]
    assert shop.choose("personalise-on-device", "purchases", "refused").code == 0
    assert shop.states()[("personalise-on-device", "purchases")] == "refused"


def test_a_device_for_one_task(shop: Shop) -> None:
    anna = account()
    assert pair(shop, code_for(anna), "--task", "item-item").code == 0
    (client,) = call(anna, "GET", "/clients").json()["clients"]
    assert client["tasks"] == ["item-item"]


@pytest.mark.parametrize("code", ["2345-6789", "not a code", ""])
def test_a_wrong_code_leaves_nothing_behind(shop: Shop, code: str) -> None:
    account()
    made = pair(shop, code)
    assert made.code in (1, 2)
    assert not shop.home.exists()


def test_a_service_with_another_key_gets_no_code(shop: Shop) -> None:
    code = code_for(account())
    other = shop.setup(consent_key=shop.setup()[shop.setup().index("--coordinator-key") + 1])
    assert fedcart("device", "pair", *other, "--code", code).code == 1
    assert pair(shop, code).code == 0  # it was not used up


def test_a_new_device_needs_its_pins(shop: Shop) -> None:
    made = fedcart("device", "pair", "--home", shop.home, "--code", "2345-6789")
    assert made.code == 2
    assert "--consent-key" in made.said


def test_a_device_that_stands_for_somebody_is_not_taken(shop: Shop) -> None:
    anna, berta = account(), account("berta")
    pair(shop, code_for(anna))
    taken = pair_again(shop, code_for(berta))
    assert taken.code == 2
    assert "already" in taken.said
    assert ClientHome.load(shop.home).shoppers["me"] == anna["shopper"]


def test_a_removed_device_comes_back_with_its_purchases(shop: Shop) -> None:
    anna = account()
    pair(shop, code_for(anna))
    shop.import_()
    before = ClientHome.load(shop.home)
    remove(shop, anna)
    made = pair_again(shop, code_for(anna))
    assert made.code == 0, made.said
    home = ClientHome.load(shop.home)
    assert (home.client_id, home.shoppers) == (before.client_id, before.shoppers)
    assert json.loads(made.out)["erased_lines"] == 0
    assert lines(shop) > 0


def test_purchases_never_pass_to_another_shopper(shop: Shop) -> None:
    anna, berta = account(), account("berta")
    pair(shop, code_for(anna))
    shop.import_()
    kept = lines(shop)
    before = ClientHome.load(shop.home)
    write_export(before, "me", f"{anna['shopper']}-{'a' * 32}", at=0, held=[])
    derived = before.derived / anna["shopper"] / "draft"
    derived.parent.mkdir(parents=True)
    derived.write_text("milk")
    sealed = before.outbox / "context" / "sealed"
    sealed.parent.mkdir(parents=True)
    sealed.write_text("of anna's milk")
    enter_round(before.register, population="p", task="t", round_id="r", context="c", epsilon=None)
    remove(shop, anna)
    made = pair_again(shop, code_for(berta))
    assert json.loads(made.out)["erased_lines"] == kept > 0
    home = ClientHome.load(shop.home)
    assert home.shoppers["me"] == berta["shopper"]
    left = {file for file in home.path.rglob("*") if file.is_file()}
    gone = {home.events, home.register, derived, sealed, *home.exports.iterdir()}
    assert left.isdisjoint(gone)
    assert [file for file in left if b"milk" in file.read_bytes()] == [home.path / "catalogue.json"]


def test_no_answer_changes_nothing(shop: Shop) -> None:
    anna = account()
    pair(shop, code_for(anna))
    code, before = code_for(anna), (shop.home / "client.json").read_bytes()
    go_away()
    assert pair_again(shop, code).code == 1
    assert (shop.home / "client.json").read_bytes() == before
