"""One household's page: what left it, what stayed, and its list with a reason for each item."""

from typing import Any

import numpy as np

from client.contributions.history import History
from client.recommender.explanation.explain import reason
from client.recommender.recommend import recommend
from client.recommender.scores import Model
from consent.admit import admit
from consent.purpose import Category, Purpose
from simulations.engine.run import Outcome
from simulations.population.population import Population

LIST_LENGTH = 10
_SHOWN = 8


def pick(population: Population, outcome: Outcome) -> str | None:
    """A household to show: a device in every released sum, with recommendations, not too new."""
    able = [
        shopper
        for shopper in population.devices
        if outcome.choices[shopper].personalises
        and outcome.world.client_of[shopper] in outcome.contributed
    ]
    sizes = sorted((len(population.of(shopper)), shopper) for shopper in able)
    return sizes[len(sizes) * 3 // 4][1] if sizes else None


def page(population: Population, outcome: Outcome, shopper: str) -> dict[str, Any]:
    """Everything the household's page shows, JSON-able. It never leaves this machine's report."""
    choice = outcome.choices[shopper]
    events = admit(
        population.of(shopper),
        purpose=Purpose.PERSONALISE,
        categories=choice.given(Purpose.PERSONALISE),
        sensitive_items=population.catalogue.sensitive_products,
    )
    catalogue = population.catalogue
    artefacts = [release.artefact for release in outcome.training.releases.values()]
    model = Model.of(catalogue, artefacts)
    listed = recommend(model, events, count=LIST_LENGTH)
    return {
        "shopper": shopper,
        "choices": _choices(outcome, shopper),
        "left": _left(outcome),
        "stayed": _stayed(population, shopper),
        "recommendations": [
            {
                "item": catalogue.items[each.item],
                "category": catalogue.categories[each.item],
                "score": each.score,
                "reason": reason(each, catalogue),
                "parts": [{"kind": part.kind, "value": part.value} for part in each.parts],
            }
            for each in listed
        ],
    }


def _choices(outcome: Outcome, shopper: str) -> list[dict[str, str]]:
    decisions = outcome.choices[shopper].decisions
    return [
        {"purpose": cell.purpose, "category": cell.category, "decision": decision}
        for cell, decision in decisions.items()
    ]


def _left(outcome: Outcome) -> list[dict[str, Any]]:
    """What this device sent: a sealed vector a task, and nothing else."""
    return [
        {
            "task": str(name),
            "round": release.round_id,
            "values": release.record["plan"]["dimension"],
            "sealed_bytes": release.record["sealed_bytes_per_client"],
            "others": release.record["shoppers"] - 1,
            "epsilon": release.record["epsilon"],
            "noise_stddev": release.record["noise_stddev"],
            "clipping_norm": release.record["plan"]["clipping_norm"],
            "opened_by": release.record["opened_by"],
        }
        for name, release in outcome.training.releases.items()
    ]


def _stayed(population: Population, shopper: str) -> dict[str, Any]:
    raw = population.of(shopper)
    events = admit(
        raw,
        purpose=Purpose.PERSONALISE,
        categories=frozenset({Category.PURCHASES}),
        sensitive_items=population.catalogue.sensitive_products,
    )
    history = History.of(events, population.catalogue)
    favourites = np.argsort(-history.counts, kind="stable")[:_SHOWN]
    return {
        "lines": len(raw),
        "baskets": len(set(raw.basket)),
        "first": str(np.datetime64(int(raw.time.min()), "s"))[:10],
        "last": str(np.datetime64(int(raw.time.max()), "s"))[:10],
        "stores": len(set(raw.store) - {""}),
        "favourites": [
            {
                "item": population.catalogue.items[index],
                "baskets": int(history.counts[index]),
            }
            for index in favourites
            if history.counts[index] > 0
        ],
    }
