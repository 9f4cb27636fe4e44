"""Several files, baskets told apart and put in order, orders joined, ratings and ids left out."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.importers.basket_table import BasketTable
from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.times import Clock, time_parser
from client.importers.visits import follow_on, times_in_order
from crypto.errors import InvalidInputError

DATED = Columns(shopper="u", item="i", time="t")
NUMBERED = Columns(shopper="u", item="i", time="n", time_format="number")
ORDERED = Columns(shopper="u", item="i", time=None)
MAPPED = Columns(shopper="key", item="value", time="position", time_format="number")


def write(tmp_path: Path, **texts: str) -> tuple[Path, ...]:
    """A file a text, named by the key; two underscores for the dot."""
    paths = []
    for name, text in texts.items():
        path = tmp_path / name.replace("__", ".")
        path.write_text(text)
        paths.append(path)
    return tuple(paths)


def visits(found: Purchases, shopper: str) -> list[list[str]]:
    baskets: dict[str, list[str]] = {}
    events = found.events
    for who, basket, item in zip(events.shopper, events.basket, events.item, strict=True):
        if who == shopper:
            baskets.setdefault(basket, []).append(item)
    return list(baskets.values())


def test_files_of_one_layout_are_one_file(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        may__csv="u,i,t\nann,milk,2024-05-02\nben,tea,2024-05-01\n",
        june__csv="t,u,i\n2024-06-01,ann,tea\n2024-05-02,ann,bread\n",
    )
    found = read_purchases(Source(files=files), DATED)
    assert visits(found, "ann") == [["milk", "bread"], ["tea"]]
    assert found.catalogue.name == "may"
    assert found.clock is Clock.WALL


def test_a_bad_line_names_its_file(tmp_path: Path) -> None:
    files = write(tmp_path, a__csv="u,i,t\nann,milk,2024-05-02\n", b__csv="u,i,t\nann,tea,soon\n")
    with pytest.raises(InvalidInputError, match=r"^b\.csv: 1 bad line"):
        read_purchases(Source(files=files), DATED)
    found = read_purchases(Source(files=files), DATED, skip_bad=True)
    assert found.skipped == 1
    assert found.problems[0].startswith("b.csv, line 2: column 't' is 'soon'")


def test_a_file_is_not_read_twice(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a__csv="u,i,t\n")
    for files, said in (((path, path), "named twice"), ((), "at least one file")):
        with pytest.raises(InvalidInputError, match=said):
            Source(files=files)
    with pytest.raises(InvalidInputError, match="there is one"):
        Source(files=(path,), sequel=True)


HISTORY, FUTURE = {"ann": [["milk", "tea"], ["milk"]], "ben": [["tea"]]}, {"ann": [["bread"]]}


def test_a_sequel_comes_after_what_went_before(tmp_path: Path) -> None:
    files = write(tmp_path, h__json=json.dumps(HISTORY), f__json=json.dumps(FUTURE))
    found = read_purchases(Source(files=files, sequel=True), MAPPED)
    assert visits(found, "ann") == [["milk", "tea"], ["milk"], ["bread"]]
    assert visits(found, "ben") == [["tea"]]
    assert found.events.time.tolist() == [0, 0, 86_400, 2 * 86_400, 0]
    assert found.clock is Clock.ORDINAL


def test_a_number_in_two_files_has_to_be_settled(tmp_path: Path) -> None:
    files = write(tmp_path, h__json=json.dumps(HISTORY), f__json=json.dumps(FUTURE))
    with pytest.raises(InvalidInputError, match=r"'ann' has visit 0 in two files.*--sequel"):
        read_purchases(Source(files=files), MAPPED)
    with pytest.raises(InvalidInputError, match="goes with --time-format number"):
        read_purchases(Source(files=files, sequel=True), DATED)


def test_numbers_that_go_on_need_no_word(tmp_path: Path) -> None:
    files = write(
        tmp_path, a__csv="u,i,n\nann,milk,1\nann,tea,2\n", b__csv="u,i,n\nann,bread,3\nben,x,1\n"
    )
    found = read_purchases(Source(files=files), NUMBERED)
    assert visits(found, "ann") == [["milk"], ["tea"], ["bread"]]
    # Lines of one basket in two files are one visit where a column says so.
    files = write(tmp_path, c__csv="u,i,n,b\nann,milk,1,o1\n", d__csv="u,i,n,b\nann,tea,1,o1\n")
    numbered = Columns(shopper="u", item="i", time="n", basket="b", time_format="number")
    assert visits(read_purchases(Source(files=files), numbered), "ann") == [["milk", "tea"]]
    files = write(tmp_path, c__csv="u,i,n,b\nann,milk,1,o1\n", d__csv="u,i,n,b\nann,tea,1,o2\n")
    with pytest.raises(InvalidInputError, match="has visit 1 in two files"):
        read_purchases(Source(files=files), numbered)


def test_basket_numbers_of_a_sequel_stay_apart(tmp_path: Path) -> None:
    files = write(tmp_path, a__csv="u,i,n,b\nann,milk,1,1\n", b__csv="u,i,n,b\nann,tea,1,1\n")
    numbered = Columns(shopper="u", item="i", time="n", basket="b", time_format="number")
    found = read_purchases(Source(files=files, sequel=True), numbered)
    assert visits(found, "ann") == [["milk"], ["tea"]]


def test_lines_in_order_are_visits_by_their_rows(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a__csv="u,i\nann,z\nben,m\nann,a\nann,m\n")
    assert visits(read_purchases(path, ORDERED), "ann") == [["z"], ["a"], ["m"]]
    (path,) = write(tmp_path, b__csv="u,i\nann,z y\nann,a\n")
    cells = Columns(shopper="u", item="i", time=None, item_separator=" ")
    assert visits(read_purchases(path, cells), "ann") == [["z", "y"], ["a"]]
    (path,) = write(tmp_path, c__json=json.dumps(HISTORY))
    found = read_purchases(path, Columns(shopper="key", item="value", time=None))
    assert visits(found, "ann") == [["milk", "tea"], ["milk"]]
    (path,) = write(tmp_path, d__csv="u,i,b\nann,z,2\nann,a,1\nann,m,2\n")
    by_basket = Columns(shopper="u", item="i", time=None, basket="b")
    assert visits(read_purchases(path, by_basket), "ann") == [["z", "m"], ["a"]]
    assert found.clock is Clock.ORDINAL


def test_train_and_test_without_times_are_in_order(tmp_path: Path) -> None:
    files = write(
        tmp_path, train__csv="u,i\nann,a\nben,b\nann,c\n", test__csv="u,i\nben,z\nann,d\n"
    )
    found = read_purchases(Source(files=files), ORDERED)
    assert visits(found, "ann") == [["a"], ["c"], ["d"]]
    assert visits(found, "ben") == [["b"], ["z"]]


def test_more_visits_than_days_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="more than 40,000 visits"):
        times_in_order(["ann"] * 40_002, list(range(40_002)))


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 4)), min_size=1
    ).map(lambda lines: sorted(lines, key=lambda line: line[1]))
)
def test_following_on_keeps_every_order(lines: list[tuple[str, int, int]]) -> None:
    shoppers = [who for who, _, _ in lines]
    file = np.array([number for _, number, _ in lines])
    given = np.array([time for _, _, time in lines]) * 86_400
    times = follow_on(shoppers, given, file)
    for one, (who, number, time) in enumerate(lines):
        for two, (other, later, after) in enumerate(lines):
            if who == other:
                assert (times[one] < times[two]) == ((number, time) < (later, after))
    assert {times[n] for n, who in enumerate(shoppers) if who == "a"} == {
        86_400 * n for n in range(len({line[1:] for line in lines if line[0] == "a"}))
    }


ORDERS = "order,user,when\no2,ben,2024-05-02\no1,ann,2024-05-01\n"
LINES = "order,sku\no1,milk\no2,tea\no1,bread\n"
JOINED = Columns(shopper="user", item="sku", time="when", basket="order")


def test_orders_and_their_lines_are_joined(tmp_path: Path) -> None:
    lines, orders = write(tmp_path, lines__csv=LINES, orders__csv=ORDERS)
    source = Source(files=(lines,), baskets=BasketTable(path=orders, key="order"))
    found = read_purchases(source, JOINED)
    assert visits(found, "ann") == [["milk", "bread"]]
    assert visits(found, "ben") == [["tea"]]


@pytest.mark.parametrize(
    ("lines", "orders", "said"),
    [
        (LINES + "o9,tea\n", ORDERS, "line 5: column 'user' is ''"),
        (LINES, ORDERS + "o1,ann,2024-05-01\n", "line 4: column 'order' is 'o1'; expected each"),
        (LINES, ORDERS.replace("user", "who"), "no column 'user'.*What the lines lack"),
        (LINES, ORDERS + "o3\n", "1 fields; expected 3"),
        ("id,sku\no1,milk\n", ORDERS, "lines.csv: no column 'order'"),
        ("order,user,sku,when\no1,ann,milk,2024-05-01\n", ORDERS, "has every column itself"),
        (LINES + "o1\n", ORDERS, "line 5: "),
    ],
)
def test_what_does_not_join_is_explained(
    tmp_path: Path, lines: str, orders: str, said: str
) -> None:
    first, second = write(tmp_path, lines__csv=lines, orders__csv=orders)
    source = Source(files=(first,), baskets=BasketTable(path=second, key="order"))
    with pytest.raises(InvalidInputError, match=said):
        read_purchases(source, JOINED)


RATED = "u,i,t,r\nann,milk,2024-05-01,4.5\nann,tea,2024-05-02,3\nann,salt,2024-05-03,4\n"


def test_what_was_not_liked_is_left_out_and_counted(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a__csv=RATED)
    liked = Columns(shopper="u", item="i", time="t", rating="r", least=4)
    found = read_purchases(path, liked)
    assert found.events.item.tolist() == ["milk", "salt"]
    assert (found.below, found.skipped) == (1, 0)
    assert found.catalogue.items == ("milk", "salt")
    with pytest.raises(InvalidInputError, match=r"no usable line .3 below the least"):
        read_purchases(path, Columns(shopper="u", item="i", time="t", rating="r", least=5))
    path.write_text(RATED + "ann,bread,2024-05-01,good\n")
    with pytest.raises(InvalidInputError, match="column 'r' is 'good'; expected a rating"):
        read_purchases(path, liked)
    for half in ({"rating": "r"}, {"least": 4.0}):
        with pytest.raises(InvalidInputError, match="belong together"):
            Columns(shopper="u", item="i", time="t", **half)


def test_an_item_that_is_none_has_to_be_named(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a__csv="u,i,t\nann,-1,2024-05-01\nann,tea,2024-05-02\n")
    with pytest.raises(InvalidInputError, match=r"column 'i' is '-1'; .* --ignore-item -1"):
        read_purchases(path, DATED)
    ignoring = Columns(shopper="u", item="i", time="t", ignored=frozenset({"-1"}))
    found = read_purchases(path, ignoring)
    assert found.catalogue.items == ("tea",)
    assert found.ignored == 1


def test_clocks() -> None:
    assert DATED.clock is Clock.WALL
    assert Columns(shopper="u", item="i", time="d", time_format="day").clock is Clock.DAYS
    assert time_parser("day")("711") == 711 * 86_400
    with pytest.raises(ValueError, match="as --time-format day says"):
        time_parser("day")("-1")
    with pytest.raises(InvalidInputError, match="belongs to a time column"):
        Columns(shopper="u", item="i", time=None, time_format="day")
