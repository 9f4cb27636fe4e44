"""The report tells what the record says, escapes what it shows, and compares runs."""

import re
from pathlib import Path

import pytest

from tests.unit.simulations.run_records import (
    HOSTILE,
    a_household,
    a_record,
    a_task,
    folder,
    no_noise,
    page,
    percent,
    scores,
)

CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_one_self_contained_file(tmp_path: Path) -> None:
    run = folder(tmp_path / "run", household=a_household())
    made = page(tmp_path, run)
    assert [each.name for each in (tmp_path / "made").iterdir()] == ["report.html"]
    policies = [a for a in made.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert [each["content"] for each in policies] == [CSP]
    tags = {tag for tag, _ in made.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "use", "form"}
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in made.elements:
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            assert attributes["href"].removeprefix("#") in ids
        for named in attributes.get("aria-labelledby", "").split():
            assert named in ids
    html = (tmp_path / "made" / "report.html").read_text()
    assert not re.search(r"https?://|url\(|@import|//[a-z]", html)


def test_what_is_shown_is_escaped(tmp_path: Path) -> None:
    record = a_record()
    record["scenario"] = record["dataset"]["note"] = HOSTILE
    record["tasks"][HOSTILE] = a_task(0.1)
    record["quality"]["next-basket"][HOSTILE] = scores(ndcg=0.1)
    made = page(tmp_path, folder(tmp_path / "run", record, a_household()))
    assert HOSTILE in made.text
    assert not made.all("script")
    assert "<script" not in (tmp_path / "made" / "report.html").read_text()


def test_every_chart_is_named(tmp_path: Path) -> None:
    made = page(tmp_path, folder(tmp_path / "run", household=a_household()))
    charts = [each for each in made.all("svg") if each.get("role") == "img"]
    assert len(charts) == 4 + 1 + 1 + 2 + 1  # quality, privacy, consent, cost, one score
    assert all(each.get("aria-labelledby") for each in charts)
    assert len(made.all("title")) == 1 + len(charts)
    assert len(made.all("desc")) == len(charts)


def test_tables_have_captions_and_sections_have_names(tmp_path: Path) -> None:
    made = page(tmp_path, folder(tmp_path / "run", household=a_household()))
    assert len(made.all("caption")) == len(made.all("table")) > 0
    assert all(each.get("aria-labelledby") for each in made.all("section"))
    assert {"header", "main", "nav"} <= {tag for tag, _ in made.elements}


def test_numbers_are_those_of_the_record(tmp_path: Path) -> None:
    record = a_record()
    text = " ".join(page(tmp_path, folder(tmp_path / "run", record, a_household())).text.split())
    for models in record["quality"].values():
        for values in models.values():
            for name, value in values.items():
                if "minus" not in name:
                    ends = value if name.endswith("_ci") else [value]
                    assert " to ".join(f"{end:.3f}" for end in ends) in text
    assert "0.0112 better (+4.5 %; 95 % interval 0.0073 to 0.0156)" in text
    assert "653 clients, standing for 2,158 shoppers, took part in 2 rounds" in text
    assert "of 2,467 asked, 2,191 agreed to train shared models and 276 did not" in text
    assert "ε = 1.000 (δ = 10⁻⁵)" in text
    assert "0.552" in text
    assert "0.803" in text
    assert "plain sum of 1.354" in text
    for shown in ("7.615", "4.046", "565 clients", "11 clients", "an accountant", "zero-out"):
        assert shown in text
    for shown in ("88.3 s", "476.4 kB", "78.5 bytes a value", "1,504 MB", "185,856 bytes"):
        assert shown in text
    assert "2,157 other shoppers" in text
    assert "(1 and 3 answered)" in text
    assert "853 purchase lines in 47 baskets from 3 stores" in text
    assert "her habit 3.00, popular 3.00, a category she likes -0.80; score 5.20" in text
    assert "10 failed: no reply" in text
    assert text.count("Too little signal.") == 1
    assert text.count("Made up.") == 1


def test_where_a_baseline_is_ahead_it_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, folder(tmp_path / "run")).text
    assert "global top is ahead of fedcart, 0.033 against 0.007" in text


