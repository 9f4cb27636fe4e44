import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consent.cli import app
from consent.identity_provider import IdentityProvider, providers_from_json
from consent.service.settings import Settings, create_home
from crypto.errors import InvalidInputError
from crypto.secret_file import write_secret

RIGHT: dict[str, Any] = {
    "name": "market",
    "issuer": "https://id.market.example/realms/shop",
    "client_id": "fedcart",
    "scopes": ["openid"],
}


def test_a_provider_is_read_as_it_was_written() -> None:
    full = RIGHT | {"label": "Fresh Market", "client_secret_env": "SECRET"}
    provider = IdentityProvider.from_json(full)
    assert provider.to_json() == full
    assert provider.shown == "Fresh Market"
    assert IdentityProvider.from_json(RIGHT).shown == "market"
    assert IdentityProvider.from_json(RIGHT).secret() is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Market"},
        {"name": "-market"},
        {"name": "m" * 33},
        {"name": "market/../x"},
        {"issuer": "http://id.market.example"},
        {"issuer": "https://id.market.example?x"},
        {"issuer": "file:///etc/passwd"},
        {"client_id": ""},
        {"client_id": "fed\ncart"},
        {"scopes": ["profile"]},
        {"scopes": ["openid", "offline_access"]},
        {"scopes": "openid"},
        {"client_secret": "in the settings"},
        {"client_secret_file": "/a", "client_secret_env": "B"},
        {"role": "operator"},
    ],
    ids=str,
)
def test_a_provider_that_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        IdentityProvider.from_json(RIGHT | wrong)


def test_names_and_issuers_occur_once() -> None:
    other = RIGHT | {"name": "other"}
    apart = other | {"issuer": "https://id.other.example"}
    assert len(providers_from_json([RIGHT, apart])) == 2
    for repeated in ([RIGHT, other], [RIGHT, apart | {"name": "market"}], {"market": RIGHT}):
        with pytest.raises(InvalidInputError):
            providers_from_json(repeated)


def test_a_secret_is_read_from_a_safe_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "secret"
    write_secret(kept, b"hidden\n")
    assert (
        IdentityProvider(
            name="a", issuer="https://a.example", client_id="b", client_secret_file=kept
        ).secret()
        == "hidden"
    )
    by_variable = IdentityProvider.from_json(RIGHT | {"client_secret_env": "MARKET"})
    monkeypatch.setenv("MARKET", "hidden")
    assert by_variable.secret() == "hidden"
    monkeypatch.delenv("MARKET")
    with pytest.raises(InvalidInputError):
        by_variable.secret()
    kept.chmod(0o644)
    with pytest.raises(InvalidInputError):
        IdentityProvider.from_json(RIGHT | {"client_secret_file": str(kept)}).secret()


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_commands_change_the_settings_safely(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", tmp_path / "secret"
    create_home(home, issuer="shop")
    write_secret(secret, b"hidden")
    run("public-url", "--home", home, "https://consent.example")
    options = ["--issuer", RIGHT["issuer"], "--client-id", "fedcart", "--label", "Fresh Market"]
    add = ["oidc", "add", "--home", home, *options, "--client-secret-file", secret]
    added = run(*add, "--name", "market")
    assert run("oidc", "list", "--home", home) == added
    settings = Settings.load(home)
    assert str(settings.public_url) == "https://consent.example"
    assert [provider.secret() for provider in settings.oidc] == ["hidden"]
    path = home / "settings.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hidden" not in path.read_text()
    before = path.read_bytes()
    for wrong in ([*add, "--name", "other"], ["public-url", "--home", home, "http://x.example"]):
        with pytest.raises(InvalidInputError):
            run(*wrong)
    assert path.read_bytes() == before
    assert json.loads(before)["oidc"][0]["client_secret_file"] == str(secret)
