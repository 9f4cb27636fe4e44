"""What came of what was shown, and what another way of drawing would have brought.

The zone draws with known probabilities, so its log can say without another experiment how often
items would have been bought had the draws favoured the best candidates more, or less: weigh each
impression by how much likelier the other rule makes it (inverse propensity, self-normalised). It
is worked out on the device from her own log and purchases, and stays there.

The estimate is of one place at a time: the other rule at this place, everything before it as it
was. Source: Horvitz and Thompson 1952; Swaminathan and Joachims, NeurIPS 2015, for normalising.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from client.contributions.history import FloatArray
from client.impressions import Showing
from client.recommender.discovery import Slot, Zone, probabilities
from consent.admit import ConsentedEvents
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError

# After so many days a purchase isn't put down to a list any more.
WINDOW_DAYS: Final = 14
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
    starts = [each.time - each.time % _DAY_SECONDS for each in showings]
    found = []
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        end = start + WINDOW_DAYS * _DAY_SECONDS
        # Lists of one day share that day's purchases.
        if following is not None and following > start:
            end = min(end, following)
        inside = (time >= start) & (time < end) & (index >= 0)
        found.append(frozenset(index[inside].tolist()))
    return found


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
    weights, hits = [], []
    for showing, taken in zip(showings, bought, strict=True):
        for each in showing.items:
            if each.slot is Slot.DISCOVERY:
                weights.append(_chance(rule, each.rank, each.candidates) / each.propensity)
                hits.append(index.get(each.item, -1) in taken)
    if not weights or not sum(weights):
        return None
    return _normalised(np.array(weights), np.array(hits, dtype=np.float64))


def _chance(rule: Zone, rank: int, candidates: int) -> float:
    count = min(candidates, rule.candidates)
    return float(probabilities(count, rule)[rank - 1]) if rank <= count else 0.0


def _normalised(weights: FloatArray, hits: FloatArray) -> Estimate:
    """Self-normalised mean with the delta method's interval."""
    whole = weights.sum()
    mean = float(weights @ hits / whole)
    spread = float(np.sqrt(np.sum((weights * (hits - mean)) ** 2)) / whole)
    return Estimate(
        mean=mean,
        low=max(mean - _NORMAL * spread, 0.0),
        high=min(mean + _NORMAL * spread, 1.0),
        impressions=weights.size,
        effective=float(whole**2 / (weights @ weights)),
    )
