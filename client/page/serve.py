"""Serving the page on this machine's loopback interface, until it is stopped."""

import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from client.page.app import create_page
from client.page.door import OPEN
from crypto.errors import FedcartError

HOST: Final = "127.0.0.1"


def serve(
    folder: Path, releases: Path, *, port: int, show: Callable[[str], None], open_it: bool
) -> None:
    """Serve until Ctrl-C; ``show`` is told each opening address.

    Raises:
        FedcartError: the port is taken.
    """

    def announce(key: str) -> None:
        show(f"http://{HOST}:{port}{OPEN}?key={key}")

    app = create_page(folder, releases, announce)
    config = uvicorn.Config(
        app,
        ws="none",
        log_level="warning",
        access_log=False,  # addresses name what she looked at
        server_header=False,
        proxy_headers=False,
        limit_concurrency=32,
        timeout_keep_alive=5,
    )
    with _listening(port) as listener:  # before anybody is told an address
        key = app.state.desk.session.key
        announce(key)
        if open_it:
            webbrowser.open(f"http://{HOST}:{port}{OPEN}?key={key}")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise FedcartError(
            f"Port {port} can't be used ({error.strerror}); name another with --port."
        ) from error
    return listener
