"""A shopper's own ledger: charged before anything is computed, never past her cap, never twice."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dp_accounting.rdp import rdp_privacy_accountant
from hypothesis import given, settings
from hypothesis import strategies as st

from client import register
from client.register import Cap, Charge, charge, enter_round, most_spent, spent_by
from crypto.dp.accounting import (
    ORDERS,
    GaussianRelease,
    Release,
    SampledRelease,
    SkellamRelease,
)
from crypto.errors import RoundError

DELTA = 1e-5
# Of σ = Δ₂, so that the oracle's σ is the root of the variance.
ROUND = GaussianRelease(variance=25.0, squared_l2=1.0)
COSTLY = SkellamRelease(variance=4.0e6, squared_l2=1.05e6, l1=4.0e6)
FREE = Cap(epsilon=None, delta=DELTA)


def entry(nth: int = 0, release: Release = ROUND, /, **changes: Any) -> Charge:
    fields: dict[str, Any] = {
        "context": f"context-{nth}",
        "release": release,
        "run": f"run-{nth}",
        "number": 0,
        "separation": 1,
    }
    return Charge(**(fields | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rounds.db"


def composed(releases: list[Release]) -> float:
    """The same by dp-accounting, from Rényi divergences that are written here once more."""
    orders = np.array(ORDERS, dtype=float)
    total = np.zeros(len(ORDERS))
    for release in releases:
        match release:
            case GaussianRelease(variance=v, squared_l2=s):
                total += orders * s / (2 * v)
            case SkellamRelease(variance=v, squared_l2=s, l1=one):
                small = ((2 * orders - 1) * s + 6 * one) / (4 * v * v)
                total += orders * s / (2 * v) + np.minimum(small, 3 * one / (2 * v))
            case _:
                raise AssertionError(release)
    value, _ = rdp_privacy_accountant.compute_epsilon(ORDERS, total, DELTA)
    return float(value)


class TestCharges:
    def test_nothing_was_spent_before_anything_was(self, path: Path) -> None:
        assert spent_by(path, "ann", delta=DELTA) == 0.0
        assert not path.exists()
        enter_round(path, population="p", task="t", round_id="r", context="c", epsilon=1.0)
        assert spent_by(path, "ann", delta=DELTA) == 0.0

    @pytest.mark.parametrize("rounds", [1, 2, 7])
    @pytest.mark.parametrize("release", [ROUND, COSTLY], ids=["gaussian", "skellam"])
    def test_what_was_spent_is_what_dp_accounting_says(
        self, path: Path, rounds: int, release: Release
    ) -> None:
        for number in range(rounds):
            assert charge(path, ["ann"], entry(number, release), cap=FREE) == ["ann"]
        expected = composed([release] * rounds)
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(expected, rel=1e-9)

    def test_mixed_rounds_compose(self, path: Path) -> None:
        releases: list[Release] = [ROUND, COSTLY, ROUND, COSTLY, COSTLY]
        for number, release in enumerate(releases):
            charge(path, ["ann"], entry(number, release), cap=FREE)
        expected = composed(releases[::-1])
        found = spent_by(path, "ann", delta=DELTA)
        assert found == pytest.approx(expected, rel=1e-9)
        assert found < 2 * composed([ROUND]) + 3 * composed([COSTLY])

    def test_one_gaussian_round_by_hand(self, path: Path) -> None:
        """z = 5 at δ = 1e-5, by the best order of α / 2z² + ln(1 - 1/α) - ln(αδ) / (α - 1)."""
        charge(path, ["ann"], entry(), cap=FREE)
        best = min(a / 50 + np.log1p(-1 / a) - np.log(a * DELTA) / (a - 1) for a in range(2, 200))
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(best, rel=1e-9)

    def test_a_round_without_noise_has_no_bound(self, path: Path) -> None:
        quiet = SkellamRelease(variance=0.0, squared_l2=1.0, l1=1.0)
        charge(path, ["ann"], entry(0, quiet), cap=FREE)
        assert spent_by(path, "ann", delta=DELTA) == float("inf")
        assert charge(path, ["ann"], entry(1), cap=Cap(epsilon=1e9, delta=DELTA)) == []

    def test_sampled_rounds_are_kept_as_such(self, path: Path) -> None:
        charge(path, ["sampled"], entry(0, SampledRelease(base=ROUND, rate=0.1)), cap=FREE)
        charge(path, ["whole"], entry(1), cap=FREE)
        one, other = (spent_by(path, name, delta=DELTA) for name in ("sampled", "whole"))
        assert 0 < one < other

    def test_shoppers_are_charged_apart(self, path: Path) -> None:
        charge(path, ["ann", "bea"], entry(1), cap=FREE)
        charge(path, ["bea"], entry(2), cap=FREE)
        ann, bea, cleo = (spent_by(path, name, delta=DELTA) for name in ("ann", "bea", "cleo"))
        assert ann == pytest.approx(composed([ROUND]), rel=1e-9)
        assert bea == pytest.approx(composed([ROUND] * 2), rel=1e-9)
        assert cleo == 0.0

    def test_a_round_is_charged_once(self, path: Path) -> None:
        for _ in range(5):
            assert charge(path, ["ann", "bea"], entry(), cap=FREE) == ["ann", "bea"]
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(composed([ROUND]), rel=1e-9)

    def test_who_joins_a_round_later_is_charged_then(self, path: Path) -> None:
        """Of a store that is asked again: Bea agreed meanwhile, Ann is charged already."""
        charge(path, ["ann"], entry(), cap=FREE)
        assert charge(path, ["ann", "bea"], entry(), cap=FREE) == ["ann", "bea"]
        for name in ("ann", "bea"):
            assert spent_by(path, name, delta=DELTA) == pytest.approx(composed([ROUND]), rel=1e-9)


class TestCaps:
    def cap(self, rounds: int, *, room: float = 1e-6) -> Cap:
        return Cap(epsilon=composed([ROUND] * rounds) * (1 + room), delta=DELTA)

    @pytest.mark.parametrize("rounds", [1, 3, 10])
    def test_as_many_rounds_as_it_allows_and_none_more(self, path: Path, rounds: int) -> None:
        cap = self.cap(rounds)
        for number in range(rounds):
            assert charge(path, ["ann"], entry(number), cap=cap) == ["ann"]
        for number in range(rounds, rounds + 3):
            assert charge(path, ["ann"], entry(number), cap=cap) == []
        expected = composed([ROUND] * rounds)
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(expected, rel=1e-9)

    def test_a_cap_just_below_a_round_allows_none(self, path: Path) -> None:
        assert charge(path, ["ann"], entry(), cap=self.cap(1, room=-1e-4)) == []
        assert spent_by(path, "ann", delta=DELTA) == 0.0

    def test_a_round_that_was_charged_may_be_sent_again_at_the_cap(self, path: Path) -> None:
        cap = self.cap(1)
        charge(path, ["ann"], entry(), cap=cap)
        assert charge(path, ["ann"], entry(), cap=cap) == ["ann"]
        assert charge(path, ["ann"], entry(1), cap=cap) == []

    def test_one_shoppers_cap_stops_no_other(self, path: Path) -> None:
        """Order is kept; who has no room is left out."""
        for number in range(3):
            charge(path, ["bea"], entry(number), cap=FREE)
        assert charge(path, ["cleo", "bea", "ann"], entry(9), cap=self.cap(2)) == ["cleo", "ann"]

    @pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan")])
    def test_a_cap_of_nothing_allows_nothing(self, path: Path, epsilon: float) -> None:
        assert charge(path, ["ann"], entry(), cap=Cap(epsilon=epsilon, delta=DELTA)) == []

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(
        st.lists(st.sampled_from([ROUND, COSTLY]), min_size=1, max_size=8),
        st.floats(0.05, 6.0),
    )
    def test_never_past_it(
        self, tmp_path_factory: pytest.TempPathFactory, releases: list[Release], epsilon: float
    ) -> None:
        path = tmp_path_factory.mktemp("ledger") / "rounds.db"
        taken: list[Release] = []
        for number, release in enumerate(releases):
            within = charge(
                path, ["ann"], entry(number, release), cap=Cap(epsilon=epsilon, delta=DELTA)
            )
            fits = composed([*taken, release]) <= epsilon * (1 + 1e-9)
            assert (within == ["ann"]) == fits
            taken += [release] * len(within)
        expected = composed(taken) if taken else 0.0
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(expected, rel=1e-9)


class TestSeparation:
    def take(self, path: Path, number: int, *, run: str = "run", separation: int = 3) -> bool:
        made = entry(context=f"{run} {number}", run=run, number=number, separation=separation)
        return charge(path, ["ann"], made, cap=FREE) == ["ann"]

    def test_at_most_once_in_so_many_rounds(self, path: Path) -> None:
        assert [self.take(path, number) for number in range(8)] == [
            *(True, False, False, True, False, False, True, False)
        ]
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(composed([ROUND] * 3), rel=1e-9)

    def test_counted_from_the_round_that_she_joined(self, path: Path) -> None:
        assert self.take(path, 2)
        assert not self.take(path, 4)
        assert self.take(path, 5)

    def test_no_round_before_one_that_she_joined(self, path: Path) -> None:
        """A coordinator that runs rounds out of order gets none of her."""
        assert self.take(path, 6)
        assert not any(self.take(path, number) for number in range(6))

    def test_runs_do_not_count_for_each_other(self, path: Path) -> None:
        assert self.take(path, 0)
        assert self.take(path, 1, run="another")
        assert not self.take(path, 1)

    def test_the_same_round_again_is_the_same_participation(self, path: Path) -> None:
        assert self.take(path, 0)
        assert self.take(path, 0)

    def test_without_separation_every_round(self, path: Path) -> None:
        assert all(self.take(path, number, separation=1) for number in range(4))


class FailingCommit(sqlite3.Connection):
    """A disk that takes everything and has nothing when it comes to it."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


