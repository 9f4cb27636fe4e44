"""The Chinese of the record of processing and of the impact assessment, by the English."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return {str(each.id): str(each.string) for each in read_po(file) if each.id}


ZH: Final[Mapping[str, str]] = _read(Path(__file__).parent / "zh.po")
