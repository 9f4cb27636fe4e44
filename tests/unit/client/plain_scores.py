"""Every part of a score once more, from a shopper's own baskets, in plain Python.

Written from what is documented (docs/decisions/0005, 0015 and 0024, the tops of ``closed_form.py``,
``pairs.py``, ``rhythm.py``, ``moment.py`` and ``content.py``), and shares no line with the
recommender.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

DAY = 86_400
Values = list[float]
Parts = list[tuple[str, Values]]


@dataclass(frozen=True)
class Basket:
    """One visit: when (Unix seconds), and which items."""

    time: int
    items: tuple[int, ...]


@dataclass(frozen=True)
class World:
    """What is public: categories, artefacts as lists, and the ranker's weights by feature."""

    categories: tuple[str, ...]
    overall: Values
    lately: Values
    listed: tuple[int, ...]
    matrix: list[Values]
    pair_weights: Values
    mean: Values
    ranker: Mapping[str, float] | None

    @property
    def items(self) -> range:
        return range(len(self.categories))


@dataclass(frozen=True)
class Shopper:
    """Her baskets, oldest first, and when her list is for."""

    baskets: Sequence[Basket]
    now: int

    def count(self, item: int) -> int:
        return sum(item in basket.items for basket in self.baskets)

    def habit(self, item: int, decay: float) -> float:
        return math.fsum(
            decay**age * (10 / len(basket.items)) ** 0.3
            for age, basket in enumerate(reversed(self.baskets))
            if item in basket.items
        )


def parts(world: World, shopper: Shopper) -> Parts:
    """Kind and values, one an item, of all parts in the order in which they are added."""
    closed = _closed(world, shopper)
    if world.ranker is None:
        return list(closed.items())
    weights = world.ranker
    total = [sum(part[i] for part in closed.values()) for i in world.items]
    base = [weights["base"] * math.log1p(max(each, 0) / 0.01) / 3 for each in total]
    shares = [b / t if t > 0 else b for b, t in zip(base, total, strict=True)]
    found = {
        kind: [share * each for share, each in zip(shares, part, strict=True)]
        for kind, part in closed.items()
    }
    features = _features(world, shopper)
    for feature, kind in (
        ("bought", "habit"),
        ("season-new", "popular"),
        ("lift-new of the crowd", "popular"),
        ("lift-new beside", "paired"),
        ("lift-lately of the crowd", "popular"),
        ("lift-lately beside", "paired"),
        ("category", "liked"),
    ):
        found[kind] = [
            each + weights[feature.split()[0]] * more
            for each, more in zip(found[kind], features[feature], strict=True)
        ]
    rhythm = [
        weights["due"] * due + weights["late"] * late
        for due, late in zip(features["due"], features["late"], strict=True)
    ]
    rest = [
        (kind, [weights[name] * each for each in features[name]])
        for kind, name in (
            ("content", "content"),
            ("context", "weekday"),
            ("context", "daypart"),
            ("context", "season"),
        )
    ]
    return [*found.items(), ("rhythm", rhythm), *rest]


def _closed(world: World, shopper: Shopper) -> dict[str, Values]:
    lift = _lift(world, shopper)
    habit, popular, paired, liked = [], [], [], []
    for item in world.items:
        bought = shopper.count(item) > 0
        crowd = 3 * (world.lately if bought else world.overall)[item]
        pull = 0.0 if bought else crowd * (math.exp(0.6 * math.asinh(30 * lift[item])) - 1)
        habit.append(shopper.habit(item, 0.95))
        popular.append(crowd)
        paired.append(pull)
        liked.append(0.0 if bought else (crowd + pull) * (_affinity(world, shopper, item) - 1))
    return {"habit": habit, "popular": popular, "paired": paired, "liked": liked}


def _affinity(world: World, shopper: Shopper, item: int) -> float:
    category = world.categories[item]
    if not category:
        return 1.0
    own = [each for each in world.items if shopper.count(each)]
    public = sum(world.overall[i] for i in world.items if world.categories[i] == category)
    public /= sum(world.overall)
    mine = sum(world.categories[each] == category for each in own)
    return float(((mine + 3) / (len(own) * public + 3)) ** 0.2)


def _lift(world: World, shopper: Shopper) -> Values:
    _, rest = _parted(world, [shopper.count(item) for item in world.listed])
    z = _unit(rest)
    found = [0.0] * len(world.categories)
    for column, item in enumerate(world.listed):
        found[item] = sum(z[row] * world.matrix[row][column] for row in range(len(z)))
    return found


def _parted(world: World, counts: Sequence[float]) -> tuple[float, Values]:
    """How much of the profile is the mean direction's, and what is left beside it."""
    profile = _unit(
        [
            math.sqrt(count) * weight
            for count, weight in zip(counts, world.pair_weights, strict=True)
        ]
    )
    along = sum(a * b for a, b in zip(profile, world.mean, strict=True))
    return along, [a - along * b for a, b in zip(profile, world.mean, strict=True)]


