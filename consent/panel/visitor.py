"""Who looks at a page: language, login, form token and privacy signal.

The login is an opaque token in a cookie; it is the same token as the API takes as bearer token,
and means the same there. Over HTTPS this cookie and the one that a visitor's forms hang on have the
``__Host-`` prefix, so that no other host and no unencrypted page can plant one.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Annotated, Final, cast
from urllib.parse import quote

from fastapi import Depends, Request, Response

from consent import signals
from consent.notice import Language
from consent.origin import local_path
from consent.panel import language as languages
from consent.panel.language import Tongue
from consent.service.accounts.service import touch
from consent.service.accounts.tables import Account
from consent.service.context import Context
from consent.service.principals import Principal, Role, identify
from consent.service.problems import Problem
from consent.service.signals.service import observe
from crypto.wire import b64

SESSION: Final = "fedcart_session"
LANGUAGE: Final = "fedcart_language"
# A random value for visitors who are not signed in, so that their forms have a token too.
VISIT: Final = "fedcart_visit"
_YEAR_S: Final = 365 * 24 * 60 * 60
_MAX_COOKIE: Final = 512


class Elsewhere(Exception):  # noqa: N818 - an answer, not a failure
    """Send the visitor to another page of this site (303)."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Whoever asked for a page.

    Attributes:
        context: the service.
        tongue: her language; ``say`` and ``say_n`` are shorthands.
        principal: who she is, if she is signed in.
        token: the token of her login, which every function of the service takes.
        csrf: what her forms must carry.
        visit: the value that ``csrf`` is made from while she is not signed in.
        gpc: whether the request carried the Global Privacy Control signal.
        path: the path and query of this page, to come back to.
        fetched: whether htmx asked, for a part of the page.
    """

    context: Context = field(repr=False)
    tongue: Tongue = field(repr=False)
    principal: Principal | None
    token: str | None = field(repr=False)
    csrf: str = field(repr=False)
    visit: str = field(repr=False)
    gpc: bool
    path: str
    fetched: bool

    @property
    def language(self) -> Language:
        """The language of the page."""
        return self.tongue.language

    @property
    def role(self) -> Role | None:
        """Her role, if she is signed in."""
        return self.principal.role if self.principal else None

    def say(self, sentence: str, /, **values: object) -> str:
        """An English sentence, in her language, with values put in by name."""
        return self.tongue.say(sentence, **values)

    def say_n(self, one: str, many: str, n: int, /, **values: object) -> str:
        """A sentence that depends on the number ``{n}``."""
        return self.tongue.say_n(one, many, n, **values)


@dataclass(frozen=True, kw_only=True)
class SignedIn(Visitor):
    """A visitor who is signed in."""

    principal: Principal
    token: str = field(repr=False)

    @property
    def shopper(self) -> str:
        """The id of the shopper that she is.

        Raises:
            Problem: 404, she is none.
        """
        if self.principal.shopper is None:
            raise Problem(404, "This page is for shoppers.")
        return self.principal.shopper


def visit(request: Request, *, known: bool = True) -> Visitor:
    """The visitor behind a request; without ``known`` the database is not asked who she is.

    A session cookie that nobody holds (any more) counts as none.
    """
    context = cast("Context", request.app.state.context)
    token = _cookie(request, own_name(request, SESSION))
    principal, chosen = _found(context, token) if known and token else (None, "")
    signal = signals.is_on(request.headers.get(signals.HEADER))
    if principal is None:
        token = None
    elif signal:
        observe(context, cast("str", token))
    value = _cookie(request, own_name(request, VISIT)) or secrets.token_urlsafe(24)
    kind = SignedIn if principal else Visitor
    return kind(
        context=context,
        tongue=languages.tongue(_language(request, chosen)),
        principal=cast("Principal", principal),
        token=cast("str", token),
        csrf=_form_token(context, token or value),
        visit=value,
        gpc=signal,
        path=_path(request),
        fetched=request.headers.get("hx-request") == "true",
    )


def become(visitor: Visitor, token: str) -> SignedIn:
    """The visitor once she is signed in with a new token, for a page in the same answer.

    Raises:
        Problem: 401, the token is no login's.
    """
    principal, _ = _found(visitor.context, token)
    if principal is None:
        raise Problem(401, "This login has ended; log in again.")
    return SignedIn(
        context=visitor.context,
        tongue=visitor.tongue,
        principal=principal,
        token=token,
        csrf=_form_token(visitor.context, token),
        visit=visitor.visit,
        gpc=visitor.gpc,
        path=visitor.path,
        fetched=visitor.fetched,
    )


def _visitor(request: Request) -> Visitor:
    return visit(request)


VisitorDep = Annotated[Visitor, Depends(_visitor)]


def _signed_in(visitor: VisitorDep) -> SignedIn:
    if not isinstance(visitor, SignedIn):
        raise Elsewhere(f"/login?next={quote(visitor.path, safe='')}")
    return visitor


SignedInDep = Annotated[SignedIn, Depends(_signed_in)]


def _shopper(visitor: SignedInDep) -> SignedIn:
    if visitor.role is not Role.SHOPPER:
        raise Problem(404, "This page is for shoppers.")
    return visitor


def _operator(visitor: SignedInDep) -> SignedIn:
    if visitor.role not in (Role.OPERATOR, Role.AUDITOR):
        raise Problem(404, "There is no such page.")
    return visitor


ShopperDep = Annotated[SignedIn, Depends(_shopper)]
OperatorDep = Annotated[SignedIn, Depends(_operator)]


def is_secure(request: Request) -> bool:
    """Whether the site is served over HTTPS, here or by the proxy in front of it."""
    context = cast("Context", request.app.state.context)
    stated = context.settings.public_url
    return request.url.scheme == "https" or (stated is not None and stated.scheme == "https")


def own_name(request: Request, name: str) -> str:
    """The name of a cookie that only this host may set, where it is served over HTTPS."""
    return f"__Host-{name}" if is_secure(request) else name


def set_cookie(request: Request, response: Response, name: str, value: str, age_s: int) -> None:
    """Set a cookie that no script can read and that no other site's forms send."""
    response.set_cookie(
        name,
        value,
        max_age=age_s,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def signed_in(
    request: Request, response: Response, visitor: Visitor, token: str, expires_at: int
) -> None:
    """Keep the token of a login in the visitor's cookie, until it ends (Unix milliseconds)."""
    age_s = (expires_at - visitor.context.now_ms()) // 1000
    set_cookie(request, response, own_name(request, SESSION), token, age_s)


def signed_out(request: Request, response: Response) -> None:
    """Forget the login; its token must have been ended at the service before."""
    set_cookie(request, response, own_name(request, SESSION), "", 0)


def remember_language(request: Request, response: Response, language: Language) -> None:
    """Keep the language that the visitor chose."""
    set_cookie(request, response, LANGUAGE, language.value, _YEAR_S)


def keyed(context: Context, use: str, value: str) -> str:
    """A MAC over a value under a key that only this service has, for one use."""
    return b64(hmac.digest(context.derived_key(f"panel {use}"), value.encode(), "sha256"))


def _form_token(context: Context, value: str) -> str:
    return keyed(context, "form", value)


def _cookie(request: Request, name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value and len(value) <= _MAX_COOKIE else None


def _found(context: Context, token: str) -> tuple[Principal | None, str]:
    """Who a token belongs to and her account's language; only logins count, never other tokens."""
    with context.database.reading() as session:
        principal = identify(context, session, token)
        if principal is None or principal.account is None:
            return None, ""
        account = session.get(Account, principal.account)
    touch(context, token)
    return principal, account.language if account else ""


def _language(request: Request, of_account: str) -> Language:
    chosen = languages.parsed(request.cookies.get(LANGUAGE, ""))
    return (
        chosen
        or languages.parsed(of_account)
        or languages.negotiated(request.headers.get("accept-language", ""))
    )


def _path(request: Request) -> str:
    if request.method != "GET":
        return "/"
    query = f"?{request.url.query}" if request.url.query else ""
    return local_path(f"{request.url.path}{query}")
