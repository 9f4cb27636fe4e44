"""Well-known layouts from their files to figures, each worked out again here in plain Python."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from client.importers.times import Clock
from simulations.cli import app
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.negatives_file import read_negatives
from simulations.population.population import Population
from simulations.population.storage import load_population
from tests.unit.simulations import layouts
from tests.unit.simulations.layouts import BASKETS, FILMS, LAST, RATED

# Shopper, film, rating, moment: as a reader of the files who knows nothing of fedcart has them.
Line = tuple[str, str, float, int]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def imported(data: str) -> Population:
    """The data set that the first command of its layout in docs/data.md makes."""
    run(*layouts.commands()[data][0])
    return load_population(Path(data))


def lines_of(text: str, delimiter: str, least: float = 0.0) -> list[Line]:
    rows = [line.split(delimiter) for line in text.splitlines()]
    lines = [(u, i, float(r), int(t)) for u, i, r, t in rows if t.isdigit()]
    return [line for line in lines if line[2] >= least]


READERS = {
    "data/ml-1m": lambda: lines_of(Path("ml-1m/ratings.dat").read_text(), "::"),
    "data/ml-100k": lambda: lines_of(Path("ml-100k/u.data").read_text(), "\t"),
    "data/ml-latest": lambda: lines_of(Path("ml-latest/ratings.csv").read_text(), ",", 4),
    "data/ncf": lambda: lines_of(
        Path("ncf/ml-1m.train.rating").read_text() + Path("ncf/ml-1m.test.rating").read_text(), "\t"
    ),
}


def popularity(
    lines: list[Line], given: dict[str, list[str]], *, cutoff: int = 10
) -> tuple[float, float]:
    """HR and NDCG of popularity with each shopper's latest film held out; ties in any order."""
    mine: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line[3]):
        mine.setdefault(line[0], []).append(line)
    held = {shopper: had[-1][1] for shopper, had in mine.items() if len(had) >= 3}
    train = [line for line in lines if held.get(line[0]) != line[1]]
    counts = Counter(film for _, film, _, _ in train)
    listed = {film for _, film, _, _ in lines}
    hits, gains = [], []
    for shopper, film in held.items():
        rivals = [counts[other] for other in given[shopper] if other in listed]
        above = sum(count > counts[film] for count in rivals)
        ranks = range(above + 1, above + 2 + sum(count == counts[film] for count in rivals))
        hits.append(sum(rank <= cutoff for rank in ranks) / len(ranks))
        gains.append(sum(1 / math.log2(r + 1) for r in ranks if r <= cutoff) / len(ranks))
    return sum(hits) / len(hits), sum(gains) / len(gains)


@pytest.mark.parametrize("data", READERS)
def test_given_negatives_end_to_end_give_the_figures_of_popularity(folder: Path, data: str) -> None:
    layouts.RATINGS[data.removeprefix("data/") + "/"](folder)
    population = imported(data)
    lines = READERS[data]()
    assert len(population.events) == len(lines)
    given = {str(u): list(map(str, films)) for u, films in layouts.negatives().items()}
    rows = [",".join([shopper, *films]) for shopper, films in given.items()]
    (folder / "given.csv").write_text("\n".join(rows) + "\n")
    found = run(
        *("evaluate", data, "--protocol", "leave-one-out", "--negatives", "given.csv"),
        *("--epsilon", "0"),
    )
    got = found["quality"]["leave-one-out test, negatives"]["global top"]
    assert (got["hr@10"], got["ndcg@10"]) == pytest.approx(popularity(lines, given), abs=1e-12)
    unlisted = sum(
        film not in {line[1] for line in lines} for own in given.values() for film in own
    )
    assert any(
        f"{unlisted:,} given negatives" in note and "not on the item list" in note
        for note in found["warnings"]
    )


def test_what_ncf_holds_out_is_held_out_and_never_trained_on(folder: Path) -> None:
    layouts.ncf(folder)
    population = imported("data/ncf")
    read = read_negatives(folder / "ncf/ml-1m.test.negative", LeaveOneOut(population=population))
    items = population.catalogue.items
    assert {shopper: items[item] for shopper, item in read.named.items()} == {
        str(shopper): str(film) for shopper, film in LAST.items()
    }
    fold = LeaveOneOut(population=population, named=read.named).test
    trained = fold.training.events
    pairs = sorted(zip(trained.shopper, trained.item, strict=True))
    train = lines_of((folder / "ncf/ml-1m.train.rating").read_text(), "\t")
    assert pairs == sorted((shopper, film) for shopper, film, _, _ in train)
    assert {s: items[t[0]] for s, t in zip(fold.tested, fold.truth, strict=True)} == {
        str(shopper): str(film) for shopper, film in LAST.items()
    }


def test_held_out_lines_that_were_not_imported_are_asked_for(folder: Path) -> None:
    layouts.ncf(folder)
    words = layouts.commands()["data/ncf"][0]
    run(*[word for word in words if word != "ncf/ml-1m.test.rating"])
    result = CliRunner().invoke(app, layouts.commands()["data/ncf"][1])
    assert "import the held-out lines together with the others" in str(result.exception)


