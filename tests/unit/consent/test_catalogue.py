"""The public item list: what it holds, what it refuses, and what its name depends on."""

import json
from dataclasses import replace

import numpy as np
import pytest

from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError

SHELF = Catalogue(
    name="shop",
    level="product",
    items=("bread", "milk", "tea"),
    categories=("bakery", "dairy", ""),
    departments=("", "cold", "dry"),
    products={"0001": 0, "0002": 1, "0003": 1},
)
MOODS = {"mood": ((), ("calm",), ("calm", "warm"))}


def test_a_list_comes_back_as_it_was() -> None:
    for catalogue in (SHELF, replace(SHELF, attributes=MOODS)):
        again = Catalogue.from_bytes(catalogue.to_bytes())
        assert again.to_bytes() == catalogue.to_bytes()
        assert again.hash == catalogue.hash
        assert dict(again.attributes) == dict(catalogue.attributes)


def test_attributes_are_part_of_the_name_and_their_absence_is_not() -> None:
    assert "attributes" not in json.loads(SHELF.to_bytes())
    assert replace(SHELF, attributes=MOODS).hash != SHELF.hash


def test_products_are_read_as_their_items() -> None:
    assert SHELF.indices(np.array(["0003", "0001", "milk"], dtype=object)).tolist() == [1, 0, -1]
    assert replace(SHELF, products={}).indices(
        np.array(["milk", "0001"], dtype=object)
    ).tolist() == [1, -1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"items": ()}, "1 to"),
        ({"items": ("tea", "tea", "milk")}, "twice"),
        ({"categories": ("a",)}, "one category"),
        ({"products": {"9": 3}}, "belongs to no item"),
        ({"attributes": {"mood": ((),)}}, "'mood' has 1 entries for 3 items"),
        ({"attributes": {"Sensitive": (("alcohol",), (), ())}}, "write it 'sensitive'"),
        ({"attributes": {" SENSITIVE": ((), (), ())}}, "write it 'sensitive'"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        replace(SHELF, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra": 1}, "A catalogue has name, level"),
        ({"items": "bread"}, "'items'"),
        ({"products": {"1": True}}, "'products'"),
        ({"attributes": {"mood": "calm"}}, "list of values an item"),
        ({"attributes": {"mood": [["calm"]]}}, "1 entries for 3 items"),
        ({"attributes": []}, "list of values an item"),
    ],
)
def test_foreign_lists_are_parsed_at_the_door(change: dict[str, object], said: str) -> None:
    body = json.loads(SHELF.to_bytes()) | change
    with pytest.raises(InvalidInputError, match=said):
        Catalogue.from_bytes(json.dumps(body).encode())
