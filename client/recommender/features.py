"""What a device knows about an item for its shopper at a moment, as bounded numbers for a ranker.

Logs, indicators and bounded ratios, so that a weighted sum of them ranks well and no single one
runs away. Context that she did not grant, or that is not known, is 0 and so says nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, History
from client.recommender.closed_form import ClosedForm, closed_form, habit
from client.recommender.content import recency
from client.recommender.moment import Match, Moment, Setting, matches
from client.recommender.pairs import Foretold, foretold, lift
from client.recommender.rhythm import Rhythm, rhythm
from client.recommender.shared import Shared
from consent.tasks.ranker import Feature

BoolArray = npt.NDArray[np.bool_]

# Where each log flattens: below these the numbers are noise.
LEAST_SCORE = 0.01
LEAST_HABIT = 0.1
LEAST_POPULARITY = 0.003
# Popularity at which the log for new items is 0.
MIDDLE_POPULARITY = 0.05
SHORT_DECAY, LONG_DECAY = 0.8, 0.99
LIFT_SCALE = 30.0
# Content: leanings add up to a few units; of her entries, the last so many count most.
FIT_SCALE = 3.0
RECENT_ENTRIES = 15.0
# What new items are foretold from: after so many entries one counts half.
HALF_LIVES: Mapping[Feature, float] = {Feature.LIFT_NEW: 20.0, Feature.LIFT_LATELY: 3.0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Knowledge:
    """One shopper's history at one moment, seen through what is shared; worked out when asked."""

    shared: Shared
    history: History
    moment: Moment

    @cached_property
    def bought(self) -> BoolArray:
        """Which items she has bought, shape (items,)."""
        return self.history.counts > 0

    @cached_property
    def lift(self) -> FloatArray:
        """The item-item model's say, shape (items,)."""
        return lift(self.shared, self.history)

    def foretold(self, half_life: float) -> Foretold:
        """What her latest entries foretell."""
        if half_life not in self._foretold:
            self._foretold[half_life] = foretold(self.shared, self.history, half_life)
        return self._foretold[half_life]

    @cached_property
    def _foretold(self) -> dict[float, Foretold]:
        return {}

    @cached_property
    def closed(self) -> ClosedForm:
        """The closed form and its parts."""
        return closed_form(self.shared, self.history, self.lift)

    @cached_property
    def rhythm(self) -> Rhythm:
        """How due each item is."""
        return rhythm(self.history, self.moment)

    @cached_property
    def matches(self) -> Mapping[Setting, Match]:
        """What of the moment is known and granted."""
        return matches(self.history, self.moment)

    def habit(self, decay: float) -> FloatArray:
        """Log of her decayed counts, shape (items,)."""
        return np.log(LEAST_HABIT + habit(self.history, decay=decay, shared=self.shared))

    @cached_property
    def usual(self) -> FloatArray:
        """``habit`` at the closed form's decay."""
        return self.habit(self.shared.settings.decay)

    @cached_property
    def tilt(self) -> FloatArray:
        """Log of recent against overall popularity, shape (items,)."""
        lately, overall = self.shared.lately, self.shared.overall
        found: FloatArray = np.log((lately + LEAST_POPULARITY) / (overall + LEAST_POPULARITY))
        return found

    def column(self, feature: Feature) -> FloatArray:
        """One feature, shape (items,); finite for every history."""
        return COLUMNS[feature](self)

    def table(self, features: Sequence[Feature]) -> FloatArray:
        """The features as columns, shape (items, features)."""
        return np.column_stack([self.column(name) for name in features])


def base(know: Knowledge) -> FloatArray:
    """Log of the closed form: 0 where nothing is known, and never below."""
    return np.log1p(np.maximum(know.closed.total, 0.0) / LEAST_SCORE) / 3.0


def _popular_new(know: Knowledge) -> FloatArray:
    level = np.log((know.shared.overall + LEAST_POPULARITY) / MIDDLE_POPULARITY)
    return np.where(know.bought, 0.0, level / 3.0)


def _category(know: Knowledge) -> FloatArray:
    """Log of her decayed counts of the whole category."""
    shared = know.shared
    own = habit(know.history, decay=shared.settings.decay, shared=shared)
    summed = np.bincount(shared.category, own, minlength=int(shared.category.max()) + 1)
    return np.where(shared.categorised, np.log1p(summed)[shared.category] / 3.0, 0.0)


def _fit(know: Knowledge, weights: FloatArray | None = None) -> FloatArray:
    """How well public content fits what she has, shape (items,), within ±1."""
    fit: FloatArray = np.tanh(know.shared.content.similarity(know.history, weights) / FIT_SCALE)
    return fit


def _fit_lately(know: Knowledge) -> FloatArray:
    return _fit(know, recency(know.history, RECENT_ENTRIES))


def _last(know: Knowledge) -> FloatArray:
    return know.history.latest(1).counts


def _pull(setting: Setting) -> Callable[[Knowledge], FloatArray]:
    def column(know: Knowledge) -> FloatArray:
        match = know.matches.get(setting)
        return np.zeros(know.history.items) if match is None else match.pull

    return column


def _lifted(know: Knowledge) -> FloatArray:
    return np.arcsinh(LIFT_SCALE * know.lift)


def crowd_part(know: Knowledge, feature: Feature) -> FloatArray:
    """What of a feature of ``HALF_LIVES`` is the crowd's, shape (items,); the rest is her own."""
    crowd = know.foretold(HALF_LIVES[feature]).crowd
    return np.where(know.bought, 0.0, np.arcsinh(LIFT_SCALE * crowd))


def _foretold(feature: Feature) -> Callable[[Knowledge], FloatArray]:
    def column(know: Knowledge) -> FloatArray:
        found = know.foretold(HALF_LIVES[feature])
        return np.where(know.bought, 0.0, np.arcsinh(LIFT_SCALE * (found.crowd + found.own)))

    return column


COLUMNS: Mapping[Feature, Callable[[Knowledge], FloatArray]] = {
    Feature.BASE: base,
    Feature.BOUGHT: lambda know: know.bought.astype(np.float64),
    Feature.SHORT_HABIT: lambda know: np.where(
        know.bought, know.habit(SHORT_DECAY) - know.usual, 0.0
    ),
    Feature.LONG_HABIT: lambda know: np.where(
        know.bought, know.habit(LONG_DECAY) - know.usual, 0.0
    ),
    Feature.LAST_BASKET: _last,
    Feature.SEASON_BOUGHT: lambda know: np.where(know.bought, know.tilt, 0.0),
    Feature.SEASON_NEW: lambda know: np.where(know.bought, 0.0, know.tilt),
    Feature.POPULAR_NEW: _popular_new,
    Feature.LIFT_BOUGHT: lambda know: np.where(know.bought, _lifted(know), 0.0),
    Feature.LIFT_NEW: _foretold(Feature.LIFT_NEW),
    Feature.LIFT_LATELY: _foretold(Feature.LIFT_LATELY),
    Feature.CATEGORY: _category,
    Feature.CONTENT: _fit,
    Feature.CONTENT_LATELY: _fit_lately,
    Feature.DUE: lambda know: know.rhythm.due,
    Feature.LATE: lambda know: know.rhythm.late,
    Feature.WEEKDAY: _pull(Setting.WEEKDAY),
    Feature.DAYPART: _pull(Setting.DAYPART),
    Feature.SEASON: _pull(Setting.SEASON),
    Feature.STORE: _pull(Setting.STORE),
}
