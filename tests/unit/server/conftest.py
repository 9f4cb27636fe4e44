"""What the tests of the coordinator share."""

from collections.abc import Iterator

import pytest

from tests.unit.server import prepared


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> Iterator[None]:
    with prepared.ended():
        yield
