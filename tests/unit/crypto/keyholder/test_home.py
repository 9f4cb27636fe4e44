"""A key holder's home: secrets for its owner alone, never overwritten, the same after loading."""

import json
from pathlib import Path
from typing import Any

import pytest

from crypto.errors import InvalidInputError, SealError
from crypto.holder_card import CARD_TYPE, HolderCard
from crypto.keyholder.home import KeyHolder, create, load
from crypto.sums.share_sum.context import load_public
from crypto.sums.share_sum.parameters import context_hash
from crypto.wire import b64
from tests.unit.crypto.keyholder.stage import pins

SECRETS = ("identity.key", "opening.key")


@pytest.fixture
def holder(tmp_path: Path) -> KeyHolder:
    return create(tmp_path / "home", number=2, pins=pins())


def test_secrets_are_readable_by_their_owner_alone(holder: KeyHolder) -> None:
    for name in SECRETS:
        assert (holder.home / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o610, 0o777])
@pytest.mark.parametrize("name", SECRETS)
def test_exposed_secrets_are_refused(holder: KeyHolder, name: str, mode: int) -> None:
    (holder.home / name).chmod(mode)
    with pytest.raises(InvalidInputError, match=f"mode {mode:o}.*chmod 600"):
        load(holder.home)
    (holder.home / name).chmod(0o400)
    load(holder.home)


def test_public_files_hold_no_secret(holder: KeyHolder) -> None:
    assert holder.opening is not None
    identity, opening = holder.identity.private_bytes_raw(), holder.opening.to_bytes()
    for name in ("keyholder.json", "public.card"):
        data = (holder.home / name).read_bytes()
        for secret in (identity, b64(identity).encode(), identity.hex().encode(), opening):
            assert secret not in data
    assert not load_public(holder.public, holder.key_hash).is_private()
    assert len(holder.public) < len(opening)


def test_loads_what_was_created(holder: KeyHolder) -> None:
    found = load(holder.home)
    assert found.number == 2
    assert found.public == holder.public
    assert found.key_hash == context_hash(found.public)
    assert found.card.to_bytes() == (holder.home / "public.card").read_bytes()
    assert found.identity.private_bytes_raw() == holder.identity.private_bytes_raw()
    assert found.pins.coordinator.public_bytes_raw() == pins().coordinator.public_bytes_raw()
    assert found.pins.to_json() == holder.pins.to_json() == pins().to_json()


def test_the_card_is_signed(holder: KeyHolder) -> None:
    card = HolderCard.from_bytes((holder.home / "public.card").read_bytes())
    body = card.record.verified(CARD_TYPE, holder.identity.public_key())
    assert body["holder"] == card.number == 2
    assert body["context_hash"] == holder.key_hash
    assert holder.name == b64(card.identity.public_bytes_raw())


def test_anothers_card_in_its_place(holder: KeyHolder, tmp_path: Path) -> None:
    other = create(tmp_path / "other", number=2, pins=pins())
    (holder.home / "public.card").write_bytes(other.card.to_bytes())
    with pytest.raises(InvalidInputError, match=r"not the card of the identity.*rotate"):
        load(holder.home)


def test_a_home_without_its_opening_key_loads(holder: KeyHolder) -> None:
    """A restored one: backups hold none."""
    (holder.home / "opening.key").unlink()
    assert load(holder.home).opening is None


def test_a_key_holder_shows_no_secret(holder: KeyHolder) -> None:
    assert repr(holder) == f"KeyHolder(number=2, identity={holder.name})"


def test_keys_are_never_overwritten(holder: KeyHolder) -> None:
    before = {path.name: path.read_bytes() for path in holder.home.iterdir()}
    with pytest.raises(InvalidInputError, match="never overwritten"):
        create(holder.home, number=2, pins=pins())
    assert {path.name: path.read_bytes() for path in holder.home.iterdir()} == before


def test_not_even_one_that_is_left_over(tmp_path: Path) -> None:
    (tmp_path / "opening.key").write_bytes(b"precious")
    with pytest.raises(InvalidInputError, match="never overwritten"):
        create(tmp_path, number=1, pins=pins())
    assert (tmp_path / "opening.key").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (0, {}, "got 0"),
        (4, {}, "got 4"),
        (1, {"n_floor": 1}, "n_floor >= 2, got 1"),
        (1, {"z_floor": -0.1}, "z_floor >= 0, got -0.1"),
        (1, {"z_floor": float("nan")}, "z_floor >= 0, got nan"),
        (1, {"epsilon_cap": 0.0}, "epsilon_cap > 0, got 0.0"),
        (1, {"epsilon_cap": float("nan")}, "epsilon_cap > 0, got nan"),
        (1, {"epsilon_cap": float("inf")}, "epsilon_cap > 0, got inf"),
        (1, {"delta_cap": 0.0}, "delta_cap <= 0.001, got 0.0"),
        (1, {"delta_cap": 0.1}, "got 0.1"),
        (1, {"max_dimension": 0}, "got 0"),
        (1, {"max_dimension": 2**25}, "got 33554432"),
        (1, {"schemes": ()}, "at least one scheme"),
    ],
)
def test_bad_settings_create_nothing(
    tmp_path: Path, number: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        create(tmp_path / "new", number=number, pins=pins(**changes))
    assert not (tmp_path / "new").exists()


def test_no_home(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="keyholder init"):
        load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_floor": 1},
        {"holder": 4},
        {"z_floor": -1},
        {"coordinator": "x"},
        {"consent": 1},
        {"epsilon_cap": 0},
        {"delta_cap": 0.5},
        {"schemes": ["plain-sum"]},
        {"schemes": []},
        {"allow_experimental": "yes"},
        {"max_dimension": 2**30},
    ],
)
def test_edited_settings(holder: KeyHolder, changes: dict[str, Any]) -> None:
    path = holder.home / "keyholder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(InvalidInputError):
        load(holder.home)


def test_a_public_context_in_place_of_the_secret(holder: KeyHolder) -> None:
    (holder.home / "opening.key").write_bytes(holder.public)
    with pytest.raises(SealError, match="no secret key"):
        load(holder.home)
