"""Which column of a foreign file plays which part."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches

from crypto.errors import InvalidInputError

_SHOWN_NAMES = 40
# How a column is read, not where it is.
_FORMS = frozenset({"time_format", "item_separator"})


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the file's columns; None where the file has none for that part.

    Attributes:
        shopper: who bought; her id as text.
        item: what was bought, at the finest level the shop knows.
        time: when; ``values.parse_time`` says in which forms.
        basket: which lines belong to one visit. Without it: what she bought on one day.
        quantity: how many. Without it: one a line.
        price: paid for the line. Without it: unknown.
        store: where. Without it: unknown, and every shopper is a device.
        category: what kind of item.
        time_format: how the time is written where it is in none of the forms that
            ``values.parse_time`` knows; see ``values.time_parser``.
        item_separator: between several items in one cell; without it a cell is one item.
    """

    shopper: str
    item: str
    time: str
    basket: str | None = None
    quantity: str | None = None
    price: str | None = None
    store: str | None = None
    category: str | None = None
    time_format: str | None = None
    item_separator: str | None = None

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
        twice = [name for name, count in Counter(header).items() if count > 1]
        if twice:
            raise InvalidInputError(
                f"{file}: the header names {_listed(twice)} more than once; rename the columns so "
                "that each name is unique."
            )
        wanted = self.named()
        missing = [name for name in dict.fromkeys(wanted.values()) if name not in header]
        if missing:
            raise InvalidInputError(_missing(missing, header, file))
        return {part: header.index(name) for part, name in wanted.items()}


def _missing(missing: list[str], header: Sequence[str], file: str) -> str:
    found = "; ".join(f"no column {name!r}{_nearest(name, header)}" for name in missing)
    hint = ""
    if len(header) == 1 and any(mark in header[0] for mark in ",;\t|"):
        hint = " The header looks like one column: name the right delimiter with --delimiter."
    return f"{file}: {found}. It has {_listed(header)}.{hint}"


def _nearest(name: str, header: Sequence[str]) -> str:
    """A suggestion, whatever the case of the letters; empty where nothing is near."""
    lowered = {column.lower(): column for column in header}
    near = get_close_matches(name.lower(), lowered, n=1)
    return f" (did you mean {lowered[near[0]]!r}?)" if near else ""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    rest = len(names) - _SHOWN_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown
