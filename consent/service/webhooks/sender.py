"""Sending one webhook: to a pinned address, once, without redirects or proxies, within a deadline.

httpcore is used by itself, not through httpx: it follows no redirect and reads no proxy from the
environment, and its network backend is where the address is pinned. The name stays in the Host
header, in SNI and in the check of the certificate.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore

from consent.service.webhooks.addresses import (
    RefusedAddressError,
    Resolve,
    Rules,
    parse,
    reachable,
    resolve_by_system,
)
from crypto.errors import InvalidInputError

DEADLINE_S: Final = 15.0
_STEP_S: Final = 5.0
_MAX_ANSWER: Final = 64 * 1024
_TIMEOUTS: Final = {"connect": _STEP_S, "read": _STEP_S, "write": _STEP_S, "pool": _STEP_S}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one attempt: whether it was taken, and a word of ours about it.

    Nothing of the receiver's answer but its status is kept or shown.
    """

    delivered: bool
    word: str
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Sends webhooks. Tests give it another resolver, and trust a certificate of their own."""

    rules: Rules
    resolve: Resolve = resolve_by_system
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    deadline_s: float = DEADLINE_S

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Post a body to a URL.

        Guarantee: a connection is made to addresses that ``reachable`` allowed and to no other.
        Never raises for what the other side does.
        """
        deadline = _Deadline(time.monotonic() + self.deadline_s)
        try:
            target = parse(url, self.rules)  # again: the rules may be stricter than they were
            addresses = reachable(target, self.rules, self.resolve)
            status = self._post(
                httpcore.URL(
                    scheme=target.scheme, host=target.host, port=target.port, target=target.path
                ),
                {"Host": target.authority, **headers},
                body,
                _Pinned(addresses, deadline),
            )
        except RefusedAddressError as error:
            return Outcome(delivered=False, word=f"refused: {error}")
        except InvalidInputError:
            return Outcome(delivered=False, word="refused: the URL is not allowed")
        except httpcore.TimeoutException:
            return Outcome(delivered=False, word="timed out")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError):
            return Outcome(delivered=False, word="no connection, or one that broke")
        return Outcome(delivered=200 <= status < 300, word=f"status {status}", gone=status == 410)

    def _post(
        self,
        url: httpcore.URL,
        headers: Mapping[str, str],
        body: bytes,
        network: httpcore.NetworkBackend,
    ) -> int:
        with (
            httpcore.ConnectionPool(
                ssl_context=self.trust, network_backend=network, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                "POST",
                url,
                headers=[(name.encode(), text.encode()) for name, text in headers.items()],
                content=body,
                extensions={"timeout": _TIMEOUTS},
            ) as answer,
        ):
            _read_a_little(answer.iter_stream())
            return answer.status


@dataclass(frozen=True)
class _Deadline:
    """The moment, on the monotonic clock, at which everything must be over."""

    at: float

    def left(self, wanted: float | None, error: Callable[[], Exception]) -> float:
        """Seconds that the next step may take, at least a hair."""
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise error()
        return min(_STEP_S if wanted is None else wanted, remaining)


class _Pinned(httpcore.NetworkBackend):
    """Connects to given addresses, whatever name is asked for."""

    def __init__(self, addresses: Iterable[str], deadline: _Deadline) -> None:
        self._addresses = list(addresses)
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - resolved and judged before
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the addresses that answers."""
        failed: Exception = httpcore.ConnectError()
        for address in self._addresses:
            left = self._deadline.left(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._system.connect_tcp(
                    address, port, left, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Timed(stream, self._deadline)
        raise failed


class _Timed(httpcore.NetworkStream):
    """A stream whose every step ends before the deadline, however slowly bytes trickle."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes."""
        return self._inner.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all bytes."""
        self._inner.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Continue under TLS."""
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return _Timed(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the inner stream knows."""
        return self._inner.get_extra_info(info)


def _read_a_little(parts: Iterable[bytes]) -> None:
    """Let the other side finish a short answer; a long one is cut off, unread."""
    size = 0
    for part in parts:
        size += len(part)
        if size > _MAX_ANSWER:
            return
