"""A small audited run by hand, honest or without its noise, for the tests of the attack suite."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from consent.tasks.task import PopularityTask, TaskName
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sums.interface import Scheme
from simulations.attacks.audited import AuditedRelease, AuditedRun
from simulations.attacks.pipeline import CONTEXT, Pipeline
from simulations.attacks.setting import Setting
from simulations.engine.scenario import Clients, Consent, Data, Scenario

DELTA = 1e-5
SHOPPERS, ITEMS = 240, 60


def a_plan(
    z: float = 6.0, dimension: int = ITEMS, scheme: Scheme = Scheme.COMPACT_SUM, **changes: Any
) -> PrivacyPlan:
    fields: dict[str, Any] = {"scheme": scheme} | changes
    return PrivacyPlan.fitted(
        **fields,
        dimension=dimension,
        clipping_norm=1.0,
        noise_multiplier=z,
        min_clients=20,
        max_clients=24,
        max_shoppers=SHOPPERS,
        max_colluders=2,
        delta=DELTA,
    )


@lru_cache
def a_run(scheme: Scheme = Scheme.COMPACT_SUM) -> AuditedRun:
    """A run over made-up shoppers whose one release holds what its record says."""
    scenario = Scenario(
        name="small",
        seed=5,
        data=Data(source="synthetic", shoppers=SHOPPERS, items=ITEMS, stores=3),
        consent=Consent(refuse=0.2, personal_only=0.2, withdraw=0.0),
        clients=Clients(dropout=0.0),
    )
    return _with_noise(scenario, a_plan(scheme=scheme))


@lru_cache
def a_bare_run() -> AuditedRun:
    """The same run where the promised noise was never added."""
    run = a_run()
    task = run.popularity.task
    total = sum(
        (each for name, each in run.contributions(task).items() if name in run.contributors),
        np.zeros(task.dimension),
    )
    release = replace(run.popularity, values=total)
    return replace(run, releases={TaskName.POPULARITY: release})


def _with_noise(scenario: Scenario, plan: PrivacyPlan) -> AuditedRun:
    task = PopularityTask(items=ITEMS)
    release = AuditedRelease(
        task=task,
        context=CONTEXT,
        plan=plan,
        scheme=plan.scheme,
        values=np.zeros(ITEMS),
        noise_stddev=plan.noise_multiplier,
        clients=20,
        shoppers=144,
        epsilon=plan.round_epsilon(),
    )
    run = AuditedRun(
        folder=Path("nowhere"),
        scenario=scenario,
        releases={TaskName.POPULARITY: release},
        epsilon=plan.round_epsilon(),
        delta=DELTA,
    )
    pipeline = Pipeline(plan=plan, context=CONTEXT, rng=SecureRandom())
    table = run.contributions(task)
    inside = [table[name] for name in sorted(run.contributors)]
    total = pipeline.shoppers_alone(inside) + pipeline.accounted_noise()
    released = replace(release, values=pipeline.released(total))
    return replace(run, releases={TaskName.POPULARITY: released})


def a_setting(run: AuditedRun | None = None) -> Setting:
    return Setting(run=run or a_run(), chance=np.random.default_rng(3))
