"""A whole federation on this machine, every party a process of its own, over loopback.

A SuperLink with TLS and node authentication, a SuperNode for each client, the consent service and
three key holders; the Flower app is bundled and shipped to the nodes as in any deployment.
"""

import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from consent.tasks.names import TaskName
from crypto.dp.plan import PrivacyPlan
from crypto.errors import FedcartError, InvalidInputError
from server.artefacts.subspace import described_values
from server.collect import Progress
from server.registry import Registry, Release
from server.runs import round_id_of
from server.schedule import Schedule, schedule
from simulations.engine.choices import Choice, draw
from simulations.engine.flower import SuperLink, SuperNode, superlink, supernodes
from simulations.engine.run import load
from simulations.engine.scenario import Scenario
from simulations.engine.services import Service, running
from simulations.engine.world import Z_FLOOR, World, build, make_keys
from simulations.population.population import Population

# A SuperNode with its executor takes about 255 MB.
MAX_NODES = 24
RUN_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class Federation:
    """A running federation.

    Attributes:
        nodes: a SuperNode for each client, in the order of ``world.nodes``.
        logs: what every process writes.
    """

    world: World
    link: SuperLink
    nodes: tuple[SuperNode, ...]
    consent: Service
    holders: tuple[Service, ...]
    logs: Path

    @property
    def addresses(self) -> dict[str, str]:
        """Where each party listens."""
        holders = {f"key holder {k}": each.url for k, each in enumerate(self.holders, start=1)}
        link = {"coordinator (SuperLink)": f"https://{self.link.address}"}
        return link | {"consent service": self.consent.url} | holders

    @property
    def planned(self) -> Schedule:
        """The tasks that a training runs, and why others are left out."""
        coordinator = self.world.coordinator
        listed = coordinator.load_catalogue()
        return schedule(coordinator.plan, items=len(listed), described=described_values(listed))

    def train(self, *, run_id: str = "1", timeout: float = RUN_S) -> dict[TaskName, Release]:
        """Run every scheduled task once; returns the releases. The same id resumes a run.

        Raises:
            FedcartError: the run failed, a process ended, or ``timeout`` seconds passed.
        """
        home = self.world.coordinator.path
        self.link.run({"home": str(home), "run-id": run_id}, nodes=self.nodes, timeout=timeout)
        return self.releases(run_id=run_id)

    def releases(self, *, run_id: str) -> dict[TaskName, Release]:
        """The releases of a run, from the coordinator's home.

        Raises:
            FedcartError: a scheduled task was not released.
        """
        registry = Registry(self.world.coordinator.path / "releases")
        found = {
            name: _last(registry, run_id, name, plan) for name, plan in self.planned.plans.items()
        }
        missing = [name for name, release in found.items() if release is None]
        if missing:
            raise FedcartError(f"Run {run_id} released no {', '.join(missing)}; see {self.logs}.")
        return {name: release for name, release in found.items() if release is not None}


def _last(registry: Registry, run_id: str, name: TaskName, plan: PrivacyPlan) -> Release | None:
    """The release of a task's last round that has one."""
    rounds = [round_id_of(run_id, name, plan, number) for number in range(plan.rounds)]
    found = [registry.load(name, round_id) for round_id in rounds]
    return next((release for release in reversed(found) if release is not None), None)


@contextmanager
def federation(
    scenario: Scenario,
    population: Population,
    choices: Mapping[str, Choice],
    folder: Path,
    *,
    progress: Progress,
    z_floor: float = Z_FLOOR,
) -> Iterator[Federation]:
    """Start a federation in ``folder``; every process is ended at the end, whatever happens.

    Args:
        scenario: privacy, tasks and seed; how it would be simulated is ignored.
        population: its clients each become a SuperNode.
        choices: what each shopper decides at the consent service.
        folder: of the run; its ``federation`` folder is replaced.
        progress: told about clients as they are set up.
        z_floor: clients and key holders join no round with a smaller noise multiplier.

    Raises:
        InvalidInputError: more clients than ``MAX_NODES``.
        FedcartError: a process did not start; the message has the end of its log.
    """
    if population.clients > MAX_NODES:
        raise InvalidInputError(
            f"{population.clients} clients, each a SuperNode of about 255 MB: at most {MAX_NODES} "
            "run here. Use fewer shoppers or more of them per store, or simulate."
        )
    home = folder.resolve() / "federation"
    shutil.rmtree(home, ignore_errors=True)
    keys = make_keys(home, private=scenario.privacy.enabled, z_floor=z_floor)
    homes = [holder.home for holder in keys.holders]
    logs = home / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        consent, holders = stack.enter_context(
            running(keys.consent_home, homes, processes=True, logs=logs)
        )
        world = build(
            population,
            choices,
            scenario,
            keys,
            consent=consent,
            holders=holders,
            progress=progress,
        )
        link = stack.enter_context(superlink(home / "flower", logs=logs))
        configs = {path.name: {"home": str(path)} for path in world.nodes.values()}
        nodes = stack.enter_context(supernodes(link, configs))
        yield Federation(
            world=world,
            link=link,
            nodes=tuple(nodes),
            consent=consent,
            holders=tuple(holders),
            logs=logs,
        )


def up(
    scenario: Scenario,
    folder: Path,
    *,
    say: Callable[[str], None],
    stay: Callable[[], None] = lambda: None,
    progress: Progress = lambda _phase, _done, _total: None,
) -> dict[TaskName, Release]:
    """Start a federation for a scenario's population, train once, and end it.

    Args:
        scenario: whose population has at most ``MAX_NODES`` clients.
        folder: of the run; its ``federation`` folder is replaced.
        say: told each line a person should read: addresses, logs, releases.
        stay: called after the training with everything still running; returns when it may end.
        progress: told about clients as they are set up.

    Raises:
        InvalidInputError: the scenario or its population doesn't fit.
        FedcartError: a process did not start or ended, or the run failed.
    """
    population = load(scenario.data, seed=scenario.seed)
    choices = draw(population.shoppers, scenario.consent, seed=scenario.seed)
    with (
        _leaving_on_sigterm(),
        federation(scenario, population, choices, folder, progress=progress) as live,
    ):
        for party, address in live.addresses.items():
            say(f"{party}: {address}")
        say(f"{len(live.nodes)} SuperNodes are connected; logs: {live.logs}")
        releases = live.train()
        for name, release in releases.items():
            record = release.record
            say(f"{name}: released over {record['clients']} clients, {record['shoppers']} shoppers")
        for name, reason in live.planned.left_out.items():
            say(f"{name}: left out. {reason}")
        stay()
    return releases


@contextmanager
def _leaving_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process as an exception, so that its children are ended first."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
