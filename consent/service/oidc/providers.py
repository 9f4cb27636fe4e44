"""The identity providers as this process knows them: their metadata and keys, fetched when needed.

The issuer is pinned by configuration. What a provider's metadata says counts only if it names that
issuer, and its addresses are https wherever the issuer is.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client
from joserfc.jwk import KeySet

from consent.identity_provider import IdentityProvider
from consent.origin import checked_url
from consent.service.oidc import fetch
from consent.service.oidc.fetch import ProviderError
from consent.service.oidc.id_token import (
    Expected,
    IdTokenError,
    SignInError,
    UnknownKeyError,
    key_set,
    subject,
)
from crypto.errors import InvalidInputError

FRESH_S: Final = 3600.0
AGAIN_S: Final = 60.0  # between two fetches of keys that an unknown one asked for
AFTER_FAILURE_S: Final = 10.0
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What this service uses of a provider's metadata."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_auth_methods: tuple[str, ...]
    states_issuer: bool

    @classmethod
    def parse(cls, value: dict[str, Any], issuer: str) -> "Metadata":
        """Read a discovery document.

        Raises:
            ProviderError: another issuer's, or an address that can't be trusted.
        """
        if value.get("issuer") != issuer:
            raise ProviderError("The identity provider's metadata is another issuer's.")
        methods = value.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return cls(
            authorization_endpoint=_address(value, "authorization_endpoint", issuer),
            token_endpoint=_address(value, "token_endpoint", issuer),
            jwks_uri=_address(value, "jwks_uri", issuer),
            token_auth_methods=tuple(methods) if isinstance(methods, list) else (),
            states_issuer=value.get("authorization_response_iss_parameter_supported") is True,
        )


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """One sign-in under way: where it comes back to, and what only its beginner knows."""

    redirect_uri: str
    nonce: str
    verifier: str


class Provider:
    """One identity provider. May be used from several threads."""

    def __init__(
        self, config: IdentityProvider, *, clock: Clock, transport: httpx.BaseTransport | None
    ) -> None:
        self.config = config
        self._clock = clock
        self._http = fetch.client(transport)
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._failed_at: float | None = None

    def authorization_url(self, sign_in: SignIn, *, state: str, fresh: bool) -> str:
        """Where the visitor's browser goes; ``fresh``: she must log in there again.

        Raises:
            ProviderError: its metadata can't be had.
        """
        extra = {"prompt": "login", "max_age": "0"} if fresh else {}
        url, _ = self._oauth(sign_in).create_authorization_url(
            self.metadata().authorization_endpoint,
            state=state,
            nonce=sign_in.nonce,
            code_verifier=sign_in.verifier,
            **extra,
        )
        return str(url)

    def check_issuer(self, stated: str | None) -> None:
        """Refuse an answer that another provider gave (RFC 9207).

        Raises:
            SignInError: it names another issuer, or none though this provider always does.
            ProviderError: its metadata can't be had.
        """
        if stated is None and not self.metadata().states_issuer:
            return
        if stated != self.config.issuer:
            raise SignInError("The answer is another identity provider's.")

    def subject(self, sign_in: SignIn, *, code: str, since: float | None) -> str:
        """Who signed in: redeems the code, checks the ID token, and keeps only its subject.

        Raises:
            ProviderError: the provider does not answer.
            SignInError: the code is not redeemed, or the ID token does not hold.
        """
        id_token = self._redeem(sign_in, code)
        expected = Expected(
            issuer=self.config.issuer,
            client_id=self.config.client_id,
            nonce=sign_in.nonce,
            now=self._clock(),
            since=since,
        )
        try:
            return subject(id_token, self._known_keys(again=False), expected)
        except UnknownKeyError:
            return subject(id_token, self._known_keys(again=True), expected)

    def metadata(self) -> Metadata:
        """The provider's metadata, at most FRESH_S old.

        Raises:
            ProviderError: it can't be had; it is not asked for again at once.
        """
        with self._lock:
            now = self._clock()
            if self._metadata is None or not 0 <= now - self._metadata[0] < FRESH_S:
                url = self.config.issuer.rstrip("/") + _WELL_KNOWN
                found = Metadata.parse(self._get(url), self.config.issuer)
                self._metadata = (now, found)
            return self._metadata[1]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _known_keys(self, *, again: bool) -> KeySet:
        """The provider's keys; ``again``: newer ones, unless they were fetched a moment ago."""
        uri = self.metadata().jwks_uri
        with self._lock:
            now = self._clock()
            lasts = AGAIN_S if again else FRESH_S
            if self._keys is None or not 0 <= now - self._keys[0] < lasts:
                self._keys = (now, key_set(self._get(uri)))
            return self._keys[1]

    def _get(self, url: str) -> dict[str, Any]:
        now = self._clock()
        if self._failed_at is not None and 0 <= now - self._failed_at < AFTER_FAILURE_S:
            raise ProviderError("The identity provider did not answer a moment ago.")
        try:
            found = fetch.get_json(self._http, url)
        except ProviderError:
            self._failed_at = now
            raise
        self._failed_at = None
        return found

    def _redeem(self, sign_in: SignIn, code: str) -> str:
        methods, secret = self.metadata().token_auth_methods, self.config.secret()
        auth, in_body = _client_auth(self.config.client_id, secret, methods)
        try:
            answer = self._oauth(sign_in).fetch_token(
                self.metadata().token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=sign_in.verifier,
                auth=auth,
                **in_body,
            )
        except OAuth2Error as error:
            raise SignInError("The identity provider did not redeem the code.") from error
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError("The identity provider can't be reached or understood.") from error
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise IdTokenError("The identity provider sent no ID token.")
        return id_token

    def _oauth(self, sign_in: SignIn) -> Any:
        return OAuth2Client(
            session=self._http,
            client_id=self.config.client_id,
            scope=" ".join(self.config.scopes),
            redirect_uri=sign_in.redirect_uri,
            code_challenge_method="S256",
        )


@dataclass(kw_only=True)
class Providers:
    """The providers that were used so far. ``transport`` may be replaced before the first use."""

    transport: httpx.BaseTransport | None = None
    _known: dict[str, Provider] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, config: IdentityProvider, *, clock: Clock) -> Provider:
        """The provider of a configuration."""
        with self._lock:
            if config.name not in self._known:
                made = Provider(config, clock=clock, transport=self.transport)
                self._known[config.name] = made
            return self._known[config.name]

    def close(self) -> None:
        """Close all connections."""
        for provider in self._known.values():
            provider.close()


def _client_auth(
    client_id: str, secret: str | None, methods: tuple[str, ...]
) -> tuple[httpx.Auth, dict[str, str]]:
    """How the service shows the provider that it is its client: a header, or body fields."""
    if secret is None:
        return httpx.Auth(), {"client_id": client_id}
    if "client_secret_basic" in methods or "client_secret_post" not in methods:
        return httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe="")), {}
    return httpx.Auth(), {"client_id": client_id, "client_secret": secret}


def _address(value: dict[str, Any], field_name: str, issuer: str) -> str:
    text = value.get(field_name)
    try:
        parts = checked_url(text if isinstance(text, str) else "", what=field_name)
    except InvalidInputError as error:
        raise ProviderError(f"The identity provider's {field_name} can't be used.") from error
    if parts.scheme != "https" and urlsplit(issuer).scheme == "https":
        raise ProviderError(f"The identity provider's {field_name} is not https.")
    return str(text)
