"""Popularity and recent popularity: what is summed, and what is released."""

from dataclasses import dataclass
from typing import Any, Self

from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_ITEMS, FloatArray, pack, unpack
from crypto.errors import WireError
from crypto.wire import get_int, get_str


@dataclass(frozen=True, kw_only=True)
class PopularityTask:
    """Weighted item counts: square roots of purchase counts, L2-normalised per shopper.

    One value per catalogue item.
    """

    items: int
    name: TaskName = TaskName.POPULARITY

    @property
    def dimension(self) -> int:
        """Length of the contribution."""
        return self.items

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {"items": self.items}

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        return cls(items=get_int(parameters, "items", low=1, high=MAX_ITEMS))


@dataclass(frozen=True, kw_only=True)
class RecentPopularityTask:
    """The same counts over each shopper's last ``baskets`` baskets only."""

    items: int
    baskets: int
    name: TaskName = TaskName.RECENT_POPULARITY

    @property
    def dimension(self) -> int:
        """Length of the contribution."""
        return self.items

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {"items": self.items, "baskets": self.baskets}

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        return cls(
            items=get_int(parameters, "items", low=1, high=MAX_ITEMS),
            baskets=get_int(parameters, "baskets", low=1, high=1000),
        )


@dataclass(frozen=True, kw_only=True)
class PopularityArtefact:
    """Non-negative popularity of every catalogue item, largest 1; shape (items,).

    ``task`` says over which baskets (``POPULARITY`` or ``RECENT_POPULARITY``).
    """

    task: TaskName
    catalogue: str
    scores: FloatArray

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {"scores": pack(self.scores)}

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        scores = unpack(body, "scores")
        # Devices take logarithms of them, and whoever sends them is not believed.
        if not ((scores >= 0) & (scores <= 1)).all():
            raise WireError("Artefact field 'scores': expected numbers from 0 to 1.")
        return cls(
            task=TaskName(get_str(body, "task")),
            catalogue=get_str(body, "catalogue"),
            scores=scores,
        )
