"""The federation as it is deployed: real processes, TLS, admitted nodes, real noise.

The budget is huge, so that the noise is there and small: a sum that misses one shopper must show.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest

from client.home import ClientHome
from consent.purpose import Decision, Purpose
from consent.tasks.artefact import Artefact
from consent.tasks.inputs import hash_of
from consent.tasks.names import TaskName
from consent.tasks.ranker import RankerArtefact, RankerTask
from consent.tasks.task import Task, parse_task
from crypto.commit import Commit
from crypto.errors import FedcartError, InvalidInputError
from crypto.keyholder.home import load
from crypto.keyholder.overview import overview
from crypto.manifest import Manifest
from server.registry import Registry, Release
from server.training import train
from simulations.engine.certificates import make_node_key
from simulations.engine.choices import Choice, draw
from simulations.engine.flower import supernode
from simulations.engine.grid import InProcessGrid
from simulations.engine.processes import free_ports
from simulations.engine.scenario import Consent, Privacy, Scenario, Tasks
from simulations.engine.services import Service, running
from simulations.engine.world import build, make_keys
from simulations.federation import MAX_NODES, Federation, federation
from simulations.population.population import Population
from simulations.population.synthetic import synthetic
from tests.integration.plain import excess, plain_contribution, plain_sum

# Five standard deviations: a right sum fails once in a million runs.
LIMIT = 5.0
Z_FLOOR = 0.004
TASKS = (
    TaskName.POPULARITY,
    TaskName.RECENT_POPULARITY,
    TaskName.ITEM_ITEM,
    TaskName.RANKER,
)
SCENARIO = Scenario(
    name="federation",
    seed=5,
    privacy=Privacy(epsilon=10_000.0, min_clients=4, client_noise=0.1),
    tasks=Tasks(
        popularity=1.0,
        recent_popularity=1.0,
        item_item=1.0,
        item_item_items=24,
        force_item_item=True,
        ranker=1.0,
        ranker_rounds=2,
    ),
    consent=Consent(refuse=0.0, personal_only=0.0, withdraw=0.0),
)


def three_devices_and_a_store(items: int) -> Population:
    population = synthetic(11, items, 1, SCENARIO.seed)
    shoppers = population.shoppers
    return dataclasses.replace(
        population, stores={"corner": shoppers[:8]}, devices=tuple(shoppers[8:])
    )


def choices_of(population: Population, *, refuses: str) -> dict[str, Choice]:
    choices = draw(population.shoppers, SCENARIO.consent, seed=1)
    refused = dict.fromkeys(choices[refuses].decisions, Decision.REFUSED)
    return choices | {refuses: Choice(decisions=refused, withdraws=None)}


def quiet(phase: str, done: int, total: int) -> None:
    pass


POPULATION = three_devices_and_a_store(items=2000)
REFUSER = POPULATION.stores["corner"][3]
AGREEING = [shopper for shopper in POPULATION.shoppers if shopper != REFUSER]
CHOICES = choices_of(POPULATION, refuses=REFUSER)
GRANTED = {name: choice.given(Purpose.TRAIN) for name, choice in CHOICES.items()}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    with federation(
        SCENARIO, POPULATION, CHOICES, folder, progress=quiet, z_floor=Z_FLOOR
    ) as started:
        yield started


@pytest.fixture(scope="module")
def releases(live: Federation) -> dict[TaskName, Release]:
    return live.train(timeout=600.0)


def built_on(name: TaskName, releases: dict[TaskName, Release]) -> dict[TaskName, Artefact]:
    """What a task's devices were given."""
    before = TASKS[:3] if name is TaskName.RANKER else ()
    return {task: releases[task].artefact for task in before}


def manifest_of(release: Release, live: Federation) -> Manifest:
    return Manifest.verify(release.manifest, live.world.coordinator.identity.public_key())


def task_of(release: Release, live: Federation) -> Task:
    manifest = manifest_of(release, live)
    return parse_task(manifest.task, manifest.parameters)


