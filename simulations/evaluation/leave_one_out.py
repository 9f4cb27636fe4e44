"""The leave-one-out protocol: each shopper's latest new item is held out, and must be found again.

An interaction is a shopper's *first* line of an item; where nobody buys an item twice, as in a file
of ratings, that is every line. Each eligible shopper's latest interaction is the test, the one
before it validation. Lines count in the order of the data set, which is by time: of interactions
at one moment, the one that comes last in the data set (in an imported file: last in the file) is
the latest. Training holds her lines before the held-out one and nothing that came after it, so a
later repeat can't give it away. A file of given negatives may name the held-out items itself;
then these are the test, and only they are taken away from training.

Who has fewer than ``MINIMUM_ITEMS`` different items is not tested and keeps all lines in training.

Source: He et al., "Neural collaborative filtering", WWW 2017.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from client.contributions.history import IndexArray
from crypto.errors import InvalidInputError
from simulations.evaluation.protocol import Fold, Stage, runs
from simulations.population.population import Population

MINIMUM_ITEMS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class LeaveOneOut:
    """A population split for leave-one-out; each fold is made when it is first asked for.

    Attributes:
        population: all lines.
        minimum_items: how many different items an eligible shopper has at least.
        named: shopper to the catalogue index of her test item, where a file says so.
    """

    population: Population
    minimum_items: int = MINIMUM_ITEMS
    named: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.minimum_items < MINIMUM_ITEMS:
            raise InvalidInputError(
                f"Expected minimum_items={self.minimum_items} >= {MINIMUM_ITEMS}: test and "
                "validation take one each, and one must be left to learn from."
            )

    @cached_property
    def validation(self) -> Fold:
        """The fold to tune on: neither validation nor test items are in its training data."""
        return self._fold(Stage.VALIDATION)

    @cached_property
    def test(self) -> Fold:
        """The fold to report: validation items belong to training."""
        return self._fold(Stage.TEST)

    @cached_property
    def owned(self) -> dict[str, IndexArray]:
        """Every shopper's different items in the order in which she first had them."""
        return {shopper: items for shopper, items, _, _ in self._shoppers}

    @cached_property
    def _index(self) -> IndexArray:
        return self.population.catalogue.indices(self.population.events.item)

    @cached_property
    def _shoppers(self) -> list[tuple[str, IndexArray, IndexArray, slice]]:
        """Shopper, her items in order, on which of her lines each first occurs, and her lines."""
        names = self.population.events.shopper
        found = []
        for low, high in runs(names):
            known = np.flatnonzero(self._index[low:high] >= 0)
            items, first = np.unique(self._index[low:high][known], return_index=True)
            order = np.argsort(first)
            found.append((str(names[low]), items[order], known[first[order]], slice(low, high)))
        return found

    def _fold(self, stage: Stage) -> Fold:
        events = self.population.events
        keep = np.ones(len(events), dtype=np.bool_)
        held_out: dict[str, int] = {}
        for shopper, items, first, lines in self._shoppers:
            if items.size >= self.minimum_items:
                held_out[shopper], before = self._hold_out(shopper, items, first, stage)
                index = self._index[lines]
                inside = (index >= 0) & (np.arange(index.size) < before)
                keep[lines] = inside & (index != self.named.get(shopper, -1))
        if not held_out:
            raise InvalidInputError(
                f"No shopper has {self.minimum_items} different items of the "
                f"{self.population.catalogue.name} catalogue: there is nothing to evaluate."
            )
        return Fold(
            stage=stage,
            training=replace(self.population, events=events.take(keep)),
            tested=tuple(held_out),
            truth=tuple(np.array([item], dtype=np.int64) for item in held_out.values()),
        )

    def _hold_out(
        self, shopper: str, items: IndexArray, first: IndexArray, stage: Stage
    ) -> tuple[int, int]:
        """The held-out item, and before which of her lines training ends."""
        named = self.named.get(shopper)
        if named is None:
            last = -1 if stage is Stage.TEST else -2
            return int(items[last]), int(first[last])
        if not (items == named).any():
            raise InvalidInputError(
                f"The file of negatives holds out an item that shopper {shopper!r} never had: "
                "import the held-out interactions together with the others."
            )
        if stage is Stage.TEST:
            return named, len(self._index)
        rest = items != named
        return int(items[rest][-1]), int(first[rest][-1])
