"""The discovery zone: calibrated to her, diverse, drawn with the probabilities that it logs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from client.contributions.history import History
from client.recommender.arrange import arrange, arranged_for
from client.recommender.discovery import Shown, Slot, Zone, draws, probabilities
from client.recommender.fatigue import ITEMS, Patience, resting, weary
from client.recommender.openness import (
    DECAY,
    FACTORS,
    MEAN_SHARE,
    PRIOR_LINES,
    Breadth,
    explore_share,
    slots,
)
from client.recommender.recommend import rank
from client.recommender.scores import Model
from consent.purpose import Purpose
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import ConsentError, InvalidInputError
from tests.unit.client.test_contributions import granted

SIZE, KINDS = 60, 12
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple(f"item-{n:02d}" for n in range(SIZE)),
    categories=tuple(f"kind-{n % KINDS}" for n in range(SIZE)),
    departments=("",) * SIZE,
    products={},
)
POPULARITY = PopularityArtefact(
    task=TaskName.POPULARITY,
    catalogue=CATALOGUE.hash,
    scores=np.linspace(1.0, 0.1, SIZE),
)
MODEL = Model.of(CATALOGUE, [POPULARITY])
KIND = MODEL.category
BASKETS = st.lists(st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=9), max_size=12)


def history(*baskets: set[int] | list[int]) -> History:
    return History(
        items=SIZE,
        basket=np.repeat(np.arange(len(baskets)), [len(set(each)) for each in baskets]),
        item=np.array([item for each in baskets for item in sorted(set(each))], dtype=np.int64),
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def zone_of(shown: tuple[Shown, ...]) -> list[int]:
    return [each.recommendation.item for each in shown if each.slot is Slot.DISCOVERY]


@given(BASKETS)
def test_openness_is_her_smoothed_share_of_new_lines(baskets: list[set[int]]) -> None:
    met, new, lines = set[int](), 0.0, 0.0
    for number, basket in enumerate(baskets):
        if number:
            weight = DECAY ** (len(baskets) - 1 - number)
            new += weight * len(basket - met)
            lines += weight * len(basket)
        met |= basket
    expected = (new + PRIOR_LINES * MEAN_SHARE) / (lines + PRIOR_LINES)
    assert explore_share(history(*baskets)) == pytest.approx(expected)


@given(BASKETS, st.floats(0, 20), st.integers(0, 15))
def test_slots_rise_with_the_slider_and_stay_in_bounds(
    baskets: list[set[int]], mean: float, most: int
) -> None:
    mine = history(*baskets)
    order = sorted(Breadth, key=lambda breadth: FACTORS[breadth])
    counts = [slots(mine, breadth, mean=mean, most=most) for breadth in order]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert order[0] is Breadth.NONE
    assert all(0 <= count <= most for count in counts)


def test_slots_rise_with_openness_and_average_to_the_mean() -> None:
    habitual = history(*[[1, 2, 3, 4]] * 10)
    middling = history(*[[1, 2, 3, 4 + n] for n in range(10)])
    open_one = history(*[[4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3] for n in range(10)])
    shares = [explore_share(each) for each in (habitual, middling, open_one)]
    assert shares == sorted(shares)
    counts = [
        slots(each, Breadth.AS_I_SHOP, mean=6.0, most=12) for each in (habitual, middling, open_one)
    ]
    assert counts[0] < counts[1] < counts[2]
    # Over many shoppers rounding averages out: the mean follows the mean share.
    generator = rng()
    many = [history(*_drawn(generator, share)) for share in generator.uniform(0.1, 0.9, 400)]
    counts = [slots(each, Breadth.AS_I_SHOP, mean=6.0, most=60) for each in many]
    mean_share = np.mean([explore_share(each) for each in many])
    assert np.mean(counts) == pytest.approx(6.0 * mean_share / MEAN_SHARE, abs=0.1)
    assert slots(history(), Breadth.AS_I_SHOP, mean=6.0, most=12) == 6


def _drawn(generator: np.random.Generator, share: float) -> list[set[int]]:
    """Baskets of five lines of which about this share is new."""
    known, baskets = [0, 1, 2, 3, 4], [{0, 1, 2, 3, 4}]
    for _ in range(8):
        basket = set[int]()
        for _ in range(5):
            fresh = generator.random() < share and len(known) < SIZE
            item = len(known) if fresh else int(generator.choice(known))
            if fresh:
                known.append(item)
            basket.add(item)
        baskets.append(basket)
    return baskets


@given(BASKETS, st.integers(1, 12), st.sampled_from(list(Breadth)), st.sets(st.integers(0, 59)))
def test_the_zone_is_new_to_her_and_leaves_the_list_alone(
    baskets: list[set[int]], count: int, breadth: Breadth, tired: set[int]
) -> None:
    mine = history(*baskets)
    shown = arrange(MODEL, mine, count=count, breadth=breadth, tired=tired, rng=rng())
    listed = [each for each in shown if each.slot is Slot.FOR_YOU]
    assert tuple(each.recommendation for each in listed) == rank(MODEL, mine, count=count)
    assert all(each.propensity == 1.0 for each in listed)
    zone = zone_of(shown)
    assert len({each.recommendation.item for each in shown}) == len(shown)
    assert not set(zone) & tired
    assert all(mine.counts[item] == 0 for item in zone)
    assert len(zone) <= slots(mine, breadth, mean=6.0, most=12)
    if breadth is Breadth.NONE:
        assert not zone


def test_a_zone_spreads_over_categories_while_there_are_any() -> None:
    for seed in range(50):
        found = draws(
            np.arange(SIZE), KIND, zone=Zone(), count=KINDS + 3, rng=np.random.default_rng(seed)
        )
        kinds = [int(KIND[each.item]) for each in found]
        assert len(set(kinds[:KINDS])) == KINDS
        assert len({each.item for each in found}) == KINDS + 3


@pytest.mark.parametrize(
    "zone", [Zone(), Zone(power=0.0), Zone(power=2.0, spread=0.5), Zone(candidates=1)], ids=str
)
def test_logged_propensities_are_the_probabilities(zone: Zone) -> None:
    """The second draw too, which depends on the first: frequencies given the first, chi-square."""
    generator, ranked = rng(), np.arange(SIZE)
    first = np.zeros(SIZE)
    second: dict[tuple[int, int], int] = {}
    claimed: dict[tuple[int, int], float] = {}
    times = 20_000
    for _ in range(times):
        one, two = draws(ranked, KIND, zone=zone, count=2, rng=generator)
        first[one.item] += 1
        second[one.item, two.item] = second.get((one.item, two.item), 0) + 1
        claimed[one.item, two.item] = one.propensity * two.propensity
    expected = np.zeros(SIZE)
    expected[: zone.candidates] = probabilities(zone.candidates, zone)
    tried = expected > 0
    assert not first[~tried].any()
    if tried.sum() > 1:
        assert chisquare(first[tried], times * expected[tried]).pvalue > 1e-3
    pairs = [pair for pair, chance in claimed.items() if chance * times >= 5]
    seen = np.array([second[pair] for pair in pairs] + [0.0])
    chances = np.array([claimed[pair] for pair in pairs])
    seen[-1] = times - seen.sum()
    rest = max(1 - chances.sum(), 0.0)
    if rest * times < 5:
        seen, chances = seen[:-1], chances / chances.sum()
    else:
        chances = np.append(chances, rest)
    if len(seen) > 1:
        assert chisquare(seen, times * chances * seen.sum() / times).pvalue > 1e-3


def test_a_wrong_propensity_would_be_seen() -> None:
    """The control of the test above: frequencies of one rule against the claims of another."""
    generator, first = rng(), np.zeros(20)
    for _ in range(20_000):
        [one] = draws(np.arange(SIZE), KIND, zone=Zone(power=1.1), count=1, rng=generator)
        first[one.item] += 1
    assert chisquare(first, 20_000 * probabilities(20, Zone())).pvalue < 1e-6


def test_every_candidate_has_its_floor_and_better_ones_more() -> None:
    for count in (1, 2, 20):
        chances = probabilities(count, Zone())
        assert chances.sum() == pytest.approx(1.0)
        assert (np.diff(chances) <= 0).all()
        assert chances.min() >= Zone().spread / count - 1e-15


def test_the_operating_system_draws_where_nobody_seeds() -> None:
    mine = history([0, 1], [2, 3])
    assert len({tuple(zone_of(arrange(MODEL, mine))) for _ in range(8)}) > 1


def test_what_is_shown_says_how_it_was_drawn() -> None:
    shown = arrange(MODEL, history([0, 1], [2, 3]), rng=rng())
    for each in shown:
        if each.slot is Slot.DISCOVERY:
            assert each.propensity == probabilities(each.candidates, Zone())[each.rank - 1]
        else:
            assert (each.rank, each.candidates) == (0, 0)


def test_nothing_is_shown_without_a_grant_for_it() -> None:
    events = granted(["a"], purpose=Purpose.TRAIN)
    with pytest.raises(ConsentError, match="needs events for"):
        arranged_for(MODEL, events)


def test_what_was_shown_in_vain_rests_and_comes_back() -> None:
    patience = Patience(shown=2, rest=3)
    shown = [{1, 2}, {1, 3}, {2}, {4}, {4}]
    bought: list[set[int]] = [set(), set(), set(), set(), set()]
    assert resting(shown[:1], bought[:1], patience) == frozenset()
    assert resting(shown[:2], bought[:2], patience) == {1}
    assert resting(shown[:3], bought[:3], patience) == {1, 2}
    assert resting(shown[:4], bought[:4], patience) == {1, 2}
    assert resting(shown, bought, patience) == {2, 4}  # item 1 was away from three lists


def test_buying_wakes_it_up() -> None:
    patience = Patience(shown=2, rest=3)
    assert resting([{1}, {1}], [set(), {1}], patience) == frozenset()
    assert resting([{1}, {1}, set()], [set(), set(), {1}], patience) == frozenset()
    assert resting([{1}, {1}, {1}], [set(), {1}, set()], patience) == frozenset()


def test_a_category_rests_with_all_its_items() -> None:
    shown = [{0}, {KINDS}, {2 * KINDS}, {3 * KINDS}]
    tired = weary(shown, [set()] * 4, KIND)
    assert tired == {item for item in range(SIZE) if KIND[item] == KIND[0]}
    assert weary(shown, [set(), {4 * KINDS}, set(), set()], KIND) == frozenset()


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="need as many outcomes"):
        resting([{1}], [], ITEMS)
    with pytest.raises(InvalidInputError, match="shown >= 1"):
        replace(ITEMS, shown=0)
    with pytest.raises(InvalidInputError, match="spread"):
        Zone(spread=0.0)
