"""The schema of a database: which revision it has, and bringing it to this version's.

Alembic is imported only where tables are made, so that a service on a current database starts
without it.
"""

import threading
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from crypto.errors import InvalidInputError

HEAD: Final = "0001"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"
_ONE_AT_A_TIME: Final = threading.Lock()  # Alembic keeps its context in a global


def revision(connection: Connection) -> str | None:
    """The revision of the schema; None if the database is empty.

    Raises:
        InvalidInputError: the database holds tables that fedcart's migrations did not make.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if _VERSION_TABLE in tables:
        found = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608 - a constant
        if isinstance(found, str) and found.isdecimal():
            return found
    raise InvalidInputError(
        "The consent database holds tables that fedcart did not make; give it one of its own."
    )


def is_new(connection: Connection) -> bool:
    """Whether the database is empty. If it is not, it has exactly this version's schema.

    Raises:
        InvalidInputError: another revision's schema, or tables that fedcart did not make.
    """
    found = revision(connection)
    if found is None:
        return True
    _refuse_newer(found)
    if found < HEAD:
        raise InvalidInputError(
            f"The consent database has schema {found}, this fedcart needs {HEAD}. Back it up, then "
            "run: fedcart consent migrate --home DIR"
        )
    return False


def migrate(connection: Connection) -> None:
    """Bring an empty or older database to this version's schema, in the caller's transaction.

    Raises:
        InvalidInputError: a newer revision's schema, or tables that fedcart did not make.
    """
    found = revision(connection)
    if found is not None:
        _refuse_newer(found)
    if found == HEAD:
        return
    from alembic import command  # noqa: PLC0415 - a third of a second
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _ONE_AT_A_TIME:
        command.upgrade(config, HEAD)


def _refuse_newer(found: str) -> None:
    if found > HEAD:
        raise InvalidInputError(
            f"The consent database has schema {found}, made by a newer fedcart; this one knows "
            f"schemas up to {HEAD}. Install the newer version, or restore an older backup."
        )
