"""Weeks of recommending and buying: figures re-derived, policies as they claim, one page of it."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from client.recommender.discovery import Zone
from client.recommender.openness import Breadth
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError
from simulations.drift.measures import (
    TITLES,
    UNITS,
    gini,
    of_baskets,
    of_lists,
    satisfaction,
)
from simulations.drift.memory import Memory, estimate
from simulations.drift.page import headline, sentences, to_html
from simulations.drift.policies import BEFORE, PLACES, Device, Policy
from simulations.drift.study import LAST, Options, study
from simulations.drift.town import WARM_UP, Bools, Habits, Ints, Town
from tests.unit.commands import fedcart

SMALL = Habits(shoppers=16, items=70, categories=7)
OPTIONS = Options(weeks=9, seeds=2, habits=SMALL)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return study(OPTIONS)


def town(seed: int = 0, habits: Habits = SMALL) -> Town:
    return Town.founded(habits, weeks=9, rng=np.random.default_rng(seed))


def test_gini_is_the_mean_difference_over_twice_the_mean() -> None:
    amounts = np.random.default_rng(0).exponential(size=40)
    pairs = np.abs(amounts[:, None] - amounts[None, :]).mean()
    assert gini(amounts) == pytest.approx(pairs / (2 * amounts.mean()))
    assert gini(np.ones(9)) == pytest.approx(0.0)
    assert gini(np.zeros(3)) == 0.0


def test_figures_of_lists_by_hand() -> None:
    listed = np.array([[0, 1, 2], [0, 3, -1]])
    known = np.array([[True, True, False, False, False], [True, False, False, False, False]])
    kind = np.array([0, 0, 1, 1, 2])
    sold = np.array([True, True, True, True, False])
    found = of_lists(listed, known, kind, sold)
    assert found["repeat_share"] == pytest.approx(3 / 5)
    assert found["diversity"] == pytest.approx((2 / 3 + 1.0) / 2)
    assert found["coverage"] == 1.0
    assert found["gini_lists"] == pytest.approx(gini(np.array([2.0, 1.0, 1.0, 1.0])))


def test_figures_of_baskets_by_hand() -> None:
    known = np.array([[True, False, False], [False, False, False]])
    bought = np.array([[True, True, False], [False, False, True]])
    listed = np.array([[1, 0], [0, 1]])
    found = of_baskets(bought, known, listed, np.ones(3, dtype=bool), [bought, known])
    assert found["new_share"] == pytest.approx(2 / 3)
    assert found["new_recall"] == pytest.approx(1 / 2)
    assert found["variety"] == pytest.approx(1.5)
    utility = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    assert satisfaction(utility, bought) == pytest.approx((1.0 + 0.0 + 1.0) / 3)


def test_shoppers_choose_in_proportion_to_attention_and_utility() -> None:
    """A town of one line a week: how often each item is bought is a plain softmax."""
    lone = Habits(shoppers=4000, items=6, categories=2, lines=0.0, launched=0.0, fading=0.0)
    made = town(3, lone)
    made.tastes[:], made.likings[:], made.openness[:] = 0.0, np.arange(6) / 4, 0.5
    made.known[:, :3] = True
    listed = np.tile([4, 0], (4000, 1))
    noticed = np.where([1, 1, 1, 0, 0, 0], 1.0, lone.wander * made.prominence)
    noticed[4] += lone.attention
    noticed[0] += lone.attention / np.log2(3)
    doubt = np.where([1, 1, 1, 0, 0, 0], 0.0, 1.0)
    weight = noticed * np.exp(np.arange(6) / 4 - doubt)
    bought = made.shop(listed, np.random.default_rng(0)).sum(axis=0)
    assert bought.sum() == 4000
    assert stats.chisquare(bought, 4000 * weight / weight.sum()).pvalue > 1e-3


def test_nothing_is_bought_before_it_is_sold_and_purchases_satiate() -> None:
    made = town(1)
    while made.week < 0:
        week, sold, before = made.week, made.sold, made.sated.copy()
        bought = made.shop(None, np.random.default_rng(week + 99))
        assert not bought[:, ~sold].any()
        assert (made.known[bought]).all()
        expected = SMALL.recovery * (before + SMALL.satiation * bought)
        np.testing.assert_allclose(made.sated, expected)


def test_the_policies_differ_by_their_zone_alone() -> None:
    made = town(2)
    memory = Memory(SMALL.shoppers, SMALL.items)
    for week in range(WARM_UP):
        memory.add(made.shop(None, np.random.default_rng(week)))
    histories = memory.histories()
    model = estimate(
        histories,
        made.catalogue,
        dict.fromkeys((TaskName.POPULARITY, TaskName.RECENT_POPULARITY), 0.0),
        np.random.default_rng(0),
    )
    everything = np.ones(SMALL.items, dtype=bool)
    for history in histories:
        lists = {}
        for policy in (Policy.BEST, Policy.ZONE):
            device = Device(policy, zone=Zone(mean=6.0, most=4), breadth=Breadth.MUCH_MORE)
            lists[policy] = device.listed(model, history, everything, np.random.default_rng(1))
        best, zoned = lists[Policy.BEST], lists[Policy.ZONE]
        assert best.size == zoned.size == PLACES
        np.testing.assert_array_equal(best[:BEFORE], zoned[:BEFORE])
        fresh = zoned[BEFORE : BEFORE + 4]
        assert not history.counts[fresh].any()
        assert np.isin(zoned[BEFORE + 4 :], best).all()
        shut = Device(Policy.ZONE, zone=Zone(mean=6.0, most=4), breadth=Breadth.NONE)
        again = shut.listed(model, history, everything, np.random.default_rng(1))
        np.testing.assert_array_equal(again, best)


def test_noise_puts_nothing_on_a_list_that_is_not_on_the_shelf(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def watched(listed: Ints, known: Bools, kind: Ints, sold: Bools) -> dict[str, float]:
        seen.append((listed, sold))
        return of_lists(listed, known, kind, sold)

    monkeypatch.setattr("simulations.drift.study.of_lists", watched)
    study(replace(OPTIONS, epsilon=0.5))
    assert any(not sold.all() for _, sold in seen)
    for listed, sold in seen:
        assert sold[listed[listed >= 0]].all()


def test_the_same_seed_is_the_same_study_and_noise_changes_it(record: dict[str, Any]) -> None:
    again = study(OPTIONS)
    assert again == record
    noisy = study(replace(OPTIONS, epsilon=0.5))
    assert noisy["curves"][Policy.BEST] != record["curves"][Policy.BEST]
    assert noisy["curves"][Policy.NO_LIST] == record["curves"][Policy.NO_LIST]


def test_a_zone_breaks_the_repeats_and_no_list_has_none(record: dict[str, Any]) -> None:
    differences = record["differences"]
    mean, _, _ = differences[Policy.ZONE]["repeat_share"]
    assert mean < -0.05
    assert "repeat_share" not in differences[Policy.NO_LIST]
    curves = record["curves"]
    assert set(curves[Policy.ZONE]) == set(TITLES)
    for table in curves.values():
        for curve in table.values():
            assert len(curve["mean"]) == 9
            assert all(
                low <= mean <= high
                for low, mean, high in zip(curve["low"], curve["mean"], curve["high"], strict=True)
            )
    tail = np.mean(curves[Policy.ZONE]["repeat_share"]["mean"][-LAST:])
    base = np.mean(curves[Policy.BEST]["repeat_share"]["mean"][-LAST:])
    assert mean == pytest.approx(tail - base)


def test_too_little_for_an_interval_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="several towns"):
        Options(seeds=1)
    with pytest.raises(InvalidInputError, match="categories"):
        Habits(items=5, categories=9)


def test_the_headline_tells_sides_and_what_is_not_clear(record: dict[str, Any]) -> None:
    made = record | {
        "differences": {
            Policy.NO_LIST: {
                "variety": [1.77, 1.66, 1.88],
                "satisfaction": [-0.008, -0.009, -0.007],
            },
            Policy.ZONE: {"variety": [0.1, -0.2, 0.4], "coverage": [-0.057, -0.07, -0.045]},
        }
    }
    _, without, zoned = headline(made)
    assert without.startswith("No list: 1.77 more different items bought")
    assert "(1.66 to 1.88); 0.0080 less satisfaction" in without
    assert "(0.0070 to 0.0090)" in without
    assert "no clear difference in different items bought in four weeks" in zoned
    assert "0.057 less of the shelf in some list, as a share (0.045 to 0.070)" in zoned
    told = sentences(made)
    assert len(told) == 3
    assert told[0].startswith(
        "no list: Different items bought in four weeks +1.77 (+1.66 to +1.88)"
    )
    assert told[0].endswith("items a shopper")


class _Counting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in {"script", "link", "img"}
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        self.links |= {value or "" for name, value in attrs if name == "href"}

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_has_a_chart_a_measure_and_a_line_a_policy(record: dict[str, Any]) -> None:
    page = _Counting()
    page.feed(to_html(record))
    assert page.tags.count("figure") == len(TITLES)
    assert page.tags.count("polyline") == sum(len(table) for table in record["curves"].values())
    assert "each week from 70 items" in " ".join(page.words.split())
    assert page.links == {"#curves", "#differences", "#method"}
    assert {link.removeprefix("#") for link in page.links} <= page.ids
    for unit in UNITS.values():
        assert page.words.count(unit) >= 2  # at its chart and in the table
    for policy in Policy:
        assert policy in page.words
    for title in TITLES.values():
        assert title in page.words


def test_the_command_writes_page_and_record(tmp_path: Path) -> None:
    done = fedcart(
        "drift",
        "--weeks",
        "8",
        "--shoppers",
        "9",
        "--items",
        "50",
        "--seeds",
        "2",
        "--out",
        tmp_path,
    )
    assert done.code == 0, done.said
    assert "best items only" in done.out
    assert json.loads((tmp_path / "drift.json").read_text())["options"]["weeks"] == 8
    assert (tmp_path / "drift.html").read_text().startswith("<!doctype html>")
    assert fedcart("drift", "--slider", "sideways").code == 2
