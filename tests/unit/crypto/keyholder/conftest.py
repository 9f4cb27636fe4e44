from pathlib import Path

import pytest

from crypto.keyholder.home import KeyHolder
from tests.unit.crypto.keyholder.stage import make_holders


@pytest.fixture
def holders(tmp_path: Path) -> tuple[KeyHolder, ...]:
    return make_holders(tmp_path)
