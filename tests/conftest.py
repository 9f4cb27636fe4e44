"""The two databases of the consent service, for every test that has one; no test is timed."""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from sqlalchemy import URL, make_url

from tests.postgres import FAST, VARIABLE, Postgres, own_server, text

NewDatabase = Callable[[], str | None]

# How long an example takes says what else the machine does, not whether it is right.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The databases on one PostgreSQL server, started by the first test that asks."""
    named = os.environ.get(VARIABLE)
    if named:
        made = Postgres(make_url(named))
        yield made
        made.drop()
        return
    with own_server(FAST) as server:
        yield Postgres(server.url)


@pytest.fixture
def fresh_postgres(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Makes URLs of PostgreSQL databases with the service's tables and no rows."""
    taken: list[URL] = []

    def take() -> str:
        taken.append(postgres.take())
        return text(taken[-1])

    yield take
    for url in taken:
        postgres.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Names a new database for a home: None for the file in it, or a PostgreSQL URL."""
    if request.param == "sqlite":
        return lambda: None
    made: NewDatabase = request.getfixturevalue("fresh_postgres")
    return made
