"""The closed-form recommender: scores of all items for one shopper, on her device.

    score = habit + c · p                                        for an item she has bought
    score = c · p · exp(a · asinh(s · lift)) · affinityᵇ         for an item she has not

habit is the sum over her baskets of decay^(baskets ago) · (reference size / basket size)^e. For
bought items p is recent popularity, for new ones overall popularity: what to come back to follows
the season, what to try follows the crowd. Nothing here is trained and nothing leaves the device;
the shared inputs are released artefacts. Every artefact may be missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, History, IndexArray
from client.contributions.item_item import direction
from client.recommender.settings import Settings
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One shopper's scores and what they are made of; each float64, shape (items,).

    ``total`` is exactly ``((habit + popularity) + pairing) + affinity``, added in that order.
    """

    habit: FloatArray
    popularity: FloatArray
    pairing: FloatArray
    affinity: FloatArray
    total: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """What every device shares: the item list, the released artefacts and the settings."""

    catalogue: Catalogue
    popularity: PopularityArtefact | None = None
    recent: PopularityArtefact | None = None
    item_item: ItemItemArtefact | None = None
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        for artefact in (self.popularity, self.recent, self.item_item):
            if artefact is not None and artefact.catalogue != self.catalogue.hash:
                raise InvalidInputError(
                    f"The {artefact.task} artefact is over another item list than this device's: "
                    "fetch both again."
                )
        size = len(self.catalogue)
        for counted in (self.popularity, self.recent):
            if counted is not None and counted.scores.shape != (size,):
                raise InvalidInputError(
                    f"The {counted.task} artefact scores {counted.scores.size} items, not {size}."
                )
        if self.item_item is not None and self.item_item.indices.max(initial=-1) >= size:
            raise InvalidInputError(f"The item-item artefact lists an item beyond the {size}.")

    @classmethod
    def of(
        cls, catalogue: Catalogue, artefacts: Iterable[Artefact], settings: Settings | None = None
    ) -> Self:
        """The model from whatever artefacts were released, in any order."""
        found = {artefact.task: artefact for artefact in artefacts}
        popularity = found.get(TaskName.POPULARITY)
        recent = found.get(TaskName.RECENT_POPULARITY)
        item_item = found.get(TaskName.ITEM_ITEM)
        return cls(
            catalogue=catalogue,
            popularity=popularity if isinstance(popularity, PopularityArtefact) else None,
            recent=recent if isinstance(recent, PopularityArtefact) else None,
            item_item=item_item if isinstance(item_item, ItemItemArtefact) else None,
            settings=settings or Settings(),
        )

    def scores(self, history: History) -> Scores:
        """Score every catalogue item for one shopper; finite, and all zero where nothing is known.

        Guarantee: a pure function of the history and the released artefacts; every part of an
        item that ``may_list`` leaves out is 0.
        """
        bought = history.counts > 0
        listed = self.may_list(history)
        habit = np.where(listed, self._habit(history), 0.0)
        crowd = np.where(listed, self._crowd(bought), 0.0)
        pairing = np.where(bought, 0.0, crowd * np.expm1(self._paired(history)))
        affinity = np.where(bought, 0.0, (crowd + pairing) * (self._liked(history) - 1.0))
        total = ((habit + crowd) + pairing) + affinity
        return Scores(
            habit=habit, popularity=crowd, pairing=pairing, affinity=affinity, total=total
        )

    def may_list(self, history: History) -> BoolArray:
        """Which items may be recommended to her at all, shape (items,).

        Items of sensitive classes only where she granted those for this purpose.
        """
        if history.sensitive:
            return np.ones(len(self.catalogue), dtype=bool)
        return ~self.catalogue.sensitive

    def companions(self, history: History, item: int, count: int = 2) -> tuple[int, ...]:
        """The shopper's own items that speak most for ``item`` in the item-item model."""
        if self.item_item is None:
            return ()
        place = np.flatnonzero(self.item_item.indices == item)
        if not place.size:
            return ()
        share = self._direction(history) * self.item_item.matrix[:, place[0]]
        share[history.counts[self.item_item.indices] == 0] = 0.0
        best = np.argsort(-share, kind="stable")[:count]
        return tuple(int(self.item_item.indices[i]) for i in best if share[i] > 0)

    def _habit(self, history: History) -> FloatArray:
        basket = (self.settings.reference_size / history.sizes) ** self.settings.size_exponent
        weight = self.settings.decay**history.age * basket[history.basket]
        habit = np.bincount(history.item, weight, minlength=history.items)
        return habit.astype(np.float64)  # bincount counts in integers when there is nothing to add

    def _crowd(self, bought: BoolArray) -> FloatArray:
        recent, overall = self.recent or self.popularity, self.popularity or self.recent
        if recent is None or overall is None:
            return np.zeros(len(self.catalogue))
        crowd: FloatArray = self.settings.popularity * np.where(
            bought, recent.scores, overall.scores
        )
        return crowd

    def _paired(self, history: History) -> FloatArray:
        """The exponent that the item-item lift adds, shape (items,); 0 for unlisted items."""
        exponent = np.zeros(len(self.catalogue))
        if self.item_item is not None and self.settings.pairing:
            lift = self._direction(history) @ self.item_item.matrix
            scaled = np.arcsinh(self.settings.pairing_scale * lift)
            exponent[self.item_item.indices] = self.settings.pairing * scaled
        return exponent

    def _direction(self, history: History) -> FloatArray:
        model = self.item_item
        if model is None:
            raise InvalidInputError("There is no item-item artefact on this device.")
        return direction(history, model.indices, model.weights, model.mean)

    def _liked(self, history: History) -> FloatArray:
        """The factor of the category affinity, shape (items,); 1 where it says nothing.

        How many different items of the category she has bought, against how many a shopper with as
        many items would have if she bought by popularity alone.
        """
        if self._shelf is None or not self.settings.affinity:
            return np.ones(len(self.catalogue))
        owned = np.bincount(self._category[history.counts > 0], minlength=self._shelf.size)
        prior = self.settings.affinity_prior
        ratio = (owned + prior) / (owned.sum() * self._shelf + prior)
        factor: FloatArray = np.where(
            self._categorised, (ratio**self.settings.affinity)[self._category], 1.0
        )
        return factor

    @cached_property
    def _category(self) -> IndexArray:
        """Each item's category as a number, shape (items,)."""
        names = np.array(self.catalogue.categories, dtype=str)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _categorised(self) -> BoolArray:
        """Whether the catalogue names a category, shape (items,)."""
        return np.array([bool(name) for name in self.catalogue.categories])

    @cached_property
    def _shelf(self) -> FloatArray | None:
        """Each category's share of overall popularity, or nothing where no artefact says so."""
        overall = self.popularity or self.recent
        if overall is None or not overall.scores.sum():
            return None
        shelf: FloatArray = np.bincount(self._category, overall.scores) / overall.scores.sum()
        return shelf
