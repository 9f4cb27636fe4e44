import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

from consent.service.app import create_app
from consent.service.database import Database
from consent.service.settings import Settings, create_home
from consent.service.tokens import token_matches
from crypto.errors import InvalidInputError
from crypto.wire import b64, public_bytes
from tests.unit.consent.harness import Stage


def test_a_home_holds_secrets_for_its_owner_alone(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home", issuer="shop", grant_lifetime_s=60)
    for name in ("signing.key", "coordinator.token", "settings.json"):
        assert (home.path / name).stat().st_mode & 0o777 == 0o600
    settings = Settings.load(home.path)
    assert (settings.issuer, settings.grant_lifetime_s) == ("shop", 60)
    assert b64(public_bytes(settings.load_key().public_key())) == home.public_key
    token = home.coordinator_token.read_text()
    assert token_matches(token, settings.coordinator_token_hash)
    assert not token_matches(token + "x", settings.coordinator_token_hash)
    assert token not in (home.path / "settings.json").read_text()
    assert settings.coordinator_token_hash not in repr(settings)


def test_the_database_is_for_its_owner_alone(stage: Stage) -> None:
    stage.device()
    modes = {path.name: path.stat().st_mode & 0o777 for path in stage.home.glob("consent.db*")}
    assert modes.keys() >= {"consent.db", "consent.db-wal"}
    assert set(modes.values()) == {0o600}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    before = (tmp_path / "signing.key").read_bytes()
    with pytest.raises(InvalidInputError, match="never overwritten"):
        create_home(tmp_path, issuer="shop")
    assert (tmp_path / "signing.key").read_bytes() == before


@pytest.mark.parametrize("lifetime", [0, 601])
def test_grant_lifetime_is_bounded(tmp_path: Path, lifetime: int) -> None:
    with pytest.raises(InvalidInputError, match=str(lifetime)):
        create_home(tmp_path, issuer="shop", grant_lifetime_s=lifetime)
    assert not list(tmp_path.iterdir())


def test_a_home_without_settings_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="fedcart consent init"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("change", [{"issuer": ""}, {"grant_lifetime_s": 601}, {"admin": True}])
def test_settings_are_parsed(tmp_path: Path, change: dict[str, object]) -> None:
    create_home(tmp_path, issuer="shop")
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidInputError):
        Settings.load(tmp_path)


def test_an_open_key_file_is_refused(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    (tmp_path / "signing.key").chmod(0o644)
    with pytest.raises(InvalidInputError, match="chmod 600"):
        create_app(Settings.load(tmp_path))


def test_another_key_is_refused(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    settings, path = Settings.load(tmp_path), tmp_path / "signing.key"
    pem = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for content, message in ((pem, "no Ed25519"), (b"junk", "No usable")):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=message):
            settings.load_key()
    path.unlink()
    with pytest.raises(InvalidInputError, match="No usable"):
        settings.load_key()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://x/y", "nonsense"])
def test_a_database_is_a_file(url: str) -> None:
    with pytest.raises(InvalidInputError):
        Database(url, durable=True)


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_durability_and_foreign_keys(tmp_path: Path, durable: bool, synchronous: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'c.db'}", durable=durable)
    with database.reading() as session:
        found = [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
    assert found == [synchronous, "wal", 1]
    database.close()


def test_a_restart_keeps_everything(stage: Stage) -> None:
    device = stage.device()
    grants = stage.grants(device)
    stage.close()
    again = Stage(stage.home, settings=replace(stage.settings))
    assert again.grants(device) == grants
    assert again.client.standing(grants.values()) == set(grants.values())
    again.close()


def test_services_share_no_state(tmp_path: Path) -> None:
    one, two = Stage(tmp_path / "one"), Stage(tmp_path / "two")
    grants = one.grants(one.device())
    assert one.client.standing(grants.values())
    assert not two.client.standing(grants.values())
    one.close()
    two.close()
