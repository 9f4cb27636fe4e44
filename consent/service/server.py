"""Running the application under uvicorn, and telling when it listens."""

import gc
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from consent.service.diagnostics import LOGGING


class _Announcing(uvicorn.Server):
    """A server that says its URL once its sockets listen."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call ``on_ready``."""
        await super().startup(sockets)
        if self.should_exit:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._on_ready(f"http://{shown}:{port}")


def run(app: FastAPI, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it. Requests are not logged: URLs hold shoppers' ids.

    Errors are, without their words (``consent.service.diagnostics``).

    Raises:
        SystemExit: the address can't be bound.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="none",
        access_log=False,
        log_config=LOGGING,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # whose address to believe is consent.service.peer's business
    )
    # What is there now stays: looking through it for garbage again and again would stop every
    # request for a tenth of a second.
    gc.collect()
    gc.freeze()
    _Announcing(config, on_ready).run()
