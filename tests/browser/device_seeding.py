"""A device with a year of invented purchases, in front of a real consent service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fastapi import FastAPI

from client.choices import choose
from client.connection import connect, mount, unmount
from client.events import EventStore
from client.home import ClientHome
from client.page.app import create_page
from client.register import Cap, Charge, charge, enter_round
from consent.events import Events
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.inprocess import InProcessTransport
from consent.tasks.artefact import Artefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.ranker import Feature, RankerArtefact
from crypto.manifest import Manifest, context_of
from crypto.secret_file import write_secret
from crypto.wire import canonical
from tests.unit.client.stage import make_client, make_manifest, sign
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import plan

URL = "http://consent.test"
DAY = 86_400
LAST = 1_795_000_000  # November 2026
# Item, category, its popularity, and every how many days she buys it; 0 for never.
GOODS = (
    ("whole milk", "dairy", 1.0, 5),
    ("oat drink", "plant-based", 0.5, 9),
    ("sourdough bread", "bakery", 0.8, 4),
    ("bananas", "fruit", 0.95, 6),
    ("apples", "fruit", 0.7, 11),
    ("ground coffee", "hot drinks", 0.75, 17),
    ("green tea", "hot drinks", 0.35, 0),
    ("butter", "dairy", 0.7, 14),
    ("yoghurt", "dairy", 0.65, 0),
    ("eggs", "dairy", 0.85, 10),
    ("rolled oats", "breakfast", 0.4, 21),
    ("granola", "breakfast", 0.45, 0),
    ("honey", "breakfast", 0.3, 0),
    ("peanut butter", "breakfast", 0.35, 40),
    ("tofu", "plant-based", 0.3, 16),
    ("soy yoghurt", "plant-based", 0.25, 0),
    ("tomatoes", "vegetables", 0.8, 7),
    ("onions", "vegetables", 0.7, 20),
    ("spinach", "vegetables", 0.4, 0),
    ("pasta", "pantry", 0.75, 18),
    ("rice", "pantry", 0.6, 0),
    ("olive oil", "pantry", 0.5, 60),
    ("washing powder", "household", 0.5, 45),
    ("dark chocolate", "sweets", 0.55, 13),
)
TOGETHER = (
    ("oat drink", "granola"),
    ("oat drink", "soy yoghurt"),
    ("pasta", "tomatoes"),
    ("rolled oats", "honey"),
    ("tofu", "rice"),
)
MORE: tuple[Cell, ...] = (
    Cell(Purpose.PERSONALISE, Category.PURCHASES),
    Cell(Purpose.PERSONALISE, Category.TIME_CONTEXT),
)
WEIGHTS = {
    Feature.BASE: 2.0,
    Feature.LIFT_NEW: 0.5,
    Feature.CONTENT: 1.0,
    Feature.DUE: 2.0,
    Feature.LATE: -1.0,
    Feature.WEEKDAY: 1.0,
}
CATALOGUE = Catalogue(
    name="corner shop",
    level="item",
    items=tuple(each[0] for each in GOODS),
    categories=tuple(each[1] for each in GOODS),
    departments=("",) * len(GOODS),
    products={},
)


@dataclass(frozen=True)
class SeededDevice:
    """A device's folder, where its releases lie, and the page over them."""

    home: ClientHome
    releases: Path
    app: FastAPI


@contextmanager
def seeded_device(folder: Path) -> Iterator[SeededDevice]:
    """A device that has joined rounds: published ones, an open one, and one it took no part in."""
    stage = Stage(folder / "consent")
    transport = InProcessTransport(stage.app, lifespan=False)
    mount(URL, transport)
    try:
        yield _seed(stage, folder)
    finally:
        unmount(URL)
        transport.close()
        stage.close()


