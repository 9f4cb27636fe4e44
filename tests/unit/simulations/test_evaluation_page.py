"""The page of an evaluation: its curve stands where the figures are, and its words are theirs."""

import copy
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crypto.errors import FedcartError
from simulations.evaluation.curve import LINE, against_epsilon
from simulations.evaluation.dataset import evaluate_population
from simulations.evaluation.models.registry import RivalName
from simulations.evaluation.options import Options
from simulations.evaluation.page import headline, to_html, write
from simulations.evaluation.parallel import in_order
from simulations.evaluation.protocol import Stage
from simulations.evaluation.published import LEAK, LEAVE_ONE_OUT, shown
from simulations.population.synthetic import synthetic
from simulations.report.axes import BOTTOM, TOP


def _values(mean: float, spread: float = 0.01) -> dict[str, float | tuple[float, float]]:
    return {"ndcg@10": mean, "ndcg@10_ci": (mean - spread, mean + spread)}


MODELS = {
    "top": _values(0.2),
    "twin": _values(0.2001),
    "rival": _values(0.3),
    "ours 1": _values(0.25),
    "ours 4": _values(0.28),
    "ours free": _values(0.29),
}
BUDGETS = {"ours 4": 4.0, "ours 1": 1.0, "ours free": None}


def test_a_curve_rises_with_epsilon_and_holds_every_interval() -> None:
    curve = against_epsilon(MODELS, BUDGETS, metric="ndcg@10", title="quality")
    assert curve is not None
    assert [mark.across for mark in curve.marks] == sorted(mark.across for mark in curve.marks)
    assert curve.marks[0].down > curve.marks[1].down > curve.marks[2].down  # up is better
    for mark in curve.marks:
        assert TOP <= mark.top < mark.down < mark.bottom <= BOTTOM
    assert len(curve.segments) == 1  # nothing leads to what has no bound
    assert [level.name for level in curve.levels] == ["rival", "twin", "top"]


def test_places_are_proportional() -> None:
    curve = against_epsilon(MODELS, BUDGETS, metric="ndcg@10", title="quality")
    assert curve is not None
    down = {"rival": curve.levels[0].down, "top": curve.levels[2].down}
    slope = (down["top"] - down["rival"]) / (0.3 - 0.2)
    for value, mark in zip((0.25, 0.28, 0.29), curve.marks, strict=True):
        assert math.isclose(mark.down, down["rival"] + slope * (0.3 - value), rel_tol=1e-9)


def test_names_never_cover_each_other() -> None:
    many = {f"m{n}": _values(0.2 + n * 1e-5) for n in range(5)} | {
        "ours 1": _values(0.25),
        "ours 4": _values(0.3),
    }
    curve = against_epsilon(many, {"ours 1": 1.0, "ours 4": 4.0}, metric="ndcg@10", title="q")
    assert curve is not None
    places = [level.text_down for level in curve.levels]
    assert all(later - earlier >= LINE - 1e-9 for earlier, later in pairwise(places))
    assert places[-1] <= BOTTOM


def test_one_budget_is_no_curve() -> None:
    assert against_epsilon(MODELS, {"ours 1": 1.0}, metric="ndcg@10", title="q") is None
    assert against_epsilon(MODELS, BUDGETS, metric="recall@10", title="q") is None


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.sources: list[str] = []
        self.ids: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if k in {"src", "href", "action"}]
        self.ids |= {v or "" for k, v in attrs if k == "id"}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    options = Options(
        stage=Stage.VALIDATION, epsilons=(1.0, None), seeds=2, rivals=(RivalName.UP_CF,)
    )
    return evaluate_population(synthetic(shoppers=60, items=30), options)


def test_the_page_shows_the_record_and_loads_nothing(record: dict[str, Any]) -> None:
    page = _Page()
    page.feed(to_html(record))
    text = " ".join(page.text)
    view = next(iter(record["quality"]))
    for model, values in record["quality"][view].items():
        assert model in text
        assert f"{values['ndcg@10']:.4f}" in text
    for warning in record["warnings"]:
        assert warning in text
    for one in record["comparisons"][view]:
        assert (f"{one['mean']:+.4f}" in text) or one["metric"] != "ndcg@10"
    assert all(text.count(f" {name} ") >= 2 for name in record["budgets"])  # figures, differences
    assert all(source.startswith("#") for source in page.sources)


