"""A real PostgreSQL for the tests: Debian's, started and stopped by them, or one that is named.

``FEDCART_TEST_POSTGRES`` names a server as ``postgresql+psycopg://USER@HOST/DATABASE``, whose user
may create databases. Without it the tests start their own in a temporary folder, on a socket that
only they can reach, as another user when they run as root (PostgreSQL refuses root).
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, NoReturn
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from consent.service.database import Database

VARIABLE = "FEDCART_TEST_POSTGRES"
DEBIAN = Path("/usr/lib/postgresql")
MISSING = (
    "The tests need PostgreSQL and found none. Run: sudo apt-get install postgresql "
    f"(or name a server in {VARIABLE})"
)
TABLES: LiteralString = (
    "SELECT tablename FROM pg_tables "
    "WHERE schemaname = current_schema() AND tablename <> 'alembic_version'"
)
GUARDED: LiteralString = (
    "SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "WHERE NOT tgisinternal"
)
FAST = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    if elsewhere is None:
        pytest.fail(MISSING, pytrace=False)
    return Path(elsewhere).resolve().parent


@dataclass
class Server:
    """One server process over one folder; ``start`` again after ``kill`` recovers."""

    folder: Path
    settings: list[str]
    _process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def create(cls, folder: Path, settings: list[str]) -> "Server":
        server = cls(folder, settings)
        account = server._account()
        if account:
            shutil.chown(folder, account["user"], account["group"])
        initdb: list[str | Path] = [
            binaries() / "initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "--auth=trust",
        ]
        subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            cwd=folder,
            **account,
        )
        return server

    @staticmethod
    def _account() -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        names = [entry.pw_name for entry in pwd.getpwall()]
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    @property
    def url(self) -> URL:
        return make_url(f"postgresql+psycopg://postgres@/postgres?host={self.folder}")

    def start(self) -> None:
        self._launch()
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._ended():
                self._fail()
            time.sleep(0.05)

    def _launch(self) -> None:
        options = [f"unix_socket_directories={self.folder}", "listen_addresses=", *self.settings]
        command: list[str | Path] = [binaries() / "postgres", "-D", self.folder / "data"]
        for option in ("max_connections=200", "shared_buffers=64MB", *options):
            command += ["-c", option]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.defpath},
                cwd=self.folder,
                **self._account(),
            )

    def _answers(self) -> bool:
        try:
            connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _fail(self) -> NoReturn:
        pytest.fail((self.folder / "server.log").read_text()[-2000:], pytrace=False)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """As a crash would: the postmaster is gone at once, and its children follow."""
        self._end(signal.SIGKILL)

    def recover(self) -> None:
        """Start after ``kill``, once its last child is gone and has let go of the folder."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self._launch()
            while not self._ended():
                if self._answers():
                    return
                time.sleep(0.05)
            time.sleep(0.2)
        self._fail()

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None


@contextmanager
def own_server(settings: list[str]) -> Iterator[Server]:
    """A server of the tests' own, gone at the end with its folder."""
    with tempfile.TemporaryDirectory(prefix="fedcart-pg-") as folder:
        server = Server.create(Path(folder), settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def connect(url: URL) -> "psycopg.Connection[Any]":
    """A connection of the driver's own, each statement its own transaction."""
    return psycopg.connect(text(url).replace("+psycopg", "", 1), autocommit=True)


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@dataclass
class Postgres:
    """Databases on one server. Used ones are emptied and used again, which is cheap."""

    server: URL
    _prefix: str = field(default_factory=lambda: f"fedcart_test_{uuid4().hex[:8]}")
    _made: int = 0
    _free: list[URL] = field(default_factory=list)

    def empty(self) -> URL:
        """A database without any table."""
        self._made += 1
        url = self.server.set(database=f"{self._prefix}_{self._made}")
        self._run("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", url)
        return url

    def take(self) -> URL:
        """A database with the service's tables and no rows."""
        if not self._free:
            url = self.empty()
            Database(text(url), durable=False).close()
            return url
        return self._free.pop()

    def give_back(self, url: URL) -> None:
        """Empty a database that ``take`` gave; nobody is connected to it any more."""
        with connect(url) as connection, connection.transaction():
            tables = [sql.Identifier(row[0]) for row in connection.execute(TABLES)]
            guarded = [sql.Identifier(row[0]) for row in connection.execute(GUARDED)]
            for table in guarded:
                connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
            every = sql.SQL(", ").join(tables)
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(every))
            for table in guarded:
                connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))
        self._free.append(url)

    def drop(self) -> None:
        """Drop every database that was made."""
        for number in range(1, self._made + 1):
            url = self.server.set(database=f"{self._prefix}_{number}")
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", url)

    def _run(self, statement: LiteralString, url: URL) -> None:
        with connect(self.server) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(url.database or "")))


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":  # python -m tests.postgres SETTING=VALUE ...: for a benchmark
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with own_server(sys.argv[1:]) as running:
        sys.stdout.write(f"{text(running.url)}\n")
        sys.stdout.flush()
        signal.pause()
