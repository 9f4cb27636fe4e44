"""What came of what was shown, and what another way of drawing would have brought.

The zone draws with known probabilities, so its log can say without another experiment how often
items would have been bought had the draws favoured the best candidates more, or less: weigh each
impression by how much likelier the other rule makes it (inverse propensity, self-normalised). It
is worked out on the device from her own log and purchases, and stays there.

The estimate is of one place at a time: the other rule at this place, everything before it as it
was. Source: Horvitz and Thompson 1952; Swaminathan and Joachims, NeurIPS 2015, for normalising.

Where there is too little to say anything, nothing is said (``LEAST_LISTS``, ``LEAST_EFFECTIVE``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from client.impressions import Showing
from client.recommender.discovery import DEFAULT_ZONE, Slot, Zone, probabilities
from consent.admit import ConsentedEvents
from consent.purpose import Purpose
from consent.tasks.catalogue import Catalogue
from crypto.errors import ConsentError, InvalidInputError

# After so many days a purchase isn't put down to a list any more.
WINDOW_DAYS: Final = 14
# An estimate rests on at least so many lists, and on as much as so many impressions alike.
LEAST_LISTS: Final = 10
LEAST_EFFECTIVE: Final = 30
_DAY_SECONDS: Final = 86_400
_NORMAL: Final = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Purchases an impression under some rule.

    Attributes:
        mean: the estimate; ``low`` and ``high`` are the ends of its 95 % interval, in [0, 1].
        impressions: how many it rests on.
        effective: how many equally weighted ones would say as much (Kish).
    """

    mean: float
    low: float
    high: float
    impressions: int
    effective: float


def bought_after(
    showings: Sequence[Showing], events: ConsentedEvents, catalogue: Catalogue
) -> list[frozenset[int]]:
    """For each list, the items that she bought after it and before the next, within the window.

    Times that were rounded to the day (no grant for the hour) count from the day's beginning: what
    was bought on the day of a list counts as bought after it.
    """
    index = catalogue.indices(events.events.item)
    time = events.events.time
    found = []
    for start, end in _windows(showings):
        inside = (time >= start) & (time < end) & (index >= 0)
        found.append(frozenset(index[inside].tolist()))
    return found


def _windows(showings: Sequence[Showing]) -> list[tuple[int, int]]:
    """From when to when a purchase is put down to each list; lists of one day share theirs."""
    starts = [each.time - each.time % _DAY_SECONDS for each in showings]
    following = dict(pairwise(sorted(set(starts))))
    latest = WINDOW_DAYS * _DAY_SECONDS
    return [(start, min(start + latest, following.get(start, start + latest))) for start in starts]


def off_policy(
    showings: Sequence[Showing],
    bought: Sequence[frozenset[int]],
    catalogue: Catalogue,
    rule: Zone,
) -> Estimate | None:
    """What the zone's draws would have brought under another rule; None without a single draw.

    Args:
        showings: the log.
        bought: one a list, as from ``bought_after``.
        catalogue: names the items.
        rule: how each place would be drawn instead, from the candidates that there were (or the
            best of them).

    Raises:
        InvalidInputError: a list and its outcome don't pair up.
    """
    if len(showings) != len(bought):
        raise InvalidInputError(f"{len(showings)} lists need as many outcomes, not {len(bought)}.")
    index = {item: number for number, item in enumerate(catalogue.items)}
    weights, hits, lists = [], [], []
    for number, (showing, taken) in enumerate(zip(showings, bought, strict=True)):
        for each in showing.items:
            if each.slot is Slot.DISCOVERY:
                weights.append(_chance(rule, each.rank, each.candidates) / each.propensity)
                hits.append(index.get(each.item, -1) in taken)
                lists.append(number)
    if not weights or not sum(weights):
        return None
    return _normalised(np.array(weights), np.array(hits, dtype=np.float64), np.array(lists))


def _chance(rule: Zone, rank: int, candidates: int) -> float:
    count = min(candidates, rule.candidates)
    return float(_probabilities(count, rule)[rank - 1]) if rank <= count else 0.0


# A log has the same few numbers of candidates over and over.
_probabilities = cache(probabilities)


