"""Audits: intervals that cover, gaps that are seen where they can be, and silence where not.

Populations are made up here with known means, and their sums are put together by a formula of
their own, so that neither the layout nor the intervals are checked against themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest

from consent.tasks.artefact import decode_artefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.evaluation import EvaluationArtefact, EvaluationTask
from consent.tasks.fairness import BANDS, FairnessArtefact, FairnessTask, GroupFinding, Verdict
from consent.tasks.groups import GroupSchema
from crypto.errors import InvalidInputError, WireError
from server.artefacts.evaluation import EFFECTIVE, effective_items
from server.artefacts.registry import finish

FloatArray = npt.NDArray[np.float64]

CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple(f"i{n}" for n in range(40)),
    categories=("",) * 40,
    departments=("",) * 40,
    products={},
)
AGE = GroupSchema("test", {"age": ("young", "middle", "old")})
TASK = FairnessTask(items=40, schema=AGE)
# Shares of the squared norm, written out by hand: count, then measure and square in turn.
SHARES = (0.22, 0.24, 0.07, 0.12, 0.03, 0.10, 0.03, 0.08, 0.03)
BAND_SHARE = 0.08


@dataclass(frozen=True)
class Group:
    """Shoppers whose NDCG follows a beta law with this mean; a list is from ``band`` alone."""

    size: int
    mean: float
    concentration: float = 2.0
    band: int = 0

    def draw(self, rng: np.random.Generator) -> FloatArray:
        a, b = self.mean * self.concentration, (1 - self.mean) * self.concentration
        return rng.beta(a, b, self.size)


def block(values: FloatArray, band: int) -> FloatArray:
    """The sum over shoppers; the other three measures are 0.6, 0.3 and 0.5 for everybody."""
    columns = [np.ones_like(values)]
    for measure in (values, 0.6 + 0 * values, 0.3 + 0 * values, 0.5 + 0 * values):
        columns += [2 * measure - 1, 2 * (2 * measure - 1) ** 2 - 1]
    coded = np.array([column.sum() for column in columns]) * np.sqrt(SHARES)
    bands = np.zeros(len(BANDS))
    bands[band] = values.size * sqrt(BAND_SHARE)
    return np.concatenate([coded, bands])


def audit(
    groups: Sequence[Group],
    rng: np.random.Generator,
    *,
    noise: float = 0.0,
    task: FairnessTask = TASK,
) -> FairnessArtefact:
    total = np.concatenate([block(group.draw(rng), group.band) for group in groups])
    noisy = total + noise * rng.standard_normal(total.size)
    found = finish(task, noisy, noise_stddev=noise, catalogue=CATALOGUE)
    assert isinstance(found, FairnessArtefact)
    return found


def of(found: FairnessArtefact, group: str) -> GroupFinding:
    return found.attributes["age"].groups[group]


def test_without_noise_it_says_what_was_summed() -> None:
    rng = np.random.default_rng(1)
    values = [rng.random(size) for size in (50, 70, 80)]
    total = np.concatenate([block(each, band) for band, each in enumerate(values)])
    found = finish(TASK, total, noise_stddev=0.0, catalogue=CATALOGUE)
    assert isinstance(found, FairnessArtefact)
    everyone = np.concatenate(values)
    assert found.attributes["age"].mean["ndcg"].value == pytest.approx(everyone.mean())
    assert found.attributes["age"].mean["shoppers"].value == pytest.approx(200)
    for name, each, band in zip(("young", "middle", "old"), values, BANDS, strict=False):
        figures = of(found, name).figures
        assert figures["shoppers"].value == pytest.approx(each.size)
        assert figures["ndcg"].value == pytest.approx(each.mean())
        half = 1.959964 * each.std() / sqrt(each.size)  # not the pooled one: that is the gap's
        assert figures["ndcg"].high - figures["ndcg"].value == pytest.approx(half, rel=1e-6)
        assert figures["gap"].value == pytest.approx(each.mean() - everyone.mean())
        assert figures["ratio"].value == pytest.approx(each.mean() / everyone.mean())
        assert figures["popularity_lift"].value == pytest.approx(0.2)
        assert figures["new_share"].value == pytest.approx(0.3)
        assert figures["diversity"].value == pytest.approx(0.5)
        assert figures[band].value == pytest.approx(1.0)


# A ratio of two noisy numbers is not quite normal, so a few runs in a hundred more may be missed.
@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
def test_95_percent_intervals_cover_in_about_95_percent(noise: float) -> None:
    rng = np.random.default_rng(7)
    groups = (Group(120, 0.20), Group(240, 0.28), Group(140, 0.25))
    mean = sum(g.size * g.mean for g in groups) / sum(g.size for g in groups)
    covered = dict.fromkeys(("ndcg", "gap", "ratio", "ratio_sure", "shoppers", "overall"), 0)
    runs = 600
    for _ in range(runs):
        found = audit(groups, rng, noise=noise)
        figures = of(found, "young").figures
        truth = {
            "ndcg": 0.20,
            "gap": 0.20 - mean,
            "ratio": 0.20 / mean,
            "ratio_sure": 0.20 / mean,
            "shoppers": 120,
        }
        for name, value in truth.items():
            covered[name] += figures[name].low - 1e-9 <= value <= figures[name].high + 1e-9
        overall = found.attributes["age"].mean["ndcg"]
        covered["overall"] += overall.low <= mean <= overall.high
    shares = {name: count / runs for name, count in covered.items()}
    for name in ("ndcg", "gap", "ratio", "overall"):
        assert 0.925 <= shares[name] <= 0.98, shares
    assert shares["ratio_sure"] >= 0.965, shares
    assert shares["shoppers"] >= (0.93 if noise else 1.0), shares


def test_intervals_widen_with_noise_exactly_as_it_propagates() -> None:
    """The spread of the released gap over many draws of noise alone, against what is stated."""
    rng = np.random.default_rng(5)
    groups = (Group(300, 0.2), Group(500, 0.3), Group(200, 0.25))
    total = np.concatenate([block(group.draw(rng), 0) for group in groups])
    quiet = finish(TASK, total, noise_stddev=0.0, catalogue=CATALOGUE)
    gaps, stated = [], 0.0
    for _ in range(2000):
        noisy = total + 4.0 * rng.standard_normal(total.size)
        found = finish(TASK, noisy, noise_stddev=4.0, catalogue=CATALOGUE)
        assert isinstance(found, FairnessArtefact)
        gap = of(found, "young").figures["gap"]
        gaps.append(gap.value)
        stated += ((gap.high - gap.low) / 2 / 1.959964) ** 2 / 2000
    assert isinstance(quiet, FairnessArtefact)
    gap = of(quiet, "young").figures["gap"]
    sampling = ((gap.high - gap.low) / 2 / 1.959964) ** 2
    assert stated - sampling == pytest.approx(np.var(gaps), rel=0.2)


def test_a_planted_gap_is_seen_where_it_can_be() -> None:
    """Positive control: one group is served a fifth worse."""
    rng = np.random.default_rng(11)
    large = (Group(20_000, 0.20), Group(30_000, 0.26), Group(20_000, 0.26))
    found = of(audit(large, rng, noise=5.0), "young")
    assert found.verdict is Verdict.BELOW
    assert found.figures["ratio_sure"].high < 0.95
    assert found.detectable < 0.05 * 0.24
    assert found.needed < 20_000


def test_the_same_gap_is_too_small_to_see_among_few() -> None:
    rng = np.random.default_rng(11)
    small = (Group(40, 0.20), Group(60, 0.26), Group(40, 0.26))
    seen = [of(audit(small, rng), "young") for _ in range(200)]
    verdicts = [each.verdict for each in seen]
    assert verdicts.count(Verdict.BELOW) < 20  # by luck, now and then; it is there after all
    assert verdicts.count(Verdict.NOT_SEEABLE) > 160
    assert all(each.detectable > 0.05 * 0.24 and each.needed > 1000 for each in seen)


def test_noise_alone_can_hide_a_gap_and_the_audit_says_so() -> None:
    rng = np.random.default_rng(2)
    groups = (Group(5000, 0.20), Group(5000, 0.26), Group(5000, 0.26))
    quiet, loud = (of(audit(groups, rng, noise=noise), "young") for noise in (1.0, 400.0))
    assert quiet.verdict is Verdict.BELOW
    assert loud.verdict is Verdict.NOT_SEEABLE
    assert loud.detectable > 3 * quiet.detectable
    assert loud.needed > 5 * quiet.needed


def test_no_gap_among_many_is_said_to_be_none() -> None:
    rng = np.random.default_rng(4)
    even = (Group(40_000, 0.25),) * 3
    verdicts = {
        name: of(audit(even, rng, noise=5.0), name).verdict for name in AGE.attributes["age"]
    }
    assert set(verdicts.values()) <= {Verdict.FAIR, Verdict.NOT_SHOWN}


@pytest.mark.parametrize("least", [20, 40, 300])
def test_false_alarms_are_as_rare_as_stated_for_all_groups_together(least: int) -> None:
    """Among groups that are alike, some claim of a difference appears in 5 % of audits."""
    rng = np.random.default_rng(9)
    even = (Group(least, 0.25), Group(200, 0.25), Group(250, 0.25))
    claims = {Verdict.BELOW, Verdict.WORSE, Verdict.BETTER}
    alarms = 0
    for _ in range(600):
        groups = audit(even, rng, noise=1.0).attributes["age"].groups
        alarms += any(each.verdict in claims for each in groups.values())
    assert alarms / 600 <= 0.07


def test_what_could_have_been_seen_is_seen_in_80_percent() -> None:
    """A gap as large as ``detectable`` says is shown about as often as it says."""
    rng = np.random.default_rng(13)
    sizes = (900, 1500, 1200)
    even = tuple(Group(size, 0.25) for size in sizes)
    detectable = np.mean([of(audit(even, rng, noise=4.0), "young").detectable for _ in range(20)])
    # The group is a quarter of all: a gap to the mean of all takes a third more to the others.
    low = 0.25 - detectable * sum(sizes) / (sum(sizes) - sizes[0])
    worse = (Group(sizes[0], float(low)), *even[1:])
    shown = 0
    for _ in range(300):
        shown += of(audit(worse, rng, noise=4.0), "young").verdict in (
            Verdict.BELOW,
            Verdict.WORSE,
        )
    assert 0.7 <= shown / 300 <= 0.92


def test_needed_is_how_many_would_have_been_enough() -> None:
    """With as many shoppers as it says, the gap it asks about is just detectable."""
    rng = np.random.default_rng(21)
    groups = (Group(200, 0.25), Group(400, 0.25), Group(300, 0.25))
    found = of(audit(groups, rng, noise=3.0), "young")
    times = found.needed / 200
    enough = [replace(group, size=int(group.size * times)) for group in groups]
    again = audit(enough, rng, noise=3.0)
    mean = again.attributes["age"].mean["ndcg"].value
    assert of(again, "young").detectable == pytest.approx(0.05 * mean, rel=0.15)


@pytest.mark.parametrize(("size", "noise"), [(19, 0.0), (60, 40.0)])
def test_small_groups_and_groups_within_the_noise_are_not_reported(size: int, noise: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        found = audit((Group(size, 0.2), Group(5000, 0.3), Group(5000, 0.3)), rng, noise=noise)
        assert found.attributes["age"].too_small == ("young",)
        assert set(found.attributes["age"].groups) == {"middle", "old"}
        assert b"young" in encode_artefact(found)  # named, with no figure
        assert found.attributes["age"].mean["shoppers"].value > 9_000


def test_nobody_at_all_is_no_finding() -> None:
    nothing = np.zeros(TASK.dimension)
    found = finish(TASK, nothing, noise_stddev=1.0, catalogue=CATALOGUE)
    assert isinstance(found, FairnessArtefact)
    assert found.attributes["age"].groups == {}
    assert found.attributes["age"].mean == {}
    assert found.attributes["age"].too_small == AGE.attributes["age"]


def test_several_attributes_share_the_norm_and_read_the_same() -> None:
    schema = GroupSchema("two", {"age": ("young", "old"), "size": ("1", "2")})
    task = FairnessTask(items=40, schema=schema)
    rng = np.random.default_rng(8)
    values = rng.random(400)
    parts = [block(values[:150], 0), block(values[150:], 0), block(values[:90], 0)]
    total = np.concatenate([*parts, block(values[90:], 0)]) / sqrt(2)
    found = finish(task, total, noise_stddev=0.0, catalogue=CATALOGUE)
    assert isinstance(found, FairnessArtefact)
    young, single = (
        found.attributes[a].groups[g].figures["ndcg"].value
        for a, g in (("age", "young"), ("size", "1"))
    )
    assert (young, single) == pytest.approx((values[:150].mean(), values[:90].mean()))


def test_artefacts_survive_their_file() -> None:
    found = audit(
        (Group(15, 0.2), Group(500, 0.3), Group(500, 0.3)), np.random.default_rng(6), noise=2
    )
    again = decode_artefact(encode_artefact(found))
    assert again == found


@pytest.mark.parametrize(
    "change", [{"attributes": []}, {"noise_share": -1}, {"attributes": {"age": {"groups": {}}}}]
)
def test_a_spoilt_artefact_is_refused(change: Mapping[str, object]) -> None:
    found = audit((Group(50, 0.2), Group(50, 0.3), Group(50, 0.3)), np.random.default_rng(6))
    body = {"task": found.task, "catalogue": found.catalogue, **found.to_json(), **change}
    with pytest.raises(WireError):
        FairnessArtefact.parse(body)


def test_a_sum_that_is_none_is_refused() -> None:
    for values, noise in ((np.zeros(3), 1.0), (np.full(TASK.dimension, np.nan), 1.0)):
        with pytest.raises(InvalidInputError, match="finite values"):
            finish(TASK, values, noise_stddev=noise, catalogue=CATALOGUE)
    with pytest.raises(InvalidInputError, match="noise_stddev"):
        finish(TASK, np.zeros(TASK.dimension), noise_stddev=np.inf, catalogue=CATALOGUE)


EVALUATION = EvaluationTask(items=40, sketch=40)


def evaluate(
    rng: np.random.Generator, size: int, noise: float, mean: float = 0.3
) -> EvaluationArtefact:
    """Everybody has every part, one figure for all its measures, and three of ten items listed."""
    parts = {"": 0.36, "_repeat": 0.14, "_explore": 0.14}
    values = {part: rng.beta(2 * mean, 2 * (1 - mean), size) for part in parts}
    sums = [size * sqrt(0.14), size * sqrt(0.05), size * sqrt(0.05)]
    for part, whole in parts.items():
        m = 2 * values[part] - 1
        hit = 2 * (rng.random(size) < mean) - 1.0
        for column, share in (
            (m, 0.38),
            (2 * m**2 - 1, 0.10),
            (m, 0.30),
            (2 * m**2 - 1, 0.08),
            (hit, 0.14),
        ):
            sums.append(column.sum() * sqrt(share * whole))
    sums += [0.0, -size * sqrt(0.01), size * sqrt(0.02)]  # half the list repeats, all are full
    sketch = np.zeros(40)
    for _ in range(size):
        sketch[rng.choice(10, 3, replace=False)] += sqrt(0.05 / 3)
    total = np.concatenate([sums, sketch]) + noise * rng.standard_normal(EVALUATION.dimension)
    found = finish(EVALUATION, total, noise_stddev=noise, catalogue=CATALOGUE)
    assert isinstance(found, EvaluationArtefact)
    return found


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_evaluation_intervals_cover(noise: float) -> None:
    rng = np.random.default_rng(17)
    names = ("ndcg", "recall_repeat", "ndcg_explore", "phr")
    covered = dict.fromkeys(names, 0)
    for _ in range(400):
        found = evaluate(rng, 150, noise)
        for name in names:
            covered[name] += found.figures[name].low <= 0.3 <= found.figures[name].high
    assert all(0.92 <= count / 400 <= 0.985 for count in covered.values()), covered


def test_evaluation_says_what_lists_hold() -> None:
    found = evaluate(np.random.default_rng(1), 2000, 0.5)
    assert found.figures["repeat_share"].value == pytest.approx(0.5, abs=0.01)
    assert found.figures["list_filled"].value == pytest.approx(1.0, abs=0.01)
    assert found.figures[EFFECTIVE].low <= 10 <= found.figures[EFFECTIVE].high
    assert found.figures[EFFECTIVE].value == pytest.approx(10, rel=0.1)
    assert decode_artefact(encode_artefact(found)) == found


def test_what_the_noise_swamps_is_marked() -> None:
    found = evaluate(np.random.default_rng(1), 150, 400.0)
    assert all(each.swamped for each in found.figures.values())
    assert all(each.low <= each.value <= each.high for each in found.figures.values())
    assert not any(e.swamped for e in evaluate(np.random.default_rng(1), 150, 0.0).figures.values())


def test_spread_over_items_is_estimated_through_shared_buckets() -> None:
    """300 equally shown items in 64 buckets: the buckets alone would say at most 64."""
    rng = np.random.default_rng(5)
    place = rng.integers(0, 64, 300)
    sketch = np.bincount(place, minlength=64).astype(np.float64) * sqrt(0.05)
    found = effective_items(50.0 * sketch, 2.0, items=300)
    assert 150 <= found.value <= 300
