"""What a device measures of itself: the same figures as the evaluation offline, norm at most 1."""

import pickle
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.contributions import evaluation, fairness
from client.contributions.foretold import Foretold, foretell
from client.contributions.history import History
from client.contributions.inputs import Inputs
from client.contributions.registry import contribute
from client.recommender.scores import Model
from consent.admit import admit
from consent.purpose import Category, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.block import Block, Counted, Measured
from consent.tasks.catalogue import Catalogue
from consent.tasks.evaluation import MEASURES, SKETCH_SHARE, EvaluationTask
from consent.tasks.fairness import BANDS, BANDS_SHARE, FairnessTask
from consent.tasks.fairness import MEASURES as GROUP_MEASURES
from consent.tasks.groups import GroupSchema
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.task import parse_task
from crypto.errors import ConsentError, InvalidInputError, WireError
from simulations.evaluation.metrics import _measure
from tests.unit.client.test_contributions import events

ITEMS = 6
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple("abcdef"),
    categories=("x", "x", "y", "y", "z", ""),
    departments=("",) * ITEMS,
    products={},
)
POPULARITY = PopularityArtefact(
    task=TaskName.POPULARITY,
    catalogue=CATALOGUE.hash,
    scores=np.array([1.0, 0.8, 0.5, 0.2, 0.1, 0.05]),
)
ARTEFACTS: Mapping[TaskName, Artefact] = {TaskName.POPULARITY: POPULARITY}
EVALUATION = EvaluationTask(items=ITEMS, length=3, least_baskets=2, sketch=4)
SCHEMA = GroupSchema("test", {"age": ("young", "old"), "size": ("1", "2", "3+")})
AUDIT = FairnessTask(items=ITEMS, schema=SCHEMA, length=3, least_baskets=2)

baskets = st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), max_size=7)
scores = st.lists(st.floats(0, 1), min_size=ITEMS, max_size=ITEMS)
groups = st.fixed_dictionaries(
    {}, optional={"age": st.sampled_from(["young", "old", "?"]), "size": st.just("3+")}
)


def history(*contents: str | list[str]) -> History:
    consented = admit(
        events(*contents),
        purpose=Purpose.FAIRNESS,
        categories={Category.PURCHASES, Category.DEMOGRAPHICS},
        sensitive_items=frozenset(),
    )
    return History.of(consented, CATALOGUE)


def inputs(*contents: str | list[str], **stated: str) -> Inputs:
    return Inputs(
        history=history(*contents), catalogue=CATALOGUE, artefacts=ARTEFACTS, groups=stated
    )


def artefact(values: list[float]) -> PopularityArtefact:
    return PopularityArtefact(
        task=TaskName.POPULARITY, catalogue=CATALOGUE.hash, scores=np.array(values)
    )


@settings(max_examples=200)
@given(contents=baskets, values=scores, stated=groups)
def test_no_history_no_artefact_and_no_statement_gives_more_than_norm_one(
    contents: list[list[str]], values: list[float], stated: dict[str, str]
) -> None:
    given_inputs = Inputs(
        history=history(*contents),
        catalogue=CATALOGUE,
        artefacts={TaskName.POPULARITY: artefact(values)},
        groups=stated,
    )
    vectors = {
        EVALUATION.dimension: evaluation.contribution(EVALUATION, given_inputs),
        AUDIT.dimension: fairness.contribution(AUDIT, given_inputs),
    }
    for dimension, vector in vectors.items():
        assert vector.shape == (dimension,)
        assert np.isfinite(vector).all()
        assert np.linalg.norm(vector) <= 1 + 1e-12


def test_the_bound_is_close_to_reached() -> None:
    """With every part and extreme measures: the room in the norm is not wasted."""
    every = frozenset(count.name for count in MEASURES.counts)
    worst = MEASURES.write(every, {measure.name: 0.0 for measure in MEASURES.measures})
    assert worst @ worst == pytest.approx(1 - SKETCH_SHARE)
    audit = fairness.contribution(AUDIT, inputs("a", "a", "f", age="old", size="1"))
    assert np.linalg.norm(audit) > 0.8


