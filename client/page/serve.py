"""Serving the page on this machine's loopback interface, until it is stopped."""

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
        host=HOST,
        port=port,
        ws="none",
        log_level="warning",
        access_log=False,  # addresses name what she looked at
        server_header=False,
        proxy_headers=False,
        limit_concurrency=32,
        timeout_keep_alive=5,
    )
    key = app.state.desk.session.key
    announce(key)
    if open_it:
        webbrowser.open(f"http://{HOST}:{port}{OPEN}?key={key}")
    try:
        uvicorn.Server(config).run()
    except SystemExit as error:
        raise FedcartError(f"Port {port} can't be used; name another with --port.") from error