def test_intervals_are_drawn_where_they_belong(tmp_path: Path) -> None:
    record = a_record()
    made = page(tmp_path, folder(tmp_path / "run", record))
    bars = [percent(each["width"]) for each in made.all("rect", "bar")][:3]
    across = [
        (percent(each["x1"]), percent(each["x2"]))
        for each in made.all("line", "whisker")
        if each["y1"] == each["y2"]
    ]
    assert len(across) == 4 * 3
    # NDCG@10 is the first chart; its axis ends at the first round number above 1.1 · 0.2628.
    for (low, high), width, values in zip(
        across, bars, record["quality"]["next-basket"].values(), strict=False
    ):
        assert width == pytest.approx(100 * values["ndcg@10"] / 0.3, abs=1e-3)
        assert low == pytest.approx(100 * values["ndcg@10_ci"][0] / 0.3, abs=1e-3)
        assert high == pytest.approx(100 * values["ndcg@10_ci"][1] / 0.3, abs=1e-3)


@pytest.mark.parametrize("kind", ["bar", "track", "segment"])
def test_everything_is_inside_its_chart(tmp_path: Path, kind: str) -> None:
    made = page(tmp_path, folder(tmp_path / "run", household=a_household()))
    for each in made.all("rect", kind):
        start, width = percent(each["x"]), percent(each["width"])
        assert 0 <= start <= start + width <= 100.01
    for each in made.all("line"):
        assert 0 <= percent(each["x1"]) <= percent(each["x2"]) <= 100


def test_a_run_without_evaluation_or_release_still_renders(tmp_path: Path) -> None:
    record = a_record()
    record |= {"quality": {}, "tasks": {}}
    text = page(tmp_path, folder(tmp_path / "run", record)).text
    assert "No task was released" in text
    assert "NDCG" not in text


def test_several_runs_are_compared(tmp_path: Path) -> None:
    other = a_record()
    other["privacy"] |= {"epsilon": 4.0, "budget": 4.0}
    other["seed"] = 8
    off = a_record()
    no_noise(off)
    runs = [
        folder(tmp_path / name, record)
        for name, record in {
            "one": a_record(),
            "again": a_record(),
            "four": other,
            "off": off,
        }.items()
    ]
    made = page(tmp_path, *runs)
    assert "4 runs compared" in made.text
    assert "demo (again)" in made.text
    assert "Privacy is off in run 4, demo (off)." in made.text
    assert len(made.all("circle", "dot")) == len(runs)
    across = [percent(each["cx"]) for each in made.all("circle", "dot")]
    assert across == sorted(across)
    assert across[0] == across[1] < across[2] < across[3] < 100
    shifts = [each["x"] for each in made.all("svg", "point")]
    assert shifts[0] != shifts[1]  # equal places are set side by side
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_quality_against_epsilon_needs_two_budgets_and_the_same_data(tmp_path: Path) -> None:
    one, again = folder(tmp_path / "one"), folder(tmp_path / "again")
    assert not page(tmp_path, one, again).all("circle")
    foreign = a_record()
    foreign["privacy"]["epsilon"] = 4.0
    foreign["dataset"]["name"] = "another"
    made = page(tmp_path, one, folder(tmp_path / "foreign", foreign))
    assert "can't be compared" in made.text
    assert not made.all("circle")


@pytest.mark.parametrize(
    ("scheme", "said", "unsaid"),
    [
        ("share-sum", "may leave out their noise", "any two of the three key holders"),
        ("compact-sum", "any two of the three key holders", "may leave out their noise"),
    ],
)
def test_whose_noise_the_bound_rests_on(
    tmp_path: Path, scheme: str, said: str, unsaid: str
) -> None:
    record = a_record()
    for task in record["tasks"].values():
        task["scheme"] = scheme
    text = page(tmp_path, folder(tmp_path / "run", record)).text
    assert said in text
    assert unsaid not in text