def test_the_headline_compares_each_budget_with_the_best_rival(record: dict[str, Any]) -> None:
    told = headline(record)
    assert len(told) == 4
    assert told[1].startswith("UP-CF is the best of the tuned models")
    for name, sentence in zip(record["budgets"], told[2:], strict=True):
        assert sentence.startswith(f"{name}: NDCG@10 ")
        assert re.search(r"(against|not clearly different from) UP-CF: [+-]\d", sentence)


def test_the_headline_says_which_differences_are_clear(record: dict[str, Any]) -> None:
    made = copy.deepcopy(record)
    [compared] = made["comparisons"].values()
    for one in compared:
        one |= {"relative": 0.05, "relative_ci": [0.01, 0.09], "mean": 0.01}
    assert all("against UP-CF: +5.00" in sentence for sentence in headline(made)[2:])
    for one in compared:
        one |= {"relative": None, "relative_ci": None}  # the rival found nothing at all
    assert all(sentence.endswith("against UP-CF +0.0100.") for sentence in headline(made)[2:])
    made["tuning"] = {}
    assert len(headline(made)) == 3


def test_published_figures_say_whose_they_are(record: dict[str, Any]) -> None:
    assert shown(record["published"], record["dataset"]) is None
    other = shown(LEAVE_ONE_OUT, record["dataset"])
    assert other is not None
    assert "MovieLens 1M has 6,040 shoppers and 3,706 items; synthetic-60x30-0 has 60 and 30" in (
        other.remark
    )
    assert len(other.notes) == len(set(other.notes)) == 2
    for figure, marks in other.rows:
        assert [other.notes[mark - 1] for mark in marks] == [figure["note"]]
    same = shown(LEAVE_ONE_OUT, {"name": "films", "shoppers": 6040, "items": 3706})
    assert same is not None
    assert same.remark == "films has as many shoppers and items as MovieLens 1M."
    page = _Page()
    page.feed(to_html(record | {"published": list(LEAVE_ONE_OUT)}))
    text = " ".join(" ".join(page.text).split())
    assert other.title in text
    assert other.remark in text
    assert text.count(LEAK) == 1


def test_every_level_has_a_letter_for_narrow_screens(record: dict[str, Any]) -> None:
    curve = against_epsilon(MODELS, BUDGETS, metric="ndcg@10", title="quality")
    assert curve is not None
    assert [level.letter for level in curve.levels] == ["a", "b", "c"]
    page = _Page()
    page.feed(to_html(record))
    assert {source.removeprefix("#") for source in page.sources} <= page.ids


def test_a_page_and_its_record_are_written(record: dict[str, Any], tmp_path: Path) -> None:
    page = write(record, tmp_path / "new" / "folder")
    assert page.read_text().endswith("\n")
    assert json.loads((page.parent / "evaluation.json").read_text()) == json.loads(
        json.dumps(record)
    )
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "evaluation.html",
        "evaluation.json",
    ]
    (tmp_path / "file").write_text("")
    with pytest.raises(FedcartError, match="Can't write the evaluation"):
        write(record, tmp_path / "file")


def test_processes_change_no_figure(record: dict[str, Any]) -> None:
    options = Options(
        stage=Stage.VALIDATION,
        epsilons=(1.0, None),
        seeds=2,
        rivals=(RivalName.UP_CF,),
        workers=2,
    )
    again = evaluate_population(synthetic(shoppers=60, items=30), options)
    assert set(again.pop("seconds")) == set(record["seconds"])
    assert again == {key: value for key, value in record.items() if key != "seconds"}


def test_what_fails_in_a_process_fails_here() -> None:
    def fails() -> int:
        raise FedcartError("no")

    with pytest.raises(FedcartError, match="no"):
        list(in_order([fails, lambda: 1], workers=2))
    assert list(in_order([lambda: 1, lambda: 2], workers=2)) == [1, 2]
