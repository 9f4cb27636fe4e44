"""What the operator sees: the schedule before a run, the ledger and the releases after it."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from crypto.dp.accounting import epsilon
from crypto.dp.bound import told
from crypto.dp.plan import PrivacyPlan
from crypto.sums.sizes import sealed_sizes
from server.artefacts.subspace import described_values
from server.home import CoordinatorHome
from server.ledger import Ledger
from server.registry import Registry
from server.schedule import Schedule, schedule


@dataclass(frozen=True, kw_only=True)
class TaskOverview:
    """One scheduled task.

    Attributes:
        noise_multiplier: 0 means no privacy.
        epsilon: of this task alone; None without noise.
        noise_stddev: of the noise in each value of the smallest allowed sum, in contributions.
        sealed_bytes: what a client sends in a round, all key holders together.
        rounds: how many there are.
        why: why it has its share of the budget, in a sentence.
    """

    task: str
    dimension: int
    noise_multiplier: float
    epsilon: float | None
    noise_stddev: float
    min_clients: int
    sealed_bytes: int
    scheme: str
    rounds: int
    why: str


@dataclass(frozen=True, kw_only=True)
class PlanOverview:
    """The schedule of a coordinator.

    Attributes:
        epsilon: of all tasks together, by the accountant (less than their sum); None without noise.
        left_out: tasks that don't run, each with the reason.
    """

    epsilon: float | None
    delta: float
    tasks: tuple[TaskOverview, ...]
    left_out: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class StatusOverview:
    """Ledger and releases. ``budget`` and ``remaining`` are None where privacy is off.

    Each release also says whether it was ``reported``: the consent service has written its diaries
    and points.
    """

    budget: float | None
    delta: float
    spent: float
    remaining: float | None
    releases: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def plan_overview(home: CoordinatorHome) -> PlanOverview:
    """Make the schedule that a run would follow.

    Raises:
        PlanError: the plan contradicts itself.
    """
    listed = home.load_catalogue()
    planned = schedule(home.plan, items=len(listed), described=described_values(listed))
    return PlanOverview(
        epsilon=_epsilon(planned, home.plan.delta),
        delta=home.plan.delta,
        tasks=tuple(
            _task(str(name), plan, planned.reasons[name]) for name, plan in planned.plans.items()
        ),
        left_out={str(name): reason for name, reason in planned.left_out.items()},
    )


def _task(name: str, plan: PrivacyPlan, why: str) -> TaskOverview:
    return TaskOverview(
        task=name,
        dimension=plan.dimension,
        noise_multiplier=plan.noise_multiplier,
        epsilon=plan.epsilon() if plan.private else None,
        noise_stddev=plan.noise_stddev(plan.min_clients),
        min_clients=plan.min_clients,
        sealed_bytes=sealed_sizes(plan).total,
        scheme=plan.scheme,
        rounds=plan.rounds,
        why=why,
    )


def _epsilon(planned: Schedule, delta: float) -> float | None:
    plans = planned.plans.values()
    if not all(plan.private for plan in plans):
        return None
    return epsilon([release for plan in plans for release in plan.releases()], delta=delta)


def status_overview(home: CoordinatorHome) -> StatusOverview:
    """Read the ledger and the releases; creates neither.

    Raises:
        BudgetError: the ledger can't be read.
    """
    plan, file, releases = home.plan, home.path / "ledger.db", home.path / "releases"
    budget = math.inf if plan.epsilon is None else plan.epsilon
    spent = Ledger(file, budget=budget, delta=plan.delta).spent() if file.exists() else 0.0
    return StatusOverview(
        budget=_finite(budget),
        delta=plan.delta,
        spent=spent,
        remaining=_finite(max(0.0, budget - spent)),
        releases=_releases(Registry(releases)) if releases.exists() else (),
    )


def _releases(registry: Registry) -> tuple[dict[str, Any], ...]:
    return tuple(
        record | {"reported": registry.is_reported(record["task"], record["round"])}
        for record in registry.records()
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def plan_table(found: PlanOverview) -> Table:
    """The schedule."""
    total = "no privacy" if found.epsilon is None else f"ε = {told(found.epsilon)} in all"
    table = Table(title=f"Schedule: {total} at δ = {found.delta:g}, unit: one shopper")
    table.add_column("Task", no_wrap=True)
    for name in (
        "Values",
        "Rounds",
        "Noise multiplier",
        "ε alone",
        "Least clients",
        "Bytes a client",
    ):
        table.add_column(name, justify="right")
    for task in found.tasks:
        alone = "none" if task.epsilon is None else told(task.epsilon)
        noise, sealed = f"{task.noise_multiplier:.3f}", f"{task.sealed_bytes:,}"
        table.add_row(
            task.task,
            f"{task.dimension:,}",
            f"{task.rounds}",
            noise,
            alone,
            f"{task.min_clients:,}",
            sealed,
        )
    return table


def status_table(found: StatusOverview) -> Table:
    """The releases."""
    table = Table(title="Releases")
    table.add_column("Task", no_wrap=True)
    table.add_column("Round", no_wrap=True)
    for name in ("ε", "Clients", "Shoppers", "Noise", "Diaries"):
        table.add_column(name, justify="right")
    for record in found.releases:
        charged = record["epsilon"]
        table.add_row(
            record["task"],
            record["round"],
            "none" if charged is None else f"{charged:.3f}",
            f"{record['clients']:,}",
            f"{record['shoppers']:,}",
            f"{record['noise_stddev']:.3g}",
            "written" if record["reported"] else "not yet",
        )
    return table
