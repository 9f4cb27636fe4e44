"""The signed participation grant: one shopper lets one client take part in one round of one task.

A JWT pinned to ``alg: Ed25519`` (RFC 9864) and ``typ: fedcart-grant+jwt``, at most ten minutes
long. The consent service decides who gets one; this module only knows format, signing and
verification. Every check point also asks the service whether the grant still stands: a valid
signature alone is not consent.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from crypto.errors import WireError
from crypto.wire import b64, get_int, get_str, get_strings, public_bytes

ALGORITHM: Final = "Ed25519"
TOKEN_TYPE: Final = "fedcart-grant+jwt"  # noqa: S105 - a media type, not a secret
MAX_LIFETIME_S: Final = 600
CLOCK_SKEW_S: Final = 5


@dataclass(frozen=True, kw_only=True)
class ParticipationGrant:
    """The claims of a grant; times are Unix seconds.

    ``subject`` is a pseudonym that differs per round; ``client_key`` the thumbprint of the client
    that may use the grant (claim ``cnf.jkt``); ``context`` the hash of the round's manifest;
    ``epoch`` the shopper's consent epoch, which every withdrawal raises.
    """

    issuer: str
    task: str
    round_id: str
    context: str
    subject: str
    token_id: str
    client_key: str
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    notice_version: str
    epoch: int
    issued_at: int
    expires_at: int

    def sign(self, key: Ed25519PrivateKey) -> str:
        """Encode the grant as a JWT signed by the consent service's grant key."""
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE}
        return jwt.encode(header, self._claims(), _private_jwk(key), algorithms=[ALGORITHM])

    def _claims(self) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "aud": self.task,
            "sub": self.subject,
            "jti": self.token_id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "cnf": {"jkt": self.client_key},
            "round": self.round_id,
            "ctx": self.context,
            "purposes": list(self.purposes),
            "categories": list(self.categories),
            "notice": self.notice_version,
            "epoch": self.epoch,
        }

    @classmethod
    def verify(
        cls,
        token: str,
        key: Ed25519PublicKey,
        *,
        task: str,
        context: str,
        client_key: str,
        now: int,
    ) -> Self:
        """Parse a grant and check signature, algorithm, type, audience, binding and time.

        Raises:
            WireError: any check fails. That the grant still *stands* is for the service to say.
        """
        try:
            decoded = jwt.decode(token, _public_jwk(key), algorithms=[ALGORITHM])
        except Exception as error:
            # Whatever a parser of foreign bytes stumbles over: some headers raise TypeError.
            raise WireError(
                "This participation grant is not one that the service signed."
            ) from error
        if decoded.header.get("typ") != TOKEN_TYPE:
            raise WireError("This signed token is not a participation grant.")
        grant = cls._parse(decoded.claims)
        if (grant.task, grant.context, grant.client_key) != (task, context, client_key):
            raise WireError("This grant is for another task, round or client; fetch a fresh one.")
        if grant.expires_at - grant.issued_at > MAX_LIFETIME_S:
            raise WireError(f"This grant lives longer than {MAX_LIFETIME_S} s; it is refused.")
        if not grant.issued_at - CLOCK_SKEW_S <= now < grant.expires_at:
            raise WireError("This grant has expired or is not valid yet; fetch a fresh one.")
        return grant

    @classmethod
    def _parse(cls, claims: dict[str, Any]) -> Self:
        binding = claims.get("cnf")
        if not isinstance(binding, dict):
            raise WireError("This grant is bound to no client.")
        return cls(
            issuer=get_str(claims, "iss"),
            task=get_str(claims, "aud"),
            round_id=get_str(claims, "round"),
            context=get_str(claims, "ctx"),
            subject=get_str(claims, "sub"),
            token_id=get_str(claims, "jti"),
            client_key=get_str(binding, "jkt"),
            purposes=get_strings(claims, "purposes", max_count=32),
            categories=get_strings(claims, "categories", max_count=32),
            notice_version=get_str(claims, "notice"),
            epoch=get_int(claims, "epoch", low=0, high=2**53),
            issued_at=get_int(claims, "iat", low=0, high=2**53),
            expires_at=get_int(claims, "exp", low=0, high=2**53),
        )


def _private_jwk(key: Ed25519PrivateKey) -> OKPKey:
    return _jwk(public_bytes(key.public_key()), key.private_bytes_raw())


def _public_jwk(key: Ed25519PublicKey) -> OKPKey:
    return _jwk(public_bytes(key), None)


# Importing a key costs more than signing with it; a service signs thousands with one key.
@lru_cache(maxsize=8)
def _jwk(public: bytes, secret: bytes | None) -> OKPKey:
    values: dict[str, str | list[str]] = {"kty": "OKP", "crv": "Ed25519", "x": b64(public)}
    return OKPKey.import_key(values if secret is None else values | {"d": b64(secret)})
