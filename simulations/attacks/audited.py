"""The run that is audited: what its folder says, and the shoppers whose data went into it.

The attacks of this suite play adversaries of every strength, so they may read everything: the
population is loaded again and the shoppers' choices, which a seed repeats, are drawn again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray, History
from client.contributions.inputs import Inputs
from client.contributions.registry import CONTRIBUTIONS
from consent.purpose import Purpose
from consent.tasks.names import TaskName
from consent.tasks.task import Task, parse_task
from crypto.dp.plan import PrivacyPlan
from crypto.errors import InvalidInputError
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord, parse_object
from simulations.engine.choices import Choice, draw
from simulations.engine.run import load
from simulations.engine.scenario import Scenario, shipped
from simulations.evaluation.protocol import CONTEXT, Fold, history_of, split
from simulations.population.population import Population

RELEASES = Path("federation", "coordinator", "releases")


@dataclass(frozen=True, kw_only=True)
class AuditedRelease:
    """One released sum with the record it was released under.

    Attributes:
        task: parsed from the manifest.
        values: float64, shape (dimension,): the noisy sum.
        epsilon: what this release costs each shopper.
    """

    task: Task
    context: str
    plan: PrivacyPlan
    scheme: Scheme
    values: FloatArray
    noise_stddev: float
    clients: int
    shoppers: int
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class AuditedRun:
    """A run folder and everything that its attacks need to know.

    Attributes:
        scenario: as it ran, from the record's overrides.
        releases: every round of every task.
        epsilon: of everything shared, per shopper, at ``delta``.
    """

    folder: Path
    scenario: Scenario
    releases: tuple[AuditedRelease, ...]
    epsilon: float
    delta: float

    @property
    def popularity(self) -> AuditedRelease:
        """The release that the canaries and the poisoners aim at: the first of popularity."""
        return next(each for each in self.releases if each.task.name is TaskName.POPULARITY)

    @cached_property
    def fold(self) -> Fold:
        """Training data and held-out baskets, split as the run split them."""
        return split(load(self.scenario.data, seed=self.scenario.seed)).test

    @property
    def training(self) -> Population:
        """What the run's clients could learn from."""
        return self.fold.training

    @cached_property
    def histories(self) -> dict[str, History]:
        """Every shopper's history as her client reads it for training."""
        return {
            shopper: history_of(
                self.training, shopper, Purpose.TRAIN, context=CONTEXT & choice.given(Purpose.TRAIN)
            )
            for shopper, choice in self.choices.items()
        }

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """What every shopper decided: the run's own draws, repeated from its seed."""
        return draw(self.training.shoppers, self.scenario.consent, seed=self.scenario.seed)

    @cached_property
    def contributors(self) -> frozenset[str]:
        """Shoppers who agreed and whose client answered; some of them withdrew in mid-run.

        Who withdrew before which commit depended on
        timing, so up to ``consent.withdraw`` of these are in no sum, or not in all.
        """
        chance = np.random.default_rng([self.scenario.seed, 0xD0])
        clients = [*self.training.stores.values(), *((one,) for one in self.training.devices)]
        answering = [shoppers for shoppers in clients if not self._lost(chance)]
        return frozenset(
            shopper
            for shoppers in answering
            for shopper in shoppers
            if self.choices[shopper].trains
        )

    def _lost(self, chance: np.random.Generator) -> bool:
        return chance.random() < self.scenario.clients.dropout

    def contributions(self, task: Task) -> Iterator[tuple[str, FloatArray]]:
        """What every shopper would contribute to a task, before clipping, one at a time."""
        for shopper, history in self.histories.items():
            inputs = Inputs(history=history, catalogue=self.training.catalogue)
            yield shopper, CONTRIBUTIONS[task.name](task, inputs)


def load_run(folder: Path) -> AuditedRun:
    """Read a run folder.

    Raises:
        InvalidInputError: it holds no finished run with a popularity release.
    """
    metrics = _json(folder / "metrics.json")
    try:
        scenario = _scenario(metrics)
        places = sorted((folder / RELEASES).glob("*/*/record.json"))
        found = [_release(place.parent) for place in places if place.parent.name[0] != "."]
        privacy = metrics["privacy"]
        if privacy["epsilon"] is None:
            raise InvalidInputError(f"{folder} ran with privacy off: it promises nothing to audit.")
        run = AuditedRun(
            folder=folder,
            scenario=scenario,
            releases=tuple(found),
            epsilon=privacy["epsilon"],
            delta=privacy["delta"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{folder} is not a run that this version can audit ({error!r}): run it again."
        ) from error
    if all(release.task.name is not TaskName.POPULARITY for release in run.releases):
        raise InvalidInputError(
            f"{folder} released no popularity, which the audit needs: run a scenario with it."
        )
    return run


def _scenario(metrics: dict[str, Any]) -> Scenario:
    """The scenario: a record states what was set beyond the shipped one, or the defaults."""
    name, overrides = metrics["scenario"], metrics["overrides"]
    if shipped(name).is_file():
        return Scenario.load(shipped(name), overrides)
    with TemporaryDirectory() as folder:
        bare = Path(folder, "scenario.toml")
        bare.write_text(f"name = {json.dumps(name)}\n", encoding="utf-8")
        return Scenario.load(bare, overrides)


def _release(place: Path) -> AuditedRelease:
    record = _json(place / "record.json")
    manifest = parse_object(
        SignedRecord.from_bytes((place / "manifest.json").read_bytes()).body, what="manifest"
    )
    scheme = Scheme(record["scheme"])
    values: npt.NDArray[np.float64] = np.load(place / "sum.npy", allow_pickle=False)
    return AuditedRelease(
        task=parse_task(manifest["task"], manifest["parameters"]),
        context=record["context"],
        plan=PrivacyPlan.from_json(record["plan"]),
        scheme=scheme,
        values=values,
        noise_stddev=record["noise_stddev"],
        clients=record["clients"],
        shoppers=record["shoppers"],
        epsilon=record["epsilon"],
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidInputError(
            f"No {path.name} in {path.parent}: give the folder that 'fedcart demo' wrote."
        )
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
