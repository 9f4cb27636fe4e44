"""Grants: one algorithm, one type, one client, one round, ten minutes."""

import base64
import hashlib
import hmac
import json
import warnings
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.errors import WireError
from crypto.grant import CLOCK_SKEW_S, MAX_LIFETIME_S, ParticipationGrant
from tests.unit.crypto.samples import NOW, signer

GRANT = ParticipationGrant(
    issuer="consent.test",
    task="popularity",
    round_id="round-1",
    context="ab" * 32,
    subject="pseudonym",
    token_id="id-1",
    client_key="thumbprint",
    purposes=("train-shared-models",),
    categories=("purchases",),
    notice_version="1",
    epoch=3,
    issued_at=NOW,
    expires_at=NOW + 600,
)
HEADER = {"alg": "Ed25519", "typ": "fedcart-grant+jwt"}
CLAIMS: dict[str, Any] = {
    "iss": "consent.test",
    "aud": "popularity",
    "sub": "pseudonym",
    "jti": "id-1",
    "iat": NOW,
    "exp": NOW + 600,
    "cnf": {"jkt": "thumbprint"},
    "round": "round-1",
    "ctx": "ab" * 32,
    "purposes": ["train-shared-models"],
    "categories": ["purchases"],
    "notice": "1",
    "epoch": 3,
}
SERVICE: Ed25519PrivateKey = signer("consent service")
PUBLIC = SERVICE.public_key()


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: object, claims: object, key: Ed25519PrivateKey = SERVICE) -> str:
    """A token built by hand, without the library that the code uses."""
    signed = f"{segment(json.dumps(header).encode())}.{segment(json.dumps(claims).encode())}"
    return f"{signed}.{segment(key.sign(signed.encode()))}"


def verify(token: str, **changes: Any) -> ParticipationGrant:
    asked: dict[str, Any] = {
        "task": "popularity",
        "context": "ab" * 32,
        "client_key": "thumbprint",
        "now": NOW + 1,
    }
    return ParticipationGrant.verify(token, PUBLIC, **(asked | changes))


def test_round_trip() -> None:
    assert verify(GRANT.sign(SERVICE)) == GRANT


def test_a_token_built_by_hand_is_the_same_grant() -> None:
    assert verify(compact(HEADER, CLAIMS)) == GRANT


def test_what_sign_writes() -> None:
    header, claims, signature = GRANT.sign(SERVICE).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == HEADER
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == CLAIMS
    SERVICE.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{header}.{claims}".encode()
    )


class TestAlgorithm:
    @pytest.mark.parametrize("name", ["EdDSA", "ed25519", "Ed448", "ES256", "HS256", "none", ""])
    def test_only_its_fully_specified_name(self, name: str) -> None:
        # A mere warning about an old name, as production would have it, is no refusal.
        with warnings.catch_warnings(action="ignore"), pytest.raises(WireError):
            verify(compact(HEADER | {"alg": name}, CLAIMS))

    @pytest.mark.parametrize("name", ["none", "None", "NONE"])
    def test_none_without_signature(self, name: str) -> None:
        header = segment(json.dumps(HEADER | {"alg": name}).encode())
        with pytest.raises(WireError):
            verify(f"{header}.{segment(json.dumps(CLAIMS).encode())}.")

    @pytest.mark.parametrize("secret", ["raw", "text", "pem"])
    def test_hmac_keyed_by_the_public_key(self, secret: str) -> None:
        keys = {
            "raw": PUBLIC.public_bytes_raw(),
            "text": segment(PUBLIC.public_bytes_raw()).encode(),
            "pem": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        }
        header = segment(json.dumps(HEADER | {"alg": "HS256"}).encode())
        signed = f"{header}.{segment(json.dumps(CLAIMS).encode())}"
        tag = hmac.new(keys[secret], signed.encode(), hashlib.sha256).digest()
        with pytest.raises(WireError):
            verify(f"{signed}.{segment(tag)}")

    @pytest.mark.parametrize("name", ["JWT", "at+jwt", "fedcart-grant", "FEDCART-GRANT+JWT", None])
    def test_another_type(self, name: str | None) -> None:
        header = {"alg": "Ed25519"} | ({} if name is None else {"typ": name})
        with pytest.raises(WireError):
            verify(compact(header, CLAIMS))

    def test_a_key_in_the_header_is_not_believed(self) -> None:
        mallory = signer("mallory")
        jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": segment(mallory.public_key().public_bytes_raw()),
        }
        with pytest.raises(WireError):
            verify(compact(HEADER | {"jwk": jwk}, CLAIMS, mallory))

    @pytest.mark.parametrize("crit", [1, "b64", ["unknown"], {"a": 1}, None])
    def test_critical_extensions(self, crit: object) -> None:
        with pytest.raises(WireError):
            verify(compact(HEADER | {"crit": crit}, CLAIMS))

    def test_another_signer(self) -> None:
        with pytest.raises(WireError):
            verify(GRANT.sign(signer("mallory")))


