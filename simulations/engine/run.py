"""Running a scenario: population, choices, a whole federation, a training run, an evaluation.

The apps, services, consent checks, sealing and accounting are the ones of a real deployment; what
is simulated is who the shoppers are and what they choose.
"""

import resource
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.connection import connect
from consent.client import ConsentClient
from consent.tasks.names import TaskName
from crypto.commit import Commit
from crypto.errors import InvalidInputError
from server.collect import Progress
from server.training import Training, train
from simulations.engine.choices import Choice, draw
from simulations.engine.grid import InProcessGrid
from simulations.engine.scenario import Data, Scenario
from simulations.engine.services import running
from simulations.engine.withdrawals import Withdrawals
from simulations.engine.world import World, build, make_keys
from simulations.population.complete_journey import Assortment, Level, load_complete_journey
from simulations.population.imported import load_population
from simulations.population.population import Population
from simulations.population.synthetic import synthetic

RUN_ID = "1"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a scenario came to, before evaluation.

    Attributes:
        training: releases by task, and what was left out.
        funnel: consent counts by task, as the consent service audits them, with the round's
            diary entries and points.
        withdrew: how many withdrew during the run.
        purged: of those, how many have the proof that their client did its part.
        contributed: clients (thumbprints) that are in every released sum.
        seconds: wall-clock by phase.
    """

    training: Training
    funnel: Mapping[TaskName, Mapping[str, int]]
    withdrew: int
    purged: int
    contributed: frozenset[str]
    choices: Mapping[str, Choice]
    world: World
    seconds: Mapping[str, float]
    peak_rss_mb: float


def load(data: Data, *, seed: int) -> Population:
    """The population that a scenario names.

    Raises:
        InvalidInputError: an unknown source or level.
    """
    if data.source == "complete-journey":
        return load_complete_journey(
            level=_one_of("data.level", data.level, get_args(Level)),
            assortment=_one_of("data.assortment", data.assortment, get_args(Assortment)),
        )
    if data.source == "synthetic":
        return synthetic(data.shoppers, data.items, data.stores, seed)
    return load_population(Path(data.source))


def _one_of(key: str, value: str, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise InvalidInputError(f"{key} = {value!r}: expected one of {', '.join(allowed)}.")
    return value


def run(scenario: Scenario, training: Population, folder: Path, *, progress: Progress) -> Outcome:
    """Build the federation in ``folder`` and train every scheduled task once.

    ``training`` holds the events that clients may learn from, and no others.

    Raises:
        FedcartError: a service did not start, or a round can't go on.
    """
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    choices = draw(training.shoppers, scenario.consent, seed=scenario.seed)
    home = folder / "federation"
    shutil.rmtree(home, ignore_errors=True)
    keys = make_keys(home, private=scenario.privacy.enabled)
    homes = [holder.home for holder in keys.holders]
    processes = scenario.engine.services == "processes"
    with ExitStack() as stack:
        consent, holders = stack.enter_context(
            running(keys.consent_home, homes, processes=processes)
        )
        seconds["start"] = time.perf_counter() - started
        world = build(
            training, choices, scenario, keys, consent=consent, holders=holders, progress=progress
        )
        seconds["enrol"] = time.perf_counter() - started - sum(seconds.values())
        withdrawals = Withdrawals(world, choices)
        grid = stack.enter_context(_grid(scenario, world, withdrawals))
        result = train(grid, world.coordinator, run_id=RUN_ID, progress=progress, http=connect)
        seconds["train"] = time.perf_counter() - started - sum(seconds.values())
        purged = withdrawals.carry_out()
        seconds["withdraw"] = time.perf_counter() - started - sum(seconds.values())
        funnel = _funnel(world, result)
    if not scenario.engine.keep_homes:
        shutil.rmtree(home / "clients", ignore_errors=True)
    return Outcome(
        training=result,
        funnel=funnel,
        withdrew=len(withdrawals),
        purged=purged,
        contributed=_contributed(keys.consent, result),
        choices=choices,
        world=world,
        seconds={name: round(value, 2) for name, value in seconds.items()},
        peak_rss_mb=_peak_rss_mb(),
    )


def _grid(scenario: Scenario, world: World, withdrawals: Withdrawals) -> InProcessGrid:
    nodes = {node: {"home": str(home)} for node, home in world.nodes.items()}
    lost = np.random.default_rng([scenario.seed, 0xD0])
    drops = {node for node in nodes if lost.random() < scenario.clients.dropout}
    return InProcessGrid(
        {node: dict(config) for node, config in nodes.items()},
        workers=scenario.engine.workers,
        loses=lambda node, kind: kind == "train.contribute" and node in drops,
        interlude=withdrawals,
    )


def _funnel(world: World, result: Training) -> dict[TaskName, dict[str, int]]:
    coordinator = world.coordinator
    consent = ConsentClient(
        connect(coordinator.consent_url),
        service_key=coordinator.consent_key,
        coordinator_token=coordinator.consent_token,
    )
    counted: dict[TaskName, dict[str, int]] = {}
    for name, release in result.releases.items():
        written = consent.round(name, release.round_id)
        counted[name] = consent.funnel(name, release.round_id).model_dump() | {
            "diary_entries": written.diary_entries,
            "points_issued": written.points_issued,
        }
    return counted


def _contributed(consent_key: Ed25519PublicKey, result: Training) -> frozenset[str]:
    lists = [
        {entry.client for entry in Commit.verify(release.commit, consent_key).uploads}
        for release in result.releases.values()
    ]
    return frozenset(set.intersection(*lists)) if lists else frozenset()


def _peak_rss_mb() -> float:
    """Of this process and its largest child, in MB (Linux counts kilobytes)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round((own + child) / 1024, 1)
