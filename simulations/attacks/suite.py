"""The whole audit of a run folder: prove that sealing is exact, run every attack, write it down."""

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from crypto.sums.schemes import Scheme
from server.collect import Progress
from simulations.attacks.audited import AuditedRun, load_run
from simulations.attacks.finding import Finding
from simulations.attacks.labs import LABS
from simulations.attacks.pipeline import Equality, sealed_equals_plain
from simulations.attacks.registry import ATTACKS, Family
from simulations.attacks.setting import Attack, Setting, under
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.statistics import CONFIDENCE

RESULT = "audit.json"
# Clients of the sample on which sealed sums are compared with plain ones.
SAMPLE = 6


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        equalities: sealed sums compared with plain ones, a scheme each, before anything else.
        findings: by family, in the order of the registry.
    """

    run: AuditedRun
    equalities: tuple[Equality, ...]
    findings: Mapping[Family, tuple[Finding, ...]]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every claim stands, every control fired, and sealing is exact."""
        exact = all(each.equal for each in self.equalities)
        return exact and all(each.passed for found in self.findings.values() for each in found)

    def to_json(self) -> dict[str, Any]:
        """The record of the audit, JSON-able."""
        run = self.run
        return {
            "fedcart": version("fedcart"),
            "scenario": run.scenario.name,
            "epsilon": run.epsilon,
            "delta": run.delta,
            "scheme": str(run.popularity.scheme),
            "confidence": CONFIDENCE,
            "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
            "seconds": round(self.seconds, 1),
            "passed": self.passed,
            "sealed_equals_plain": [each.to_json() for each in self.equalities],
            "findings": [
                {"family": family, **found.to_json()}
                for family, group in self.findings.items()
                for found in group
            ],
        }


def audit(folder: Path, *, progress: Progress) -> Audit:
    """Attack a run and write ``audit.json`` into its folder.

    Raises:
        InvalidInputError: the folder holds no run that can be audited.
    """
    started = time.perf_counter()
    run = load_run(folder)
    setting = Setting(run=run, chance=np.random.default_rng([run.scenario.seed, 0xA7]))
    equalities = prove(setting, progress)
    findings = {
        family: tuple(_timed(attack, setting, progress) for attack in attacks)
        for family, attacks in ATTACKS.items()
    }
    done = Audit(
        run=run,
        equalities=equalities,
        findings=findings,
        seconds=time.perf_counter() - started,
    )
    text = json.dumps(done.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _write(folder / RESULT, text)
    return done


def prove(setting: Setting, progress: Progress) -> tuple[Equality, ...]:
    """Compare a sealed sum with the plain one, bit for bit, under every scheme."""
    found = []
    for done, scheme in enumerate(Scheme):
        progress("sealed = plain", done, len(Scheme))
        plan = under(setting.run.popularity.plan, scheme, clients=SAMPLE)
        lab = LABS[scheme](plan, setting.secure)
        vectors = some_shoppers(plan, SAMPLE, setting.chance)
        found.append(sealed_equals_plain(lab, setting.pipeline(plan), vectors))
    progress("sealed = plain", len(Scheme), len(Scheme))
    return tuple(found)


def _timed(attack: Attack, setting: Setting, progress: Progress) -> Finding:
    name = attack.__name__.replace("_", " ")
    progress(name, 0, 1)
    started = time.perf_counter()
    found = attack(setting)
    progress(name, 1, 1)
    return replace(found, seconds=round(time.perf_counter() - started, 2))


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