def _normalised(weights: FloatArray, hits: FloatArray, lists: IndexArray) -> Estimate:
    """Self-normalised mean; its interval is the wider of two at either end.

    The delta method's, with lists as what is drawn: what is bought of one list is bought in one
    visit. And Wilson's, of as many equally weighted impressions: where nothing was bought, or
    everything, the former sees no spread at all and would claim certainty.
    """
    whole = weights.sum()
    mean = float(weights @ hits / whole)
    by_list = np.bincount(lists, weights * (hits - mean))
    spread = float(np.sqrt(np.sum(by_list**2)) / whole)
    effective = float(whole**2 / (weights @ weights))
    low, high = _wilson(mean, effective)
    return Estimate(
        mean=mean,
        low=max(min(mean - _NORMAL * spread, low), 0.0),
        high=min(max(mean + _NORMAL * spread, high), 1.0),
        impressions=weights.size,
        effective=effective,
    )


def _wilson(mean: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` independent ones. Source: Wilson, JASA 1927."""
    square = _NORMAL**2
    middle = (mean + square / (2 * count)) / (1 + square / count)
    half = _NORMAL * np.sqrt(mean * (1 - mean) / count + square / (4 * count**2))
    half = float(half) / (1 + square / count)
    return middle - half, middle + half


class Drawing(StrEnum):
    """A way of drawing the zone: as it is, and two others."""

    AS_NOW = "as-now"
    BEST_MORE = "best-more"
    ALL_ALIKE = "all-alike"


RULES: Final[Mapping[Drawing, Zone]] = {
    Drawing.AS_NOW: DEFAULT_ZONE,
    Drawing.BEST_MORE: Zone(power=2.0),
    Drawing.ALL_ALIKE: Zone(power=0.0),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of her zones.

    Attributes:
        lists: how many lists with a zone are over: her purchases on this device reach beyond the
            days in which one is put down to them.
        open: how many are not, and do not count yet.
        shown: how many items were in those zones.
        bought: how many of them she then bought.
        estimates: purchases an item shown, by way of drawing; None where there is too little to
            say.
    """

    lists: int
    open: int
    shown: int
    bought: int
    estimates: Mapping[Drawing, Estimate | None]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        told = {name: made and asdict(made) for name, made in self.estimates.items()}
        return {**vars(self), "estimates": told}


def outcome(showings: Sequence[Showing], events: ConsentedEvents, catalogue: Catalogue) -> Outcome:
    """What came of her zones, and what other ways of drawing would have brought.

    Args:
        showings: the log.
        events: her purchases, granted for personalising.
        catalogue: names the items.

    Raises:
        ConsentError: the events were admitted for another purpose.
    """
    if events.purpose is not Purpose.PERSONALISE:
        raise ConsentError(
            f"What came of lists is worked out for {Purpose.PERSONALISE} alone, not for "
            f"{events.purpose}."
        )
    zones = [each for each in showings if _zone(each)]
    known = int(events.events.time.max(initial=0))
    known -= known % _DAY_SECONDS  # of that day itself more may come
    over = np.array([end <= known for _, end in _windows(zones)], dtype=bool)
    taken = bought_after(zones, events, catalogue)
    ended = [each for each, counts in zip(zones, over, strict=True) if counts]
    bought = [each for each, counts in zip(taken, over, strict=True) if counts]
    return Outcome(
        lists=len(ended),
        open=len(zones) - len(ended),
        shown=sum(len(_zone(each)) for each in ended),
        bought=sum(
            len(_zone(each) & {catalogue.items[item] for item in items})
            for each, items in zip(ended, bought, strict=True)
        ),
        estimates={
            name: _enough(off_policy(ended, bought, catalogue, rule), len(ended))
            for name, rule in RULES.items()
        },
    )


def _zone(showing: Showing) -> frozenset[str]:
    return frozenset(each.item for each in showing.items if each.slot is Slot.DISCOVERY)


def _enough(estimate: Estimate | None, lists: int) -> Estimate | None:
    enough = estimate is not None and estimate.effective >= LEAST_EFFECTIVE
    return estimate if enough and lists >= LEAST_LISTS else None