def _foretold(world: World, shopper: Shopper, half_life: float) -> tuple[Values, Values]:
    """The crowd's part and the whole, each an item, from entries that fade as others follow."""
    entries, after = [0.0] * len(world.categories), 0
    for basket in reversed(shopper.baskets):
        for place, item in enumerate(reversed(basket.items)):
            entries[item] += 0.5 ** ((after + place) / half_life)
        after += len(basket.items)
    along, rest = _parted(world, [entries[item] for item in world.listed])
    crowd, whole = [0.0] * len(world.categories), [0.0] * len(world.categories)
    for column, item in enumerate(world.listed):
        m = world.mean[column]
        crowd[item] = along * m / max(1 - m * m, 0.1)
        own = sum(rest[row] * world.matrix[row][column] for row in range(len(rest)))
        whole[item] = crowd[item] + own / max(1 - m * m, 0.1)
    return crowd, whole


def _unit(vector: Values) -> Values:
    length = math.sqrt(sum(each * each for each in vector))
    return [each / length for each in vector] if length > 1e-9 else [0.0] * len(vector)


def _features(world: World, shopper: Shopper) -> dict[str, Values]:
    rows: list[dict[str, float]] = []
    foretold = {"lift-new": 20, "lift-lately": 3}
    parted = {name: _foretold(world, shopper, half_life) for name, half_life in foretold.items()}
    for item in world.items:
        bought = shopper.count(item) > 0
        due, late = _rhythm(shopper, item)
        category = world.categories[item]
        alike = [i for i in world.items if world.categories[i] == category]
        summed = sum(shopper.habit(i, 0.95) for i in alike)
        tilt = math.log((world.lately[item] + 0.003) / (world.overall[item] + 0.003))
        rows.append(
            {
                "bought": float(bought),
                "season-new": 0.0 if bought else tilt,
                **_told(parted, item, bought=bought),
                "category": math.log1p(summed) / 3 if category else 0.0,
                "content": math.tanh(_leaning(world, shopper, category) / 3),
                "due": due,
                "late": late,
                "weekday": _pull(shopper, item, _weekday, 7),
                "daypart": _pull(shopper, item, _daypart, 5),
                "season": _pull(shopper, item, _season, 4),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _told(
    parted: Mapping[str, tuple[Values, Values]], item: int, *, bought: bool
) -> dict[str, float]:
    found = {}
    for name, (crowd, whole) in parted.items():
        first = 0.0 if bought else math.asinh(30 * crowd[item])
        found[f"{name} of the crowd"] = first
        found[f"{name} beside"] = 0.0 if bought else math.asinh(30 * whole[item]) - first
    return found


def _rhythm(shopper: Shopper, item: int) -> tuple[float, float]:
    days = [basket.time / DAY for basket in shopper.baskets if item in basket.items]
    if len(days) < 2:
        return 0.0, 0.0
    gaps = [after - before for before, after in pairwise(days)]
    gap = sum(gaps) / len(gaps)
    now = max(shopper.now / DAY, shopper.baskets[-1].time / DAY)
    wait = math.log((max(now - days[-1], 0) + 1) / (gap + 1))
    spread = max(sum(g * g for g in gaps) / len(gaps) / max(gap, 0.1) ** 2 - 1, 0)
    uneven = (len(gaps) * spread + 2) / (len(gaps) + 2)
    return math.exp(-2 * wait**2 - uneven), min(max(wait - 1, 0), 2)


def _leaning(world: World, shopper: Shopper, category: str) -> float:
    if not category:
        return 0.0
    level = sum(world.overall) / len(world.overall)
    weight = {
        name: sum(
            world.overall[i] / level + 0.01 for i in world.items if world.categories[i] == name
        )
        for name in set(world.categories) - {""}
    }
    share = weight[category] / sum(weight.values())
    lines = {
        name: sum(shopper.count(i) for i in world.items if world.categories[i] == name)
        for name in weight
    }
    own, every = lines[category], sum(lines.values())
    return math.log((own + 30 * share) / (every * share + 30 * share))


def _pull(shopper: Shopper, item: int, code: Callable[[int], int], size: int) -> float:
    count = shopper.count(item)
    if not count:
        return 0.0
    here = [basket for basket in shopper.baskets if code(basket.time) == code(shopper.now)]
    share = (len(here) + 1) / (len(shopper.baskets) + size)
    times = sum(item in basket.items for basket in here)
    return min(max(math.log((times + 3 * share) / ((count + 3) * share)), -1), 1)


def _weekday(time: int) -> int:
    return (time // DAY + 3) % 7


def _daypart(time: int) -> int:
    hour = time % DAY // 3600
    return sum(hour >= begins for begins in (6, 11, 14, 18))


def _season(time: int) -> int:
    return datetime.fromtimestamp(time, UTC).month % 12 // 3