@pytest.fixture(params=TASKS, ids=str)
def release(request: pytest.FixtureRequest, releases: dict[TaskName, Release]) -> Release:
    return releases[request.param]


def test_the_released_sum_is_the_plain_sum_up_to_the_stated_noise(
    release: Release, releases: dict[TaskName, Release], live: Federation
) -> None:
    given = built_on(TaskName(release.task), releases)
    expected = plain_sum(task_of(release, live), POPULATION, AGREEING, given, GRANTED)
    total = release.total
    residual = total.values - expected
    root = np.sqrt(residual.size)
    assert total.noise_stddev > Z_FLOOR
    assert abs(excess(residual, total.noise_stddev)) < LIMIT
    assert abs(residual.mean() / total.noise_stddev * root) < LIMIT
    assert abs(np.corrcoef(residual, expected)[0, 1] * root) < LIMIT
    assert np.corrcoef(total.values, expected)[0, 1] > 0.9


def test_a_wrong_plain_sum_is_told_apart(
    release: Release, releases: dict[TaskName, Release], live: Federation
) -> None:
    task, total = task_of(release, live), release.total
    given = built_on(task.name, releases)
    right = plain_sum(task, POPULATION, AGREEING, given, GRANTED)
    each = [plain_contribution(task, POPULATION, name, given, GRANTED) for name in AGREEING]
    wrong = {
        **{f"{shopper} missing": right - own for shopper, own in zip(AGREEING, each, strict=True)},
        "one shopper twice": right + each[0],
        "scaled": 1.25 * right,
        "in another order": np.roll(right, 1),
    }
    for name, candidate in wrong.items():
        assert excess(total.values - candidate, total.noise_stddev) > LIMIT, name


def test_a_shopper_who_refused_is_not_in_the_sum(
    releases: dict[TaskName, Release], live: Federation
) -> None:
    release = releases[TaskName.POPULARITY]
    everyone = plain_sum(task_of(release, live), POPULATION, POPULATION.shoppers)
    assert excess(release.total.values - everyone, release.total.noise_stddev) > LIMIT


def test_the_signed_list_names_every_client_and_all_key_holders_open_it(
    release: Release, live: Federation
) -> None:
    commit = Commit.verify(release.commit, live.world.coordinator.consent_key)
    homes = {path.name: ClientHome.load(path) for path in live.world.nodes.values()}
    shoppers = {home.client_id: len(home.shoppers) for home in homes.values()}
    shoppers[homes["store-corner"].client_id] -= 1
    assert {entry.client: entry.shoppers for entry in commit.uploads} == shoppers
    assert (release.total.clients, release.total.shoppers) == (4, len(AGREEING))
    assert release.record["opened_by"] == [1, 2, 3]
    for number in (1, 2, 3):
        home = live.world.coordinator.path.parent / f"keyholder-{number}"
        rounds = overview(load(home)).rounds
        states = {(each.task, each.round): each.state for each in rounds}
        assert states[release.task, release.round_id] == "released"
        assert not list((home / "rounds").iterdir()), "round keys are erased"


def test_nodes_and_coordinator_run_the_shipped_bundle(
    releases: dict[TaskName, Release], live: Federation
) -> None:
    homes = [live.link.folder / "nodes" / node.name for node in live.nodes]
    for home, module in [
        *((home, "client/__pycache__/participate.*.pyc") for home in homes),
        *((home, "crypto/__pycache__/update.*.pyc") for home in homes),
        (live.link.folder / "superlink", "server/__pycache__/conductor.*.pyc"),
        (live.link.folder / "superlink", "consent/__pycache__/client.*.pyc"),
    ]:
        assert list(home.glob(f"apps/*/{module}")), f"{home.name} imported another {module}"
        for opener in ("share_sum", "pieces"):
            assert not list(home.glob(f"apps/*/crypto/sums/{opener}/open.py"))
        assert not list(home.glob("apps/*/crypto/keyholder"))


