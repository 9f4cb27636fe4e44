"""What an operator settles for requests: her place, and how long backups are kept."""

from dataclasses import dataclass, field
from typing import Any, Final, Self

from consent.rights.clock import Calendar
from crypto.errors import InvalidInputError
from crypto.wire import get_int, get_str

BACKUP_DAYS: Final = 35
_MAX_DAYS: Final = 366
_FIELDS: Final = {"time_zone", "member_state", "backup_days"}


@dataclass(frozen=True, kw_only=True)
class RightsTerms:
    """The terms.

    Attributes:
        place: whose days, weekends and public holidays the clocks count.
        backup_days: days after which the last backup that still holds erased data is gone.
    """

    place: Calendar = field(default_factory=Calendar)
    backup_days: int = BACKUP_DAYS

    def __post_init__(self) -> None:
        if not 0 <= self.backup_days <= _MAX_DAYS:
            raise InvalidInputError(
                f"Expected backup_days={self.backup_days} within 0..{_MAX_DAYS}."
            )

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Parse the terms of a settings file; what is missing has its default.

        Raises:
            InvalidInputError: an unknown field, or one out of bounds.
        """
        if not isinstance(value, dict) or not value.keys() <= _FIELDS:
            raise InvalidInputError(f"The rights terms have fields other than {sorted(_FIELDS)}.")
        stated = {"time_zone": "UTC", "member_state": "", **value}
        return cls(
            place=Calendar(
                zone=get_str(stated, "time_zone"), member_state=get_str(stated, "member_state")
            ),
            backup_days=get_int(
                {"backup_days": BACKUP_DAYS, **value}, "backup_days", low=0, high=_MAX_DAYS
            ),
        )
