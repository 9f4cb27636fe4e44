"""Reading purchases out of a till system's own SQL database: PostgreSQL or SQLite, never written.

The operator states a query whose result has a row a purchase line. It runs inside a read-only
transaction (PostgreSQL) or on a file opened read-only (SQLite), as a subquery, so it can only
select. Its rows become a table of text, as a file's do, and go through the same parsers.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, TextClause, bindparam, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from client.importers.columns import Columns
from client.importers.tables import Progress, Table
from client.importers.times import DAY_SECONDS, MILLISECONDS
from crypto.errors import FedcartError, InvalidInputError

NAME: Final = "the till's query"
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
_ROWS_AT_ONCE: Final = 5_000
# With more newcomers than this the whole query is read: a list of names would be no help.
_MOST_NAMES: Final = 500
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which lines are wanted at least; more may come.

    Attributes:
        since: lines from this moment (Unix seconds) on; None for all.
        newcomers: shoppers of whom all lines are wanted.
    """

    since: int | None
    newcomers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Till:
    """A till's database and what to ask it.

    Attributes:
        url: of the database, its driver settled. Its password is not shown.
        query: one SELECT.
    """

    url: URL
    query: str

    @classmethod
    def of(cls, url: str, query: str) -> "Till":
        """Check an address and a query, without connecting.

        Raises:
            InvalidInputError: no address, another kind of database, or no query.
        """
        address = _address(url)
        query = query.strip().rstrip(";").rstrip()
        if not query:
            raise InvalidInputError("The till's query is empty; expected one SELECT.")
        return cls(url=address, query=query)

    @classmethod
    def of_table(cls, url: str, name: str) -> "Till":
        """All of a table or view, its name as SCHEMA.NAME where it needs a schema.

        Raises:
            InvalidInputError: no address, another kind of database, or no name.
        """
        address = _address(url)
        if not all(part.strip() for part in name.split(".")):
            raise InvalidInputError(f"{name!r} is no table; expected NAME or SCHEMA.NAME.")
        quote = address.get_dialect()().identifier_preparer.quote_identifier
        parts = ".".join(quote(part) for part in name.split("."))
        return cls(url=address, query=f"SELECT * FROM {parts}")  # noqa: S608 - quoted

    @contextmanager
    def table(self, columns: Columns, window: Window, *, progress: Progress) -> Iterator[Table]:
        """The query's rows as text, while the block runs.

        Args:
            columns: which column plays which part; ``time`` is named.
            window: what is wanted.
            progress: told how many rows were read; the total is not known before the end.

        Raises:
            InvalidInputError: the database can't be reached or refuses the query, also while rows
                are read; a value is bytes.
            FedcartError: the driver is not installed.
        """
        engine = _engine(self.url)
        try:
            with (
                engine.connect().execution_options(**_options(engine)) as connection,
                connection.execute(self._bounded(connection, columns, window)) as result,
            ):
                header = tuple(result.keys())
                yield Table(header=header, rows=_rows(result.partitions(), header, progress))
        except SQLAlchemyError as error:
            raise InvalidInputError(
                f"The till's database {self.url.render_as_string()} refused: {_first_line(error)}"
            ) from error
        finally:
            engine.dispose()

    def _bounded(self, connection: Connection, columns: Columns, window: Window) -> TextClause:
        """The query, without rows that are surely not wanted where their column tells."""
        whole = f"SELECT * FROM (\n{self.query}\n) AS purchases"  # noqa: S608 - the operator's own
        bound = None
        if window.since is not None and len(window.newcomers) <= _MOST_NAMES:
            found = connection.execute(_literal(f"{whole} LIMIT 1")).mappings().first()
            first: dict[str, Any] = dict(found or {})
            bound = _bound(first.get(columns.time or ""), window.since, columns)
            if window.newcomers and not isinstance(first.get(columns.shopper), (str, int)):
                bound = None  # how such an id reads as text is the database's own affair
        if bound is None:
            return _literal(whole)
        quoted = connection.dialect.identifier_preparer.quote_identifier
        time, shopper = _escaped(quoted(columns.time or "")), _escaped(quoted(columns.shopper))
        clause = f"{_escaped(whole)} WHERE {time} >= :since"
        if not window.newcomers:
            return text(clause).bindparams(since=bound)
        named = f" OR TRIM(CAST({shopper} AS TEXT)) IN :newcomers"
        return text(clause + named).bindparams(
            bindparam("since", bound),
            bindparam("newcomers", list(window.newcomers), expanding=True),
        )


def read_query(file: Path) -> str:
    """A query as an operator wrote it down.

    Raises:
        InvalidInputError: it is not text in UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{file} is no query: save it as text in UTF-8.") from None


def _address(url: str) -> URL:
    """A database's address with its driver settled, without connecting."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInputError(
            "The till's database has no address such as postgresql://USER@HOST/DATABASE or "
            "sqlite:////var/till/sales.db."
        ) from None
    backend = parsed.get_backend_name()
    if backend not in _DRIVERS:
        raise InvalidInputError(
            f"The till's database is {backend!r}; {' and '.join(_DRIVERS)} are read directly. "
            "From others export CSV or Parquet."
        )
    return parsed.set(drivername=_DRIVERS[backend])


def _bound(value: Any, since: int, columns: Columns) -> Any:
    """``since`` less a day, as the time column writes it; None where nobody can say how.

    The day covers zones and forms: the exact bound is drawn where the text is parsed.
    """
    early = max(since - DAY_SECONDS, 0)
    moment = datetime.fromtimestamp(early, UTC)
    if isinstance(value, datetime):
        return moment if value.tzinfo else moment.replace(tzinfo=None)
    if isinstance(value, date):
        return moment.date()
    if isinstance(value, (int, float, Decimal)):
        return {None: early, MILLISECONDS: early * 1000}.get(columns.time_format)
    if isinstance(value, str) and columns.time_format is None and _DATED.match(value):
        return moment.date().isoformat()  # before any text of that day, whatever follows the date
    return None


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        if not path.is_file():
            raise InvalidInputError(f"There is no database file {path}.")
        address = f"{path.resolve().as_uri()}?mode=ro"
        return create_engine(
            "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
        )
    try:
        return create_engine(url, poolclass=NullPool)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise FedcartError(
            "Reading PostgreSQL needs psycopg: pip install 'fedcart[store]'."
        ) from None


def _options(engine: Engine) -> dict[str, Any]:
    streamed: dict[str, Any] = {"stream_results": True, "yield_per": _ROWS_AT_ONCE}
    if engine.dialect.name == "postgresql":
        streamed |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    return streamed


def _escaped(statement: str) -> str:
    """No colon of the operator's own names a parameter of ours."""
    return statement.replace(":", "\\:")


def _literal(statement: str) -> TextClause:
    return text(_escaped(statement))


def _rows(
    parts: Iterator[Sequence[Any]], header: tuple[str, ...], progress: Progress
) -> Iterator[tuple[int, list[str]]]:
    done = 0
    for part in parts:
        for number, row in enumerate(part, start=done + 1):
            yield number, [_cell(v, name, number) for v, name in zip(row, header, strict=True)]
        done += len(part)
        progress(done, done + 1)
    progress(max(done, 1), max(done, 1))


def _cell(value: Any, name: str, row: int) -> str:
    """A value as CSV would have it; nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidInputError(
            f"{NAME}, row {row}: column {name!r} holds bytes; cast it to text in the query."
        )
    return str(value)


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
