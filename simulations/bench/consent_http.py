"""A small HTTP/1.1 client that costs little beside what it measures, and an open-loop load.

Connections are kept; an answer has a ``Content-Length``. In an open loop requests are due at fixed
times whatever becomes of earlier ones, and a latency counts from when its request was *due*: a
server that stalls is charged for everything that waited.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

CONNECTIONS: Final = 32
_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes


class Connection:
    """One kept connection to a server of this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to a port of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**26))

    async def send(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        start = lower.find(_LENGTH)
        if start < 0:
            raise ValueError("An answer without Content-Length can't be measured.")
        length = int(lower[start + len(_LENGTH) : lower.index(b"\r\n", start)])
        return Answer(status=int(head[9:12]), body=await self._reader.readexactly(length))

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()


def request(
    method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a request."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(data)}"]
    if data:
        lines.append("content-type: application/json")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def one_by_one(port: int, requests: Sequence[bytes]) -> list[tuple[float, Answer]]:
    """Seconds and answer of each request, sent one after another."""
    connection = await Connection.open(port)
    found = []
    for each in requests:
        began = time.perf_counter()
        answer = await connection.send(each)
        found.append((time.perf_counter() - began, answer))
    await connection.close()
    return found


async def open_loop(
    port: int, requests: Sequence[bytes], *, rate: float, check: Callable[[Answer], None]
) -> list[float]:
    """Seconds of each request from when it was due; ``rate`` of them are due each second.

    Raises:
        ValueError: whatever ``check`` raises for an answer.
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    connections = [await Connection.open(port) for _ in range(CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)

    async def send(each: bytes, due: float) -> float:
        connection = await free.get()
        answer = await connection.send(each)
        free.put_nowait(connection)
        took = time.perf_counter() - due
        check(answer)
        return took

    start, tasks = time.perf_counter() + 0.1, []
    for number, each in enumerate(requests):
        due = start + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(send(each, due)))
    found = await asyncio.gather(*tasks)
    for connection in connections:
        await connection.close()
    return list(found)


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Milliseconds: the median, the 99th percentile by rank, and the largest."""
    ranked = sorted(seconds)

    def at(share: float) -> float:
        return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))] * 1000, 2)

    return {"count": len(ranked), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)}
