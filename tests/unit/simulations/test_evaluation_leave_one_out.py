"""Leave-one-out: what is held out, where it ranks, and that nothing gives it away."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from client.contributions.history import FloatArray
from crypto.errors import InvalidInputError
from simulations.evaluation import baselines
from simulations.evaluation.leak_probe import FALSE_ALARM, leak_probe, seldom_drawn
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.negatives import (
    Negatives,
    drawn_negatives,
    times_drawn,
    training_negatives,
)
from simulations.evaluation.negatives_file import read_negatives
from simulations.evaluation.ranks import measure_ranks
from simulations.population.population import Population
from simulations.population.synthetic import synthetic
from tests.unit.simulations.test_evaluation import SMALL, content, letters, population

RATED = {"ann": ["a", "bc", "d"], "bob": ["ba", "f"], "cat": ["ab"]}


def split(shops: dict[str, list[str]] = RATED, **named: int) -> LeaveOneOut:
    return LeaveOneOut(population=population(shops), named=named)


def test_the_latest_item_is_the_test_and_the_one_before_it_validation() -> None:
    parts = split()
    assert parts.test.tested == parts.validation.tested == ("ann", "bob")
    assert [letters(t) for t in parts.test.truth] == ["d", "f"]
    assert [letters(t) for t in parts.validation.truth] == ["c", "a"]  # the later line of a tie
    assert content(parts.test.histories["ann"]) == ["a", "bc"]
    assert content(parts.validation.histories["ann"]) == ["a", "b"]
    assert content(parts.validation.histories["bob"]) == ["b"]
    assert content(parts.test.histories["cat"]) == ["ab"]  # too few to be tested, so all stays


def test_a_repeat_after_the_held_out_item_is_taken_away_with_it() -> None:
    parts = split({"ann": ["a", "b", "c", "a", "c", "b"]})
    assert [letters(t) for t in parts.test.truth] == ["c"]
    assert content(parts.test.histories["ann"]) == ["a", "b"]
    assert [letters(t) for t in parts.validation.truth] == ["b"]
    assert content(parts.validation.histories["ann"]) == ["a"]


def test_unknown_items_are_no_interactions() -> None:
    parts = split({"ann": ["y", "a", "zb", "y", "c", "z"]})
    assert letters(parts.test.truth[0]) == "c"
    assert content(parts.test.histories["ann"]) == ["a", "b"]


def test_a_named_item_is_the_test_whatever_its_place() -> None:
    parts = split(ann=1)
    assert letters(parts.test.truth[0]) == "b"
    assert content(parts.test.histories["ann"]) == ["a", "c", "d"]
    assert letters(parts.validation.truth[0]) == "d"
    assert content(parts.validation.histories["ann"]) == ["a", "c"]
    with pytest.raises(InvalidInputError, match="never had"):
        _ = split(ann=5).test


def test_nothing_to_test_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="nothing to evaluate"):
        _ = split({"ann": ["ab"]}).test
    with pytest.raises(InvalidInputError, match="minimum_items=2"):
        LeaveOneOut(population=population(RATED), minimum_items=2)


def fixed(scores: FloatArray) -> Scorer:
    return lambda rows: scores[rows]


def test_ranks_by_hand() -> None:
    fold = split().test  # ann: d held out, a b c had; bob: f held out, a b had
    scores = np.array([[9, 9, 9, 5, 7, 5], [9, 9, 4, 3, 2, 1]], dtype=float)
    # Among all she has not had, ann's d ties with f below e; bob's f is last of c, d, e, f.
    full = measure_ranks(fixed(scores), fold, negatives=None, cutoffs=(2, 3))
    assert full["hr@2"].tolist() == [0.5, 0.0]
    assert full["hr@3"].tolist() == [1.0, 0.0]
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    assert full["ndcg@3"] == pytest.approx([(second + third) / 2, 0])
    given = measure_ranks(
        fixed(scores), fold, negatives=[np.array([5]), np.array([2, 4])], cutoffs=(1, 3)
    )
    assert given["hr@1"].tolist() == [0.5, 0.0]
    assert given["ndcg@3"] == pytest.approx([(1 + second) / 2, third])


def test_ties_count_as_every_order_of_them_does() -> None:
    fold = split({"ann": ["a", "b", "c"]}).test
    scores = np.array([[0, 0, 1.0, 2.0, 1.0, 1.0]])
    got = measure_ranks(fixed(scores), fold, negatives=[np.array([3, 4, 5])], cutoffs=(2, 3))
    ranks = [2 + order.index("c") for order in itertools.permutations("cde")]
    for k in (2, 3):
        assert got[f"hr@{k}"][0] == pytest.approx(np.mean([rank <= k for rank in ranks]))
        gains = [1 / math.log2(rank + 1) if rank <= k else 0 for rank in ranks]
        assert got[f"ndcg@{k}"][0] == pytest.approx(np.mean(gains))


def test_a_score_that_is_not_a_number_is_refused() -> None:
    fold = split().test
    with pytest.raises(InvalidInputError, match="NaN"):
        measure_ranks(fixed(np.full((2, 6), np.nan)), fold, negatives=None)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = LeaveOneOut(population=synthetic(40, 30)).test
    model = baselines.personal_and_global_top(fold)
    whole = measure_ranks(model, fold, negatives=None)
    monkeypatch.setattr("simulations.evaluation.ranks.SHOPPERS_AT_ONCE", 7)
    for name, values in measure_ranks(model, fold, negatives=None).items():
        assert np.array_equal(values, whole[name])


def test_drawn_negatives_are_never_hers_and_repeat_with_the_seed() -> None:
    parts = LeaveOneOut(population=synthetic(30, 40))
    first, second = (
        drawn_negatives(parts, rng=np.random.default_rng(1), count=20) for _ in range(2)
    )
    whole = parts.population.catalogue.indices(parts.population.events.item)
    for shopper, items in first.items.items():
        had = whole[parts.population.events.shopper == shopper]
        assert not set(items.tolist()) & set(had.tolist())
        assert len(set(items.tolist())) == items.size == min(20, 40 - len(set(had.tolist())))
        assert np.array_equal(items, second.items[shopper])


def test_training_negatives_spare_what_was_passed_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    owned = np.array([0, 3])
    drawn = training_negatives(owned, items=6, count=6000, rng=rng)
    counts = np.bincount(drawn, minlength=6)
    assert counts[owned].tolist() == [0, 0]
    assert counts[[1, 2, 4, 5]] == pytest.approx(np.full(4, 1500), rel=0.1)
    assert times_drawn(owned, items=6, count=50, rng=rng).sum() == 50
    with pytest.raises(InvalidInputError, match="all 2 items"):
        training_negatives(np.arange(2), items=2, count=1, rng=rng)


@pytest.fixture(scope="module")
def rated() -> LeaveOneOut:
    return LeaveOneOut(population=synthetic(400, 300, seed=5))


@pytest.fixture(scope="module")
def given(rated: LeaveOneOut) -> Negatives:
    return drawn_negatives(rated, rng=np.random.default_rng(6))


def test_the_leak_probe_is_at_chance_and_its_control_fires(
    rated: LeaveOneOut, given: Negatives
) -> None:
    fold, negatives = given.restricted(rated.test)
    found = leak_probe(fold, negatives, rng=np.random.default_rng(7))
    assert found.chance == pytest.approx(0.1)
    assert found.ci[0] <= 0.1 <= found.ci[1]
    assert found.control > 0.98
    assert found.holds


def test_the_probe_accuses_no_honest_run_and_sees_a_leak_of_few(
    rated: LeaveOneOut, given: Negatives
) -> None:
    """Its limit is the binomial one: an interval of 95 % would accuse one honest run in forty."""
    fold, negatives = given.restricted(rated.test)
    found = leak_probe(fold, negatives, rng=np.random.default_rng(9))
    shoppers = len(fold.tested)
    assert found.limit == pytest.approx(binom.isf(FALSE_ALARM, shoppers, 0.1) / shoppers, rel=0.03)
    unlucky = replace(found, hit_rate=0.129, ci=(0.101, 0.16))
    assert unlucky.holds
    leaky = replace(found, hit_rate=0.9 * found.chance + 0.1)  # a tenth of them given away
    assert not leaky.holds


def test_the_probe_is_at_chance_over_all_items_too(rated: LeaveOneOut) -> None:
    fold = rated.test
    honest, leaky = (
        measure_ranks(
            seldom_drawn(fold, rng=np.random.default_rng(8), leaky=leaky), fold, negatives=None
        )["hr@10"].mean()
        for leaky in (False, True)
    )
    assert honest < 3 * 10 / 300
    assert leaky > 0.9


def test_a_constant_scorer_is_at_chance_exactly(rated: LeaveOneOut, given: Negatives) -> None:
    fold, negatives = given.restricted(rated.test)
    flat = measure_ranks(
        lambda rows: np.zeros((rows.stop - rows.start, 300)), fold, negatives=negatives
    )
    assert flat["hr@10"] == pytest.approx(np.full(len(fold.tested), 0.1))


LAYOUTS = {
    "cells.csv": "ann,f,e\nbob,c,e,d\n",
    "header.tsv": "user\tn1\tn2\tn3\nann\tf\te\t\nbob\tc\te\td\n",
    "one_cell.csv": 'user,negatives\nann,"[f, e]"\nbob,c e|d\n',
    "pairs.csv": "user,item\nann,f\nbob,c\nann,e\nbob,e\nbob,d\n",
    "semicolons.txt": "ann;f;e\nbob;c;e;d\n",
    "spaces.txt": "ann f  e\nbob c e d\n",
    "map.json": json.dumps({"ann": ["f", "e"], "bob": ["c", "e", "d"]}),
    "lists.json": json.dumps([["ann", ["f", "e"]], ["bob", "c", "e", "d"]]),
    "lines.jsonl": '{"u": "ann", "neg": ["f", "e"]}\n{"u": "bob", "neg": ["c", "e", "d"]}\n',
}
NAMING = {
    "ncf.test.negative": "(ann,c)\tf\te\n(bob,f)\tc\te\td\n",
    "commas.csv": "(ann, c),f,e\n(bob, f),c,e,d\n",
    "positive_first.csv": "user,positive,n1,n2\nann,c,f,e\nbob,f,c,e,d\n",
    "objects.jsonl": '{"u":"ann","i":"c","neg":["f","e"]}\n{"u":"bob","i":"f","neg":["c","e","d"]}',
}


@pytest.mark.parametrize("name", [*LAYOUTS, *NAMING])
def test_every_layout_of_negatives_reads_alike(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text((LAYOUTS | NAMING)[name])
    got = read_negatives(path, split())
    assert {shopper: letters(items) for shopper, items in got.items.items()} == {
        "ann": "ef",
        "bob": "cde",
    }
    assert {shopper: "abcdef"[item] for shopper, item in got.named.items()} == (
        {"ann": "c", "bob": "f"} if name in NAMING else {}
    )
    assert got.notes == ()
    assert name in got.origin


def test_what_can_not_compete_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text("ann,f,a,q\nbob,c,e,f\nzed,a,b\n")
    got = read_negatives(path, split())
    assert letters(got.items["ann"]) == "f"
    assert letters(got.items["bob"]) == "ce"
    assert [note.split(" ", 1)[0] for note in got.notes] == ["1", "1", "2"]
    fold, negatives = Negatives(
        items={"ann": np.empty(0, dtype=np.int64), "bob": got.items["bob"]}, origin="", named={}
    ).restricted(split().test)
    assert fold.tested == ("bob",)
    assert [letters(part) for part in negatives] == ["ce"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,a\ny,b\n", "0 of them are in the data set"),
        ("ann,q1,q2,f\n", "the item list has 1 of them"),
        ("", "0 of them are in the data set"),
    ],
)
def test_another_data_sets_ids_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "given.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        read_negatives(path, split())


def test_a_broken_file_of_negatives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no file"):
        read_negatives(tmp_path / "none.csv", split())
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidInputError, match="not JSON"):
        read_negatives(tmp_path / "bad.json", split())
    (tmp_path / "row.json").write_text('["ann"]')
    with pytest.raises(InvalidInputError, match="a row is a shopper"):
        read_negatives(tmp_path / "row.json", split())
    (tmp_path / "latin.csv").write_bytes(b"ann,\xe9\n")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_negatives(tmp_path / "latin.csv", split())
    assert population(SMALL).name == "small"


def test_what_is_held_out_never_moves_a_score() -> None:
    def changed(shops: dict[str, list[str]], swap: str) -> Population:
        return population({name: [*b[:-1], b[-1][:-1] + swap] for name, b in shops.items()})

    shops = {f"s{n}": ["abc"[n % 3], "d" + "abc"[(n + 1) % 3], "x"] for n in range(9)}
    first, second = (LeaveOneOut(population=changed(shops, swap)).test for swap in "fe")
    assert [t.tolist() for t in first.truth] != [t.tolist() for t in second.truth]
    for name, model in baselines.BASELINES.items():
        everyone = slice(0, len(first.tested))
        assert np.array_equal(model(first)(everyone), model(second)(everyone)), name
