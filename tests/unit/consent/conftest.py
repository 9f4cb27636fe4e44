from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.unit.consent.harness import Stage, check_repeated_cells
from tests.unit.crypto.samples import signer


@pytest.fixture
def stage(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service on each of the two databases."""
    made = Stage(tmp_path / "consent", database=new_database)
    yield made
    check_repeated_cells(made.context)
    made.close()
    made.context.database.close()  # again, where the test closed it before that was checked


@pytest.fixture
def pinned(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service on each of the two databases that pins the coordinator's key."""
    key = signer("coordinator").public_key()
    made = Stage(tmp_path / "pinned", database=new_database, coordinator_key=key)
    yield made
    check_repeated_cells(made.context)
    made.close()
    made.context.database.close()  # again, where the test closed it before that was checked
