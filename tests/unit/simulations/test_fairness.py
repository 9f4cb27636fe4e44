"""The audit over a population: planted faults are seen where they can be, and a page tells it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.contributions.foretold import Foretold
from client.contributions.history import History
from client.contributions.inputs import Inputs
from consent.tasks.artefact import encode_artefact
from consent.tasks.estimate import Estimate
from consent.tasks.evaluation import MEASURES, EvaluationArtefact
from consent.tasks.fairness import FairnessArtefact, Verdict
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.errors import InvalidInputError
from server.artefacts.fairness import plan_task
from simulations.evaluation.evaluate import on_device
from simulations.evaluation.metrics import measure
from simulations.evaluation.protocol import Stage, split
from simulations.evaluation.release import Noise, release
from simulations.fairness import page, story
from simulations.fairness.audit import AuditOptions, _members, audit_population, contributions
from simulations.population.groups import schema_of
from simulations.population.population import Population
from simulations.population.synthetic import synthetic
from simulations.report import words
from tests.unit.commands import fedcart

QUIET = AuditOptions(stage=Stage.VALIDATION, epsilon=None, seed=3)


def labelled(shoppers: int) -> Population:
    """Made-up shoppers whose groups have nothing to do with what they buy."""
    made = synthetic(shoppers=shoppers, items=60, stores=2, seed=5)
    ages = ("under 30", "30-59", "60+")
    groups = {name: {"age": ages[n % 3]} for n, name in enumerate(made.shoppers)}
    return replace(made, groups=groups)


@pytest.fixture(scope="module")
def large() -> Population:
    return labelled(1500)


@pytest.fixture(scope="module")
def record(large: Population) -> dict[str, Any]:
    return audit_population(large, QUIET)


def worse_for(population: Population, group: str, share: float) -> Callable[[str, Inputs], Inputs]:
    """A recommender that takes the items of a share of one group's shoppers for others."""
    rng = np.random.default_rng(0)
    hit = {
        name
        for name, labels in population.groups.items()
        if labels["age"] == group and rng.random() < share
    }

    def change(shopper: str, inputs: Inputs) -> Inputs:
        if shopper not in hit:
            return inputs
        history = inputs.history
        last = history.basket == history.baskets - 1
        other = np.where(last, history.item, (history.item + 17) % history.items)
        order = np.lexsort((other, history.basket))
        return replace(
            inputs,
            history=History(items=history.items, basket=history.basket[order], item=other[order]),
        )

    return change


def found_in(record: dict[str, Any]) -> FairnessArtefact:
    return page.parsed(record)


def test_groups_without_a_difference_are_not_accused(record: dict[str, Any]) -> None:
    found = found_in(record)
    verdicts = {each.finding.verdict for each in story.groups_of(found)}
    assert not verdicts & {Verdict.BELOW, Verdict.WORSE}
    assert record["dataset"]["audited"] > 1400
    assert [each.group for each in story.groups_of(found)] == ["under 30", "30-59", "60+"]


def test_what_is_audited_is_her_list_for_the_day_of_the_basket(large: Population) -> None:
    """Shopper by shopper the NDCG of the evaluation, which shares none of the audit's path."""
    fold = split(large).validation.in_context({})
    artefacts = release(fold, Noise.none(), rng=np.random.default_rng(0))
    task = plan_task(large.catalogue, artefacts.values(), schema=schema_of(large))
    expected = measure(on_device(artefacts.values())(fold), fold)["ndcg@10"]
    rows = contributions(fold, task, artefacts)
    _, audited = _members(fold, task, rows, "age")
    counted = np.array([rows[name].any() for name in fold.tested])
    assert counted.mean() > 0.95  # but for those of too few baskets
    assert audited == pytest.approx(expected[counted], abs=1e-9)
    assert np.std(expected) > 0.1


