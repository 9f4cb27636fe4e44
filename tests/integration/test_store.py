"""A store from its till's database, beside devices, in one round: the sum is the plain sum."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np

from client.connection import connect
from client.contributions.history import History
from client.contributions.popularity import contribution
from client.enrol import Setup, first_decisions
from client.events import EventStore
from client.home import ClientHome
from client.importers.columns import Columns
from client.register import joined_rounds
from client.store.intake import take_in
from client.store.members import register_shopper
from client.store.overview import overview
from client.store.setup import load_store, make_store
from client.store.till import Till
from consent.admit import admit
from consent.ages import AgeBand
from consent.client import ConsentClient
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.context import opened
from consent.service.machines import service as machines
from consent.service.principals import Role
from consent.service.settings import Settings
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityTask
from crypto.secret_file import write_secret
from crypto.sums.schemes import Scheme
from server.training import train
from simulations.engine.choices import draw
from simulations.engine.grid import InProcessGrid
from simulations.engine.scenario import Consent, Privacy, Scenario, Tasks
from simulations.engine.services import running
from simulations.engine.world import N_FLOOR, POPULATION, Keys, build, make_keys
from simulations.population.population import Population
from simulations.population.synthetic import synthetic

MEMBERS = ("card-1", "card-2", "card-3")
EVERYBODY = Consent(refuse=0, personal_only=0, withdraw=0)
SCENARIO = Scenario(
    name="store",
    privacy=Privacy(enabled=False, scheme=Scheme.COMPACT_SUM),
    tasks=Tasks(recent_popularity=0, item_item=0),
    consent=EVERYBODY,
)


def till_of(folder: Path, population: Population) -> str:
    """The lines of the population's first shoppers, as a till's SQLite file; and a stranger's."""
    with sqlite3.connect(folder / "till.db") as db:
        db.execute("CREATE TABLE sales (card TEXT, article TEXT, sold_at INTEGER, receipt TEXT)")
        for card, shopper in zip((*MEMBERS, "stranger"), population.shoppers, strict=False):
            events = population.of(shopper)
            rows = zip(events.item, events.time.tolist(), events.basket, strict=True)
            db.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", [(card, *row) for row in rows])
    return f"sqlite:///{folder / 'till.db'}"


def open_store(folder: Path, keys: Keys, url: str, catalogue: Path) -> ClientHome:
    with opened(Settings.load(keys.consent_home)) as context:
        token = machines.add(context, Role.STORE, "north").token
    write_secret(folder / "store.token", token.encode())
    setup = Setup(
        population=POPULATION,
        consent_url=url,
        consent_key=keys.consent,
        coordinator_key=keys.coordinator.public_key(),
        key_holders=tuple(holder.home / "public.card" for holder in keys.holders),
        catalogue=catalogue,
        n_floor=N_FLOOR,
        z_floor=0.0,
        schemes=tuple(Scheme),
    )
    home = make_store(folder / "store", setup, connect(url), token_file=folder / "store.token")
    settings = json.loads((home.path / "client.json").read_text())
    settings["trust"]["epsilon_cap"] = None  # a round without noise has no cost that a cap bounds
    (home.path / "client.json").write_text(json.dumps(settings))
    return load_store(home.path)


def plain_sum(population: Population, homes: dict[Path, list[str]]) -> np.ndarray:
    """What the clients' shoppers would contribute, added in the open."""
    task = PopularityTask(items=len(population.catalogue))
    total = np.zeros(task.dimension)
    for path, names in homes.items():
        with EventStore.open(path / "events.db") as store:
            for name in names:
                events = admit(
                    store.of(name),
                    purpose=Purpose.TRAIN,
                    categories={Category.PURCHASES},
                    sensitive_items=frozenset(),
                )
                total += contribution(task, History.of(events, population.catalogue))
    return total


def test_a_store_joins_a_round_with_devices(tmp_path: Path) -> None:
    population = synthetic(shoppers=9, items=20, stores=0, seed=3)
    keys = make_keys(tmp_path / "federation", private=False)
    homes = [holder.home for holder in keys.holders]
    with running(keys.consent_home, homes, processes=False) as (consent, holders):
        choices = draw(population.shoppers, EVERYBODY, seed=1)
        world = build(
            population,
            choices,
            SCENARIO,
            keys,
            consent=consent,
            holders=holders,
            progress=lambda *_: None,
        )
        home = open_store(tmp_path, keys, consent.url, tmp_path / "federation" / "catalogue.json")
        http = connect(consent.url)
        tokens = {}
        for name in MEMBERS:
            agreed = first_decisions(personalise=True, train=True)
            joined = register_shopper(home, http, name, agreed, age_band=AgeBand.ADULT)
            home, tokens[name] = joined.home, joined.token
        till = Till.of(till_of(tmp_path, population), "SELECT * FROM sales")
        columns = Columns(shopper="card", item="article", time="sold_at", basket="receipt")
        arrived = take_in(
            home,
            lambda window: till.table(columns, window, progress=lambda *_: None),
            columns,
            name="till",
            settle=0,
        )
        assert (arrived.shoppers, arrived.strangers > 0) == (3, True)
        ConsentClient(http, service_key=keys.consent).decide(
            home.shoppers["card-3"],
            tokens["card-3"],
            {Cell(Purpose.TRAIN, Category.PURCHASES): Decision.WITHDRAWN},
            notice_version="2026-11",
        )
        plan = world.coordinator.plan
        coordinator = replace(
            world.coordinator,
            plan=replace(plan, max_clients=plan.max_clients + 1, max_shoppers=12),
        )
        nodes = {**world.nodes, 99: home.path}
        with InProcessGrid({node: {"home": str(path)} for node, path in nodes.items()}) as grid:
            done = train(grid, coordinator, run_id="1", progress=lambda *_: None, http=connect)
    release = done.releases[TaskName.POPULARITY]
    assert (release.record["clients"], release.record["shoppers"]) == (10, 11)
    assert len(joined_rounds(home.register)) == 1
    assert overview(home).to_json()["spent"] is None  # the round had no noise
    devices = {path: list(ClientHome.load(path).shoppers) for path in world.nodes.values()}
    expected = plain_sum(population, {**devices, home.path: ["card-1", "card-2"]})
    np.testing.assert_allclose(release.total.values, expected, atol=0.02)
    everyone = plain_sum(population, {**devices, home.path: list(MEMBERS)})
    assert np.abs(release.total.values - everyone).max() > 0.1  # who withdrew is not in it
