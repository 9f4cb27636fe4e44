from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.consent.harness import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "consent")
    yield made
    made.close()
