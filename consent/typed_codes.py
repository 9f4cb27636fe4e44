"""Codes that people read off a screen and type: how they are shown, and how they are compared."""

_GROUP = 4


def as_shown(code: str) -> str:
    """A code in groups of four, as people read it."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def bare(typed: str) -> str:
    """What somebody typed as codes are compared: spaces, dashes and case don't matter."""
    return typed.replace("-", "").replace(" ", "").upper()
