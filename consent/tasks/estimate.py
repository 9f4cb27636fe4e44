"""A released figure with its 95 % interval, which holds both luck of the draw and added noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from crypto.errors import WireError
from crypto.wire import get_float

_WIDE = 1e15


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its interval.

    Attributes:
        value: the figure.
        low, high: ends of its 95 % interval.
        swamped: the noise is so large that the figure says nothing; don't quote it.
    """

    value: float
    low: float
    high: float
    swamped: bool = False

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {"value": self.value, "low": self.low, "high": self.high, "swamped": self.swamped}

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read an estimate; WireError where a field is wrong."""
        if not isinstance(body, dict) or not isinstance(body.get("swamped"), bool):
            raise WireError("An estimate has the fields value, low, high and swamped.")
        value, low, high = (
            get_float(body, key, low=-_WIDE, high=_WIDE) for key in ("value", "low", "high")
        )
        if not low <= value <= high:
            raise WireError("An estimate lies inside its interval.")
        return cls(value=value, low=low, high=high, swamped=body["swamped"])


def parse_estimates(body: object) -> dict[str, Estimate]:
    """Read estimates by name; WireError where a field is wrong."""
    if not isinstance(body, Mapping):
        raise WireError("Expected estimates by name.")
    return {str(name): Estimate.parse(each) for name, each in body.items()}
