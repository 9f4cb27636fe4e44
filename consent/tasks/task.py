"""The shared tasks: what each sums, over how many dimensions, and what it needs consent for.

A task is ``contribution(shopper's consented events) -> vector of L2 norm <= C`` and
``finish(noisy sum) -> artefact``. This module holds what client and server must agree on; the two
halves live in ``client/contributions`` and ``server/artefacts``, a file a task each.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consent.purpose import Category, Purpose
from crypto.errors import WireError
from crypto.wire import get_int


class TaskName(StrEnum):
    """The tasks that exist."""

    POPULARITY = "popularity"
    RECENT_POPULARITY = "recent-popularity"
    ITEM_ITEM = "item-item"


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


@dataclass(frozen=True, kw_only=True)
class ItemItemTask:
    """Off-diagonal z zᵀ over a public list of items; √2 · upper triangle, so its norm is <= 1.

    Attributes:
        indices: catalogue indices of the M listed items.
        weights: one per listed item, from released artefacts only: z = x · weight, minus the
            public direction, normalised.
        mean: the public direction that is removed, shape (M,), unit norm or all zero.
    """

    indices: tuple[int, ...]
    weights: tuple[float, ...]
    mean: tuple[float, ...]
    name: TaskName = TaskName.ITEM_ITEM

    @property
    def dimension(self) -> int:
        """Length of the contribution: M (M - 1) / 2, row by row above the diagonal."""
        return len(self.indices) * (len(self.indices) - 1) // 2

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "indices": list(self.indices),
            "weights": list(self.weights),
            "mean": list(self.mean),
        }


Task = PopularityTask | RecentPopularityTask | ItemItemTask

# What each task needs before any of a shopper's events may enter it.
REQUIRED_PURPOSE: dict[TaskName, Purpose] = dict.fromkeys(TaskName, Purpose.TRAIN)
REQUIRED_CATEGORIES: dict[TaskName, frozenset[Category]] = dict.fromkeys(
    TaskName, frozenset({Category.PURCHASES})
)


def parse_task_name(name: str) -> TaskName:
    """Read the name of a task.

    Raises:
        WireError: there is none of this name.
    """
    try:
        return TaskName(name)
    except ValueError as error:
        raise WireError(f"Unknown task; this version knows {', '.join(TaskName)}.") from error


def parse_task(name: str, parameters: dict[str, Any]) -> Task:
    """Read a task from a manifest.

    Raises:
        WireError: an unknown task, or parameters out of bounds.
    """
    if name == TaskName.POPULARITY:
        return PopularityTask(items=get_int(parameters, "items", low=1, high=10_000_000))
    if name == TaskName.RECENT_POPULARITY:
        return RecentPopularityTask(
            items=get_int(parameters, "items", low=1, high=10_000_000),
            baskets=get_int(parameters, "baskets", low=1, high=1000),
        )
    if name == TaskName.ITEM_ITEM:
        return _parse_item_item(parameters)
    raise WireError(f"Unknown task {name!r}; this version knows {', '.join(TaskName)}.")


def _parse_item_item(parameters: dict[str, Any]) -> ItemItemTask:
    listed = parameters.get("indices")
    size = len(listed) if isinstance(listed, list) else 0
    indices = _numbers(parameters, "indices", size)
    if size < 2 or len(set(indices)) != size or any(i < 0 or i != int(i) for i in indices):
        raise WireError("Field 'indices': expected at least two different item indices.")
    return ItemItemTask(
        indices=tuple(int(i) for i in indices),
        weights=_numbers(parameters, "weights", size),
        mean=_numbers(parameters, "mean", size),
    )


def _numbers(parameters: dict[str, Any], key: str, size: int) -> tuple[float, ...]:
    values = parameters.get(key)
    if not isinstance(values, list) or len(values) != size or size > 100_000:
        raise WireError(f"Field {key!r}: expected a list of {size} numbers.")
    if not all(type(v) in (int, float) and abs(v) < 1e12 for v in values):
        raise WireError(f"Field {key!r}: expected finite numbers.")
    return tuple(values)
