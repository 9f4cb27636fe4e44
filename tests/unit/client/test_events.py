"""The event store keeps what it is given, for its owner alone, and refuses what it can't read."""

import os
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.events import EventStore
from consent.events import Events
from crypto.errors import FedcartError, InvalidInputError

Line = tuple[str, int, str, str, float, float, str]


def _events(lines: list[Line]) -> Events:
    def column(position: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        values = np.empty(len(lines), dtype=object)
        values[:] = [line[position] for line in lines]
        return values

    return Events(
        shopper=column(0),
        time=np.array([line[1] for line in lines], dtype=np.int64),
        basket=column(2),
        item=column(3),
        quantity=np.array([line[4] for line in lines], dtype=np.float64),
        price=np.array([line[5] for line in lines], dtype=np.float64),
        store=column(6),
    )


def _lines(events: Events) -> list[Line]:
    columns = [getattr(events, name).tolist() for name in vars(events)]
    return list(zip(*columns, strict=True))


ANN_1: Line = ("ann", 100, "b1", "milk", 2.0, 1.5, "s1")
ANN_2: Line = ("ann", 200, "b2", "tea", 1.0, 3.25, "")
BEN: Line = ("ben", 150, "b3", "milk", 1.0, 0.75, "s1")


def test_gives_back_a_shoppers_lines_oldest_first(tmp_path: Path) -> None:
    with EventStore.create(tmp_path / "events.db") as store:
        store.append(_events([ANN_2, BEN]))
        store.append(_events([ANN_1]))
        assert _lines(store.of("ann")) == [ANN_1, ANN_2]
        assert store.shoppers() == ("ann", "ben")
        assert store.count() == 3
        assert len(store.of("carl")) == 0


def test_replacing_is_all_or_nothing_and_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with EventStore.create(path) as store:
        store.append(_events([ANN_1, ANN_2, BEN]))
        broken = ("ann", 1, "b", "milk", float("nan"), 1.0, "")
        unwritable = ("ann", 1, "b", "\ud800", 1.0, 1.0, "")
        for line in (broken, unwritable):
            with pytest.raises(InvalidInputError):
                store.replace(_events([ANN_1, line]))
        assert store.count() == 3
        assert store.replace(_events([ANN_1])) == 3
        assert _lines(store.of("ann")) == [ANN_1]
        assert store.shoppers() == ("ann",)
    assert b"tea" not in path.read_bytes()


def test_lines_survive_closing(tmp_path: Path) -> None:
    with EventStore.create(tmp_path / "events.db") as store:
        store.append(_events([ANN_1]))
    with EventStore.open(tmp_path / "events.db") as store:
        assert _lines(store.of("ann")) == [ANN_1]


TEXT = st.text(max_size=8)
# SQLite has one zero: adding 0.0 turns the negative one into it.
NUMBER = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            TEXT,
            st.integers(-(2**63), 2**63 - 1),
            TEXT,
            TEXT,
            NUMBER,
            NUMBER | st.just(float("nan")),
            TEXT,
        ),
        max_size=12,
    )
)
def test_any_ids_and_numbers_come_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Line]
) -> None:
    path = tmp_path_factory.mktemp("store") / "events.db"
    with EventStore.create(path) as store:
        store.append(_events(lines))
        assert store.shoppers() == tuple(sorted({line[0] for line in lines}))
        back = [line for shopper in store.shoppers() for line in _lines(store.of(shopper))]
    expected = sorted(lines, key=lambda line: (line[0], line[1], line[2]))
    np.testing.assert_equal(back, expected)


def test_forgetting_overwrites_one_shopper_only(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    secret: Line = ("ann", 1, "b", "a-very-telling-item", 1.0, 1.0, "")
    with EventStore.create(path) as store:
        store.append(_events([secret, ANN_1, BEN]))
        assert b"a-very-telling-item" in path.read_bytes()
        assert store.forget("ann") == 2
        assert store.shoppers() == ("ben",)
        assert store.forget("ann") == 0
    assert b"a-very-telling-item" not in path.read_bytes()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        EventStore.create(tmp_path / "events.db").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "events.db").stat().st_mode) == 0o600


def test_a_failed_append_changes_nothing(tmp_path: Path) -> None:
    with EventStore.create(tmp_path / "events.db") as store:
        store.append(_events([ANN_1]))
        with pytest.raises(InvalidInputError, match="UTF-8"):
            store.append(_events([BEN, ("\ud800", 1, "b", "i", 1.0, 1.0, "")]))
        assert store.count() == 1


@pytest.mark.parametrize(
    ("quantity", "price", "word"),
    [(float("nan"), 1.0, "quantity"), (float("inf"), 1.0, "quantity"), (1.0, -np.inf, "price")],
)
def test_numbers_that_no_till_prints_are_refused(
    tmp_path: Path, quantity: float, price: float, word: str
) -> None:
    with (
        EventStore.create(tmp_path / "events.db") as store,
        pytest.raises(InvalidInputError, match=word),
    ):
        store.append(_events([("ann", 1, "b", "i", quantity, price, "")]))


def test_a_locked_file_is_a_failure_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.db"
    with EventStore.create(path) as store:
        store._connection.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FedcartError, match="locked"):
            store.append(_events([ANN_1]))
        with pytest.raises(FedcartError, match="could not be read"):
            store.of("ann")
        other.close()
        assert store.count() == 0


def test_create_never_touches_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"precious")
    with pytest.raises(InvalidInputError, match="exists already"):
        EventStore.create(path)
    assert path.read_bytes() == b"precious"


def test_a_missing_folder_or_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="folder"):
        EventStore.create(tmp_path / "none" / "events.db")
    with pytest.raises(InvalidInputError, match="no event store"):
        EventStore.open(tmp_path / "events.db")
    assert not (tmp_path / "events.db").exists()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="not an event store"):
        EventStore.open(path)


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(InvalidInputError, match="not an event store of fedcart"):
        EventStore.open(path)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    EventStore.create(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(InvalidInputError, match="version 2; this release reads version 1"):
        EventStore.open(path)
