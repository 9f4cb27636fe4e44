"""The report shouts where a promise does not hold, and refuses what no run wrote."""

from pathlib import Path

import pytest

from crypto.errors import FedcartError, InvalidInputError
from simulations.report.page import render
from tests.unit.simulations.run_records import (
    ALARMS,
    Json,
    Spoil,
    a_household,
    a_record,
    folder,
    no_noise,
    one_task_without_bound,
    only_a_warning,
    over_budget,
    page,
)


def test_no_alarm_where_all_is_well(tmp_path: Path) -> None:
    made = page(tmp_path, folder(tmp_path / "run", household=a_household()))
    assert not made.all("aside")
    assert not [
        attributes for _, attributes in made.elements if "bad" in attributes.get("class", "")
    ]


@pytest.mark.parametrize(("spoil", "told"), ALARMS.items())
def test_alarm_comes_first_and_is_red_below(tmp_path: Path, spoil: Spoil, told: str) -> None:
    record = a_record()
    spoil(record)
    made = page(tmp_path, folder(tmp_path / "run", record, a_household()))
    tags = [tag for tag, _ in made.elements]
    assert tags[tags.index("body") + 1] == "aside"
    assert f"{told}." in made.text
    if spoil is not over_budget:
        assert [each for _, each in made.elements if "bad" in each.get("class", "").split()]


@pytest.mark.parametrize("spoil", [no_noise, one_task_without_bound, only_a_warning])
def test_nothing_promises_a_bound_when_privacy_is_off(tmp_path: Path, spoil: Spoil) -> None:
    record = a_record()
    spoil(record)
    made = page(tmp_path, folder(tmp_path / "run", record, a_household()))
    assert "costs each shopper at most" not in made.text
    assert "is bounded by" not in made.text
    assert "Privacy loss ε per shopper" not in made.text


@pytest.mark.parametrize(
    "key", ["privacy", "quality", "cost", "consent", "tasks", "dataset", "seed", "fedcart"]
)
def test_a_missing_field_is_named(tmp_path: Path, key: str) -> None:
    record = a_record()
    del record[key]
    run = folder(tmp_path / "run", record)
    with pytest.raises(InvalidInputError, match=f"metrics.json.*{key}: Field required"):
        render([run], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file: Invalid JSON"),
        ("{", "the file: Invalid JSON"),
        ("[]", "the file: Input should be an object"),
        ("null", "the file"),
        ('{"benchmark": 1}', "Field required; .*; and .* more"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: str, told: str) -> None:
    run = folder(tmp_path / "run")
    (run / "metrics.json").write_text(content)
    with pytest.raises(InvalidInputError, match=told):
        render([run], tmp_path / "report.html")


def no_interval(record: Json) -> None:
    del record["quality"]["next-basket"]["fedcart"]["ndcg@10_ci"]


def interval_alone(record: Json) -> None:
    del record["quality"]["next-basket"]["fedcart"]["ndcg@10"]


def swapped_ends(record: Json) -> None:
    record["quality"]["next-basket"]["fedcart"]["ndcg@10_ci"] = [0.3, 0.2]


def not_a_number(record: Json) -> None:
    record["quality"]["next-basket"]["fedcart"]["ndcg@10"] = float("nan")


def a_text(record: Json) -> None:
    record["privacy"]["epsilon"] = "1.0"


def below_zero(record: Json) -> None:
    record["privacy"]["epsilon"] = -1.0


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (no_interval, "no interval ndcg@10_ci"),
        (interval_alone, "no number ndcg@10"),
        (swapped_ends, "out of order"),
        (not_a_number, "quality.next-basket.fedcart.ndcg@10"),
        (a_text, "privacy.epsilon: Input should be a valid number"),
        (below_zero, "privacy.epsilon: .* greater than or equal to 0"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, spoil: Spoil, told: str) -> None:
    record = a_record()
    spoil(record)
    with pytest.raises(InvalidInputError, match=told):
        render([folder(tmp_path / "run", record)], tmp_path / "report.html")


def test_a_household_that_no_run_wrote_is_refused(tmp_path: Path) -> None:
    run = folder(tmp_path / "run", household={"shopper": 5})
    with pytest.raises(InvalidInputError, match=r"household\.json.*shopper"):
        render([run], tmp_path / "report.html")


@pytest.mark.parametrize("content", [None, "null"])
def test_without_household_there_is_no_such_section(tmp_path: Path, content: str | None) -> None:
    run = folder(tmp_path / "run")
    if content is None:
        (run / "household.json").unlink()
    assert "One household" not in page(tmp_path, run).text


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least one run folder"):
        render([], tmp_path / "report.html")
    with pytest.raises(InvalidInputError, match=r"No metrics\.json in .*nowhere"):
        render([tmp_path / "nowhere"], tmp_path / "report.html")


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    run = folder(tmp_path / "run")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(FedcartError, match="Can't write the report"):
        render([run], tmp_path / "report.html")
    assert not list(tmp_path.glob(".*.draft"))
