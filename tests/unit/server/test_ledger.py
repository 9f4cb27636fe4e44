"""The ledger: reserved on disk before a release, or there is no release."""

import math
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from crypto.dp.accounting import (
    GaussianRelease,
    Release,
    SampledRelease,
    SkellamRelease,
    epsilon,
)
from crypto.dp.bound import told
from crypto.errors import BudgetError
from server.ledger import Ledger

DELTA = 1e-6
RELEASE = SkellamRelease(variance=4e6, squared_l2=1.1e6, l1=2.5e5)
ONE = epsilon([RELEASE], delta=DELTA)
TWO = epsilon([RELEASE] * 2, delta=DELTA)


def ledger(path: Path, *, budget: float = 100.0) -> Ledger:
    return Ledger(path, budget=budget, delta=DELTA)


def reserve(
    made: Ledger, *, round_id: str = "r1", task: str = "t", context: str = "c", count: int = 1
) -> float:
    return made.reserve(
        task=task, round_id=round_id, context=context, releases=[RELEASE] * count, now=1
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_the_oracle_moves() -> None:
    assert 0 < ONE < TWO < 2 * ONE


def test_reserving_spends(path: Path) -> None:
    made = ledger(path)
    assert made.spent() == 0.0
    assert reserve(made) == pytest.approx(ONE)
    assert made.spent() == pytest.approx(ONE)
    assert made.remaining == pytest.approx(100.0 - ONE)


def test_composition_is_the_accountants_not_a_sum(path: Path) -> None:
    made = ledger(path)
    first, second = reserve(made), reserve(made, round_id="r2")
    assert second == pytest.approx(TWO)
    assert first < second < 2 * first
    assert reserve(made, task="other", count=3) == pytest.approx(
        epsilon([RELEASE] * 5, delta=DELTA)
    )


def test_reserving_a_round_again_costs_nothing(path: Path) -> None:
    made = ledger(path, budget=ONE * 1.01)
    assert [reserve(made) for _ in range(3)] == [pytest.approx(ONE)] * 3
    assert made.spent() == pytest.approx(ONE)


def test_a_round_is_reserved_for_one_manifest(path: Path) -> None:
    made = ledger(path)
    reserve(made)
    with pytest.raises(BudgetError, match="reserved for another manifest"):
        reserve(made, context="other")
    assert made.spent() == pytest.approx(ONE)


def test_over_budget_nothing_is_written(path: Path) -> None:
    made = ledger(path, budget=TWO * 0.999)
    reserve(made)
    with pytest.raises(BudgetError, match=r"would spend ε = .*already spent") as caught:
        reserve(made, round_id="r2")
    assert f"ε = {told(TWO)} of" in str(caught.value)
    assert made.spent() == pytest.approx(ONE)
    assert reserve(made) == pytest.approx(ONE)


def test_exactly_the_budget_fits(path: Path) -> None:
    made = ledger(path, budget=TWO)
    reserve(made)
    assert reserve(made, round_id="r2") == pytest.approx(TWO)
    assert made.remaining == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(BudgetError):
        reserve(made, round_id="r3")


def test_a_ledger_remembers(path: Path) -> None:
    reserve(ledger(path))
    again = ledger(path, budget=TWO * 0.99)
    assert again.spent() == pytest.approx(ONE)
    with pytest.raises(BudgetError):
        reserve(again, round_id="r2")


def test_the_rule_is_the_one_of_every_ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def refuse(spent: list[Release], new: list[Release], **terms: Any) -> float:
        asked.append({"spent": list(spent), "new": list(new), **terms})
        raise BudgetError("no")

    made = ledger(path, budget=7.0)
    reserve(made)
    monkeypatch.setattr("server.ledger.admit", refuse)
    with pytest.raises(BudgetError, match="no"):
        reserve(made, round_id="r2")
    [found] = asked
    assert (found["spent"], found["new"]) == ([RELEASE], [RELEASE])
    assert (found["cap"], found["delta"]) == (7.0, DELTA)
    assert made.spent() == pytest.approx(ONE), "nothing was written"


def test_any_kind_of_release_is_remembered(path: Path) -> None:
    gaussian = GaussianRelease(variance=256.0, squared_l2=256.0, excess=1e-13)
    kinds: list[Release] = [RELEASE, gaussian, SampledRelease(base=RELEASE, rate=0.1)]
    ledger(path).reserve(task="t", round_id="r", context="c", releases=kinds, now=1)
    assert ledger(path).spent() == pytest.approx(epsilon(kinds, delta=DELTA), rel=1e-12)


def test_releases_without_noise_need_an_infinite_budget(path: Path) -> None:
    silent = SkellamRelease(variance=0.0, squared_l2=1.0, l1=1.0)
    for budget in (1e9, math.inf):
        made = ledger(path, budget=budget)
        fields: dict[str, Any] = {"task": "t", "round_id": "r", "context": "c"}
        if math.isinf(budget):
            assert made.reserve(**fields, releases=[silent], now=1) == math.inf
            assert made.remaining == math.inf
        else:
            with pytest.raises(BudgetError):
                made.reserve(**fields, releases=[silent], now=1)
            assert made.spent() == 0.0


@pytest.mark.parametrize(
    ("budget", "delta"), [(0.0, 1e-6), (-1.0, 1e-6), (math.nan, 1e-6), (1.0, 0.0), (1.0, 1.0)]
)
def test_settings(path: Path, budget: float, delta: float) -> None:
    with pytest.raises(BudgetError, match="Expected budget"):
        Ledger(path, budget=budget, delta=delta)
    assert not path.exists()


class TestTheDiskSaysNo:
    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "ledger.db").mkdir()
        with pytest.raises(BudgetError, match=r"can't be written.*nothing is released"):
            ledger(tmp_path / "ledger.db")

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(BudgetError, match="can't be written"):
            ledger(tmp_path / "nowhere" / "ledger.db")

    def test_a_file_that_is_no_ledger(self, path: Path) -> None:
        path.write_bytes(b"precious, but no database" * 100)
        with pytest.raises(BudgetError, match="can't be written"):
            ledger(path)

    def test_a_refused_insert(self, path: Path) -> None:
        made = ledger(path)
        with sqlite3.connect(path) as db:
            db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON reserved BEGIN SELECT RAISE(ABORT, 'full'); "
                "END"
            )
        db.close()
        with pytest.raises(BudgetError, match="full"):
            reserve(made)
        assert made.spent() == 0.0

    def test_a_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = ledger(path, budget=1e9)
        connect = sqlite3.connect

        def cramped(*args: Any, **kwargs: Any) -> Any:
            db = connect(*args, **kwargs)
            db.execute("PRAGMA max_page_count = 1")
            return db

        monkeypatch.setattr(sqlite3, "connect", cramped)
        with pytest.raises(BudgetError, match="full"):
            reserve(made, round_id="large", count=200)
        monkeypatch.undo()
        assert made.spent() == 0.0

    def test_somebody_else_holds_the_lock(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = ledger(path)
        connect = sqlite3.connect
        other = connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(
            sqlite3, "connect", lambda *a, **k: connect(*a, **(k | {"timeout": 0.05}))
        )
        with pytest.raises(BudgetError, match="locked"):
            reserve(made)
        other.execute("ROLLBACK")
        other.close()
        assert reserve(made) == pytest.approx(ONE)


def test_many_at_once_never_overspend(path: Path) -> None:
    """Room for three: of twelve rounds that ask at once, on ledgers of their own, three get it."""
    three = epsilon([RELEASE] * 3, delta=DELTA)
    ledgers = [ledger(path, budget=three) for _ in range(12)]
    barrier = threading.Barrier(len(ledgers))
    outcomes: list[float | None] = []

    def ask(number: int) -> None:
        barrier.wait()
        try:
            outcomes.append(reserve(ledgers[number], round_id=f"r{number}"))
        except BudgetError:
            outcomes.append(None)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(ledgers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    granted = sorted(value for value in outcomes if value is not None)
    assert granted == [pytest.approx(ONE), pytest.approx(TWO), pytest.approx(three)]
    assert ledgers[0].spent() == pytest.approx(three)
