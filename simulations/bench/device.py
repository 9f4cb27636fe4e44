"""How long a device takes for one shopper's list, and to explain an item of it, on one thread.

The data are made up, of a stated size.

Everything is in play: three shared artefacts, a ranker with all features, times, a known moment.
What all shoppers share is worked out before the clock starts, as on a device between two lists.
An explanation is of an item that is new to her, amid the list, so that much moves it, and of a list
as long as the catalogue, so that nothing drives it off: all that may be left out is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from client.contributions.history import FloatArray, History
from client.recommender.explanation.counterfactual import Reranking
from client.recommender.features import Knowledge
from client.recommender.moment import DAY_S, UNKNOWN, Moment
from client.recommender.recommend import explained, rank
from client.recommender.scores import Model
from consent.admit import ConsentedEvents, admit
from consent.events import Events
from consent.purpose import Category, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import Feature, RankerArtefact
from crypto.errors import InvalidInputError
from simulations.bench.voted_round import timed

LISTED = 512
CATEGORIES = 300
BASKET = 12
LENGTH = 10
AMID = 100


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the made-up data are: items in the catalogue, baskets of the shopper."""

    items: int
    baskets: int


def bench_device(
    *, items: int, baskets: int, lists: int, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """One JSON object with the ranker and one without: milliseconds a list and an explanation.

    Both are of one run on one machine; ``lists_an_explanation`` is the one in terms of the other.

    Raises:
        InvalidInputError: a count below 1, or fewer items than a basket has.
    """
    if min(baskets, lists) < 1 or items < BASKET:
        raise InvalidInputError(
            f"Expected items={items} >= {BASKET}, baskets={baskets} and lists={lists} >= 1."
        )
    rng = np.random.default_rng(seed)
    size = Size(items=items, baskets=baskets)
    catalogue, artefacts = _shared(size, rng)
    history = _history(size, rng)
    ranker = RankerArtefact(
        catalogue=catalogue.hash, features=tuple(Feature), weights=rng.normal(size=len(Feature))
    )
    moment = Moment(time=(baskets + 1) * 3 * DAY_S)
    for name, model, when in (
        ("closed form", Model.of(catalogue, artefacts), UNKNOWN),
        ("ranker", Model.of(catalogue, [*artefacts, ranker]), moment),
    ):
        rank(model, history, count=LENGTH, moment=when)  # what all shoppers share, once
        took = [
            timed(partial(rank, model, history, count=LENGTH, moment=when))[1] for _ in range(lists)
        ]
        why = [timed(partial(_explain, model, history, when))[1] for _ in range(lists)]
        yield {
            "model": name,
            "items": items,
            "baskets": baskets,
            "lists": lists,
            **_milliseconds(took),
            **{f"explained_{key}": value for key, value in _milliseconds(why).items()},
            "lists_an_explanation": round(float(np.median(why) / np.median(took)), 1),
        }


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {
        "least_ms": round(1000 * min(seconds), 2),
        "median_ms": round(1000 * float(np.median(seconds)), 2),
    }


def _explain(model: Model, history: History, moment: Moment) -> None:
    """An item that is new to her, with the purchases that set it back furthest."""

    def score(without: History) -> FloatArray:
        return model.scores(without, moment).total

    know = Knowledge(shared=model, history=history, moment=moment)
    scores = model.scores_of(know)
    bought = history.counts > 0
    order = np.lexsort((-scores.total, bought))  # what is new first, the best of it first
    item = int(order[min(AMID, max(int(np.sum(~bought)) - 1, 0))])
    Reranking(
        events=_events(model.catalogue, history),
        catalogue=model.catalogue,
        score=score,
        count=history.items,
    ).counterfactual(explained(model, know, scores, item))


def _shared(size: Size, rng: np.random.Generator) -> tuple[Catalogue, list[Artefact]]:
    catalogue = Catalogue(
        name="bench",
        level="item",
        items=tuple(f"i{n}" for n in range(size.items)),
        categories=tuple(f"c{n % CATEGORIES}" for n in range(size.items)),
        departments=tuple(f"d{n % CATEGORIES % 20}" for n in range(size.items)),
        products={},
    )
    listed = min(LISTED, size.items)
    counted: list[Artefact] = [
        PopularityArtefact(task=task, catalogue=catalogue.hash, scores=rng.random(size.items))
        for task in (TaskName.POPULARITY, TaskName.RECENT_POPULARITY)
    ]
    pairs = ItemItemArtefact(
        catalogue=catalogue.hash,
        indices=np.arange(listed),
        matrix=rng.normal(0, 0.01, (listed, listed)),
        weights=np.ones(listed),
        mean=np.zeros(listed),
        directions=9,
    )
    return catalogue, [*counted, pairs]


def _history(size: Size, rng: np.random.Generator) -> History:
    """Baskets of different items, three days apart."""
    bought = [np.sort(rng.choice(size.items, BASKET, replace=False)) for _ in range(size.baskets)]
    return History(
        items=size.items,
        basket=np.repeat(np.arange(size.baskets), BASKET),
        item=np.concatenate(bought),
        line=np.arange(size.baskets * BASKET),
        time=np.arange(size.baskets, dtype=np.int64) * 3 * DAY_S,
    )


def _events(catalogue: Catalogue, history: History) -> ConsentedEvents:
    """The purchases that the history was made from."""
    lines = history.item.size
    time = np.zeros(history.baskets, np.int64) if history.time is None else history.time

    def texts(values: list[str]) -> np.ndarray:
        column = np.empty(lines, dtype=object)
        column[:] = values
        return column

    events = Events(
        shopper=texts(["s"] * lines),
        time=time[history.basket],
        basket=texts([f"b{basket}" for basket in history.basket]),
        item=texts([catalogue.items[item] for item in history.item]),
        quantity=np.ones(lines),
        price=np.ones(lines),
        store=texts([""] * lines),
    )
    return admit(
        events,
        purpose=Purpose.PERSONALISE,
        categories={Category.PURCHASES},
        sensitive_items=frozenset(),
    )
