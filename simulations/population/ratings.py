"""Made-up ratings, for leave-one-out evaluation where real ones can't be had.

The shape is that of a public million of film ratings: thousands of raters with twenty or more items
each and a few with thousands, items whose popularity falls off over decades, several genres an item
and a year. What makes items go together has many directions whose strength falls off by a power
law; part of each is genre and year, which the item list tells, and part is not. Raters have a
lasting taste and a mood that drifts from page to page, so what was rated lately says most about
what comes next, and they rate what is popular first. Every item is rated once.

Nothing is copied from real raters. With the default size the figures that matter were set beside
published ones of a real million (docs/decisions/0016), and they hold for nothing else.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent.events import Events
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from simulations.population.population import Population

NOTE = "Made-up ratings: drawn at random; its figures mean nothing elsewhere."
_START = 957_139_200  # 2000-05-01T00:00:00
_PAGE_SECONDS = 90
_RATERS_AT_ONCE = 1000

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Tastes:
    """How items go together and how raters choose; unitless, on the scale of log odds.

    Attributes:
        directions: of what makes items go together.
        falloff: direction k counts k^-falloff.
        genre: share of an item's place that its genres give.
        year: share that its year gives.
        lasting: spread of raters' lasting taste.
        mood: spread of what a page is about.
        stay: correlation of one page's mood with the next one's.
        popularity: spread of the items' log popularity.
        early: how much more popularity counts on the first pages.
        page: mean ratings a page.
        genres: how many genres there are.
    """

    directions: int = 64
    falloff: float = 0.45
    genre: float = 0.52
    year: float = 0.2
    lasting: float = 1.95
    mood: float = 3.2
    stay: float = 0.92
    popularity: float = 1.9
    early: float = 0.25
    page: float = 8.0
    genres: int = 18


@dataclass(frozen=True, kw_only=True, eq=False)
class _Items:
    """What is drawn of the items: genre memberships, years, places and log popularity."""

    genres: npt.NDArray[np.bool_]
    years: Indices
    places: Floats
    popularity: Floats


def made_up_ratings(
    raters: int = 6040,
    items: int = 3706,
    seed: int = 0,
    *,
    least: int = 20,
    median: int = 96,
    tastes: Tastes | None = None,
) -> Population:
    """Draw a population of raters; the same arguments give the same one.

    Args:
        raters: how many.
        items: how many.
        seed: of the generator.
        least: ratings that everyone has.
        median: of the number of ratings a rater; a few have twenty times as many.
        tastes: how they choose; ``Tastes()`` if None.

    Raises:
        InvalidInputError: too few raters or items, or fewer items than a rater would have.
    """
    if raters < 1 or not 1 <= least <= median or 3 * median > items:
        raise InvalidInputError(
            f"Expected raters={raters} >= 1 and 1 <= least={least} <= median={median}, with at "
            f"least three times as many items as that, not {items}."
        )
    rng, chosen = np.random.default_rng(seed), tastes or Tastes()
    drawn = _items(items, chosen, rng)
    extra = rng.lognormal(np.log(median - least + 1), 1.18, raters).astype(np.int64)
    sizes = np.minimum(least + extra, items * 5 // 8)
    pages = _pages(sizes, drawn, chosen, rng)
    catalogue = _catalogue(drawn)
    names = [f"rater-{n:0{len(str(raters - 1))}d}" for n in range(raters)]
    events = _events(names, pages, catalogue, rng)
    return Population(
        name=f"ratings-{raters}x{items}-{seed}",
        note=NOTE,
        catalogue=catalogue,
        events=events,
        stores={},
        devices=tuple(names),
        groups={},
    )


def _items(items: int, tastes: Tastes, rng: np.random.Generator) -> _Items:
    frequency = 1.0 / np.arange(1, tastes.genres + 1)
    many = 1 + rng.choice(4, items, p=[0.5, 0.33, 0.14, 0.03])
    genres = np.zeros((items, tastes.genres), dtype=np.bool_)
    for item, count in enumerate(many.tolist()):
        wanted = min(count, tastes.genres)
        genres[item, rng.choice(tastes.genres, wanted, False, frequency / frequency.sum())] = True
    years = 2000 - np.minimum(rng.exponential(12.0, items), 80.0).astype(np.int64)
    strength = np.arange(1, tastes.directions + 1) ** -tastes.falloff
    strength /= np.sqrt((strength**2).sum())
    by_genre = genres @ rng.standard_normal((tastes.genres, tastes.directions))
    by_genre /= np.sqrt(genres.sum(axis=1, keepdims=True))
    # Smooth in the year: near years are alike, far ones are not.
    era = ((years - years.mean()) / max(float(years.std()), 1.0))[:, None]
    phase = rng.uniform(0, 2 * np.pi, tastes.directions)
    by_year = np.sqrt(2) * np.cos(era * rng.normal(0, 1.2, tastes.directions) + phase)
    own = rng.standard_normal((items, tastes.directions))
    rest = max(1.0 - tastes.genre - tastes.year, 0.0)
    mixed = np.sqrt(tastes.genre) * by_genre + np.sqrt(tastes.year) * by_year + np.sqrt(rest) * own
    return _Items(
        genres=genres,
        years=years,
        places=(mixed * strength).astype(np.float32),
        popularity=(tastes.popularity * rng.standard_normal(items)).astype(np.float32),
    )


def _pages(
    sizes: Indices, items: _Items, tastes: Tastes, rng: np.random.Generator
) -> list[list[Indices]]:
    """Every rater's pages, oldest first: the items of each in the order in which it lists them."""
    shape = (sizes.size, tastes.directions)
    lasting = (tastes.lasting * rng.standard_normal(shape)).astype(np.float32)
    mood = rng.standard_normal(shape).astype(np.float32)
    seen = np.zeros((sizes.size, items.years.size), dtype=np.bool_)
    pages: list[list[Indices]] = [[] for _ in range(sizes.size)]
    left, turn = sizes.copy(), 0
    while (active := np.flatnonzero(left)).size:
        if turn:
            fresh = rng.standard_normal((active.size, tastes.directions), dtype=np.float32)
            mood[active] = tastes.stay * mood[active] + np.sqrt(1 - tastes.stay**2) * fresh
        wanted = np.minimum(rng.geometric(1.0 / tastes.page, active.size), left[active])
        weight = 1.0 + tastes.early * np.exp(-turn / 5.0)
        for start in range(0, active.size, _RATERS_AT_ONCE):
            rows = active[start : start + _RATERS_AT_ONCE]
            leaning = lasting[rows] + tastes.mood * mood[rows]
            score = leaning @ items.places.T + weight * items.popularity
            # The best of scores with Gumbel noise are a draw without replacement by their softmax.
            score -= np.log(rng.standard_exponential(score.shape, dtype=np.float32) + 1e-30)
            score[seen[rows]] = -np.inf
            for row, rater in enumerate(rows.tolist()):
                count = int(wanted[start + row])
                best = np.argpartition(-score[row], count - 1)[:count]
                seen[rater, best] = True
                pages[rater].append(rng.permutation(best).astype(np.int64))
        left[active] -= wanted
        turn += 1
    return pages


