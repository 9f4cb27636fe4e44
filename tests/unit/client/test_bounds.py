"""Every task's vector is finite and of norm at most 1, whatever was bought or made up.

A coordinator chooses parameters and artefacts; here both take the extremes that parsing lets pass,
and histories lie at odd times, in baskets that come back and in items that nobody lists. Nothing is
masked: a warning or an error of a contribution fails the test.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from client.contributions.history import FloatArray, History
from client.contributions.inputs import Inputs
from client.contributions.registry import CONTRIBUTIONS
from consent.admit import admit
from consent.events import Events
from consent.purpose import Category
from consent.tasks.artefact import Artefact, decode_artefact
from consent.tasks.catalogue import SENSITIVE, Catalogue
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import MAX_ATTRIBUTES
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.parameters import pack
from consent.tasks.ranker import Feature
from consent.tasks.task import parse_task
from crypto.wire import canonical
from tests.unit.client.test_foretold import inputs as plain_inputs

ITEMS = 8
CATALOGUE = Catalogue(
    name="shelf",
    level="item",
    items=tuple("abcdefgh"),
    categories=("x", "x", "y", "y", "z", "", "z", "q"),
    departments=("",) * ITEMS,
    products={},
    attributes={SENSITIVE: (*((),) * 7, ("alcohol",))},
)
EXTREMES = np.array([0, 1e-45, 1, -1, 3.4e38, -3.4e38, 1e-30, 0.5, 0.003, -0.003])
PARAMETERS = np.array([0, 1, -1, 9.9e11, -9.9e11, 1e-300, 5e-324, 0.5, 2, 1])
TIMES = np.array([-(10**12), -1, 0, 5, 1_700_000_000, 253_402_300_799])
SCHEMA = {"name": "x", "attributes": [[f"a{n}", ["yes", "no"]] for n in range(MAX_ATTRIBUTES)]}
ROUNDS = 250

Rng = np.random.Generator


def extremes(rng: Rng, size: int, *, low: float = -3.4e38, high: float = 3.4e38) -> FloatArray:
    drawn = rng.choice(EXTREMES, size) if rng.random() < 0.7 else rng.normal(size=size)
    return np.clip(drawn, low, high)


def some(rng: Rng, least: int) -> list[int]:
    found: list[int] = rng.permutation(ITEMS)[: rng.integers(least, ITEMS + 1)].tolist()
    return found


def listed(rng: Rng) -> dict[str, Any]:
    """Items, weights and mean direction, as parameters."""
    indices = some(rng, 2)
    drawn = {key: rng.choice(PARAMETERS, len(indices)).tolist() for key in ("weights", "mean")}
    return {"indices": indices, **drawn, "withheld": int(rng.integers(0, 4))}


def placed(rng: Rng, size: int, key: str) -> dict[str, Any]:
    """Places of so many items, and what holds a shopper's own."""
    width = int(rng.integers(1, size + 1))
    return {
        "width": width,
        key: pack(extremes(rng, size * width, low=-100, high=100)),
        "ridge": float(rng.choice([1e-3, 0.1, 1e3])),
        "unseen": float(rng.choice([1e-3, 1.0])),
    }


def factors_task(rng: Rng) -> dict[str, Any]:
    terms = listed(rng)
    places = placed(rng, len(terms["indices"]), "places")
    return terms | places | {"length": float(rng.choice([1e-3, 0.05, 1e3]))}


def ranker_task(rng: Rng) -> dict[str, Any]:
    features = rng.permutation([str(each) for each in Feature])[: rng.integers(1, 21)].tolist()
    return {
        "features": features,
        "weights": extremes(rng, len(features), low=-100, high=100).tolist(),
        "candidates": int(rng.choice([2, 10_000])),
        "baskets": int(rng.integers(1, 11)),
        "moments": bool(rng.random() < 0.5),
        "inputs": [],
    }


def measured(rng: Rng) -> dict[str, Any]:
    return {"items": ITEMS, "length": int(rng.integers(1, 12)), "least_baskets": 2, "inputs": []}


PARAMETERS_OF: dict[TaskName, Callable[[Rng], dict[str, Any]]] = {
    TaskName.POPULARITY: lambda _: {"items": ITEMS},
    TaskName.RECENT_POPULARITY: lambda rng: {"items": ITEMS, "baskets": int(rng.integers(1, 4))},
    TaskName.ITEM_ITEM: listed,
    TaskName.FACTORS: factors_task,
    TaskName.RANKER: ranker_task,
    TaskName.EVALUATION: lambda rng: measured(rng) | {"sketch": int(rng.integers(1, 20))},
    TaskName.FAIRNESS: lambda rng: measured(rng) | {"schema": SCHEMA, "least_shoppers": 1},
}


