"""A client's home: pins and keys as they were set up, never overwritten."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.home import ClientHome, ClientKind
from crypto.errors import InvalidInputError
from crypto.wire import b64, thumbprint
from tests.unit.client.stage import CATALOGUE, make_trust
from tests.unit.crypto.samples import public_contexts


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
    assert found.trust.public_contexts() == list(public_contexts())
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
        ("contexts", "one"),
        ("contexts", [1]),
        ("context_hashes", ["a"] * 4),
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
