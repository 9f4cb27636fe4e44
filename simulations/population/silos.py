"""Which shoppers a store stands for: the one rule, for every data set.

A shopper's home store is the one where she had the most baskets. A store that is home to enough
shoppers is a silo, one client for all of them; every other shopper is a device, a client of her
own. So each shopper belongs to exactly one client.
"""

from collections import Counter

import numpy as np

from consent.events import Events

MIN_SILO_SHOPPERS = 20


def home_stores(events: Events) -> dict[str, str]:
    """The home store of each shopper who visited a known store.

    Ties go to the store whose id is shorter, then first in text order (for numbers: the smaller).

    Returns:
        Shopper to store id, shoppers in text order; without those who have no known store.
    """
    baskets = Counter((shopper, store) for shopper, _, store in _visits(events) if store)
    best: dict[str, tuple[int, int, str]] = {}
    for (shopper, store), count in sorted(baskets.items()):
        rank = (-count, len(store), store)
        best[shopper] = min(best.get(shopper, rank), rank)
    return {shopper: store for shopper, (_, _, store) in best.items()}


def _visits(events: Events) -> set[tuple[str, str, str]]:
    """Distinct (shopper, basket, store). Runs of equal lines are skipped first, for speed only."""
    columns = (events.shopper, events.basket, events.store)
    starts = np.ones(len(events), dtype=np.bool_)
    starts[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return set(zip(*(column[starts] for column in columns), strict=True))


def split_clients(
    events: Events, *, min_shoppers: int = MIN_SILO_SHOPPERS
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Divide the shoppers among silos and devices.

    Args:
        events: of all shoppers.
        min_shoppers: how many a store must be home to, at least, to be a silo.

    Returns:
        Silo id to its shoppers, and the shoppers who are devices; all in text order. Guarantee:
        each shopper of ``events`` occurs exactly once.
    """
    homes = home_stores(events)
    members: dict[str, list[str]] = {}
    for shopper, store in homes.items():
        members.setdefault(store, []).append(shopper)
    silos = {s: tuple(members[s]) for s in sorted(members) if len(members[s]) >= min_shoppers}
    inside = {shopper for shoppers in silos.values() for shopper in shoppers}
    return silos, tuple(sorted(set(events.shopper) - inside))
