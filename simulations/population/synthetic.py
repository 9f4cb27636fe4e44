"""A small made-up population for tests and first tries; its figures mean nothing elsewhere.

Items are popular by Zipf's law. Each shopper prefers some categories, and comes back to a handful
of favourites drawn from her preferences, so that repeats, exploration and co-occurrence all exist.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.events import Events, StringArray
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from simulations.population.population import Population
from simulations.population.silos import split_clients

NOTE = "Synthetic: drawn at random for tests; its figures mean nothing elsewhere."
_START = 1_704_067_200  # 2024-01-01T00:00:00
_DAY_SECONDS = 86_400
_AGES = ("18-34", "35-54", "55+")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How synthetic shoppers shop.

    Attributes:
        baskets: mean baskets a shopper beyond the first two; everyone has at least two.
        basket_size: mean lines a basket beyond the first; at most the number of items.
        days: length of the time span.
        favourites: items that a shopper comes back to.
        repeat: probability that a line is one of them.
        taste: how strongly preferences for categories bend popularity; 0 for not at all.
        zipf: exponent of the items' popularity.
        device_share: share of shoppers who visit no store of the population.
        price_spread: log standard deviation of the items' unit prices.
    """

    baskets: float = 8.0
    basket_size: float = 4.0
    days: int = 180
    favourites: int = 6
    repeat: float = 0.6
    taste: float = 1.5
    zipf: float = 1.0
    device_share: float = 0.25
    price_spread: float = 0.6


def synthetic(
    shoppers: int = 60,
    items: int = 40,
    stores: int = 2,
    seed: int = 0,
    *,
    categories: int = 5,
    habits: Habits | None = None,
) -> Population:
    """Draw a population; the same arguments give the same one.

    Args:
        shoppers: how many; their ids are in text order.
        items: how many.
        stores: how many silos; every store is one, however few it is home to. With 0, or for the
            share of shoppers that ``habits`` says, shoppers are devices.
        seed: of the generator.
        categories: how many the items are spread over.
        habits: how the shoppers shop; ``Habits()`` if None.

    Raises:
        InvalidInputError: a count is not positive, or there are more stores than shoppers.
    """
    if min(shoppers, items, categories) < 1 or not 0 <= stores <= shoppers:
        raise InvalidInputError(
            f"Expected shoppers={shoppers}, items={items}, categories={categories} >= 1 and "
            f"0 <= stores={stores} <= shoppers."
        )
    rng = np.random.default_rng(seed)
    catalogue = _catalogue(items, min(categories, items))
    names = _names("shopper", shoppers)
    homes = _homes(names, stores, habits or Habits(), rng)
    events = _events(names, homes, catalogue, habits or Habits(), rng)
    silos, devices = split_clients(events, min_shoppers=1)
    ages = rng.integers(0, len(_AGES), shoppers)
    return Population(
        name=f"synthetic-{shoppers}x{items}-{seed}",
        note=NOTE,
        catalogue=catalogue,
        events=events,
        stores=silos,
        devices=devices,
        groups={names[i]: {"age": _AGES[ages[i]]} for i in range(0, shoppers, 2)},
    )


def _names(kind: str, count: int) -> StringArray:
    width = len(str(count - 1))
    return np.array([f"{kind}-{i:0{width}d}" for i in range(count)], dtype=object)


def _catalogue(items: int, categories: int) -> Catalogue:
    return Catalogue(
        name="synthetic",
        level="item",
        items=tuple(_names("item", items)),
        categories=tuple(f"category-{i % categories}" for i in range(items)),
        departments=("",) * items,
        products={},
    )


def _homes(
    names: StringArray, stores: int, habits: Habits, rng: np.random.Generator
) -> StringArray:
    """Each shopper's store, empty for a device; every store gets at least one shopper."""
    homes = np.full(len(names), "", dtype=object)
    if stores:
        label = _names("store", stores)
        homes[:] = label[rng.integers(0, stores, len(names))]
        homes[rng.random(len(names)) < habits.device_share] = ""
        homes[rng.choice(len(names), stores, replace=False)] = label
    return homes


def _events(
    names: StringArray,
    homes: StringArray,
    catalogue: Catalogue,
    habits: Habits,
    rng: np.random.Generator,
) -> Events:
    item_ids = np.array(catalogue.items, dtype=object)
    popularity = _popularity(len(catalogue), habits, rng)
    unit_price = rng.lognormal(1.0, habits.price_spread, len(catalogue))
    kinds = np.unique(np.array(catalogue.categories), return_inverse=True)[1]
    columns = [_history(popularity, kinds, habits, rng) for _ in names]
    owner = np.repeat(np.arange(len(names)), [len(item) for _, _, item in columns])
    moment, visit, item = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    quantity = 1.0 + rng.poisson(0.3, len(item)).astype(np.float64)
    basket = [f"{names[o]}/{v:03d}" for o, v in zip(owner.tolist(), visit.tolist(), strict=True)]
    return Events(
        shopper=names[owner],
        time=_START + moment,
        basket=np.array(basket, dtype=object),
        item=item_ids[item],
        quantity=quantity,
        price=np.round(quantity * unit_price[item], 2),
        store=homes[owner],
    )


def _popularity(items: int, habits: Habits, rng: np.random.Generator) -> Floats:
    """Zipf weights in an order that the ids don't tell, summing to 1."""
    weights = 1.0 / np.arange(1, items + 1) ** habits.zipf
    return rng.permutation(weights / weights.sum())


def _history(
    popularity: Floats, kinds: npt.NDArray[np.intp], habits: Habits, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """One shopper's lines in order of time: seconds since the start, visit and item index."""
    taste = np.exp(habits.taste * rng.standard_normal(int(kinds.max()) + 1))
    wanted = popularity * taste[kinds]
    wanted /= wanted.sum()
    items = len(wanted)
    favourites = rng.choice(items, min(habits.favourites, items), replace=False, p=wanted)
    usual = np.zeros(items)
    usual[favourites] = wanted[favourites] / wanted[favourites].sum()
    mixed = habits.repeat * usual + (1.0 - habits.repeat) * wanted
    moments = np.sort(rng.integers(0, habits.days * _DAY_SECONDS, 2 + rng.poisson(habits.baskets)))
    possible = np.count_nonzero(mixed)
    sizes = np.minimum(1 + rng.poisson(habits.basket_size, len(moments)), possible)
    lines = [rng.choice(items, size, replace=False, p=mixed) for size in sizes]
    visit = np.repeat(np.arange(len(moments)), sizes)
    return moments[visit], visit, np.concatenate(lines)
