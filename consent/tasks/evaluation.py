"""Federated evaluation: what is summed, and what is released.

Each shopper's device foretells her own last basket from what lay before it and the released
artefacts, and gives how well that went. The artefacts are sums that she may be in: her last basket
may be in them too, with a weight of one among all shoppers and under their noise. Where that must
be ruled out, ``not_before`` counts only baskets that were bought after the artefacts were made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from consent.tasks.block import Block, Counted, Measured
from consent.tasks.estimate import Estimate, parse_estimates
from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_ITEMS
from crypto.wire import get_hashes, get_int, get_str

MAX_SKETCH: Final = 1024
MAX_LENGTH: Final = 100
MAX_INPUTS: Final = 16
# The latest time that a task may name, in Unix seconds (year 9999).
LATEST: Final = 253_402_300_799
# Parts of the basket to foretell: all of it, what she had bought before, what was new to her.
PARTS: Final = ("", "_repeat", "_explore")
_PART_SHARE: Final = {"": 0.36, "_repeat": 0.14, "_explore": 0.14}


def _measures() -> tuple[Measured, ...]:
    found = []
    for part, whole in _PART_SHARE.items():
        over = f"shoppers{part}"
        found += [
            Measured(f"ndcg{part}", over, 0.38 * whole, 0.10 * whole),
            Measured(f"recall{part}", over, 0.30 * whole, 0.08 * whole),
            Measured(f"phr{part}", over, 0.14 * whole),
        ]
    return (
        *found,
        Measured("repeat_share", "shoppers", 0.04, 0.01),
        Measured("list_filled", "shoppers", 0.02),
    )


# What a shopper's device measures, and what each number may take of the squared norm.
MEASURES: Final = Block(
    counts=(
        Counted("shoppers", 0.14),
        Counted("shoppers_repeat", 0.05),
        Counted("shoppers_explore", 0.05),
    ),
    measures=_measures(),
)
# What is left of the squared norm for the sketch of what the lists hold.
SKETCH_SHARE: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class EvaluationTask:
    """How well released artefacts and her own history foretell each shopper's last basket.

    Attributes:
        items: size of the catalogue.
        length: of the list that is judged.
        least_baskets: only shoppers with so many baskets are counted.
        not_before: only last baskets from this time on are counted, in Unix seconds; None counts
            all. Set it to when the artefacts were made, and none can hold what it foretells.
        sketch: into how many buckets the lists' items are counted.
        inputs: hex SHA-256 of the released artefacts that the lists are made from.
    """

    items: int
    length: int = 10
    least_baskets: int = 3
    not_before: int | None = None
    sketch: int = 256
    inputs: tuple[str, ...] = ()
    name: TaskName = TaskName.EVALUATION

    @property
    def dimension(self) -> int:
        """Length of the contribution: the measures, then the sketch."""
        return MEASURES.dimension + self.sketch

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "items": self.items,
            "length": self.length,
            "least_baskets": self.least_baskets,
            "not_before": self.not_before,
            "sketch": self.sketch,
            "inputs": list(self.inputs),
        }

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        return cls(
            items=get_int(parameters, "items", low=1, high=MAX_ITEMS),
            length=get_int(parameters, "length", low=1, high=MAX_LENGTH),
            least_baskets=get_int(parameters, "least_baskets", low=2, high=1000),
            not_before=get_time(parameters, "not_before"),
            sketch=get_int(parameters, "sketch", low=1, high=MAX_SKETCH),
            inputs=get_hashes(parameters, "inputs", max_count=MAX_INPUTS),
        )


def get_time(parameters: dict[str, Any], key: str) -> int | None:
    """A time in Unix seconds, or none; WireError where it is neither."""
    return None if parameters.get(key) is None else get_int(parameters, key, low=0, high=LATEST)


@dataclass(frozen=True, kw_only=True)
class EvaluationArtefact:
    """How well the recommender foretells shoppers' last baskets, over those who agreed to say so.

    Attributes:
        catalogue: hash of the item list.
        length, not_before, inputs: as in ``EvaluationTask``.
        figures: by name. "shoppers", "shoppers_repeat" and "shoppers_explore" are how many have
            that part of a basket; "ndcg", "recall" and "phr" (with "_repeat" or "_explore") are
            means over them; "repeat_share" is the share of a list that she had bought before,
            "list_filled" how full lists are, "effective_items" over how many items the lists would
            be spread if each were shown alike (its interval holds the noise alone).
    """

    catalogue: str
    length: int
    not_before: int | None
    inputs: tuple[str, ...]
    figures: Mapping[str, Estimate]
    task: TaskName = TaskName.EVALUATION

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {
            "length": self.length,
            "not_before": self.not_before,
            "inputs": list(self.inputs),
            "figures": {name: each.to_json() for name, each in self.figures.items()},
        }

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        return cls(
            catalogue=get_str(body, "catalogue"),
            length=get_int(body, "length", low=1, high=MAX_LENGTH),
            not_before=get_time(body, "not_before"),
            inputs=get_hashes(body, "inputs", max_count=MAX_INPUTS),
            figures=parse_estimates(body.get("figures")),
        )
