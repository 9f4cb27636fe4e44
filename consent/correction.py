"""Corrections of purchases: what a shopper says was wrong, as her client applies it.

A correction names lines by item and day, and deletes them or gives some of their columns new
values. The consent service holds no purchases: it passes corrections on and deletes them once the
client has reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Self

from crypto.errors import WireError
from crypto.wire import get_float, get_str

MAX_CORRECTIONS: Final = 200
SECONDS_PER_DAY: Final = 86_400
_MAX_VALUE: Final = 1e9
_TEXTS: Final = frozenset({"item", "store"})
_NUMBERS: Final = frozenset({"quantity", "price"})
COLUMNS: Final = _TEXTS | _NUMBERS | {"day"}


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What becomes of the lines of one item on one day.

    Attributes:
        item: the item as the lines name it now.
        day: the first second of the day, Unix seconds (the shop's local time read as UTC).
        values: new values by column: item, store, quantity, price, or day as Unix seconds.
            Empty where the lines are deleted.
    """

    item: str
    day: int
    values: Mapping[str, str | float | int] = field(default_factory=dict)

    @property
    def deletes(self) -> bool:
        """Whether the lines go."""
        return not self.values

    def to_json(self) -> dict[str, Any]:
        """The correction as it stands in an instruction."""
        named: dict[str, Any] = {"item": self.item, "day": _shown(self.day)}
        if self.deletes:
            return {**named, "delete": True}
        values = {
            column: _shown(int(value)) if column == "day" else value
            for column, value in self.values.items()
        }
        return {**named, "values": values}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes.

        Raises:
            WireError: another form, a day that is no date, or a number out of bounds.
        """
        if not isinstance(value, dict):
            raise WireError("A correction is an object.")
        if value.keys() == {"item", "day", "delete"} and value["delete"] is True:
            return cls(item=_text(value, "item"), day=_day(value, "day"))
        values = value.get("values")
        if value.keys() != {"item", "day", "values"} or not isinstance(values, dict) or not values:
            raise WireError("A correction names item and day, and either delete: true or values.")
        if not values.keys() <= COLUMNS:
            raise WireError(f"A correction changes {', '.join(sorted(COLUMNS))}, and no other.")
        return cls(
            item=_text(value, "item"),
            day=_day(value, "day"),
            values={column: _value(values, column) for column in sorted(values)},
        )


def parse_corrections(value: object) -> tuple[Correction, ...]:
    """Parse the corrections of one instruction.

    Raises:
        WireError: not a list of 1 to MAX_CORRECTIONS corrections.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CORRECTIONS:
        raise WireError(f"Corrections are a list of 1 to {MAX_CORRECTIONS}.")
    return tuple(Correction.from_json(each) for each in value)


def _value(values: dict[str, Any], column: str) -> str | float | int:
    if column == "day":
        return _day(values, column)
    if column in _TEXTS:
        return _text(values, column)
    return get_float(values, column, low=0.0, high=_MAX_VALUE)


def _text(value: dict[str, Any], key: str) -> str:
    text = get_str(value, key, max_length=128)
    if not text or not text.isprintable():
        raise WireError(f"Field {key!r}: expected 1 to 128 printable characters.")
    return text


def _day(value: dict[str, Any], key: str) -> int:
    text = get_str(value, key, max_length=10)
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise WireError(f"Field {key!r}: expected a date such as 2026-11-30.") from error
    if day.isoformat() != text:
        raise WireError(f"Field {key!r}: expected a date such as 2026-11-30.")
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
