"""The population's ledger: ε of all tasks and rounds together stays below the pinned cap.

A key holder charges a round when it votes for it, before anything of it is opened, and composes
what it has charged anew each time. All three votes are needed for a release, so the strictest of
three ledgers decides.
"""

import json
import sqlite3
from collections.abc import Iterable

from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.budget import admit
from crypto.dp.conversion import device_epsilon
from crypto.errors import PlanError, RoundError
from crypto.keyholder.log import charges
from crypto.keyholder.log.charges import Charge
from crypto.keyholder.pins import Pins
from crypto.manifest import Manifest
from crypto.wire import canonical, digest


def check(db: sqlite3.Connection, manifest: Manifest, context: str, pins: Pins) -> list[Release]:
    """What a round costs, if everything charged and this together stay below the cap.

    A round without noise costs nothing that a ledger could hold; only a key holder that pinned
    ``z_floor = 0`` takes part in one.

    Raises:
        BudgetError: they would not.
        RoundError: its run was charged for a later round, or under another plan.
    """
    if not manifest.plan.private:
        return []
    before = charges.every(db, pins.population, but=context)
    new = _costs(manifest, context, before)
    admit(
        _releases(before),
        new,
        cap=pins.epsilon_cap,
        delta=pins.delta_cap,
        whose=f"the population's ledger at this key holder, at δ = {pins.delta_cap:g},",
    )
    return new


def charge(
    db: sqlite3.Connection, manifest: Manifest, context: str, pins: Pins, *, now: int
) -> None:
    """Reserve a round's ε within a transaction; the same round again costs nothing.

    Raises:
        BudgetError: the cap would be passed.
        RoundError: its run was charged for a later round, or under another plan.
    """
    costs = check(db, manifest, context, pins)
    if manifest.plan.private:
        entry = Charge(
            context=context,
            population=manifest.population,
            task=manifest.task,
            round=manifest.round_id,
            run=run_of(manifest, context),
            number=manifest.number,
            plan=plan_hash(manifest),
            releases=json.dumps([release_to_json(each) for each in costs]),
            charged_at=now,
        )
        charges.add(db, entry)


def spent(db: sqlite3.Connection, pins: Pins) -> float:
    """ε of everything charged so far, at the pinned δ."""
    return device_epsilon(_releases(charges.every(db, pins.population)), delta=pins.delta_cap)


def run_of(manifest: Manifest, context: str) -> str:
    """The name of a round's run within its task; a run of one round is named by its context."""
    return manifest.run if manifest.plan.rounds > 1 else context


def plan_hash(manifest: Manifest) -> str:
    """Hex hash of a plan: all rounds of a run have the same."""
    return digest("plan", canonical(manifest.plan.to_json())).hex()


def _costs(manifest: Manifest, context: str, before: Iterable[Charge]) -> list[Release]:
    place = (manifest.task, run_of(manifest, context))
    run = [each for each in before if (each.task, each.run) == place]
    if any(each.plan != plan_hash(manifest) for each in run):
        raise RoundError(f"Run {manifest.run!r} was charged under another plan; plan a new run.")
    last = max((each.number for each in run), default=-1)
    try:
        return manifest.plan.charges(manifest.number, after=last)
    except PlanError as error:
        raise RoundError(f"Run {manifest.run!r} was charged up to round {last}: {error}") from error


def _releases(charged: Iterable[Charge]) -> list[Release]:
    return [release_from_json(each) for entry in charged for each in json.loads(entry.releases)]
