"""What a shopper gets for taking part: flat points, what they are worth, and the notice about it.

Points are the same for every accepted round and every shopper: they never depend on how much data
somebody has or what it says. The notice says what 11 CCR §7016 asks of a financial incentive; its
texts are Markdown with the terms filled in, and an operator can put her own in their place.
"""

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from consent.notice import Language
from consent.purpose import Category, Cell, Purpose
from crypto.errors import InvalidInputError
from crypto.wire import get_int, get_str

# Her own opt-in to points: a cell apart from every other, and never preselected.
OPT_IN: Final = Cell(Purpose.VALUE_SHARING, Category.PURCHASES)
SHIPPED_TEXTS: Final = Path(__file__).parent / "incentives"
MAX_POINTS: Final = 1_000_000
MAX_CODE_DAYS: Final = 3653  # ten years
_VALUE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ([A-Z]{3})")
_TERM: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, kw_only=True)
class Incentive:
    """The terms.

    Attributes:
        points_per_round: flat points for each round whose sum was released; 0 offers none.
        point_value: what one point is worth at the till, such as ``0.01 USD``.
        code_days: days until a discount code expires.
    """

    points_per_round: int = 5
    point_value: str = "0.01 USD"
    code_days: int = 365

    def __post_init__(self) -> None:
        if not 0 <= self.points_per_round <= MAX_POINTS:
            raise InvalidInputError(
                f"Expected points_per_round={self.points_per_round} within 0..{MAX_POINTS}."
            )
        if not 1 <= self.code_days <= MAX_CODE_DAYS:
            raise InvalidInputError(
                f"Expected code_days={self.code_days} within 1..{MAX_CODE_DAYS}."
            )
        if not _VALUE.fullmatch(self.point_value):
            raise InvalidInputError(
                f"Expected point_value={self.point_value[:32]!r} as an amount and a currency, such "
                "as '0.01 USD'."
            )

    def value(self, points: int) -> str:
        """What some points are worth, exactly, with the currency."""
        amount, currency = self.point_value.split()
        return f"{Decimal(amount) * points:f} {currency}"

    def to_json(self) -> dict[str, int | str]:
        """All fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what ``to_json`` writes; a field that is missing has its default.

        Raises:
            InvalidInputError: an unknown field, or one out of bounds.
        """
        if not isinstance(value, dict) or not value.keys() <= cls.__dataclass_fields__.keys():
            raise InvalidInputError("The incentive has unknown fields.")
        whole = {**cls().to_json(), **value}
        return cls(
            points_per_round=get_int(whole, "points_per_round", low=0, high=MAX_POINTS),
            point_value=get_str(whole, "point_value"),
            code_days=get_int(whole, "code_days", low=1, high=MAX_CODE_DAYS),
        )


def notice(terms: Incentive, language: Language, folder: Path = SHIPPED_TEXTS) -> str:
    """The financial-incentive notice with the terms filled in.

    Raises:
        InvalidInputError: there is no text, or it names a term that does not exist.
    """
    facts = {
        "points_per_round": str(terms.points_per_round),
        "point_value": terms.value(1),
        "round_value": terms.value(terms.points_per_round),
        "code_days": str(terms.code_days),
    }
    text = _text(folder / f"{language}.md")
    unknown = set(_TERM.findall(text)) - facts.keys()
    if unknown:
        raise InvalidInputError(
            f"The incentive notice names unknown terms: {', '.join(sorted(unknown))}; there are "
            f"{', '.join(sorted(facts))}."
        )
    return _TERM.sub(lambda found: facts[found[1]], text)


@lru_cache(maxsize=16)
def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"No usable incentive notice at {path}.") from error
