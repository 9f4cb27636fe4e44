"""How long a login lasts."""

from dataclasses import asdict, dataclass
from typing import Final, Self

from crypto.errors import InvalidInputError
from crypto.wire import get_int

MAX_HOURS: Final = 24 * 90
_MINUTE_MS: Final = 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """When a login ends by itself.

    The defaults are those of NIST SP 800-63B for its second assurance level.

    Attributes:
        idle_minutes: after so long without use.
        hours: after so long in any case.
    """

    idle_minutes: int = 60
    hours: int = 24

    def __post_init__(self) -> None:
        if not 1 <= self.hours <= MAX_HOURS:
            raise InvalidInputError(f"Expected hours={self.hours} within 1..{MAX_HOURS}.")
        if not 2 <= self.idle_minutes <= self.hours * 60:
            raise InvalidInputError(
                f"Expected idle_minutes={self.idle_minutes} within 2..{self.hours * 60}."
            )

    @property
    def idle_ms(self) -> int:
        """Milliseconds without use after which a login is dead."""
        return self.idle_minutes * _MINUTE_MS

    @property
    def absolute_ms(self) -> int:
        """Milliseconds after which a login is dead in any case."""
        return self.hours * 60 * _MINUTE_MS

    def to_json(self) -> dict[str, int]:
        """All fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes; a field that is missing has its default.

        Raises:
            InvalidInputError: not an object, an unknown field, or a value out of bounds.
        """
        fields = cls().to_json()
        if not isinstance(value, dict) or value.keys() - fields.keys():
            raise InvalidInputError(f"sessions is an object of {', '.join(sorted(fields))}.")
        given = {name: get_int(value, name, low=1, high=MAX_HOURS * 60) for name in value}
        return cls(**(fields | given))
