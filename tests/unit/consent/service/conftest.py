from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.receivers import Receiver, receiving


@pytest.fixture
def local(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service on each of the two databases whose webhooks may go to this machine."""
    made = Stage(tmp_path / "local", database=new_database, webhooks_allow_loopback=True)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made
