"""The next-basket protocol: which baskets a model may see, and which it must foretell.

Each eligible shopper's last basket is the test, the one before it validation. For validation, both
are taken away from training; for the test only the last is. An eligible shopper has at least
``MINIMUM_BASKETS`` baskets with a known item, so that validation still leaves one to learn from.
Everyone else is not tested and keeps all her baskets in training.

Source: Li et al., "A next basket recommendation reality check", TOIS 2023, for the protocol and
for telling repeat items (bought before) from explore items (new to the shopper).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from client.contributions.history import History, IndexArray, basket_numbers
from client.importers.times import Clock
from client.recommender.moment import UNKNOWN, Moment
from consent.admit import admit
from consent.events import Events
from consent.purpose import Category, Purpose
from crypto.errors import InvalidInputError
from simulations.population.population import Population
from simulations.population.sensitive import withheld

MINIMUM_BASKETS = 3
# What a list may be made from beside purchases, where it is granted.
CONTEXT = frozenset({Category.TIME_CONTEXT, Category.LOCATION})


class Stage(StrEnum):
    """What a fold is for. Tune on validation; look at the test once."""

    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Training data and the baskets to foretell.

    Attributes:
        stage: what it is for.
        training: the population without the held-out baskets. Contributions, artefacts and
            baselines may use this and nothing else.
        tested: eligible shoppers, in the order of the population.
        truth: one entry a tested shopper: the catalogue indices in her held-out basket, ascending.
        when, where: second and store ("" where unknown) of each held-out basket; empty where a
            list is for no moment.
        granted: shopper to what of ``CONTEXT`` her device may use beside her purchases; then lists
            are made for the moments of the held-out baskets. None: for a moment that isn't known.
    """

    stage: Stage
    training: Population
    tested: tuple[str, ...]
    truth: tuple[IndexArray, ...]
    when: tuple[int, ...] = ()
    where: tuple[str, ...] = ()
    granted: Mapping[str, frozenset[Category]] | None = None

    @cached_property
    def histories(self) -> dict[str, History]:
        """Every training shopper's history, from her training events alone."""
        granted = self.granted or {}
        return {
            shopper: history_of(
                self.training,
                shopper,
                Purpose.PERSONALISE,
                context=granted.get(shopper, frozenset()),
            )
            for shopper in self.training.shoppers
        }

    def moment(self, number: int) -> Moment:
        """When and where the list of a tested shopper (by position) is for, as she lets it know."""
        if self.granted is None or not self.when:
            return UNKNOWN
        return Moment.granted(
            self.granted.get(self.tested[number], frozenset()),
            time=self.when[number],
            store=self.where[number],
        )

    def in_context(self, granted: Mapping[str, AbstractSet[Category]]) -> "Fold":
        """The same, each list for the moment of its basket, of which she granted so much."""
        return replace(
            self, granted={name: CONTEXT & frozenset(each) for name, each in granted.items()}
        )

    def only(self, kept: Sequence[int], *, truth: Sequence[IndexArray] | None = None) -> "Fold":
        """The same training data, with some of the tested shoppers (by position) and no others.

        ``truth`` replaces theirs, one entry a kept shopper.
        """
        reduced = Fold(
            stage=self.stage,
            training=self.training,
            tested=tuple(self.tested[n] for n in kept),
            truth=tuple(self.truth[n] for n in kept) if truth is None else tuple(truth),
            when=tuple(self.when[n] for n in kept) if self.when else (),
            where=tuple(self.where[n] for n in kept) if self.where else (),
            granted=self.granted,
        )
        if "histories" in self.__dict__:  # made before: still right, so not made again
            reduced.__dict__["histories"] = self.histories
        return reduced

    @cached_property
    def counts(self) -> sp.csr_array:
        """In how many training baskets each item was, shape (tested, items)."""
        histories = [self.histories[shopper] for shopper in self.tested]
        row = np.repeat(np.arange(len(histories)), [h.item.size for h in histories])
        item = np.concatenate([h.item for h in histories])
        shape = (len(histories), len(self.training.catalogue))
        return sp.csr_array((np.ones(item.size), (row, item)), shape=shape)

    @cached_property
    def wanted(self) -> sp.csr_array:
        """1 where an item is in the held-out basket, shape (tested, items)."""
        row = np.repeat(np.arange(len(self.truth)), [t.size for t in self.truth])
        item = np.concatenate(self.truth)
        shape = (len(self.truth), len(self.training.catalogue))
        return sp.csr_array((np.ones(item.size), (row, item)), shape=shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A population split for next-basket evaluation; each fold is made when it is first asked for.

    Attributes:
        population: all baskets.
        minimum_baskets: how many an eligible shopper has at least.
    """

    population: Population
    minimum_baskets: int

    @cached_property
    def validation(self) -> Fold:
        """The fold to tune on: neither validation nor test baskets are in its training data."""
        return self._fold(Stage.VALIDATION, held_out=2)

    @cached_property
    def test(self) -> Fold:
        """The fold to report: validation baskets belong to training."""
        return self._fold(Stage.TEST, held_out=1)

    def _fold(self, stage: Stage, *, held_out: int) -> Fold:
        events, catalogue = self.population.events, self.population.catalogue
        index, number, baskets = self._lines
        eligible = baskets >= self.minimum_baskets
        known = index >= 0
        target = eligible & known & (number == baskets - held_out)
        keep = ~eligible | (known & (number < baskets - held_out))
        tested, truth, first = _targets(events, index, target)
        training = replace(self.population, events=events.take(keep))
        if not tested:
            raise InvalidInputError(
                f"No shopper has {self.minimum_baskets} baskets with items of the {catalogue.name} "
                "catalogue: there is nothing to evaluate."
            )
        return Fold(
            stage=stage,
            training=training,
            tested=tested,
            truth=truth,
            when=tuple(events.time[first].tolist()),
            where=tuple(map(str, events.store[first])),
        )

    @cached_property
    def _lines(self) -> tuple[IndexArray, IndexArray, IndexArray]:
        """Per line: item index, number of its basket among its shopper's, how many she has."""
        events = self.population.events
        index = self.population.catalogue.indices(events.item)
        number = np.full(len(events), -1, dtype=np.int64)
        baskets = np.zeros(len(events), dtype=np.int64)
        for low, high in runs(events.shopper):
            known = low + np.flatnonzero(index[low:high] >= 0)
            if known.size:
                number[known] = basket_numbers(events.basket[known])
                baskets[low:high] = number[known].max() + 1
        return index, number, baskets


def split(population: Population, *, minimum_baskets: int = MINIMUM_BASKETS) -> Split:
    """Split a population for next-basket evaluation, without lines of sensitive classes.

    Raises:
        InvalidInputError: fewer than 3 baskets are asked for, which would leave nothing to train
            on once validation and test are taken away.
    """
    if minimum_baskets < MINIMUM_BASKETS:
        raise InvalidInputError(f"Expected minimum_baskets={minimum_baskets} >= {MINIMUM_BASKETS}.")
    return Split(population=withheld(population), minimum_baskets=minimum_baskets)


def history_of(
    population: Population,
    shopper: str,
    purpose: Purpose,
    *,
    context: AbstractSet[Category] = frozenset(),
) -> History:
    """One shopper's history as her device sees it when purchases and ``context`` are granted.

    Times that are an order and no dates don't get into it: no rhythm can be read from them.
    """
    events = admit(
        population.of(shopper),
        purpose=purpose,
        categories={Category.PURCHASES, *context},
        sensitive_items=population.catalogue.sensitive_products,
    )
    history = History.of(events, population.catalogue)
    return replace(history, time=None) if population.clock is Clock.ORDINAL else history


def runs(shopper: npt.NDArray[np.object_]) -> list[tuple[int, int]]:
    """First and last line (exclusive) of each shopper."""
    changes = 1 + np.flatnonzero(shopper[1:] != shopper[:-1])
    edges = [0, *changes.tolist(), shopper.size] if shopper.size else []
    return list(pairwise(edges))


def _targets(
    events: Events, index: IndexArray, target: npt.NDArray[np.bool_]
) -> tuple[tuple[str, ...], tuple[IndexArray, ...], IndexArray]:
    """The shoppers with lines under the mask, the distinct items of those, and the first of each.

    The first as a line of the events.
    """
    shopper, item = events.shopper[target], index[target]
    pieces = runs(shopper)
    return (
        tuple(str(shopper[low]) for low, _ in pieces),
        tuple(np.unique(item[low:high]) for low, high in pieces),
        np.flatnonzero(target)[[low for low, _ in pieces]].astype(np.int64),
    )
