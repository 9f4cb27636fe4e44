"""JSON logs give what CSV gives, in every layout that is about; times and cells in other forms."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.times import Clock, time_parser
from crypto.errors import InvalidInputError

CSV = """\
card,visit,day,article,units
c1,v1,2024-03-01,milk,2
c1,v1,2024-03-01,tea,1
c1,v2,2024-03-04,milk,1
c2,v3,2024-03-02,tea,1
"""
FLAT: list[dict[str, Any]] = [
    {"card": "c1", "visit": "v1", "day": "2024-03-01", "article": "milk", "units": 2},
    {"card": "c1", "visit": "v1", "day": "2024-03-01", "article": "tea", "units": 1},
    {"card": "c1", "visit": "v2", "day": "2024-03-04", "article": "milk", "units": 1.0},
    {"card": "c2", "visit": "v3", "day": "2024-03-02", "article": "tea", "units": 1},
]
NESTED: list[dict[str, Any]] = [
    {
        "card": "c1",
        "visit": {"id": "v1", "day": "2024-03-01"},
        "lines": [{"article": "milk", "units": 2}, {"article": "tea", "units": 1}],
    },
    {
        "card": "c1",
        "visit": {"id": "v2", "day": "2024-03-04"},
        "lines": [{"article": "milk", "units": 1, "note": ["a", "b"]}],
    },
    {
        "card": "c2",
        "visit": {"id": "v3", "day": "2024-03-02"},
        "lines": [{"article": "tea", "units": 1}],
    },
]
PLAIN = Columns(shopper="card", item="article", time="day", basket="visit", quantity="units")
DEEP = Columns(
    shopper="card",
    item="lines.article",
    time="visit.day",
    basket="visit.id",
    quantity="lines.units",
)


def read(tmp_path: Path, name: str, text: str, columns: Columns) -> Purchases:
    path = tmp_path / name
    path.write_text(text)
    return read_purchases(path, columns)


def lines(records: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(record) for record in records) + "\n\n"


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("flat.jsonl", lines(FLAT), PLAIN),
        ("flat.json", json.dumps(FLAT), PLAIN),
        ("nested.ndjson", lines(NESTED), DEEP),
        ("nested.json", json.dumps(NESTED), DEEP),
        ("wrapped.json", json.dumps({"log": NESTED}), DEEP),
    ],
)
def test_json_gives_what_csv_gives(tmp_path: Path, name: str, text: str, columns: Columns) -> None:
    want = read(tmp_path, "same.csv", CSV, PLAIN)
    got = read(tmp_path, name, text, columns)
    for part in vars(want.events):
        np.testing.assert_array_equal(getattr(got.events, part), getattr(want.events, part))
    assert got.catalogue.items == want.catalogue.items


def test_a_map_of_shoppers_to_baskets_keeps_their_order(tmp_path: Path) -> None:
    text = json.dumps({"c2": [["tea"]], "c1": [["milk", "tea"], ["milk"]]})
    columns = Columns(shopper="key", item="value", time="position", time_format="number")
    events = read(tmp_path, "map.json", text, columns).events
    assert events.shopper.tolist() == ["c1", "c1", "c1", "c2"]
    assert events.item.tolist() == ["milk", "tea", "milk", "tea"]
    assert events.basket.tolist() == [
        "c1/0",
        "c1/0",
        "c1/1",
        "c2/0",
    ]


def test_a_baskets_items_may_stand_in_one_cell(tmp_path: Path) -> None:
    text = "card,day,articles\nc1,2024-03-01,milk tea\nc1,2024-03-04, milk \nc2,2024-03-02,tea\n"
    columns = Columns(shopper="card", item="articles", time="day", item_separator=" ")
    events = read(tmp_path, "cells.csv", text, columns).events
    assert events.item.tolist() == ["milk", "tea", "milk", "tea"]
    assert events.basket.tolist()[:2] == ["c1/2024-03-01"] * 2
    with pytest.raises(InvalidInputError, match="line 2: column 'articles' is ''"):
        read(tmp_path, "empty.csv", "card,day,articles\nc1,2024-03-01,\n", columns)


def test_a_missing_value_is_a_bad_line_and_is_named(tmp_path: Path) -> None:
    broken = [*FLAT, {"card": "c3", "day": None, "article": "tea", "visit": "v9", "units": 1}]
    with pytest.raises(InvalidInputError, match="line 5: column 'day' is ''"):
        read(tmp_path, "gap.jsonl", lines(broken), PLAIN)
    with pytest.raises(InvalidInputError, match=r"no column 'crad' \(did you mean 'card'\?\)"):
        read(
            tmp_path, "flat.jsonl", lines(FLAT), Columns(shopper="crad", item="article", time="day")
        )


def test_a_bad_basket_is_named_once_whatever_it_holds(tmp_path: Path) -> None:
    log = [{"card": "c1", "day": "soon", "article": ["milk"] * 500}]
    columns = Columns(shopper="card", item="article", time="day")
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, "log.json", json.dumps(log), columns)
    assert str(caught.value).count("'soon'") == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"card": 1}\n{"card"', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", "[1, 2]\n", "line 1: holds '\\[1, 2\\]', not an object"),
        ("a.json", "{", "a.json: not JSON"),
        ("a.json", "3", "neither a list of objects nor a map"),
        ("a.json", '{"c1": 3}', "'c1' maps to '3'"),
        ("a.json", "[" * 100_000, "not JSON"),
        (
            "a.json",
            json.dumps([{"card": 1, "day": list(range(400)), "article": list(range(400))}]),
            "record 1: makes 160,000 lines",
        ),
    ],
)
def test_broken_json_is_explained(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read(tmp_path, name, text, Columns(shopper="card", item="article", time="day"))


def test_text_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"card": "\xe9"}\n')
    with pytest.raises(InvalidInputError, match="line 1: not UTF-8"):
        read_purchases(tmp_path / "a.jsonl", PLAIN)


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("%m/%d/%Y", "3/5/2017", 1_488_672_000),
        ("%d.%m.%Y %H:%M", "05.03.2017 18:30", 1_488_738_600),
        ("ms", "1488738600000", 1_488_738_600),
        ("ms", "978300760999", 978_300_760),
        ("number", "0", 0),
        ("number", "711", 711 * 86_400),
        ("number", "1.5", 129_600),
        (None, "2017-03-05", 1_488_672_000),
    ],
)
def test_times_in_other_forms(form: str | None, text: str, seconds: int) -> None:
    assert time_parser(form)(text) == seconds


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("%m/%d/%Y", "2017-03-05", "in the form %m/%d/%Y"),
        ("%d %B", "5 March", "in the years 1970"),
        ("%Q", "5", "in the form %Q"),
        ("ms", "1488738600", "Unix milliseconds"),
        ("ms", "soon", "Unix milliseconds"),
        ("number", "-1", "from 0 to 40000"),
        ("number", "1488738600", "from 0 to 40000"),
        ("number", "nan", "from 0"),
    ],
)
def test_times_in_other_forms_that_are_refused(form: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        time_parser(form)(text)


NUMBERED = Columns(shopper="who", item="visits", time="visits.position", time_format="number")
INNER = Columns(shopper="key", item="value", time="inner", time_format="number")
OWN = Columns(shopper="key", item="visits", time="visits.position", time_format="number")


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        ([{"who": "c1", "visits": [["milk", "tea"], ["milk"]]}], NUMBERED),
        ({"c1": {"0": ["milk", "tea"], "1": ["milk"]}}, INNER),
        ({"c1": {"visits": [["milk", "tea"], ["milk"]], "age": 30}}, OWN),
        (
            [{"who": "c1", "visits": [{"position": 0, "of": ["milk", "tea"]}, {"of": ["milk"]}]}],
            Columns(shopper="who", item="visits.of", time="visits.position", time_format="number"),
        ),
    ],
)
def test_lists_without_dates_number_themselves(
    tmp_path: Path, value: object, columns: Columns
) -> None:
    found = read(tmp_path, "visits.json", json.dumps(value), columns)
    assert found.events.item.tolist() == ["milk", "tea", "milk"]
    assert found.events.basket.tolist() == ["c1/0", "c1/0", "c1/1"]
    assert found.clock is Clock.ORDINAL
