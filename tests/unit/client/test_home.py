"""A client's home: pins and keys as they were set up, never overwritten."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.home import ClientHome, ClientKind, Trust, _card
from crypto.errors import InvalidInputError
from crypto.holder_card import HolderCard
from crypto.sums.schemes import Scheme
from crypto.wire import b64, thumbprint
from tests.unit.client.stage import CATALOGUE, make_trust
from tests.unit.crypto.samples import cards, holder_key, signer


@pytest.fixture
def home(tmp_path: Path) -> ClientHome:
    return ClientHome.create(
        tmp_path / "home",
        kind=ClientKind.DEVICE,
        identity=Ed25519PrivateKey.generate(),
        shoppers={"me": "shopper-1"},
        trust=make_trust(tmp_path),
    )


def test_loads_what_was_created(home: ClientHome) -> None:
    found = ClientHome.load(home.path)
    assert found.identity.private_bytes_raw() == home.identity.private_bytes_raw()
    assert found.client_id == thumbprint(home.identity.public_key())
    assert (found.kind, found.shoppers) == (ClientKind.DEVICE, {"me": "shopper-1"})
    assert found.trust.to_json() == home.trust.to_json()
    assert found.trust.load_cards() == cards()
    assert found.trust.load_catalogue() == CATALOGUE


def test_private_files(home: ClientHome) -> None:
    for name in ("identity.key", "client.json"):
        assert (home.path / name).stat().st_mode & 0o777 == 0o600
    secret = home.identity.private_bytes_raw()
    text = (home.path / "client.json").read_text()
    assert b64(secret) not in text
    assert secret.hex() not in text


def test_never_overwritten(home: ClientHome) -> None:
    before = {p.name: p.read_bytes() for p in home.path.iterdir() if p.is_file()}
    with pytest.raises(InvalidInputError, match="exists"):
        ClientHome.create(
            home.path,
            kind=ClientKind.DEVICE,
            identity=Ed25519PrivateKey.generate(),
            shoppers={"you": "shopper-2"},
            trust=home.trust,
        )
    assert {p.name: p.read_bytes() for p in home.path.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("shoppers", [{}, {"a": "1", "b": "2"}])
def test_a_device_stands_for_one_shopper(tmp_path: Path, shoppers: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=f"not {len(shoppers)}"):
        ClientHome.create(
            tmp_path / "home",
            kind=ClientKind.DEVICE,
            identity=Ed25519PrivateKey.generate(),
            shoppers=shoppers,
            trust=make_trust(tmp_path),
        )
    assert not (tmp_path / "home").exists()


def test_no_home(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="No client"):
        ClientHome.load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"trust": None},
        {"shoppers": []},
        {"trust": {}},
    ],
)
def test_edited_settings(home: ClientHome, changes: dict[str, Any]) -> None:
    path = home.path / "client.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(InvalidInputError):
        ClientHome.load(home.path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_floor", 1),
        ("n_floor", 2.5),
        ("z_floor", -0.1),
        ("coordinator_key", "short"),
        ("consent_key", None),
        ("cards", "one"),
        ("cards", [1]),
        ("holders", "one"),
        ("holders", ["short"] * 3),
        ("holders", ["a"] * 4),
        ("epsilon_cap", -1),
        ("epsilon_cap", "10"),
        ("delta", 0),
        ("delta", 0.5),
        ("delta", None),
        ("experimental", 1),
        ("experimental", None),
        ("schemes", "share-sum"),
        ("schemes", ["masked-sum"]),
        ("schemes", None),
        ("population", 7),
    ],
)
def test_edited_pins(home: ClientHome, field: str, value: object) -> None:
    path = home.path / "client.json"
    settings = json.loads(path.read_text())
    settings["trust"][field] = value
    path.write_text(json.dumps(settings))
    with pytest.raises(InvalidInputError):
        ClientHome.load(home.path)


class TestCards:
    def swap(self, home: ClientHome, place: int, data: bytes) -> Trust:
        """The trust of a home one of whose card files was replaced, loaded afresh."""
        _card.cache_clear()
        Path(home.trust.cards[place]).write_bytes(data)
        return ClientHome.load(home.path).trust

    def test_another_key_holders_card_is_not_the_pinned_one(self, home: ClientHome) -> None:
        """Whoever can write beside the home still has no say in whose keys are sealed to."""
        home.trust.load_cards()
        mallory = HolderCard.sign(2, cards()[1].context, signer("mallory"))
        with pytest.raises(InvalidInputError, match="not those that were pinned"):
            self.swap(home, 1, mallory.to_bytes()).load_cards()

    def test_a_pinned_holder_may_hand_out_a_new_context(self, home: ClientHome) -> None:
        """Its identity is what is pinned; the card says which context is its own."""
        other = HolderCard.sign(2, b"another context", holder_key(2))
        assert self.swap(home, 1, other.to_bytes()).load_cards()[1] == other

    def test_a_card_twice(self, home: ClientHome) -> None:
        with pytest.raises(InvalidInputError, match="key holders 1 to 3"):
            self.swap(home, 1, cards()[0].to_bytes()).load_cards()

    def test_a_file_that_is_none_or_gone(self, home: ClientHome) -> None:
        with pytest.raises(InvalidInputError, match=r"2\.card is no key holder's public\.card"):
            self.swap(home, 1, b"no card").load_cards()
        _card.cache_clear()
        Path(home.trust.cards[1]).unlink()
        with pytest.raises(InvalidInputError, match=r"2\.card: a key holder's card can't be read"):
            home.trust.load_cards()

    def test_fewer_pins_than_cards(self, home: ClientHome) -> None:
        fewer = replace(home.trust, holders=home.trust.holders[:2])
        with pytest.raises(InvalidInputError, match="not those that were pinned"):
            fewer.load_cards()


def test_share_sum_and_experiments_are_joined_by_those_alone_who_say_so() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Trust)}
    assert defaults["schemes"] == (Scheme.COMPACT_SUM, Scheme.PIECE_SUM)
    assert (defaults["experimental"], defaults["epsilon_cap"]) == (False, 10.0)