def test_a_planted_fault_is_seen_among_many(large: Population) -> None:
    record = audit_population(large, QUIET, change=worse_for(large, "60+", 0.9))
    found = found_in(record)
    verdicts = {each.group: each.finding.verdict for each in story.groups_of(found)}
    assert verdicts["60+"] is Verdict.BELOW
    assert "60+" in story.headline(found)[1]
    assert "surely serves age 60+" in story.headline(found)[1]


def test_the_same_fault_is_not_seeable_among_few() -> None:
    few = labelled(75)
    planted = worse_for(few, "60+", 0.25)
    found = found_in(audit_population(few, QUIET, change=planted))
    verdicts = {each.group: each.finding.verdict for each in story.groups_of(found)}
    assert verdicts["60+"] is Verdict.NOT_SEEABLE
    assert "in no group" in " ".join(story.headline(found))
    assert "not the same as fair" in " ".join(story.headline(found))
    gaps = {each.name: each.detectable for each in story.groups_of(found)}
    best, worst = min(gaps, key=gaps.__getitem__), max(gaps, key=gaps.__getitem__)
    said = " ".join(story.headline(found))
    assert (
        f"from {story.percent(gaps[best])} ({best}) to {story.percent(gaps[worst])} ({worst})"
        in (said)
    )
    assert story.percent(1.5) == f"more than 100{words.PERCENT}"


def test_bootstrap_over_shoppers_agrees_with_the_finish(record: dict[str, Any]) -> None:
    """Two computations that share nothing but the contributions."""
    groups = found_in(record).attributes["age"].groups
    for name, finding in groups.items():
        other = record["bootstrap"]["age"][name]
        ratio, gap = finding.figures["ratio"], finding.figures["gap"]
        assert other["shoppers"] == pytest.approx(finding.figures["shoppers"].value)
        assert other["ratio"] == pytest.approx(ratio.value)
        assert other["gap"] == pytest.approx(gap.value)
        assert other["ratio_ci"] == pytest.approx([ratio.low, ratio.high], abs=0.02)
        assert other["gap_ci"] == pytest.approx([gap.low, gap.high], abs=0.01)


def test_noise_of_the_audits_own_budget_widens_and_the_outlook_says_by_how_much(
    large: Population, record: dict[str, Any]
) -> None:
    quiet = found_in(record)
    noisy = found_in(audit_population(large, replace(QUIET, audit_epsilon=1.0)))
    for group in ("under 30", "30-59", "60+"):
        before, after = (each.attributes["age"].groups[group] for each in (quiet, noisy))
        assert after.detectable > before.detectable
    outlook = record["outlook"]
    gaps = [each["worst"]["gap"] for each in outlook if each["epsilon"] is None]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] / gaps[-1] == pytest.approx(np.sqrt(1000), rel=0.01)
    for size in {each["shoppers"] for each in outlook}:
        of_size = {e["epsilon"]: e["worst"]["gap"] for e in outlook if e["shoppers"] == size}
        assert of_size[None] <= of_size[2.0] <= of_size.get(0.5, np.inf)


