"""Bad lines of a foreign file, collected so that one look shows what to mend."""

from crypto.errors import InvalidInputError

MAX_SHOWN = 20
_MAX_VALUE = 60
_MOST_TEXTS = 60


class Problems:
    """The bad lines found so far, at most MAX_SHOWN of them.

    Args:
        file: name of the file in messages.
        skip: count bad lines and go on, instead of failing.

    Attributes:
        file: as given.
        lines: how many bad lines there were.
    """

    def __init__(self, file: str, *, skip: bool) -> None:
        self.file = file
        self._skip = skip
        self._shown: list[str] = []
        self._last_line = 0
        self.lines = 0

    def value(self, line: int, column: str, value: str, expected: str) -> None:
        """Note a bad value.

        Raises:
            InvalidInputError: MAX_SHOWN lines are bad, so reading on would teach nothing.
        """
        shown = repr(value if len(value) <= _MAX_VALUE else value[:_MAX_VALUE] + "…")
        self._add(line, f"column {column!r} is {shown}; expected {expected}")

    def ragged(self, line: int, found: int, expected: int) -> None:
        """Note a line with more or fewer fields than the header; raises as ``value`` does."""
        self._add(line, f"{found} fields; expected {expected}, as in the header")

    def _add(self, line: int, text: str) -> None:
        if line != self._last_line:
            if not self._skip and self.lines == MAX_SHOWN:
                self.raise_if_any()
            self.lines += 1
            self._last_line = line
        shown = f"  line {line}: {text}"
        # A JSON record makes several rows, which have the same in common.
        room = self.lines <= MAX_SHOWN and len(self._shown) < _MOST_TEXTS
        if room and shown not in self._shown:
            self._shown.append(shown)

    def raise_if_any(self) -> None:
        """Fail with all that was noted, unless bad lines are skipped.

        Raises:
            InvalidInputError: names file, line, column, value and what was expected of each.
        """
        if self._skip or not self.lines:
            return
        count = f"at least {self.lines} bad lines" if self.lines == MAX_SHOWN else ""
        count = count or f"{self.lines} bad line{'s' if self.lines > 1 else ''}"
        listed = "\n".join(self._shown)
        raise InvalidInputError(f"{self.file}: {count}; nothing was imported.\n{listed}")

    def first(self) -> tuple[str, ...]:
        """What was noted, a line of text each."""
        return tuple(self._shown)
