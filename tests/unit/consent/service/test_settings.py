import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

from consent.incentive import notice
from consent.notice import Language
from consent.service.app import create_app
from consent.service.database import Database
from consent.service.settings import Settings, create_home, pin_coordinator
from consent.service.tokens import token_matches
from crypto.errors import InvalidInputError
from crypto.wire import b64, public_bytes
from tests.conftest import NewDatabase
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import signer


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


def test_the_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.device()
    modes = {path.name: path.stat().st_mode & 0o777 for path in stage.home.glob("consent.db*")}
    assert modes.keys() >= {"consent.db", "consent.db-wal"}
    assert set(modes.values()) == {0o600}
    stage.close()


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


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://x/y",
        "postgresql+psycopg://u:s3cret@host:port/d",
        "postgresql+psycopg://u:p@s3cret@host/d",
        "mysql://u:s3cret@host/d",
        "s3cret",
    ],
)
def test_a_database_is_a_file_or_on_postgresql(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        create_home(tmp_path / "home", issuer="shop", database=url)
    assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "home").exists()
    with pytest.raises(InvalidInputError):
        Database(url, durable=True)


def test_a_home_names_a_postgresql_database(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u:s3cret@127.0.0.1:1/d"
    create_home(tmp_path, issuer="shop", database=url)
    settings = Settings.load(tmp_path)
    assert settings.url == url
    assert "s3cret" not in repr(settings)
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "consent.db").exists()


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop", database="postgresql+psycopg://u:s3cret@127.0.0.1:1/d")
    with pytest.raises(InvalidInputError, match=r"127\.0\.0\.1, database d.*refused") as away:
        create_app(Settings.load(tmp_path))
    assert "s3cret" not in "".join(traceback.format_exception(away.value))


@pytest.mark.parametrize(("durable", "commit"), [(True, "on"), (False, "off")])
def test_durability_and_timeouts_on_postgresql(
    fresh_postgres: Callable[[], str], durable: bool, commit: str
) -> None:
    database = Database(fresh_postgres(), durable=durable)
    names = (
        "synchronous_commit",
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_isolation",
        "transaction_read_only",
    )
    with database.reading() as session:
        found = [session.scalar(text(f"SHOW {name}")) for name in names]
    assert found == [commit, "10s", "1min", "30s", "repeatable read", "on"]
    with database.writing() as session:
        assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()


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


def test_services_share_no_state(tmp_path: Path, new_database: NewDatabase) -> None:
    one, two = (Stage(tmp_path / name, database=new_database) for name in ("one", "two"))
    grants = one.grants(one.device())
    assert one.client.standing(grants.values())
    assert not two.client.standing(grants.values())
    one.close()
    two.close()


def test_a_coordinator_key_is_pinned_once(tmp_path: Path) -> None:
    key = signer("coordinator").public_key()
    create_home(tmp_path, issuer="shop", database="postgresql+psycopg://u@host/d")
    assert Settings.load(tmp_path).coordinator_key is None
    before = Settings.load(tmp_path)
    for _ in range(2):
        pin_coordinator(tmp_path, key)
    pinned = Settings.load(tmp_path)
    assert pinned.coordinator_key is not None
    assert public_bytes(pinned.coordinator_key) == public_bytes(key)
    assert replace(pinned, coordinator_key=None) == before
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInputError, match="another coordinator's key"):
        pin_coordinator(tmp_path, signer("impostor").public_key())
    with pytest.raises(InvalidInputError, match="fedcart consent init"):
        pin_coordinator(tmp_path / "nowhere", key)


def test_a_home_may_pin_it_from_the_start(tmp_path: Path) -> None:
    key = signer("coordinator").public_key()
    create_home(tmp_path, issuer="shop", coordinator_key=key)
    found = Settings.load(tmp_path).coordinator_key
    assert found is not None
    assert public_bytes(found) == public_bytes(key)


@pytest.mark.parametrize(
    "change",
    [
        {"points_per_round": -1},
        {"points_per_round": 5.5},
        {"point_value": "1 cent"},
        {"point_value": "-1.00 USD"},
        {"code_days": 0},
        {"claw_back": True},
    ],
)
def test_the_incentive_is_parsed(tmp_path: Path, change: dict[str, object]) -> None:
    create_home(tmp_path, issuer="shop")
    path = tmp_path / "settings.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"incentive": {"points_per_round": 2}}))
    assert Settings.load(tmp_path).incentive.points_per_round == 2
    path.write_text(json.dumps(whole | {"incentive": change}))
    with pytest.raises(InvalidInputError):
        Settings.load(tmp_path)
    path.write_text(json.dumps(whole | {"coordinator_key": "AAAA"}))
    with pytest.raises(InvalidInputError):
        Settings.load(tmp_path)


def test_an_operators_own_incentive_text(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    (tmp_path / "incentive").mkdir()
    (tmp_path / "incentive" / "en.md").write_text("{points_per_round} points.")
    settings = Settings.load(tmp_path)
    assert notice(settings.incentive, Language.EN, settings.incentive_texts) == "5 points."
    with pytest.raises(InvalidInputError, match=r"zh\.md"):
        notice(settings.incentive, Language.ZH, settings.incentive_texts)
    (tmp_path / "incentive" / "zh.md").write_text("{settings.load_key}{points}")
    with pytest.raises(InvalidInputError, match="unknown terms: points"):
        notice(settings.incentive, Language.ZH, settings.incentive_texts)
