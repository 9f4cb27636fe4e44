"""``fedcart device init``, against the real consent service in this process."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client import enrol
from client.home import ClientHome
from consent.purpose import Category, ConsentState, Decision, Purpose
from crypto.holder_card import parse_card
from crypto.sums.schemes import Scheme
from crypto.wire import b64, pack_frames, parse_public_key, public_bytes, thumbprint
from tests.unit.client.shop import Shop, go_away, left, mode


def test_from_setting_up_to_taking_it_back(shop: Shop) -> None:
    assert shop.init("--no-personalise", "--train").code == 0
    assert shop.import_().code == 0
    shop.release("tea")
    assert shop.recommend().code == 1
    given = shop.choose("personalise-on-device", "purchases", "given")
    assert given.code == 0
    made = shop.recommend("--json")
    assert made.code == 0, made.said
    shelf = json.loads(made.out)
    assert [each["item"] for each in shelf["recommendations"]][:2] == ["milk", "tea"]
    assert shelf["recommendations"][0]["reason"].startswith("You bought it in 2 of your last 2")
    assert (shelf["used"], shelf["artefacts"]) == (["purchases"], ["popularity"])
    assert shop.choose("personalise-on-device", "purchases", "withdrawn").code == 0
    refused = shop.recommend()
    assert refused.code == 1
    assert "Nothing is recommended without consent" in refused.said
    assert "milk" not in refused.said


@pytest.mark.parametrize(
    ("choices", "missing"),
    [((), "--personalise"), (("--train",), "--personalise"), (("--no-personalise",), "--train")],
)
def test_nothing_is_preselected(shop: Shop, choices: tuple[str, ...], missing: str) -> None:
    made = shop.init(*choices)
    assert made.code == 2
    assert missing in made.said
    assert not shop.home.exists()


@pytest.mark.parametrize(
    ("choices", "states"),
    [
        (("--personalise", "--no-train"), ("given", "refused")),
        (("--no-personalise", "--train"), ("refused", "given")),
    ],
)
def test_exactly_what_was_said_is_registered(
    shop: Shop, choices: tuple[str, ...], states: tuple[str, str]
) -> None:
    shop.enrolled(*choices)
    found = shop.states()
    said = {
        (Purpose.PERSONALISE, Category.PURCHASES): states[0],
        (Purpose.TRAIN, Category.PURCHASES): states[1],
    }
    assert {cell: found[cell] for cell in said} == said
    assert {found[cell] for cell in found.keys() - said.keys()} == {ConsentState.UNKNOWN}


def test_what_is_secret_is_for_its_owner_alone(shop: Shop) -> None:
    made = shop.init("--personalise", "--train")
    home = ClientHome.load(shop.home)
    assert mode(shop.home) == 0o700
    assert {
        mode(shop.home / name) for name in ("identity.key", "consent.token", "client.json")
    } == {0o600}
    assert home.token not in made.out + made.err
    assert shop.import_().code == 0
    assert mode(home.events) == 0o600


def test_the_home_needs_no_other_file(shop: Shop) -> None:
    printed = json.loads(shop.init("--personalise", "--train").out)
    for file in (shop.folder / "catalogue.json", *shop.folder.glob("mine.csv")):
        file.unlink()
    home = ClientHome.load(shop.home)
    assert [card.to_bytes() for card in home.trust.load_cards()] == [
        file.read_bytes() for file in shop.cards
    ]
    assert home.trust.load_catalogue() == shop.catalogue
    assert {Path(path).parent for path in home.trust.cards} == {shop.home}
    assert printed["key_holders"] == [thumbprint(key) for key in home.trust.holders]
    assert (printed["client"], printed["home"]) == (home.client_id, str(shop.home))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"consent_key": "short"}, "consent key"),
        ({"coordinator_key": "!" * 43}, "coordinator key: not base64url"),
        ({"consent_url": "consent.test"}, "'consent.test' is no address"),
        ({"consent_url": "http://["}, "is no address"),
        ({"catalogue": "missing.json"}, "does not exist"),
        ({"key_holder": ["missing.card"]}, "does not exist"),
        ({"epsilon_cap": -1}, "epsilon-cap"),
        ({"n_floor": 1}, "n-floor"),
        ({"z_floor": -1}, "z-floor"),
    ],
)
def test_a_wrong_setup_is_wrong_use(shop: Shop, changed: dict[str, object], said: str) -> None:
    made = shop.init("--personalise", "--train", **changed)
    assert made.code == 2
    assert said in made.said
    assert left(shop.folder) == set()


def test_three_different_key_holders_are_needed(shop: Shop) -> None:
    one, two, three = shop.cards
    for files, said in (
        ([one, two], "key holders 1 to 3, got 1, 2."),
        ([one, two, two], "got 1, 2, 2."),
        ([one, two, three, three], "got 1, 2, 3, 3."),
    ):
        made = shop.init("--personalise", "--train", key_holder=files)
        assert (made.code, said in made.said) == (2, True)
    assert left(shop.folder) == set()


def test_key_holders_are_pinned_in_their_own_order(shop: Shop) -> None:
    made = shop.init("--personalise", "--train", key_holder=shop.cards[::-1])
    assert made.code == 0, made.said
    cards = ClientHome.load(shop.home).trust.load_cards()
    assert [card.number for card in cards] == [1, 2, 3]


def test_a_file_that_is_no_card_is_refused(shop: Shop, tmp_path: Path) -> None:
    garbage, context, swapped = (tmp_path / name for name in ("garbage", "context", "swapped"))
    cards = [parse_card(file.read_bytes(), what="card") for file in shop.cards]
    garbage.write_bytes(b"no card")
    context.write_bytes(cards[2].context)  # what was handed out before there were cards
    swapped.write_bytes(pack_frames([cards[2].record.to_bytes(), cards[1].context]))
    for file in (garbage, context, swapped):
        made = shop.init("--personalise", "--train", key_holder=[*shop.cards[:2], file])
        assert (made.code, f"{file.name} is no key holder" in made.said) == (2, True)
    assert not shop.home.exists()


def test_limits_are_pinned_as_they_were_said(shop: Shop) -> None:
    usual = shop.enrolled().trust
    assert (usual.n_floor, usual.z_floor, usual.epsilon_cap) == (20, 0.3, 10.0)
    assert (usual.experimental, usual.schemes) == (False, (Scheme.COMPACT_SUM, Scheme.PIECE_SUM))
    more = ("--personalise", "--train", "--experimental", "--share-sum")
    made = shop.init(*more, home=shop.folder / "other", epsilon_cap=2.5, n_floor=7, z_floor=1.5)
    assert made.code == 0, made.said
    chosen = ClientHome.load(shop.folder / "other").trust
    assert (chosen.n_floor, chosen.z_floor, chosen.epsilon_cap) == (7, 1.5, 2.5)
    assert (chosen.experimental, set(chosen.schemes)) == (True, set(Scheme))


def test_a_file_that_is_no_item_list_is_refused(shop: Shop) -> None:
    (shop.folder / "catalogue.json").write_text('{"items": []}')
    made = shop.init("--personalise", "--train")
    assert made.code == 2
    assert "catalogue.json is no item list" in made.said


def test_another_service_than_the_pinned_one_gets_nobody(shop: Shop) -> None:
    other = b64(public_bytes(Ed25519PrivateKey.generate().public_key()))
    made = shop.init("--personalise", "--train", consent_key=other)
    assert made.code == 1
    assert "another key than the pinned one" in made.said
    assert left(shop.folder) == set()


def test_no_device_without_the_consent_service(shop: Shop) -> None:
    go_away()
    made = shop.init("--personalise", "--train")
    assert made.code == 1
    assert "can't be reached" in made.said
    assert left(shop.folder) == set()


def test_a_disk_that_fails_leaves_no_half_a_home(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enrol, "write_secret", full)
    made = shop.init("--personalise", "--train")
    assert made.code == 1
    assert "No space left" in made.said
    assert left(shop.folder) == set()


def test_a_folder_in_use_is_left_alone(shop: Shop) -> None:
    shop.enrolled()
    before = {path.name: path.read_bytes() for path in shop.home.iterdir()}
    made = shop.init("--no-personalise", "--no-train")
    assert made.code == 2
    assert "choose another folder" in made.said
    assert {path.name: path.read_bytes() for path in shop.home.iterdir()} == before


def test_the_first_decisions_are_the_two_that_were_asked() -> None:
    made = enrol.first_decisions(personalise=True, train=False)
    assert made == {
        (Purpose.PERSONALISE, Category.PURCHASES): Decision.GIVEN,
        (Purpose.TRAIN, Category.PURCHASES): Decision.REFUSED,
    }


def test_the_pinned_consent_key_is_the_services(shop: Shop) -> None:
    home = shop.enrolled()
    pinned = parse_public_key(shop.consent_key, what="key")
    assert public_bytes(home.trust.consent_key) == public_bytes(pinned)
