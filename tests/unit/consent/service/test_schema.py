"""The migrations make exactly the tables, on both databases, and no other schema is served."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from consent.service import schema
from consent.service.database import Database
from consent.service.migrations import draft, operations
from consent.service.settings import create_home
from consent.service.tables import APPEND_ONLY, METADATA
from crypto.errors import InvalidInputError
from tests import postgres as server
from tests.postgres import Postgres
from tests.unit.commands import fedcart

LATER = '''"""A later schema."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("shopper") as table:
        table.add_column(sa.Column("language", sa.String(), nullable=False, server_default="zh"))
'''
SHOPPER = "INSERT INTO shopper (id, token_hash, epoch, floor, created_at) VALUES ('a', '', 0, 0, 0)"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'c.db'}"
    databases: Postgres = request.getfixturevalue("postgres")
    return server.text(databases.empty())


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make(url: str) -> None:
    Database(url, durable=False).close()


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def test_the_migrations_make_exactly_the_tables(url: str) -> None:
    draft.import_tables()
    make(url)
    with connected(url) as connection:
        assert differences(connection) == []
        found = operations.append_only_triggers(connection)
    assert {table for table, _ in found} == APPEND_ONLY


def test_a_difference_is_found(url: str) -> None:
    make(url)
    with connected(url) as connection:
        table, trigger = sorted(operations.append_only_triggers(connection))[0]
        of_table = "" if url.startswith("sqlite") else f" ON {table}"
        connection.execute(text(f"DROP TRIGGER {trigger}{of_table}"))
        connection.execute(text("DROP INDEX participation_grant_round"))
    with connected(url) as connection:
        kinds = [str(found[0]) for found in differences(connection) if isinstance(found, tuple)]
    assert sorted(kinds) == ["add_index", "append_only"]


def test_the_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_drafting_again_gives_the_initial_migration(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(schema._MIGRATIONS, folder)
    (name,) = (path.name for path in (folder / "versions").glob("v0001*"))
    (folder / "versions" / name).unlink()
    draft.draft("0001", "initial", migrations=folder)
    made = folder / "versions" / name
    ruff = [sys.executable, "-m", "ruff", "format", "-q", "--line-length", "100", str(made)]
    subprocess.run(ruff, check=True)
    settings = Path(__file__).parents[4] / "pyproject.toml"
    sort = ["check", "-q", "--fix", "--select", "I", "--config", str(settings), str(made)]
    subprocess.run([*ruff[:3], *sort], check=True)
    assert made.read_text() == (schema._MIGRATIONS / "versions" / name).read_text()


def test_processes_that_start_at_once_make_one_schema(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, [url] * 4))
    with connected(url) as connection:
        assert schema.revision(connection) == schema.HEAD


def test_foreign_tables_are_left_alone(url: str) -> None:
    with connected(url) as connection:
        connection.execute(text("CREATE TABLE others (id INTEGER)"))
    for migrate in (False, True):
        with pytest.raises(InvalidInputError, match="did not make"):
            Database(url, durable=False, migrate=migrate)
    with connected(url) as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('deadbeef')"))
    with pytest.raises(InvalidInputError, match="did not make"):
        make(url)


def test_a_newer_schema_is_refused(url: str) -> None:
    make(url)
    with connected(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (False, True):
        with pytest.raises(InvalidInputError, match="9999, made by a newer fedcart"):
            Database(url, durable=False, migrate=migrate)


def test_an_older_schema_is_migrated_when_asked(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    if url.startswith("sqlite"):
        create_home(home, issuer="shop")
        url = f"sqlite:///{home / 'consent.db'}"
    else:
        create_home(home, issuer="shop", database=url)
    make(url)
    with connected(url) as connection:
        connection.execute(text(SHOPPER))
    folder = tmp_path / "migrations"
    shutil.copytree(schema._MIGRATIONS, folder)
    (folder / "versions" / "v0002_later.py").write_text(LATER)
    monkeypatch.setattr(schema, "_MIGRATIONS", folder)
    monkeypatch.setattr(schema, "HEAD", "0002")
    with pytest.raises(InvalidInputError, match=r"0001.*fedcart consent migrate --home DIR"):
        make(url)
    done = fedcart("consent", "migrate", "--home", home)
    assert (done.code, json.loads(done.out)) == (0, {"schema": "0002"})
    make(url)
    with connected(url) as connection:
        assert connection.execute(text("SELECT id, language FROM shopper")).all() == [("a", "zh")]
        assert {table for table, _ in operations.append_only_triggers(connection)}


def test_migrating_what_is_current_changes_nothing(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    for _ in range(2):
        done = fedcart("consent", "migrate", "--home", tmp_path)
        assert (done.code, json.loads(done.out)) == (0, {"schema": schema.HEAD})


def test_a_current_database_starts_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    make(url)
    program = (
        "import sys; from consent.service.database import Database; "
        "Database(sys.argv[1], durable=False).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
