"""A small audited run by hand, honest or without its noise, for the tests of the attack suite."""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.tasks.popularity import PopularityTask
from crypto.dp.plan import PrivacyPlan
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from simulations.attacks.audited import RELEASES, AuditedRelease, AuditedRun
from simulations.attacks.pipeline import CONTEXT, Pipeline
from simulations.attacks.setting import Setting
from simulations.engine.scenario import Clients, Consent, Data, Scenario
from tests.unit.crypto.samples import generator

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
        (each for name, each in run.contributions(task) if name in run.contributors),
        np.zeros(task.dimension),
    )
    release = replace(run.popularity, values=total)
    return replace(run, releases=(release,))


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
        releases=(release,),
        epsilon=plan.round_epsilon(),
        delta=DELTA,
    )
    pipeline = Pipeline(plan=plan, context=CONTEXT, rng=generator("attacked run"))
    table = dict(run.contributions(task))
    inside = [table[name] for name in sorted(run.contributors)]
    total = pipeline.shoppers_alone(inside) + pipeline.accounted_noise()
    released = replace(release, values=pipeline.released(total))
    return replace(run, releases=(released,))


def a_setting(run: AuditedRun | None = None) -> Setting:
    """Noise repeats from test to test, so that what sits at its bound does not fail by chance."""
    return Setting(run=run or a_run(), chance=np.random.default_rng(3), secure=generator("attacks"))


def a_folder(at: Path, run: AuditedRun | None = None) -> Path:
    """A run folder as a scenario writes it, as far as the audit reads it."""
    run = run or a_run()
    release = run.popularity
    place = at / RELEASES / release.task.name / "1-popularity"
    place.mkdir(parents=True)
    changes = run.scenario.changes(Scenario(name=run.scenario.name))
    metrics = {
        "scenario": run.scenario.name,
        "overrides": changes,
        "privacy": {"epsilon": run.epsilon, "delta": run.delta},
    }
    record = {
        "plan": release.plan.to_json(),
        "scheme": release.scheme,
        "context": release.context,
        "noise_stddev": release.noise_stddev,
        "clients": release.clients,
        "shoppers": release.shoppers,
        "epsilon": release.epsilon,
    }
    manifest = {"task": release.task.name, "parameters": release.task.to_json()}
    signed = SignedRecord.sign("manifest", manifest, Ed25519PrivateKey.generate())
    (at / "metrics.json").write_text(json.dumps(metrics))
    (place / "record.json").write_text(json.dumps(record))
    (place / "manifest.json").write_bytes(signed.to_bytes())
    np.save(place / "sum.npy", release.values)
    return at
