"""A task policy in plain facts, read from the manifest that the coordinator signed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.panel.language import mark
from consent.panel.sealing_words import (
    COIN,
    EXPERIMENTAL,
    OPEN_TO_ALL,
    SEALINGS,
    Sealing,
    noise_words,
)
from consent.purpose import Category, Purpose
from consent.service.rounds.schemas import Policy
from consent.tasks.names import TaskName
from crypto.dp.plan_terms import Sampling
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord, parse_object

# What each task finds out, to be put after "to learn".
LEARNS: Final[Mapping[TaskName, str]] = {
    TaskName.POPULARITY: mark("which products many people buy"),
    TaskName.RECENT_POPULARITY: mark("which products many people have bought lately"),
    TaskName.ITEM_ITEM: mark("which products go together"),
    TaskName.FACTORS: mark("which products appeal to the same tastes"),
    TaskName.RANKER: mark(
        "which signs of a habit, and of day, hour and shop where these may be used, foretell what "
        "people buy next"
    ),
    TaskName.EVALUATION: mark("how well recommendations foretell what people buy"),
    TaskName.FAIRNESS: mark("whether recommendations serve some groups of people worse"),
}
# What each task is called where it is only named.
TASKS: Final[Mapping[TaskName, str]] = {
    TaskName.POPULARITY: mark("Popular products"),
    TaskName.RECENT_POPULARITY: mark("Products popular lately"),
    TaskName.ITEM_ITEM: mark("Products that go together"),
    TaskName.FACTORS: mark("Tastes that many share"),
    TaskName.RANKER: mark("Order of recommendations"),
    TaskName.EVALUATION: mark("Quality of recommendations"),
    TaskName.FAIRNESS: mark("Fairness between groups"),
}


@dataclass(frozen=True, kw_only=True)
class PolicyFacts:
    """What a policy says, with the words it is signed in.

    Attributes:
        values: how many numbers each shopper's sealed vector has.
        sealing: the secure sum, in words.
        more: further sentences that hold for this policy alone.
        separation: a shopper takes part at most once in so many rounds of the run.
        epsilon: the round's worst-case bound at ``delta``; None where there is no noise.
        noise: who adds the noise, in a sentence.
        verbatim: the signed body as it is, only indented.
    """

    policy: Policy
    values: int
    sealing: Sealing
    more: Sequence[str]
    separation: int
    clipping_norm: float
    noise_multiplier: float
    min_clients: int
    max_clients: int
    rounds: int
    epsilon: float | None
    noise: str
    delta: float
    purposes: Sequence[Purpose]
    categories: Sequence[Category]
    verbatim: str

    @property
    def learns(self) -> str:
        """What its task finds out, in English."""
        return LEARNS[self.policy.task]


def facts(policy: Policy) -> PolicyFacts:
    """Read a policy. The service took it only with the pinned coordinator's signature."""
    body = _body(policy)
    plan = body["plan"]
    scheme = Scheme(plan["scheme"])
    return PolicyFacts(
        policy=policy,
        values=plan["dimension"],
        sealing=SEALINGS[scheme],
        more=_more(body),
        separation=plan["separation"],
        clipping_norm=plan["clipping_norm"],
        noise_multiplier=plan["noise_multiplier"],
        min_clients=plan["min_clients"],
        max_clients=plan["max_clients"],
        rounds=plan["rounds"],
        epsilon=body["epsilon"],
        noise=noise_words(scheme, plan["client_noise"]),
        delta=plan["delta"],
        purposes=[each for each in Purpose if each in body["purposes"]],
        categories=[each for each in Category if each in body["categories"]],
        verbatim=json.dumps(body, ensure_ascii=False, indent=1),
    )


def _more(body: Mapping[str, Any]) -> list[str]:
    plan = body["plan"]
    applies = {
        OPEN_TO_ALL: body["unpaired_devices"],
        COIN: plan["sampling"] == Sampling.HIDDEN_POISSON,
        EXPERIMENTAL: plan["experimental"],
    }
    return [sentence for sentence, holds in applies.items() if holds]


def _body(policy: Policy) -> dict[str, Any]:
    record = SignedRecord.from_json(policy.manifest.model_dump())
    return parse_object(record.body, what="manifest")