def test_rounds_carry_on_from_what_the_one_before_released(
    releases: dict[TaskName, Release], live: Federation
) -> None:
    last = releases[TaskName.RANKER]
    registry = Registry(live.world.coordinator.path / "releases")
    first = registry.load(TaskName.RANKER, "1-ranker-0")
    assert first is not None
    begun, went_on = task_of(first, live), task_of(last, live)
    assert isinstance(begun, RankerTask)
    assert isinstance(went_on, RankerTask)
    assert isinstance(first.artefact, RankerArtefact)
    assert went_on.weights == tuple(first.artefact.weights.tolist()) != begun.weights
    published = [registry.artefact_file(name, f"1-{name}").read_bytes() for name in TASKS[:3]]
    assert went_on.inputs == begun.inputs == tuple(map(hash_of, published))
    assert (first.record["number"], last.record["number"]) == (0, 1)
    assert "2 rounds" in last.record["why"]


def test_a_node_with_an_unregistered_key_is_not_admitted(live: Federation) -> None:
    key = live.link.folder / "nodes" / "stranger.key"
    make_node_key(key)
    (port,) = free_ports(1)
    with (
        supernode(live.link, "stranger", key, {"home": "/nowhere"}, port=port) as stranger,
        pytest.raises(FedcartError, match="Failed to activate SuperNode"),
    ):
        stranger.await_connected()


def test_a_client_starts_without_heavy_libraries() -> None:
    heavy = ("torch", "pandas", "pyarrow", "scipy", "ray", "fastapi", "sqlmodel")
    code = f"import client.app, sys; print(*(sys.modules.keys() & set({heavy!r})))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


def test_too_many_clients_for_one_machine_are_refused(tmp_path: Path) -> None:
    population = synthetic(MAX_NODES + 1, 40, 0)
    choices = draw(population.shoppers, SCENARIO.consent, seed=1)
    with (
        pytest.raises(InvalidInputError, match=f"at most {MAX_NODES}"),
        federation(SCENARIO, population, choices, tmp_path, progress=quiet),
    ):
        pass


class DiesWhenAsked(httpx.HTTPTransport):
    """Kills a service the moment it is asked to open its part."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/release":
            self._service.kill()
        return super().handle_request(request)


def test_a_key_holder_that_dies_after_the_commit_changes_nothing(tmp_path: Path) -> None:
    population = three_devices_and_a_store(items=60)
    choices = choices_of(population, refuses=REFUSER)
    scenario = dataclasses.replace(SCENARIO, tasks=Tasks(recent_popularity=0.0, item_item=0.0))
    keys = make_keys(tmp_path, private=True, z_floor=Z_FLOOR)
    with ExitStack() as stack:
        consent, holders = stack.enter_context(
            running(keys.consent_home, [holder.home for holder in keys.holders], processes=True)
        )
        world = build(
            population, choices, scenario, keys, consent=consent, holders=holders, progress=quiet
        )

        def http(url: str) -> httpx.Client:
            transport = DiesWhenAsked(holders[1]) if url == holders[1].url else None
            opened = httpx.Client(base_url=url, transport=transport, trust_env=False, timeout=60.0)
            return stack.enter_context(opened)

        nodes = {node: {"home": str(home)} for node, home in world.nodes.items()}
        grid = stack.enter_context(InProcessGrid({k: dict(v) for k, v in nodes.items()}))
        trained = train(grid, world.coordinator, run_id="1", progress=quiet, http=http)
    release = trained.releases[TaskName.POPULARITY]
    assert release.record["opened_by"] == [1, 3]
    assert list(release.record["key_holders_away"]) == [2]
    manifest = Manifest.verify(release.manifest, keys.coordinator.public_key())
    task = parse_task(manifest.task, manifest.parameters)
    expected = plain_sum(task, population, AGREEING)
    assert abs(excess(release.total.values - expected, release.total.noise_stddev)) < LIMIT
