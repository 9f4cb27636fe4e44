"""Which column of a foreign file plays which part."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches

from client.importers.times import Clock, clock_of
from crypto.errors import InvalidInputError

_SHOWN_NAMES = 40
# How a column is read, not where it is.
_FORMS = frozenset({"time_format", "item_separator", "least", "ignored"})


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the file's columns; None where the file has none for that part.

    Attributes:
        shopper: who bought; her id as text.
        item: what was bought, at the finest level the shop knows.
        time: when; ``times.parse_time`` says in which forms. None: no column says when, and the
            lines stand in the order in which things happened.
        basket: which lines belong to one visit. Without it: what she bought on one day.
        quantity: how many. Without it: one a line.
        price: paid for the line. Without it: unknown.
        store: where. Without it: unknown, and every shopper is a device.
        category: what kind of item.
        rating: what she thought of it; lines below ``least`` are left out.
        least: the least rating that counts; comes with ``rating``, as that comes with it.
        ignored: ids that stand for no item, such as -1; their lines are left out.
        time_format: how the time is written where it is in none of the forms that
            ``times.parse_time`` knows; see ``times.time_parser``.
        item_separator: between several items in one cell; without it a cell is one item.
    """

    shopper: str
    item: str
    time: str | None
    basket: str | None = None
    quantity: str | None = None
    price: str | None = None
    store: str | None = None
    category: str | None = None
    rating: str | None = None
    least: float | None = None
    ignored: frozenset[str] = frozenset()
    time_format: str | None = None
    item_separator: str | None = None

    def __post_init__(self) -> None:
        if (self.rating is None) != (self.least is None):
            raise InvalidInputError(
                "A rating column and the least rating that counts belong together: state both "
                "--rating COL and --least NUMBER, or neither."
            )
        if self.time is None and self.time_format is not None:
            raise InvalidInputError(
                f"A time format ({self.time_format!r}) belongs to a time column; state --time COL."
            )

    @property
    def clock(self) -> Clock:
        """What the times are worth."""
        return Clock.ORDINAL if self.time is None else clock_of(self.time_format)

    def named(self) -> dict[str, str]:
        """Part to column name, for the parts that have a column."""
        parts = [field.name for field in fields(self) if field.name not in _FORMS]
        pairs = {part: getattr(self, part) for part in parts}
        return {part: name for part, name in pairs.items() if name is not None}

    def locate(self, header: Sequence[str], *, file: str) -> dict[str, int]:
        """Find the columns in a header.

        Returns:
            Part to position in ``header``.

        Raises:
            InvalidInputError: a column is missing or named twice; the message lists the columns
                there are, and the nearest name to each missing one.
        """
        wanted = self.named()
        check_header(header, wanted.values(), file=file)
        missing = [name for name in dict.fromkeys(wanted.values()) if name not in header]
        if missing:
            raise InvalidInputError(explain_missing(missing, header, file=file))
        return {part: header.index(name) for part, name in wanted.items()}


def check_header(header: Sequence[str], wanted: Collection[str], *, file: str) -> None:
    """Refuse a header that names a wanted column twice; others, such as empty ones, may be.

    Raises:
        InvalidInputError: it does.
    """
    counts = Counter(header)
    twice = [name for name in dict.fromkeys(wanted) if counts[name] > 1]
    if twice:
        raise InvalidInputError(
            f"{file}: the header names {listed(twice)} more than once; rename the columns so that "
            f"each name is unique.{_hint(header)}"
        )


def explain_missing(missing: Sequence[str], header: Sequence[str], *, file: str) -> str:
    """What to tell a reader whose columns are not in the header: the nearest, and all there are."""
    found = "; ".join(f"no column {name!r}{_nearest(name, header)}" for name in missing)
    return f"{file}: {found}. It has {listed(header)}.{_hint(header)}"


def _hint(header: Sequence[str]) -> str:
    """What may be wrong with a header as a whole; nothing where it looks like one."""
    if list(header) == ["1"]:
        return " That is one column: name the right delimiter with --delimiter."
    if list(header) == [str(number) for number in range(1, len(header) + 1)]:
        return " A file without a header has its columns named by number, from 1."
    if len(header) == 1 and any(mark in header[0] for mark in ",;\t|:"):
        return " The header looks like one column: name the right delimiter with --delimiter."
    if any(name.replace(".", "", 1).isdigit() for name in header):
        return (
            " If the first line is data already, give --no-header (for a table of items, "
            "--item-no-header)."
        )
    return ""


def _nearest(name: str, header: Sequence[str]) -> str:
    """A suggestion, whatever the case of the letters; empty where nothing is near."""
    lowered = {column.lower(): column for column in header}
    near = get_close_matches(name.lower(), lowered, n=1)
    return f" (did you mean {lowered[near[0]]!r}?)" if near else ""


def listed(names: Sequence[str]) -> str:
    """Names in quotes between commas, the first forty of them."""
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    rest = len(names) - _SHOWN_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown
