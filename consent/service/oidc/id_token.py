"""Checking an ID token: who signed in, by the provider's word and nobody else's.

Of everything that the token says only the subject leaves this module: a provider that states a
role, a name or an address states it to nobody.
Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725.
"""

from dataclasses import dataclass
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

from crypto.errors import ConsentError, InvalidInputError
from crypto.wire import unb64

# Signatures by the provider's private key alone: "none" and every HMAC are refused.
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
LEEWAY_S: Final = 60
MAX_SUBJECT: Final = 255
_KEY_TYPES: Final = {"RSA", "EC", "OKP"}
_MIN_RSA_BITS: Final = 2048
_MAX_KEYS: Final = 50


class SignInError(ConsentError):
    """What came back from a provider does not hold."""


class IdTokenError(SignInError):
    """An ID token does not hold."""


class UnknownKeyError(IdTokenError):
    """An ID token is signed by a key that is not among those known."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an ID token must say.

    Attributes:
        issuer: the pinned issuer.
        client_id: this service.
        nonce: the nonce of the very sign-in.
        now: Unix seconds.
        since: she must have shown who she is at this time or later (a step-up); None: ever.
    """

    issuer: str
    client_id: str
    nonce: str
    now: float
    since: float | None = None


class _Registry(JWSRegistry):
    """Reads the older name ``EdDSA`` as Ed25519, the one curve that is accepted under it."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


def key_set(value: dict[str, Any]) -> KeySet:
    """The provider's public keys that sign; others, and what is no key of ours, are left out.

    Raises:
        IdTokenError: none is left.
    """
    entries = value.get("keys")
    found: list[Key] = []
    for entry in entries[:_MAX_KEYS] if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("kty") in _KEY_TYPES:
            found.extend(_signing_key(entry))
    if not found:
        raise IdTokenError("The identity provider has no key that can be used.")
    return KeySet(found)


def subject(id_token: str, keys: KeySet, expected: Expected) -> str:
    """The subject of an ID token that holds.

    Raises:
        UnknownKeyError: it names a key that is not in the set.
        IdTokenError: anything else is wrong with it.
    """
    try:
        token = jwt.decode(id_token, keys, registry=_REGISTRY)
        _check(token.claims, token.header, expected)
    except InvalidKeyIdError as error:
        raise UnknownKeyError("The ID token's key is not known.") from error
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise IdTokenError("The ID token does not hold.") from error
    return str(token.claims["sub"])


def _check(claims: dict[str, Any], header: dict[str, Any], expected: Expected) -> None:
    checked = CodeIDToken(
        claims,
        header,
        {
            "iss": {"essential": True, "value": expected.issuer},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": expected.client_id},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "nonce": {"essential": True, "value": expected.nonce},
        },
        {"client_id": expected.client_id, "nonce": expected.nonce},
    )
    # at_hash needs no check: the access token is thrown away unused.
    checked.validate(now=int(expected.now), leeway=LEEWAY_S)
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT:
        raise IdTokenError("The ID token's subject has no such length.")
    if expected.since is not None:
        _check_fresh(claims.get("auth_time"), expected.since, expected.now)


def _check_fresh(auth_time: object, since: float, now: float) -> None:
    """The provider must say itself that she logged in again, not only that she was asked to."""
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float):
        raise IdTokenError("The ID token does not say when she logged in.")
    if not since - LEEWAY_S <= auth_time <= now + LEEWAY_S:
        raise IdTokenError("She did not log in again.")


def _signing_key(entry: dict[str, Any]) -> list[Key]:
    if entry.get("use", "sig") != "sig":
        return []
    try:
        if entry["kty"] == "RSA" and len(unb64(entry["n"], what="n")) * 8 < _MIN_RSA_BITS:
            return []
        return [JWKRegistry.import_key(entry)]
    except (JoseError, InvalidInputError, ValueError, TypeError, KeyError):
        return []