def _catalogue(items: _Items) -> Catalogue:
    size = items.years.size
    return Catalogue(
        name="ratings",
        level="item",
        items=tuple(f"item-{n:0{len(str(size - 1))}d}" for n in range(size)),
        categories=("",) * size,
        departments=("",) * size,
        products={},
        attributes={
            "genre": tuple(
                tuple(f"genre-{kind:02d}" for kind in np.flatnonzero(row)) for row in items.genres
            ),
            "year": tuple((str(year),) for year in items.years.tolist()),
        },
    )


def _events(
    names: list[str], pages: list[list[Indices]], catalogue: Catalogue, rng: np.random.Generator
) -> Events:
    """Lines by rater and time; one page has one time, and one rater's pages one day."""
    ids = np.array(catalogue.items, dtype=object)
    owner = np.repeat(np.arange(len(names)), [sum(map(len, own)) for own in pages])
    page = np.concatenate([np.full(len(part), n) for own in pages for n, part in enumerate(own)])
    item = np.concatenate([part for own in pages for part in own])
    day = rng.integers(0, 900, len(names))
    labels = np.array(
        [f"{name}/{start}" for name, start in zip(names, day.tolist(), strict=True)], dtype=object
    )
    return Events(
        shopper=np.array(names, dtype=object)[owner],
        time=_START + 86_400 * day[owner] + _PAGE_SECONDS * page,
        basket=labels[owner],
        item=ids[item],
        quantity=np.ones(item.size),
        price=np.full(item.size, np.nan),
        store=np.full(item.size, "", dtype=object),
    )