def test_a_recommender_that_foretells_nothing_is_still_a_record(
    large: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean of 0 has no shares: nothing is divided by it, and JSON has no infinity."""
    nothing = dict.fromkeys(("recall", "ndcg", "phr"), 0.0)
    monkeypatch.setattr(Foretold, "quality", lambda _self, _part: nothing)
    record = audit_population(large, QUIET)
    json.dumps(record, allow_nan=False)
    assert all(each["seeable"] == 0 for each in record["outlook"])
    assert {each["gap"] for each in record["bootstrap"]["age"].values()} == {0.0}


def test_people_without_labels_are_no_audit(large: Population) -> None:
    with pytest.raises(InvalidInputError, match="nothing to audit"):
        audit_population(replace(large, groups={}), QUIET)


def test_bands_stand_in_their_order() -> None:
    made = replace(
        labelled(6),
        groups={"a": {"income": "15-24K"}, "b": {"income": "Under 15K"}, "c": {"income": "250K+"}},
    )
    assert schema_of(made).attributes["income"] == ("Under 15K", "15-24K", "250K+")


class _Tags(HTMLParser):
    """Every tag that opens is closed; ids are unique; nothing is loaded."""

    VOID = ("meta", "link", "br", "line", "rect", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if (name := names.get("id")) is not None:
            self.ids[name] += 1
        self.loads += [v for k in ("src", "href") if (v := names.get(k)) and not v.startswith("#")]
        self.links += [v[1:] for v in [names.get("href") or ""] if v.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_says_both_sides(record: dict[str, Any], tmp_path: Path) -> None:
    written = page.write(found_in(record), record, tmp_path)
    html = written.read_text()
    tags = _Tags()
    tags.feed(html)
    assert not tags.open
    assert max(tags.ids.values()) == 1
    assert [each for each in tags.loads if not each.startswith("data:")] == []
    assert tags.links
    assert set(tags.links) <= set(tags.ids)
    assert "<script" not in html
    assert "made without the baskets that are foretold" in html
    assert "Figures can look slightly better" not in html
    for said in ("What could have been seen", "Method and limits", "bootstrap", "60+"):
        assert said in html
    assert json.loads((tmp_path / "fairness.json").read_text()) == json.loads(json.dumps(record))


def test_a_release_is_read_without_the_study(large: Population, tmp_path: Path) -> None:
    record = audit_population(large, replace(QUIET, audit_epsilon=1.0))
    file = tmp_path / "artefact.json"
    file.write_bytes(encode_artefact(found_in(record)))
    done = fedcart("fairness", file, "--out", tmp_path / "page")
    assert done.code == 0, done.said
    assert "By group" in done.said
    html = (tmp_path / "page" / "fairness.html").read_text()
    assert "Noise in a group" in html
    assert "came with the data" not in html
    assert "Figures can look slightly better" in html
    assert not (tmp_path / "page" / "fairness.json").exists()


def test_another_release_is_refused(large: Population, tmp_path: Path) -> None:
    file = tmp_path / "artefact.json"
    catalogue = large.catalogue
    other = PopularityArtefact(
        task=TaskName.POPULARITY, catalogue=catalogue.hash, scores=np.ones(len(catalogue))
    )
    file.write_bytes(encode_artefact(other))
    with pytest.raises(InvalidInputError, match="not a fairness audit"):
        page.released(file)


def test_an_evaluation_is_read_and_what_noise_took_is_not_quoted(tmp_path: Path) -> None:
    figures = {each.name: estimate(0.25) for each in MEASURES.measures}
    figures |= {each.name: estimate(900.0) for each in MEASURES.counts}
    figures |= {"effective_items": estimate(88.0), "recall_explore": estimate(0.5, swamped=True)}
    artefact = EvaluationArtefact(
        catalogue="0" * 64, length=10, not_before=None, inputs=(), figures=figures
    )
    file = tmp_path / "artefact.json"
    file.write_bytes(encode_artefact(artefact))
    done = fedcart("fairness", file)
    assert done.code == 0, done.said
    assert "About 900 shoppers (810 to 990), lists of 10" in " ".join(done.said.split())
    assert done.said.count("lost in the noise") == 1
    assert "0.225 to 0.275" in done.said
    assert json.loads(fedcart("fairness", file, "--json").out)["length"] == 10


def estimate(value: float, *, swamped: bool = False) -> Estimate:
    return Estimate(value=value, low=0.9 * value, high=1.1 * value, swamped=swamped)


def test_nobody_large_enough_is_said_plainly(tmp_path: Path) -> None:
    few = labelled(30)
    record = audit_population(few, QUIET)
    found = found_in(record)
    assert story.headline(found) == (story.NOBODY,)
    html = page.write(found, record, tmp_path).read_text()
    assert "says nothing about fairness" in html
