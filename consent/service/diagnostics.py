"""What a serving process says on its standard error: where something failed, never on what.

No request is logged. An unexpected error is, with its place; its own words are left out, because
they may quote a value that somebody sent or a row. Words stay where they are the operating
system's, or the database's, which ``consent.service.backends`` frees of values.
"""

import logging
import traceback
from collections.abc import Iterator
from copy import copy
from types import TracebackType
from typing import Any, Final

from consent.service.backends import FREE_OF_VALUES

_SPEAKING: Final = (OSError, *FREE_OF_VALUES)
_Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Reticent(logging.Formatter):
    """Writes an exception as the places and kinds of it and of what led to it, without words."""

    def format(self, record: logging.LogRecord) -> str:
        """One record. What another formatter made of its exception is not used."""
        own = copy(record)
        own.exc_text = None
        return super().format(own)

    def formatException(self, ei: _Failure) -> str:  # noqa: N802 - the base class's name
        """The lines of one failure."""
        return "" if ei[1] is None else "".join(_lines(ei[1], set())).rstrip("\n")


LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"reticent": {"()": Reticent, "format": "%(levelname)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "reticent"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "\nAfter that:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    words = f": {error}" if isinstance(error, _SPEAKING) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{words}\n"
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(each) not in seen:
            yield from _lines(each, seen)