def _seed(stage: Stage, folder: Path) -> SeededDevice:
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = folder / "goods.json"
    catalogue.write_bytes(CATALOGUE.to_bytes())
    made = make_client(stage, folder / "device", "ann", catalogue=str(catalogue), epsilon_cap=4.0)
    home = made.home
    write_secret(home.token_file, made.tokens["ann"].encode())
    http = connect(URL)
    for cell in MORE:
        choose(home, http, cell, Decision.GIVEN)
    with EventStore.open(home.events) as store:
        store.replace(_purchases())
    releases = folder / "releases"
    for week, artefact in enumerate(_artefacts(), start=43):
        _release(releases, artefact, week, home)
    _join(home, _manifest("popularity", 47), sends=False)
    _join(home, _manifest("popularity", 48))
    app = create_page(home.path, releases, lambda _key: None)
    return SeededDevice(home, releases, app)


def _purchases() -> Events:
    rng = np.random.default_rng(7)
    rows = []
    for item, _, _, gap in GOODS:
        day = 360 - rng.integers(0, gap) if gap else 0
        while gap and day > 0:
            rows.append((LAST - int(day) * DAY, item))
            day -= max(1, round(rng.normal(gap, gap / 6)))
    rows.sort()
    count = len(rows)
    days = [f"visit-{time // (2 * DAY)}" for time, _ in rows]

    def texts(values: list[str]) -> np.ndarray:
        column = np.empty(count, dtype=object)
        column[:] = values
        return column

    return Events(
        shopper=texts(["ann"] * count),
        time=np.array([time for time, _ in rows], dtype=np.int64),
        basket=texts(days),
        item=texts([item for _, item in rows]),
        quantity=np.ones(count),
        price=np.round(rng.uniform(0.8, 6.0, count), 2),
        store=texts(["Market Street"] * count),
    )


def _artefacts() -> list[Artefact]:
    scores = np.array([each[2] for each in GOODS])
    matrix = np.zeros((len(GOODS), len(GOODS)))
    for one, other in TOGETHER:
        i, j = CATALOGUE.items.index(one), CATALOGUE.items.index(other)
        matrix[i, j] = matrix[j, i] = 0.3
    return [
        PopularityArtefact(task=TaskName.POPULARITY, catalogue=CATALOGUE.hash, scores=scores),
        PopularityArtefact(
            task=TaskName.RECENT_POPULARITY, catalogue=CATALOGUE.hash, scores=scores[::-1].copy()
        ),
        ItemItemArtefact(
            catalogue=CATALOGUE.hash,
            indices=np.arange(len(GOODS), dtype=np.int64),
            matrix=matrix,
            weights=np.ones(len(GOODS)),
            mean=np.zeros(len(GOODS)),
            directions=3,
        ),
        RankerArtefact(
            catalogue=CATALOGUE.hash,
            features=tuple(WEIGHTS),
            weights=np.array(list(WEIGHTS.values())),
        ),
    ]


def _release(releases: Path, artefact: Artefact, week: int, home: ClientHome) -> None:
    made = _manifest(str(artefact.task), week)
    place = releases / made.task / made.round_id
    place.mkdir(parents=True)
    (place / "artefact.json").write_bytes(encode_artefact(artefact))
    (place / "manifest.json").write_bytes(sign(made).to_bytes())
    (place / "record.json").write_bytes(
        canonical({"shoppers": 1_240, "sealed_bytes_per_client": 98_304})
    )
    _join(home, made)


def _manifest(task: str, week: int) -> Manifest:
    opens = LAST - (48 - week) * 7 * DAY
    return make_manifest(
        plan=plan(noise_multiplier=12.0),
        task=task,
        round_id=f"2026-w{week}",
        catalogue=CATALOGUE.hash,
        opens=opens,
        closes=opens + DAY,
    )


def _join(home: ClientHome, made: Manifest, *, sends: bool = True) -> None:
    context = context_of(sign(made))
    enter_round(
        home.register,
        population=made.population,
        task=made.task,
        round_id=made.round_id,
        context=context,
        epsilon=made.epsilon,
    )
    if sends:
        entry = Charge(
            context=context, release=made.plan.release, run=made.round_id, number=0, separation=1
        )
        charge(home.register, [home.shopper], entry, cap=Cap(epsilon=None, delta=home.trust.delta))
