"""A small OpenID provider that follows the standards, as a retailer may run one.

Discovery, an authorization endpoint with a login form, a token endpoint with client
authentication and PKCE, and keys that can be rotated. Run as a program it listens on a free port
of localhost and prints ``{"ready": issuer}``. What a test wants it to do wrong is set on
``Provider``.
"""

import argparse
import base64
import hashlib
import html
import json
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import unquote, urlencode, urlsplit

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

SESSION = "provider_session"
ASKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")
Claims = dict[str, Any]


@dataclass
class Provider:
    """Who may sign in, for which client, and the keys."""

    issuer: str
    client_id: str = "fedcart"
    client_secret: str = "a client's secret"
    users: dict[str, str] = field(default_factory=lambda: {"ada": "pw-ada", "eve": "pw-eve"})
    clock: Callable[[], float] = time.time
    extra: Claims = field(default_factory=dict)
    spoil: Callable[[Claims], None] = lambda _claims: None
    states_issuer: bool = True
    keys: list[RSAKey] = field(default_factory=list)
    codes: dict[str, Claims] = field(default_factory=dict)
    sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    key_fetches: int = 0

    def __post_init__(self) -> None:
        self.rotate()

    def rotate(self) -> None:
        kid = secrets.token_hex(4)
        self.keys = [RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})]

    def metadata(self) -> Claims:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.states_issuer,
        }

    def code(self, user: str, auth_time: int, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"user": user, "auth_time": auth_time, **asked}
        return code

    def id_token(self, granted: Claims) -> str:
        now = int(self.clock())
        claims: Claims = {
            "iss": self.issuer,
            "sub": f"pairwise-{granted['user']}",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": granted["auth_time"],
            "nonce": granted["nonce"],
            **self.extra,
        }
        self.spoil(claims)
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, claims, self.keys[0])


def create_provider(provider: Provider) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    async def metadata() -> Claims:
        return provider.metadata()

    @app.get("/jwks")
    async def jwks() -> Claims:
        provider.key_fetches += 1
        return {"keys": [key.as_dict(private=False) for key in provider.keys]}

    @app.post("/rotate")
    async def rotate() -> None:
        provider.rotate()

    @app.post("/token")
    async def token(request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> Response:
        if not _is_client(provider, request.headers.get("authorization", ""), form):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        granted = provider.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        if (
            granted is None
            or granted["code_challenge"] != challenge
            or granted["redirect_uri"] != form.get("redirect_uri")
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        answer = {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": provider.id_token(granted),
        }
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    _add_login(app, provider)
    return app


def _add_login(app: FastAPI, provider: Provider) -> None:
    @app.get("/authorize")
    async def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        _check_request(provider, asked)
        provider.asked.append(asked)
        known = provider.sessions.get(request.cookies.get(SESSION, ""))
        if known is not None and asked.get("prompt") != "login":
            return _granted(provider, known, asked)
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(asked.get(name, ""))}">'
            for name in ASKED
        )
        return HTMLResponse(
            f'<form method="post" action="/login">{fields}<input name="user">'
            '<input name="password"><button>Sign in</button></form>'
        )

    @app.post("/login")
    async def login(form: Annotated[dict[str, str], Depends(_form)]) -> Response:
        user = form.get("user", "")
        if not secrets.compare_digest(provider.users.get(user, "-"), form.get("password", "")):
            raise HTTPException(403, "wrong")
        _check_redirect(form)
        session, known = secrets.token_urlsafe(16), (user, int(provider.clock()))
        provider.sessions[session] = known
        response = _granted(provider, known, form)
        response.set_cookie(SESSION, session, httponly=True)
        return response


async def _form(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.form()).items()}


def _check_request(provider: Provider, asked: dict[str, str]) -> None:
    right = {
        "client_id": provider.client_id,
        "response_type": "code",
        "code_challenge_method": "S256",
    }
    if any(asked.get(name) != value for name, value in right.items()):
        raise HTTPException(400, "not such a client, or no code with S256")
    if "openid" not in asked.get("scope", "").split():
        raise HTTPException(400, "no openid")
    _check_redirect(asked)


def _check_redirect(asked: dict[str, str]) -> None:
    """Only the client's own callback; on loopback any port will do (RFC 8252, 7.3)."""
    parts = urlsplit(asked.get("redirect_uri", ""))
    own = parts.hostname in {"127.0.0.1", "localhost", "consent.test"}
    if not own or not parts.path.startswith("/login/oidc/") or parts.query:
        raise HTTPException(400, "not a redirect_uri of this client")


def _granted(provider: Provider, known: tuple[str, int], asked: dict[str, str]) -> Response:
    user, auth_time = known
    kept = {name: asked.get(name, "") for name in ASKED}
    answer = {"code": provider.code(user, auth_time, kept), "state": kept["state"]}
    if provider.states_issuer:
        answer["iss"] = provider.issuer
    return RedirectResponse(f"{kept['redirect_uri']}?{urlencode(answer)}", status_code=303)


def _is_client(provider: Provider, header: str, form: dict[str, str]) -> bool:
    """The client's secret in a header, or only its name for a public client."""
    if not provider.client_secret:
        return form.get("client_id") == provider.client_id
    try:
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        return False
    return (unquote(name), unquote(secret)) == (provider.client_id, provider.client_secret)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--claims", default="{}", help="JSON: more claims for every ID token")
    claims = json.loads(parser.parse_args().claims)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        issuer = f"http://localhost:{listening.getsockname()[1]}"
        app = create_provider(Provider(issuer=issuer, extra=claims))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        print(json.dumps({"ready": issuer}), flush=True)  # noqa: T201 - it listens already
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
