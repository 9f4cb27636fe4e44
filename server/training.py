"""A training run: the schedule's tasks one after the other, each feeding the next.

``popularity`` comes before ``item-item``, whose item list and weights derive from its release, and
both before the ranker, which weighs them. A task may take several rounds, each carrying on from
what the round before released.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import time

import httpx
from flwr.serverapp import Grid

from consent.client import ConsentClient
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError
from crypto.holder_card import in_order
from server.artefacts.subspace import described_values
from server.cohort import Member, roll_call
from server.collect import Progress
from server.conductor import Federation, run_round
from server.endings import sweep
from server.home import CoordinatorHome
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.next_task import next_task
from server.registry import Registry, Release
from server.reports import report_missing
from server.rounds import RoundTerms
from server.runs import round_id_of, spot_of
from server.schedule import Schedule, TrainingPlan, fitted_to, schedule


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a run came to.

    Attributes:
        releases: each task's, of its last round.
        rounds: every round's, in order.
    """

    releases: dict[TaskName, Release]
    rounds: tuple[Release, ...]
    schedule: Schedule


def train(
    grid: Grid,
    home: CoordinatorHome,
    *,
    run_id: str,
    progress: Progress,
    http: Callable[[str], httpx.Client] | None = None,
    clock: Callable[[], float] = time,
) -> Training:
    """Run every scheduled task once over the connected clients; resumes a run by the same id.

    A round that ended for good without a release is not tried again: its task goes on with the
    next number, as far as its run has one.

    ``http`` makes a client for a base URL; by default over the network.

    Raises:
        FedcartError: a round can't go on; tasks and rounds before it stay released.
    """
    catalogue = home.load_catalogue()
    planned = schedule(home.plan, items=len(catalogue), described=described_values(catalogue))
    federation = compose(home, catalogue, progress=progress, http=http or _http, clock=clock)
    report_missing(federation.registry, federation.consent)
    sweep(
        home.path / "rounds",
        federation.registry,
        key=home.identity.public_key(),
        now=int(clock()),
    )
    members = roll_call(grid, timeout=home.plan.timeout)
    run = _Run(grid=grid, members=members, federation=federation, terms=home.plan, run_id=run_id)
    releases: dict[TaskName, Release] = {}
    rounds: list[Release] = []
    for name, plan in planned.plans.items():
        made = run.task(name, plan, releases, why=planned.reasons[name])
        releases[name] = made[-1]
        rounds += made
    return Training(releases=releases, rounds=tuple(rounds), schedule=planned)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What all tasks of a run share."""

    grid: Grid
    members: Sequence[Member]
    federation: Federation
    terms: TrainingPlan
    run_id: str

    def task(
        self,
        name: TaskName,
        plan: PrivacyPlan,
        before: Mapping[TaskName, Release],
        *,
        why: str,
    ) -> list[Release]:
        """All rounds of a task that end with a release, in order; at least one.

        Raises:
            FedcartError: a round can't go on, or all have ended without a release.
        """
        released = {task: release.artefact for task, release in before.items()}
        made: list[Release] = []
        for number in range(plan.rounds):
            round_id = round_id_of(self.run_id, name, plan, number)
            if plan.rounds > 1 and self.federation.registry.is_over(name, round_id):
                continue
            previous = made[-1].artefact if made else None
            task = next_task(name, self.terms, self.federation.catalogue, released, previous)
            made.append(
                run_round(
                    self.grid,
                    self.members,
                    task,
                    fitted_to(plan, task.dimension),
                    self.federation,
                    round_id=round_id,
                    spot=spot_of(self.run_id, plan, number),
                    why=why,
                )
            )
        if not made:
            raise RoundError(
                f"All {plan.rounds} rounds of {name} in run {self.run_id!r} ended without a "
                "release; start a new run under another id."
            )
        return made


def compose(
    home: CoordinatorHome,
    catalogue: Catalogue,
    *,
    progress: Progress,
    http: Callable[[str], httpx.Client],
    clock: Callable[[], float],
) -> Federation:
    """Build the federation from a coordinator's home."""
    cards = in_order([holder.load_card() for holder in home.holders])
    budget = float("inf") if home.plan.epsilon is None else home.plan.epsilon
    return Federation(
        identity=home.identity,
        consent=ConsentClient(
            http(home.consent_url),
            service_key=home.consent_key,
            coordinator_token=home.consent_token,
            clock=clock,
        ),
        consent_key=home.consent_key,
        holders=tuple(
            HolderEndpoint(number=number, http=http(holder.url), identity=holder.identity)
            for number, holder in enumerate(home.holders, start=1)
        ),
        terms=RoundTerms(
            population=home.population,
            catalogue=catalogue.hash,
            cards=cards,
            unpaired_devices=home.plan.unpaired_devices,
        ),
        catalogue=catalogue,
        ledger=Ledger(home.path / "ledger.db", budget=budget, delta=home.plan.delta),
        registry=Registry(home.path / "releases"),
        folder=home.path,
        timeout=home.plan.timeout,
        progress=progress,
        clock=clock,
    )


def _http(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60.0, trust_env=False)