def test_figures_are_those_of_the_offline_evaluation() -> None:
    """An independent implementation, over many random shoppers."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        contents = [
            list(rng.choice(list("abcdef"), size=rng.integers(1, 5), replace=False))
            for _ in range(rng.integers(2, 6))
        ]
        whole = history(*contents)
        model = Model.of(CATALOGUE, [artefact(list(rng.random(ITEMS)))])
        found = foretell(
            whole,
            CATALOGUE,
            [model.popularity] if model.popularity else [],
            length=3,
            least_baskets=2,
            not_before=None,
        )
        assert found is not None
        before = whole.without_latest(1)
        wanted = np.zeros((1, ITEMS), dtype=bool)
        wanted[0, [ord(name) - ord("a") for name in contents[-1]]] = True
        bought = before.counts[None] > 0
        expected = _measure(model.scores(before).total[None], wanted, bought, (3,))
        for name, part in found.parts().items():
            for metric, value in found.quality(part).items():
                assert value == pytest.approx(expected[f"{metric}{name}@3"][0])
        assert 1 - found.new_share == pytest.approx(expected["repeat_share@3"][0])


def test_the_last_basket_is_never_read_for_the_list() -> None:
    one = foretell_of("ab", "cd", "ef")
    other = foretell_of("ab", "cd", "ab")
    assert one.listed.tolist() == other.listed.tolist()
    assert one.wanted.tolist() != other.wanted.tolist()


def foretell_of(*contents: str) -> Foretold:
    found = foretell(
        history(*contents), CATALOGUE, [POPULARITY], length=3, least_baskets=2, not_before=None
    )
    assert found is not None
    return found


def test_too_few_baskets_and_nothing_stated_give_zeros() -> None:
    assert not evaluation.contribution(EVALUATION, inputs("ab")).any()
    assert not fairness.contribution(AUDIT, inputs("ab", "ab")).any()
    assert not fairness.contribution(AUDIT, inputs("ab", "ab", age="of another list")).any()
    assert not fairness.contribution(AUDIT, inputs("ab", "ab", height="tall")).any()


def test_a_group_fills_its_own_block_and_no_other() -> None:
    block = AUDIT.block
    vector = fairness.contribution(AUDIT, inputs("ab", "ab", "ac", age="old", size="2"))
    filled = [bool(vector[start : start + block].any()) for start in range(0, 5 * block, block)]
    assert filled == [False, True, False, True, False]
    count = vector[block] / (GROUP_MEASURES.weights[0] * AUDIT.scale)
    assert count == pytest.approx(1.0)


def test_measures_of_a_list_by_hand() -> None:
    """a and b bought before; the list is a, b, c; the basket to foretell is a and d."""
    given_inputs = inputs("ab", "ab", "ad", age="old")
    seen = foretell_of("ab", "ab", "ad")
    assert seen.listed.tolist() == [0, 1, 2]
    vector = fairness.contribution(AUDIT, given_inputs)[AUDIT.block : 2 * AUDIT.block]
    values = vector / AUDIT.scale

    def read(name: str) -> float:
        place = GROUP_MEASURES.place[name]
        return float(0.5 * (1 + values[place] / GROUP_MEASURES.weights[place]))

    assert read("ndcg") == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert read("new_share") == pytest.approx(1 / 3)
    assert read("diversity") == pytest.approx(2 / 3)  # a and b are of one category
    lift = (1.0 + 0.8 + 0.5) / 3 - (1.0 + 0.8) / 2
    assert read("popularity_lift") == pytest.approx(0.5 * (1 + lift))
    bands = values[GROUP_MEASURES.dimension :] / np.sqrt(BANDS_SHARE)
    # 1 % of six items is the first, 5 % still is, 20 % are two, the rest the others.
    assert bands == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert len(BANDS) == 4


def test_only_baskets_bought_late_enough_count() -> None:
    """Two days and a half after the first: baskets lie 90,000 seconds apart."""
    late = 2 * 90_000
    last = late - late % 86_400  # what is left of a time without a grant for the hour
    for not_before, counted in ((last, True), (last + 1, False), (0, True), (None, True)):
        task = EvaluationTask(
            items=ITEMS, length=3, least_baskets=2, sketch=4, not_before=not_before
        )
        vector = evaluation.contribution(task, inputs("ab", "ab", "ad"))
        assert vector.any() == counted


def test_it_is_computed_under_its_own_grant_alone() -> None:
    def consented(purpose: Purpose, *categories: Category):  # type: ignore[no-untyped-def]
        return admit(
            events("ab", "ab", "ad"),
            purpose=purpose,
            categories={Category.PURCHASES, *categories},
            sensitive_items=frozenset(),
        )

    with pytest.raises(ConsentError, match="needs events for measurement"):
        contribute(EVALUATION, consented(Purpose.TRAIN), CATALOGUE, artefacts=ARTEFACTS)
    with pytest.raises(ConsentError, match="needs events for fairness-audit"):
        contribute(AUDIT, consented(Purpose.MEASUREMENT), CATALOGUE, artefacts=ARTEFACTS)
    with pytest.raises(ConsentError, match="demographics"):
        contribute(AUDIT, consented(Purpose.FAIRNESS), CATALOGUE, artefacts=ARTEFACTS)
    able = consented(Purpose.FAIRNESS, Category.DEMOGRAPHICS)
    told = contribute(AUDIT, able, CATALOGUE, artefacts=ARTEFACTS, groups={"age": "old"})
    assert told.any()
    assert contribute(
        EVALUATION, consented(Purpose.MEASUREMENT), CATALOGUE, artefacts=ARTEFACTS
    ).any()


def test_an_audit_without_popularity_or_over_other_items_is_refused() -> None:
    bare = Inputs(history=history("ab", "ab"), catalogue=CATALOGUE, groups={"age": "old"})
    with pytest.raises(InvalidInputError, match="needs a released popularity"):
        fairness.contribution(AUDIT, bare)
    with pytest.raises(InvalidInputError, match="the catalogue has 6"):
        fairness.contribution(FairnessTask(items=7, schema=SCHEMA), inputs("ab"))
    with pytest.raises(InvalidInputError, match="the catalogue has 6"):
        evaluation.contribution(EvaluationTask(items=7), inputs("ab"))


def test_what_was_foretold_does_not_travel() -> None:
    with pytest.raises(TypeError, match="must not leave"):
        pickle.dumps(foretell_of("ab", "cd"))


@pytest.mark.parametrize("task", [EVALUATION, AUDIT])
def test_tasks_survive_their_manifest(task: EvaluationTask | FairnessTask) -> None:
    assert parse_task(task.name, task.to_json()) == task


@pytest.mark.parametrize(
    "change",
    [
        {"length": 0},
        {"least_baskets": 1},
        {"not_before": -1},
        {"inputs": ["no hash"]},
        {"sketch": 0},
    ],
)
def test_an_evaluation_out_of_bounds_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(WireError):
        parse_task(EVALUATION.name, EVALUATION.to_json() | change)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"name": "x"},
        {"name": "x", "attributes": []},
        {"name": "x", "attributes": [["age", ["only one"]]]},
        {"name": "x", "attributes": [["age", ["a", "a"]]]},
        {"name": "x", "attributes": [["age", ["a", "b"]], ["age", ["a", "b"]]]},
        {"name": "x", "attributes": [["a" * 61, ["a", "b"]]]},
        {"name": "x", "attributes": [[f"a{n}", ["a", "b"]] for n in range(9)]},
    ],
)
def test_a_list_of_groups_out_of_bounds_is_refused(schema: object) -> None:
    with pytest.raises(WireError):
        parse_task(AUDIT.name, AUDIT.to_json() | {"schema": schema})


def test_blocks_refuse_what_would_pass_norm_one() -> None:
    with pytest.raises(InvalidInputError, match="over 1"):
        Block(counts=(Counted("n", 0.6),), measures=(Measured("m", "n", 0.5),))
    for value in (-0.1, 1.1, 1.0 + 1e-6, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="ndcg"):
            MEASURES.write(frozenset({"shoppers"}), {"ndcg": value})


def test_rounding_passes_neither_for_a_mistake_nor_the_bound() -> None:
    """Sums of discounts may come to a little more than their ideal."""
    every = frozenset(count.name for count in MEASURES.counts)
    values = {measure.name: 1.0 + 2e-16 for measure in MEASURES.measures}
    above = MEASURES.write(every, values)
    exact = MEASURES.write(every, dict.fromkeys(values, 1.0))
    assert above.tolist() == exact.tolist()
    assert above @ above <= 1 - SKETCH_SHARE + 1e-12


def test_a_model_is_shared_by_shoppers_and_never_by_other_artefacts() -> None:
    """Equal numbers in other objects, and other numbers, are models of their own."""
    one, other = artefact([1.0, 0.5, 0.1, 0.0, 0.0, 0.0]), artefact([0.0, 0.0, 0.0, 0.1, 0.5, 1.0])

    def first(given: PopularityArtefact) -> int:
        found = foretell(
            history("c", "d"), CATALOGUE, [given], length=2, least_baskets=2, not_before=None
        )
        assert found is not None
        return int(found.listed[0])

    assert [first(each) for each in (one, one, other, one)] == [0, 0, 5, 0]
    assert first(artefact(one.scores.tolist())) == 0
