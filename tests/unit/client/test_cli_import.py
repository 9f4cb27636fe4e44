"""``fedcart device import``: all of a file or nothing."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.events import EventStore
from client.home import ClientHome, ClientKind
from crypto.errors import FedcartError
from tests.unit.client.shop import PURCHASES, Shop, left
from tests.unit.commands import fedcart


def test_an_import_replaces_the_one_before(shop: Shop) -> None:
    home = shop.enrolled()
    first = shop.import_(PURCHASES, "--json", "--store", "branch")
    told = json.loads(first.out)
    assert (told["lines"], told["baskets"], told["unlisted"], told["replaced"]) == (4, 3, 1, 0)
    again = shop.import_("card,article,date\nc7,rare-tea,2024-03-09\n")
    assert again.code == 0
    assert "They replaced 4 lines" in again.said
    with EventStore.open(home.events) as store:
        assert store.shoppers() == ("me",)
        assert list(store.of("me").item) == ["rare-tea"]
    assert b"batteries" not in home.events.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PURCHASES + "c8,tea,2024-03-05,north\n", "holds 2 shoppers; a device stands for one"),
        (PURCHASES + "c7,tea,yesterday,north\n", "line 6"),
        ("card,article,date\n", "no usable line"),
        ("card,article,day\nc7,tea,2024-03-05\n", "no column 'date'"),
        ("", "is empty"),
    ],
)
def test_a_wrong_file_changes_nothing(shop: Shop, text: str, said: str) -> None:
    home = shop.enrolled()
    assert shop.import_(text).code == 2
    assert not home.events.exists()
    shop.import_()
    refused = shop.import_(text)
    assert (refused.code, said in refused.said) == (2, True)
    with EventStore.open(home.events) as store:
        assert store.count() == 4


def test_dates_in_another_form_are_taken_and_numbers_are_none(shop: Shop) -> None:
    shop.enrolled()
    text = "card,article,date\nc7,tea,3/9/2024\n"
    assert "--time-format" in shop.import_(text).said
    assert shop.import_(text, "--time-format", "%m/%d/%Y").code == 0
    refused = shop.import_("card,article,date\nc7,tea,3\n", "--time-format", "number")
    assert (refused.code, "A device keeps dates" in refused.said) == (2, True)


def test_bad_lines_are_left_out_on_request(shop: Shop) -> None:
    shop.enrolled()
    done = shop.import_(PURCHASES + "c7,tea,yesterday,north\n", "--skip-bad")
    assert done.code == 0
    assert "1 bad lines were left out" in done.out
    assert "Left out line 6" in done.err


def test_a_disk_that_fails_leaves_no_half_an_import(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FedcartError("The disk is full.")

    shop.enrolled()
    before = left(shop.home)
    monkeypatch.setattr(EventStore, "append", full)
    assert shop.import_().code == 1
    assert left(shop.home) == before


def test_commands_need_a_device(shop: Shop) -> None:
    for command in (("choices",), ("status",), ("forget", "--yes")):
        found = fedcart("device", *command, "--home", shop.home)
        assert (found.code, "No client in" in found.said) == (2, True)
    assert shop.import_().code == 2


def test_a_stores_home_is_no_device(shop: Shop) -> None:
    device = shop.enrolled()
    ClientHome.create(
        shop.folder / "store",
        kind=ClientKind.STORE,
        identity=Ed25519PrivateKey.generate(),
        shoppers={"ann": "1", "ben": "2"},
        trust=device.trust,
    )
    found = fedcart("device", "choices", "--home", shop.folder / "store")
    assert (found.code, "is a store's home" in found.said) == (2, True)
