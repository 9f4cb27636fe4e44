"""ID tokens: each thing that can be wrong with one, beside one that is right."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from consent.service.oidc.id_token import (
    Expected,
    IdTokenError,
    UnknownKeyError,
    key_set,
    subject,
)

ISSUER, CLIENT, NONCE, NOW = "https://id.market.test", "fedcart", "n" * 43, 1_800_000_000
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = key_set({"keys": [key.as_dict(private=False) for key in (RSA, EC, OKP)]})
EXPECTED = Expected(issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW)
Claims = dict[str, Any]


def claims(**changes: Any) -> Claims:
    made = {"iss": ISSUER, "sub": "42", "aud": CLIENT, "nonce": NONCE, "iat": NOW, "exp": NOW + 300}
    return {name: value for name, value in (made | changes).items() if value is not None}


def encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(said: Claims, key: Key = RSA, alg: str = "RS256", **header: Any) -> str:
    """A token whose header says what a test wants, signed by the algorithm that fits the key."""
    rsa = alg if alg in ("RS256", "PS256", "RS512") else "RS256"
    fits = {"RSA": rsa, "EC": "ES256", "OKP": "Ed25519"}
    shown = {"alg": alg, "kid": key.kid, **header}
    signing = f"{encoded({name: value for name, value in shown.items() if value})}.{encoded(said)}"
    model = jws.JWSRegistry.algorithms[fits[key.key_type]]
    signature = urlsafe_b64encode(model.sign(signing.encode(), key)).rstrip(b"=").decode()
    return f"{signing}.{signature}"


@pytest.mark.parametrize(
    ("key", "alg"),
    [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (OKP, "EdDSA"), (OKP, "Ed25519")],
)
def test_a_token_that_holds_says_who_it_is(key: Key, alg: str) -> None:
    assert subject(signed(claims(), key, alg), KEYS, EXPECTED) == "42"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://id.market.test/"},
        {"iss": "https://id.other.test"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": [CLIENT, "another client"]},  # without azp
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"aud": None},
        {"azp": "another client"},
        {"nonce": "m" * 43},
        {"nonce": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"nbf": NOW + 61},
        {"iat": NOW + 61},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": "4" * 256},
    ],
    ids=str,
)
def test_claims_that_are_wrong_are_refused(wrong: Claims) -> None:
    with pytest.raises(IdTokenError):
        subject(signed(claims(**wrong)), KEYS, EXPECTED)


@pytest.mark.parametrize(
    "right",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another client"], "azp": CLIENT},
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"role": "operator", "email": "ada@market.test", "sub": "42"},
    ],
    ids=str,
)
def test_claims_that_are_right_or_of_no_interest_pass(right: Claims) -> None:
    assert subject(signed(claims(**right)), KEYS, EXPECTED) == "42"


def _unsigned() -> str:
    return f"{encoded({'alg': 'none'})}.{encoded(claims())}."


def _unsigned_by_name() -> str:
    return f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{encoded(claims())}."


def _public_key_as_secret() -> str:
    signing = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(claims())}"
    mac = hmac.digest(RSA.as_pem(private=False), signing.encode(), "sha256")
    return f"{signing}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _another_key() -> str:
    return signed(claims(), STRANGER)


def _another_algorithm() -> str:
    return signed(claims(), RSA, "RS512")


def _key_of_its_own() -> str:
    own = STRANGER.as_dict(private=False)
    return signed(claims(), STRANGER, jwk=own)


def _changed() -> str:
    head, _, signature = signed(claims()).split(".")
    return f"{head}.{encoded(claims(sub='43'))}.{signature}"


def _of_another_type() -> str:
    return signed(claims(), EC, "RS256", kid="rsa")


def _unknown_extension() -> str:
    return signed(claims(), RSA, crit=["exp"])


def _no_token() -> str:
    return "no.token"


def _no_object() -> str:
    return signed([])  # type: ignore[arg-type] # as a provider may send it


@pytest.mark.parametrize(
    "forged",
    [
        _unsigned,
        _unsigned_by_name,
        _public_key_as_secret,
        _another_key,
        _another_algorithm,
        _key_of_its_own,
        _changed,
        _of_another_type,
        _unknown_extension,
        _no_token,
        _no_object,
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(forged: Callable[[], str]) -> None:
    with pytest.raises(IdTokenError):
        subject(forged(), KEYS, EXPECTED)


def test_an_unknown_key_is_told_apart_so_that_keys_can_be_fetched_again() -> None:
    with pytest.raises(UnknownKeyError):
        subject(signed(claims(), RSA, kid="newer"), KEYS, EXPECTED)


def test_without_a_key_id_only_a_single_key_will_do() -> None:
    single = KeySet([RSA])
    assert subject(signed(claims(), RSA, kid=None), single, EXPECTED) == "42"
    with pytest.raises(IdTokenError):
        subject(signed(claims(), RSA, kid=None), KEYS, EXPECTED)


@pytest.mark.parametrize(
    ("auth_time", "holds"),
    [
        (NOW, True),
        (NOW - 59, True),
        (NOW - 61, False),
        (NOW + 61, False),
        (None, False),
        (True, False),
        ("now", False),
        (0, False),
    ],
)
def test_a_step_up_needs_the_providers_word_that_it_is_fresh(auth_time: Any, holds: bool) -> None:
    fresh = Expected(issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW, since=NOW)
    token = signed(claims(auth_time=auth_time))
    if holds:
        assert subject(token, KEYS, fresh) == "42"
    else:
        with pytest.raises(IdTokenError):
            subject(token, KEYS, fresh)


def test_only_public_keys_that_sign_are_taken() -> None:
    weak = RSA.as_dict(private=False) | {"n": encoded("x" * 100), "kid": "weak"}
    entries: list[Any] = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "AKP", "kid": "of the future"},
        RSA.as_dict(private=False) | {"use": "enc", "kid": "enc"},
        {"kty": "EC", "crv": "P-256", "kid": "broken"},
        weak,
        "no key",
        EC.as_dict(private=False),
    ]
    assert [key.kid for key in key_set({"keys": entries})] == ["ec"]
    for nothing in ({"keys": entries[:-1]}, {"keys": None}, {}):
        with pytest.raises(IdTokenError):
            key_set(nothing)
