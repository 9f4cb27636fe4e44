"""The comparison on a made-up population: both paths run, and a run goes on where it stopped."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from client.store.neural.clipping import Clipping
from client.store.neural.examples import Lesson
from simulations.evaluation.protocol import split
from simulations.neural import __main__ as command
from simulations.neural.comparison import NEURAL, SUMS, Bench, Case, Plan, cases, ledger
from simulations.population.synthetic import synthetic

PLAN = Plan(rounds=3, width=2, step=5.0, lesson=Lesson(baskets=2))
POPULATION = synthetic(shoppers=40, items=20, stores=2, seed=5)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(split(POPULATION).validation, PLAN)


def test_every_shopper_is_in_one_silo(bench: Bench) -> None:
    assert sum(len(silo) for silo in bench.silos) == bench.shoppers == 40
    assert len(bench.silos) == 3  # two stores, and everybody else
    assert len(bench.whole()) == 40


def test_silos_or_one_site_give_the_same_figures(bench: Bench) -> None:
    case = Case(path=NEURAL, epsilon=None, population=None, seed=0)
    apart, together = bench.run(case, silos=bench.silos), bench.run(case)
    for name in ("ndcg@10", "ndcg_new@10"):
        assert apart[name] == pytest.approx(together[name], abs=1e-3)
    assert together["bytes_up_per_client"] == 4 * 3 * bench.shape.dimension


def test_training_learns_what_shoppers_share(bench: Bench) -> None:
    fold = bench.fold
    plan = Plan(rounds=60, width=2, step=20.0, clipping_norm=5.0, lesson=PLAN.lesson)
    new = Bench(fold, plan).run(Case(path=NEURAL, epsilon=None, population=None, seed=0))
    start = Bench(fold, Plan(rounds=1, width=2, step=0.0, lesson=PLAN.lesson))
    old = start.run(Case(path=NEURAL, epsilon=None, population=None, seed=0))
    assert new["ndcg_new@10"] > old["ndcg_new@10"] + 0.05


def test_noise_as_for_more_shoppers_is_less_noise(bench: Bench) -> None:
    quiet, far, near = (
        bench.run(Case(path=NEURAL, epsilon=epsilon, population=population, seed=1))
        for epsilon, population in ((None, None), (1.0, 10**9), (1.0, None))
    )
    assert far["ndcg@10"] == pytest.approx(quiet["ndcg@10"], abs=1e-3)
    assert near["ndcg@10"] != quiet["ndcg@10"]


def test_the_cases_are_both_paths_on_the_same_terms() -> None:
    every = list(cases([1.0, 4.0], [10**6], seeds=3))
    terms = {
        path: [(c.epsilon, c.population, c.seed) for c in every if c.path == path]
        for path in (SUMS, NEURAL)
    }
    assert terms[SUMS] == terms[NEURAL]
    assert len(terms[SUMS]) == 1 + 2 * (3 + 1)


def test_the_ledger_names_every_accountant() -> None:
    (line,) = ledger(PLAN, [2.0])
    assert line["dp-accounting, PLD"] == pytest.approx(2.0, rel=5e-3)
    assert line["fedcart, Rényi"] == pytest.approx(line["Opacus, Rényi"], rel=0.01)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_complete_journey", lambda: POPULATION)
    out = tmp_path / "neural.jsonl"

    def run(*budgets: float) -> list[dict[str, Any]]:
        command.main(out, epsilon=list(budgets), seeds=1, rounds=2, width=2)
        return [json.loads(line) for line in out.read_text().splitlines()]

    first = run(8.0)
    assert [line["part"] for line in first].count("quality") == 4
    assert {line["mode"] for line in first if line["part"] == "clipping"} == set(Clipping)
    assert run(8.0) == first
    longer = run(8.0, 4.0)
    assert longer[: len(first)] == first
    assert len(longer) == len(first) + 3
    assert all(np.isfinite(line["ndcg@10"]) for line in longer if line["part"] == "quality")