def released(rng: Rng) -> dict[TaskName, Artefact]:
    """Made-up artefacts that a device would read; popularity always, which an audit asks for."""
    size = int(rng.integers(2, ITEMS + 1))
    vectors = {key: pack(extremes(rng, size)) for key in ("weights", "mean")}
    pairs = {"indices": rng.integers(0, ITEMS, size).tolist(), "directions": 0}
    ranker = ranker_task(rng)
    bodies: dict[str, dict[str, Any]] = {
        "item-item": pairs | vectors | {"matrix": pack(extremes(rng, size * size))},
        "factors": vectors | placed(rng, size, "factors") | {"indices": list(range(size))},
        "ranker": ranker | {"weights": pack(np.array(ranker["weights"]))},
        "recent-popularity": {"scores": pack(extremes(rng, ITEMS, low=0, high=1))},
    }
    bodies = {task: body for task, body in bodies.items() if rng.random() < 0.6}
    bodies["popularity"] = {"scores": pack(extremes(rng, ITEMS, low=0, high=1))}
    found = [
        decode_artefact(canonical({"task": task, "catalogue": CATALOGUE.hash} | body))
        for task, body in bodies.items()
    ]
    return {each.task: each for each in found}


def history(rng: Rng, name: TaskName) -> History:
    baskets = int(rng.integers(0, 7))
    size = rng.choice([1, 2, 5, 40], baskets)
    number = np.repeat(np.arange(baskets), size)
    time = np.sort(rng.choice(TIMES, baskets))[number]
    number[rng.random(number.size) < 0.05] = 0  # lines that come back to the first basket
    lines = Events(
        shopper=np.full(number.size, "ann", dtype=object),
        time=time.astype(np.int64),
        basket=number.astype(str).astype(object),
        item=rng.choice(list("abcdefghz"), number.size).astype(object),
        quantity=np.full(number.size, np.nan),
        price=np.full(number.size, np.inf),
        store=rng.choice(["", "north", "south"], number.size).astype(object),
    )
    extra = {each for each in Category if rng.random() < 0.5}
    categories = REQUIRED_CATEGORIES[name] | extra
    purpose = REQUIRED_PURPOSE[name]
    consented = admit(lines, purpose=purpose, categories=categories, sensitive_items=frozenset())
    return History.of(consented, CATALOGUE)


def test_every_task_is_tried_here() -> None:
    assert set(PARAMETERS_OF) == set(CONTRIBUTIONS)


@pytest.mark.parametrize("name", sorted(PARAMETERS_OF))
def test_no_history_and_nothing_made_up_gives_more_than_norm_one(name: TaskName) -> None:
    rng, longest = np.random.default_rng(41), 0.0
    for _ in range(ROUNDS):
        task = parse_task(name, PARAMETERS_OF[name](rng))
        stated = {f"a{n}": "yes" for n in range(MAX_ATTRIBUTES) if rng.random() < 0.8}
        made = Inputs(
            history=history(rng, name),
            catalogue=CATALOGUE,
            artefacts=released(rng),
            groups=stated,
        )
        vector = CONTRIBUTIONS[name](task, made)
        assert vector.shape == (task.dimension,)
        assert np.isfinite(vector).all()
        longest = max(longest, float(np.linalg.norm(vector)))
    assert 0.7 <= longest <= 1 + 1e-12


@pytest.mark.parametrize("stated", [1, 2, MAX_ATTRIBUTES])
def test_all_groups_that_she_states_share_one_norm(stated: int) -> None:
    """Who states all attributes that an audit asks for has the norm of one block."""
    parameters = measured(np.random.default_rng(0)) | {"items": 6, "least_shoppers": 1}
    schema = SCHEMA | {"attributes": SCHEMA["attributes"][:stated]}
    task = parse_task(TaskName.FAIRNESS, parameters | {"schema": schema})
    assert isinstance(task, FairnessTask)
    every = {f"a{n}": "yes" for n in range(stated)}
    whole = CONTRIBUTIONS[task.name](task, plain_inputs("a", "a", "f", **every))
    one = CONTRIBUTIONS[task.name](task, plain_inputs("a", "a", "f", a0="yes"))
    assert np.linalg.norm(whole) == pytest.approx(np.linalg.norm(one) * np.sqrt(stated))
    assert 0.5 < np.linalg.norm(whole) <= 1