class TestBinding:
    @pytest.mark.parametrize("field", ["task", "context", "client_key"])
    def test_is_for_one_task_round_and_client(self, field: str) -> None:
        with pytest.raises(WireError, match="another task, round or client"):
            verify(GRANT.sign(SERVICE), **{field: "other"})

    @pytest.mark.parametrize("binding", [None, "thumbprint", [], {}, {"jkt": None}, {"jkt": ["a"]}])
    def test_without_binding(self, binding: object) -> None:
        with pytest.raises(WireError):
            verify(compact(HEADER, CLAIMS | {"cnf": binding}))

    def test_an_audience_list_is_refused(self) -> None:
        with pytest.raises(WireError):
            verify(compact(HEADER, CLAIMS | {"aud": ["popularity", "item-item"]}))


class TestTime:
    def test_last_and_first_second(self) -> None:
        token = GRANT.sign(SERVICE)
        assert verify(token, now=GRANT.expires_at - 1) == GRANT
        assert verify(token, now=NOW - CLOCK_SKEW_S) == GRANT
        for now in (GRANT.expires_at, GRANT.expires_at + 1, NOW - CLOCK_SKEW_S - 1, 0):
            with pytest.raises(WireError, match="expired"):
                verify(token, now=now)

    def test_ten_minutes_at_most(self) -> None:
        assert MAX_LIFETIME_S == 600
        longer = replace(GRANT, expires_at=NOW + 601)
        with pytest.raises(WireError, match="longer than 600"):
            verify(longer.sign(SERVICE))

    def test_backwards(self) -> None:
        with pytest.raises(WireError):
            verify(replace(GRANT, expires_at=NOW - 1).sign(SERVICE), now=NOW)

    @pytest.mark.parametrize("value", [None, "1", 1.5, True, -1, 2**60, 10**30])
    @pytest.mark.parametrize("claim", ["iat", "exp", "epoch"])
    def test_times_and_epochs_are_bounded_integers(self, claim: str, value: object) -> None:
        with pytest.raises(WireError):
            verify(compact(HEADER, CLAIMS | {claim: value}))


@pytest.mark.parametrize("claim", [*CLAIMS])
def test_every_claim_is_needed(claim: str) -> None:
    with pytest.raises(WireError):
        verify(compact(HEADER, {key: value for key, value in CLAIMS.items() if key != claim}))


def test_claims_that_are_no_object() -> None:
    others: list[object] = [[], "text", 1, None]
    for claims in others:
        with pytest.raises(WireError):
            verify(compact(HEADER, claims))


def test_every_altered_character_of_the_token() -> None:
    token = GRANT.sign(SERVICE)
    for position in range(0, len(token), 3):
        other = "A" if token[position] != "A" else "B"
        with pytest.raises(WireError):
            verify(token[:position] + other + token[position + 1 :])