class TestDisks:
    def test_a_folder_in_its_place(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(RoundError, match="can't be written"):
            charge(path, ["ann"], entry(), cap=FREE)

    @pytest.mark.parametrize(
        "data", [b"no database at all" * 99, b"SQLite format 3\x00" + bytes(99)]
    )
    def test_other_bytes_in_its_place(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        for step in (
            lambda: charge(path, ["ann"], entry(), cap=FREE),
            lambda: spent_by(path, "ann", delta=DELTA),
        ):
            with pytest.raises(RoundError, match="can't be written"):
                step()
        assert path.read_bytes() == data

    def test_a_charge_that_does_not_reach_the_disk_is_none(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        charge(path, ["ann"], entry(0), cap=FREE)
        connect = sqlite3.connect
        with monkeypatch.context() as patched:
            patched.setattr(
                sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=FailingCommit)
            )
            with pytest.raises(RoundError, match="disk I/O error"):
                charge(path, ["ann"], entry(1), cap=FREE)
        assert spent_by(path, "ann", delta=DELTA) == pytest.approx(composed([ROUND]), rel=1e-9)

    def test_all_shoppers_of_a_round_or_none(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        separated = register._separated

        def stumble(db: sqlite3.Connection, shopper: str, made: Charge) -> bool:
            if shopper == "bea":
                raise KeyboardInterrupt
            return separated(db, shopper, made)

        with monkeypatch.context() as patched:
            patched.setattr(register, "_separated", stumble)
            with pytest.raises(KeyboardInterrupt):
                charge(path, ["ann", "bea"], entry(), cap=FREE)
        assert spent_by(path, "ann", delta=DELTA) == 0.0

    def test_two_rounds_at_once_do_not_both_get_the_last_room(self, path: Path) -> None:
        cap = Cap(epsilon=composed([ROUND]) * 1.001, delta=DELTA)
        taken: list[list[str]] = []
        barrier = threading.Barrier(6)

        def run(number: int) -> None:
            barrier.wait()
            taken.append(charge(path, ["ann"], entry(number), cap=cap))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [[], [], [], [], [], ["ann"]]


def test_the_most_that_anyone_of_a_store_has_spent(tmp_path: Path) -> None:
    path = tmp_path / "rounds.db"
    assert most_spent(path, delta=DELTA) == 0.0
    for nth, shoppers in enumerate((["ann", "bea", "cleo"], ["bea"], ["bea", "cleo"])):
        charge(path, shoppers, entry(nth), cap=FREE)
    each = [spent_by(path, name, delta=DELTA) for name in ("ann", "bea", "cleo")]
    assert most_spent(path, delta=DELTA) == each[1] == max(each) > each[2]
