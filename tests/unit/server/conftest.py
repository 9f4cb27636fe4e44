"""What the tests of the coordinator share."""

from collections.abc import Iterator

import pytest

from tests.unit.server import prepared
from tests.unit.server.mounted import opening_keys_read_once


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> Iterator[None]:
    with prepared.ended():
        yield


@pytest.fixture(scope="package", autouse=True)
def _keys_read_once() -> Iterator[None]:
    with opening_keys_read_once():
        yield
