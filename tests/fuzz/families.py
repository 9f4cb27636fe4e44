"""The families of parsers, one process each: module names, so that imports can be instrumented."""

from typing import Final

FAMILIES: Final = ("wire", "message", "bundle", "upload", "sealed", "import")
# Parsers with a flaw each, for the tests of the runner.
CONTROLS: Final = ("unchecked", "staged")


def module(family: str) -> str:
    """Where a family's targets are."""
    return f"tests.fuzz.{family}_targets"
