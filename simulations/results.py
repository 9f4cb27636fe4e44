"""``metrics.json``: what a run promised, what it cost and what it bought, from the run itself."""

import math
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from consent.tasks.names import TaskName
from server.record import how_accounted
from server.registry import Release
from server.runs import cost
from simulations.engine.run import Outcome
from simulations.engine.scenario import Scenario, shipped
from simulations.population.population import Population

Quality = Mapping[str, Mapping[str, Mapping[str, float | list[float]]]]


def metrics(
    scenario: Scenario, population: Population, outcome: Outcome, quality: Quality, *, tested: int
) -> dict[str, Any]:
    """The whole record of a run, JSON-able (docs: DESIGN of outputs in README)."""
    releases = outcome.training.releases
    return {
        "fedcart": version("fedcart"),
        "scenario": scenario.name,
        "seed": scenario.seed,
        "overrides": overrides(scenario),
        "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
        "versions": {name: version(name) for name in ("flwr", "tenseal", "dp-accounting")},
        "dataset": {
            "name": population.name,
            "note": population.note,
            "shoppers": len(population.shoppers),
            "items": len(population.catalogue),
            "interactions": len(population.events),
            "clients": population.clients,
            "stores": len(population.stores),
            "devices": len(population.devices),
            "evaluated": tested,
        },
        "privacy": _privacy(scenario, outcome),
        "quality": quality,
        "cost": _cost(outcome),
        "consent": _consent(outcome),
        "tasks": {str(name): _task(release) for name, release in releases.items()},
        "left_out": {str(name): why for name, why in outcome.training.schedule.left_out.items()},
        "warnings": _warnings(scenario, population, outcome),
    }


def overrides(scenario: Scenario) -> list[str]:
    """What was set beyond the shipped scenario of this name, or beyond the defaults."""
    path = shipped(scenario.name)
    base = Scenario.load(path) if path.is_file() else Scenario(name=scenario.name)
    return scenario.changes(base)


def _privacy(scenario: Scenario, outcome: Outcome) -> dict[str, Any]:
    plans = outcome.training.schedule.plans
    records = [release.record for release in outcome.training.rounds]
    # Releases of noise multipliers z compose to the divergence of one with 1/z² = Σ 1/zᵢ².
    inverse = sum(cost(plan) * plan.noise_multiplier**-2 for plan in plans.values() if plan.private)
    first = next(iter(plans.values()))
    return {
        "epsilon": records[-1]["epsilon_spent_in_all"] if scenario.privacy.enabled else None,
        "delta": scenario.privacy.delta,
        "unit": first.privacy_unit,
        "adjacency": first.adjacency,
        "accountant": how_accounted(first),
        "noise_multiplier": 1 / math.sqrt(inverse) if inverse else 0.0,
        "clipping_norm": first.clipping_norm,
        "min_cohort": first.min_clients,
        "max_colluders": first.max_colluders,
        "rounds": len(records),
        "budget": scenario.privacy.epsilon if scenario.privacy.enabled else None,
    }


def _cost(outcome: Outcome) -> dict[str, Any]:
    records = [release.record for release in outcome.training.rounds]
    asked = sum(record["clients"] + sum(record["declined"].values()) for record in records)
    contributing = sum(record["seconds"]["contribute"] for record in records)
    values = sum(record["plan"]["dimension"] for record in records)
    return {
        "seconds": round(sum(outcome.seconds.values()), 2),
        "seconds_by_phase": dict(outcome.seconds),
        "clients_per_second": round(asked / contributing, 2) if contributing else 0.0,
        "bytes_up_per_client": sum(record["bytes_up_per_client"] for record in records),
        "bytes_per_value": sum(r["sealed_bytes_per_client"] for r in records) / values,
        "peak_rss_mb": outcome.peak_rss_mb,
    }


def _consent(outcome: Outcome) -> dict[str, int]:
    choices = outcome.choices.values()
    training = sum(choice.trains for choice in choices)
    counted = outcome.funnel.values()
    return {
        "asked": len(outcome.choices),
        "granted": training,
        "refused": len(outcome.choices) - training,
        "personalising": sum(choice.personalises for choice in choices),
        "withdrawn_before_commit": sum(each["withdrawn_before_commit"] for each in counted),
        "aggregated_after_withdrawal": sum(each["aggregated_after_withdrawal"] for each in counted),
        "collecting_points": sum(choice.collects for choice in choices),
        "points_issued": sum(each["points_issued"] for each in counted),
        "diary_entries": sum(each["diary_entries"] for each in counted),
        "withdrew": outcome.withdrew,
        "purged_at_client": outcome.purged,
    }


def _task(release: Release) -> dict[str, Any]:
    record = release.record
    return {
        "epsilon": record["epsilon"],
        "sealing": record["sealing"],
        "scheme": record["scheme"],
        "dim": record["plan"]["dimension"],
        "noise_multiplier": record["plan"]["noise_multiplier"],
        "noise_stddev": record["noise_stddev"],
        "clients": record["clients"],
        "shoppers": record["shoppers"],
        "seconds": round(sum(record["seconds"].values()), 3),
        "seconds_by_phase": record["seconds"],
        "bytes_up_per_client": record["bytes_up_per_client"],
        "bytes_per_value": record["bytes_per_value"],
        "declined": record["declined"],
        "resealed": record["resealed"],
        "dropped_at_commit": record["dropped_at_commit"],
        "opened_by": record["opened_by"],
    }


def _warnings(scenario: Scenario, population: Population, outcome: Outcome) -> list[str]:
    warnings = []
    if not scenario.privacy.enabled:
        warnings.append(
            "PRIVACY IS OFF: the sums carry no noise, so the released models may reveal shoppers. "
            "Research only."
        )
    sealing = {release.record["sealing"] for release in outcome.training.releases.values()}
    if sealing != {"full"}:
        warnings.append("SUMS WERE NOT SEALED: whoever ran this could read every vector.")
    warnings += [f"{name}: {why}" for name, why in outcome.training.schedule.left_out.items()]
    if population.note:
        warnings.append(population.note)
    return warnings


def released_artefacts(outcome: Outcome) -> dict[TaskName, Any]:
    """The artefacts by task, as devices get them."""
    return {name: release.artefact for name, release in outcome.training.releases.items()}
