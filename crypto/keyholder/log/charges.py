"""The population's ledger in the log: what each round's releases are, never a running ε.

A charge is never given back: a failed round keeps it. A run's rounds are charged in rising order of
their numbers, all under one plan (``PrivacyPlan.charges``).
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS charges (
        context TEXT NOT NULL PRIMARY KEY, population TEXT NOT NULL, task TEXT NOT NULL,
        round TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL, plan TEXT NOT NULL,
        releases TEXT NOT NULL, charged_at INTEGER NOT NULL,
        UNIQUE (population, task, run, number)
    ) STRICT
    """,
)


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What one round was charged with.

    Attributes:
        run, number: its place; a round that is a run by itself has its context as the run.
        plan: hash of the run's plan.
        releases: described, as JSON.
    """

    context: str
    population: str
    task: str
    round: str
    run: str
    number: int
    plan: str
    releases: str
    charged_at: int


def every(db: sqlite3.Connection, population: str, *, but: str = "") -> list[Charge]:
    """All charges of a population but one round's (``but``: its context), the oldest first."""
    query = "SELECT * FROM charges WHERE population = ? AND context != ? ORDER BY rowid"
    return [Charge(**dict(row)) for row in db.execute(query, (population, but))]


def add(db: sqlite3.Connection, charge: Charge) -> None:
    """Charge a round; charging it again changes nothing."""
    marks = ", ".join("?" * len(vars(charge)))
    query = f"INSERT INTO charges VALUES ({marks}) ON CONFLICT (context) DO NOTHING"  # noqa: S608
    db.execute(query, tuple(vars(charge).values()))
