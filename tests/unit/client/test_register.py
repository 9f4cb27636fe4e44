"""A client's register: one manifest a round, two sends at most, on disk before anything else."""

import threading
from pathlib import Path

import pytest

from client.register import (
    MAX_SENDS,
    Cap,
    Charge,
    charge,
    enter_round,
    joined_rounds,
    note_sealed,
    sealed_of,
)
from crypto.dp.plan import without_noise
from crypto.errors import RoundError
from tests.unit.crypto.samples import plan


def enter(
    path: Path,
    *,
    round_id: str = "r1",
    context: str = "c1",
    task: str = "t",
    population: str = "p",
    epsilon: float | None = 0.5,
) -> int:
    return enter_round(
        path, population=population, task=task, round_id=round_id, context=context, epsilon=epsilon
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rounds.db"


def test_counts_sends(path: Path) -> None:
    assert [enter(path), enter(path)] == [1, 2]
    assert MAX_SENDS == 2


def test_a_third_send_is_refused_for_ever(path: Path) -> None:
    enter(path)
    enter(path)
    for _ in range(3):
        with pytest.raises(RoundError, match="answered 2 times already"):
            enter(path)


def test_a_second_manifest_of_a_round_is_refused(path: Path) -> None:
    enter(path)
    with pytest.raises(RoundError, match="another manifest"):
        enter(path, context="c2")
    # The refusal neither replaced the first nor counted as a send.
    assert enter(path) == 2
    with pytest.raises(RoundError, match="another manifest"):
        enter(path, context="c2")


def test_rounds_tasks_and_populations_are_counted_apart(path: Path) -> None:
    assert enter(path) == 1
    assert enter(path, round_id="r2", context="c2") == 1
    assert enter(path, task="t2", context="c3") == 1
    assert enter(path, population="p2", context="c4") == 1


def test_what_was_joined_is_listed(path: Path) -> None:
    assert joined_rounds(path) == []
    enter(path)
    enter(path)
    enter(path, round_id="r2", context="c2", epsilon=None)
    assert joined_rounds(path) == [("t", "r1", 0.5), ("t", "r2", None)]


def test_a_refused_first_entry_leaves_nothing(path: Path) -> None:
    enter(path)
    with pytest.raises(RoundError):
        enter(path, context="c2", epsilon=9.0)
    assert joined_rounds(path) == [("t", "r1", 0.5)]


def test_an_unwritable_register_stops_the_client(tmp_path: Path) -> None:
    (tmp_path / "rounds.db").mkdir()
    with pytest.raises(RoundError, match="can't be written"):
        enter(tmp_path / "rounds.db")


def test_many_threads_send_no_more_than_one(path: Path) -> None:
    outcomes: list[int] = []
    barrier = threading.Barrier(6)

    def run() -> None:
        barrier.wait()
        try:
            outcomes.append(enter(path))
        except RoundError:
            outcomes.append(0)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [0, 0, 0, 0, 1, 2]


def test_what_is_sealed_may_be_of_all_who_were_charged_until_it_is_noted(path: Path) -> None:
    release = without_noise(plan()).release

    def charge_to(*shoppers: str, context: str = "c1") -> None:
        entry = Charge(context=context, release=release, run=context, number=0, separation=1)
        charge(path, shoppers, entry, cap=Cap(epsilon=None, delta=1e-5))

    charge_to("ann", "bea")
    charge_to("ann", context="c2")
    assert sealed_of(path, "c1") == {"ann", "bea"}
    note_sealed(path, "c1", ["ann", "bea"])
    assert sealed_of(path, "c1") == {"ann", "bea"}
    note_sealed(path, "c1", ["bea"])
    assert sealed_of(path, "c1") == {"bea"}
    assert sealed_of(path, "c2") == {"ann"}
    # Before she is sealed for again, not after: a crash between the two leaves one too many.
    charge_to("ann", "cleo")
    assert sealed_of(path, "c1") == {"ann", "bea", "cleo"}
    assert sealed_of(path, "c3") == frozenset()
