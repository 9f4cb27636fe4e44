"""What every device shares: the item list, the released artefacts and the settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, IndexArray
from client.recommender.content import ContentKernel
from client.recommender.settings import Settings
from client.recommender.tastes import pairs_of
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.factors import FactorsArtefact
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import RankerArtefact
from crypto.errors import InvalidInputError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """Released artefacts over one item list, and what follows from them for every shopper.

    Attributes:
        catalogue: the public item list.
        popularity, recent, item_item, ranker: released artefacts; each may be missing.
        settings: the closed form's constants.
    """

    catalogue: Catalogue
    popularity: PopularityArtefact | None = None
    recent: PopularityArtefact | None = None
    item_item: ItemItemArtefact | None = None
    ranker: RankerArtefact | None = None
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        for artefact in (self.popularity, self.recent, self.item_item, self.ranker):
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
        """From whatever artefacts were released, in any order; others than these are no input.

        Factors stand in for item-item where that was not released.
        """
        found = {artefact.task: artefact for artefact in artefacts}
        popularity = found.get(TaskName.POPULARITY)
        recent = found.get(TaskName.RECENT_POPULARITY)
        item_item, factors = found.get(TaskName.ITEM_ITEM), found.get(TaskName.FACTORS)
        if item_item is None and isinstance(factors, FactorsArtefact):
            item_item = pairs_of(factors)
        ranker = found.get(TaskName.RANKER)
        return cls(
            catalogue=catalogue,
            popularity=popularity if isinstance(popularity, PopularityArtefact) else None,
            recent=recent if isinstance(recent, PopularityArtefact) else None,
            item_item=item_item if isinstance(item_item, ItemItemArtefact) else None,
            ranker=ranker if isinstance(ranker, RankerArtefact) else None,
            settings=settings or Settings(),
        )

    @property
    def overall(self) -> FloatArray:
        """Popularity over all baskets, else the recent one, else nothing; shape (items,)."""
        return self._scores(self.popularity or self.recent)

    @property
    def lately(self) -> FloatArray:
        """Recent popularity, else the overall one, else nothing; shape (items,)."""
        return self._scores(self.recent or self.popularity)

    def _scores(self, artefact: PopularityArtefact | None) -> FloatArray:
        return np.zeros(len(self.catalogue)) if artefact is None else artefact.scores

    @cached_property
    def said_by_mean(self) -> FloatArray:
        """The item-item model's say for the mean direction alone, shape (M,)."""
        model = self.item_item
        return np.zeros(0) if model is None else model.mean @ model.matrix

    @cached_property
    def content(self) -> ContentKernel:
        """What the item list says of its items."""
        return ContentKernel.of(self.catalogue, self.overall)

    @cached_property
    def category(self) -> IndexArray:
        """Each item's category as a number, shape (items,)."""
        names = np.array(self.catalogue.categories, dtype=str)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def categorised(self) -> BoolArray:
        """Whether the catalogue names a category, shape (items,)."""
        return np.array([bool(name) for name in self.catalogue.categories])

    @cached_property
    def shelf(self) -> FloatArray | None:
        """Each category's share of overall popularity, or nothing where no artefact says so."""
        overall = self.overall
        if not overall.sum():
            return None
        shelf: FloatArray = np.bincount(self.category, overall) / overall.sum()
        return shelf
