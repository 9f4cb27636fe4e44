"""The real consent service as a process of its own, over a home folder."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def served(home: Path) -> Iterator[int]:
    """``fedcart consent serve`` on a free port of this machine, which is handed out.

    Raises:
        ChildProcessError: it did not start.
    """
    command = [sys.executable, "-m", "fedcart", "consent", "serve", "--home", str(home)]
    command += ["--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise ChildProcessError("The consent service did not start; see above.")
            yield urlsplit(json.loads(line)["ready"]).port or 0
        finally:
            process.terminate()
