"""A till's database as a shop might have it: sales with lines, on SQLite or PostgreSQL."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

# Names, types and order are the till's own; the query brings them into a row a purchase line.
_TABLE = (
    "CREATE TABLE sales (receipt INTEGER, card TEXT, article TEXT,"
    " sold_at {moment}, units NUMERIC(8,2), paid NUMERIC(8,2))"
)
_INSERT = "INSERT INTO sales VALUES (:receipt, :card, :article, :sold_at, :units, :paid)"
QUERY = "SELECT card, article, sold_at, receipt, units, paid FROM sales"
Line = tuple[int, str | None, str, str]


@dataclass
class TillDatabase:
    url: str
    folder: Path

    @classmethod
    def make(cls, url: str, folder: Path) -> "TillDatabase":
        if url.startswith("sqlite"):
            (folder / "till.db").touch()
        made = cls(url, folder)
        moment = "TEXT" if url.startswith("sqlite") else "TIMESTAMP"
        made.run([_TABLE.format(moment=moment)])
        return made

    def run(self, statements: Iterable[str]) -> None:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def sell(self, *lines: Line) -> None:
        """Lines of receipt, card, article and local time."""
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for receipt, card, article, sold_at in lines:
                values = {"receipt": receipt, "card": card, "article": article}
                values |= {"sold_at": sold_at, "units": 2, "paid": "3.50"}
                connection.execute(text(_INSERT), values)
        engine.dispose()

    def query(self, statement: str = QUERY) -> Path:
        file = self.folder / "query.sql"
        file.write_text(statement)
        return file


NewTill = Callable[[], TillDatabase]


def rows_of(path: Path) -> list[tuple[str, str, int]]:
    """What a store's event file holds, read without our own code."""
    with sqlite3.connect(path) as db:
        return db.execute("SELECT shopper, item, time FROM events ORDER BY 1, 3, 2").fetchall()