@pytest.mark.parametrize("data", ["data/ml-1m", "data/ml-100k", "data/ml-latest"])
def test_films_have_their_genres_and_decades(folder: Path, data: str) -> None:
    layouts.RATINGS[data.removeprefix("data/") + "/"](folder)
    catalogue = imported(data).catalogue
    numbers = {f"column {n + 6}": name for n, name in enumerate(layouts.GENRES)}
    for place, item in enumerate(catalogue.items):
        film = int(item)
        told = catalogue.attributes["category"][place]
        assert {numbers.get(genre, genre) for genre in told} == set(layouts.genres(film))
        assert catalogue.categories[place] == told[0]
        assert catalogue.attributes["decade"][place] == (f"19{film % 60 + 40}"[:3] + "0s",)


def test_shoppers_have_what_they_stated(folder: Path) -> None:
    layouts.movielens_1m(folder)
    population = imported("data/ml-1m")
    assert population.groups == {
        str(shopper): {"gender": "FM"[shopper % 2], "age": "25"} for shopper in RATED
    }
    words = layouts.commands()["data/ml-1m"][0]
    (folder / "ml-1m/users.dat").write_text("x::F::25::10::48067\n")
    result = CliRunner().invoke(app, [*words, "--force"])
    assert (result.exit_code, "names none of the 40 shoppers" in result.stderr) == (2, True)
    result = CliRunner().invoke(
        app, [word for word in words if word not in {"--group-table", "ml-1m/users.dat"}]
    )
    assert (result.exit_code, "belong to --group-table" in result.stderr) == (2, True)


DATED, NUMBERED = Clock.WALL, Clock.ORDINAL


@pytest.mark.parametrize(
    ("data", "clock"),
    [
        ("data/ta-feng", DATED),
        ("data/two-parts", NUMBERED),
        ("data/merged", NUMBERED),
        ("data/tifu", NUMBERED),
        ("data/instacart", NUMBERED),
        ("data/dunnhumby", Clock.DAYS),
        ("data/online-retail", DATED),
        ("data/baskets", DATED),
        ("data/rows", DATED),
    ],
)
def test_every_log_gives_the_baskets_in_their_order(folder: Path, data: str, clock: Clock) -> None:
    for make in layouts.LOGS.values():
        make(folder)
    population = imported(data)
    assert population.clock is clock
    found = {shopper: baskets_of(population, shopper) for shopper in population.shoppers}
    assert sorted(found.values()) == sorted(
        [[sorted(map(str, basket)) for basket in baskets] for baskets in BASKETS.values()]
    )


def baskets_of(population: Population, shopper: str) -> list[list[str]]:
    events = population.of(shopper)
    baskets: dict[str, list[str]] = {}
    for basket, item in zip(events.basket, events.item, strict=True):
        baskets.setdefault(basket, []).append(item.removeprefix("p"))
    return [sorted(items) for items in baskets.values()]


def listed_first(baskets: Iterable[list[list[int]]]) -> tuple[float, float]:
    """Recall and NDCG at 10 of popularity with each shopper's last basket held out."""
    shoppers = list(baskets)
    counts = Counter(str(item) for own in shoppers for basket in own[:-1] for item in set(basket))
    items = sorted({str(item) for own in shoppers for basket in own for item in basket})
    best = sorted(items, key=lambda item: (-counts[item], item))[:10]
    recalls, gains = [], []
    for own in shoppers:
        wanted = {str(item) for item in own[-1]}
        recalls.append(len(wanted & set(best)) / len(wanted))
        ideal = sum(1 / math.log2(n + 2) for n in range(min(10, len(wanted))))
        gains.append(sum(1 / math.log2(n + 2) for n in range(10) if best[n] in wanted) / ideal)
    return sum(recalls) / len(recalls), sum(gains) / len(gains)


@pytest.mark.parametrize("data", ["data/two-parts", "data/ta-feng"])
def test_next_basket_end_to_end_gives_the_figures_of_popularity(folder: Path, data: str) -> None:
    for make in layouts.LOGS.values():
        make(folder)
    imported(data)
    found = run("evaluate", data, "--epsilon", "0")
    got = found["quality"]["next-basket test"]["global top"]
    want = listed_first(BASKETS.values())
    assert (got["recall@10"], got["ndcg@10"]) == pytest.approx(want, abs=1e-12)


def test_a_rhythm_is_read_only_from_times_that_have_one(folder: Path) -> None:
    layouts.merged_json(folder)
    layouts.dunnhumby(folder)
    numbered, dated = imported("data/merged"), imported("data/dunnhumby")
    assert all(h.time is None for h in LeaveOneOut(population=numbered).test.histories.values())
    assert all(h.time is not None for h in LeaveOneOut(population=dated).test.histories.values())


def test_the_layouts_are_what_they_are_said_to_be() -> None:
    assert all(len({film for film, _, _ in films}) == len(films) for films in RATED.values())
    assert all(1 <= film <= FILMS for films in RATED.values() for film, _, _ in films)
    assert all(len(baskets) >= 3 for baskets in BASKETS.values())
