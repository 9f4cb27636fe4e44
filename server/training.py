"""A training run: the schedule's tasks one after the other, each feeding the next.

``popularity`` comes before ``item-item``, whose item list and weights derive from its release.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import time

import httpx
from flwr.serverapp import Grid

from consent.client import ConsentClient
from consent.tasks.catalogue import Catalogue
from consent.tasks.item_item import ItemItemTask
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask, RecentPopularityTask
from consent.tasks.task import Task
from crypto.errors import PlanError
from crypto.holder_card import in_order
from server.artefacts.item_item import plan_task
from server.cohort import roll_call
from server.collect import Progress
from server.conductor import Federation, run_round
from server.home import CoordinatorHome
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.registry import Registry, Release
from server.reports import report_missing
from server.rounds import RoundTerms
from server.schedule import Schedule, TrainingPlan, schedule


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a run came to."""

    releases: dict[TaskName, Release]
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

    ``http`` makes a client for a base URL; by default over the network.

    Raises:
        FedcartError: a round can't go on; tasks before it stay released.
    """
    catalogue = home.load_catalogue()
    planned = schedule(home.plan, items=len(catalogue))
    federation = compose(home, catalogue, progress=progress, http=http or _http, clock=clock)
    report_missing(federation.registry, federation.consent)
    members = roll_call(grid, timeout=home.plan.timeout)
    releases: dict[TaskName, Release] = {}
    for name, plan in planned.plans.items():
        task = _task(name, home.plan, catalogue, releases)
        round_id = f"{run_id}-{name}"
        releases[name] = run_round(grid, members, task, plan, federation, round_id=round_id)
    return Training(releases=releases, schedule=planned)


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


def _task(
    name: TaskName, plan: TrainingPlan, catalogue: Catalogue, releases: dict[TaskName, Release]
) -> Task:
    items = len(catalogue)
    if name is TaskName.POPULARITY:
        return PopularityTask(items=items)
    if name is TaskName.RECENT_POPULARITY:
        return RecentPopularityTask(items=items, baskets=plan.recent_baskets)
    return _item_item(plan, releases)


def _item_item(plan: TrainingPlan, releases: dict[TaskName, Release]) -> ItemItemTask:
    source = releases.get(TaskName.POPULARITY)
    if source is None or not isinstance(source.artefact, PopularityArtefact):
        raise PlanError(
            "item-item takes its item list and weights from a popularity release; put popularity "
            "before it in the plan."
        )
    return plan_task(source.artefact, listed=plan.item_item_items)


def _http(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60.0, trust_env=False)
