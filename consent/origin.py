"""Where a site stands in the web: its origin, addresses that may be trusted, and local paths.

Everything that another site could be confused with ours by is decided here: which origin passkeys
belong to, which addresses of an identity provider are called, and where a visitor may be sent.
"""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from crypto.errors import InvalidInputError

MAX_PATH: Final = 512
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A scheme, a host and a port that is not the scheme's own.

    Guarantee: the scheme is https, or the host is this machine itself.
    """

    scheme: str
    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str, *, what: str = "public_url") -> Self:
        """Read an origin such as ``https://consent.example`` or ``http://localhost:8640``.

        Raises:
            InvalidInputError: it has a path, a user or a query, or is neither https nor loopback.
        """
        parts = checked_url(text, what=what)
        if parts.path not in {"", "/"} or parts.query:
            raise InvalidInputError(f"{what} is an origin, without a path: https://HOST[:PORT].")
        port = None if parts.port == _PORTS[parts.scheme] else parts.port
        return cls(scheme=parts.scheme, host=parts.hostname or "", port=port)

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself."""
        return self.host in _LOOPBACK

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


def site_origin(public_url: Origin | None, host_header: str) -> Origin | None:
    """The origin that visitors see; None where it is not known.

    The Host header is the caller's word. It counts only without a configured address, and only
    where it names this machine itself, which is what a demo on one's own computer looks like.
    """
    if public_url is not None:
        return public_url
    try:
        seen = Origin.parse(f"http://{host_header}", what="host")
    except InvalidInputError:
        return None
    return seen if seen.is_loopback else None


def checked_url(text: str, *, what: str) -> SplitResult:
    """Take apart an absolute URL that may be called or sent to.

    Raises:
        InvalidInputError: not https (or http on loopback), a user or password in it, a fragment,
            or characters that URLs don't have.
    """
    wrong = InvalidInputError(
        f"{what} is expected as an https URL without user, password or fragment "
        "(http only for localhost)."
    )
    if not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}'):
        raise wrong
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise wrong from error
    trusted = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not trusted or not parts.hostname or "@" in parts.netloc or "#" in text:
        raise wrong
    return parts


def local_path(text: str | None, *, otherwise: str = "/") -> str:
    """A path of this site to send a visitor to, or another one in place of anything else.

    Guarantee: no browser leaves the site for it. Browsers read a backslash as a slash and drop
    tabs and line ends, so a slash and one of them before a host name are foreign too.
    """
    if not text or len(text) > MAX_PATH or not text.isascii() or not text.isprintable():
        return otherwise
    if not text.startswith("/") or text.startswith("//") or "\\" in text:
        return otherwise
    return text
