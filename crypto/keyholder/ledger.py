"""The population's ledger: ε of all tasks and rounds together stays below the pinned cap.

A key holder charges a round when it votes for it, before anything of it is opened, and composes
what it has charged anew each time. All three votes are needed for a release, so the strictest of
three ledgers decides.
"""

import json
import sqlite3
from dataclasses import asdict

from crypto.dp.accounting import SkellamRelease, epsilon
from crypto.errors import BudgetError
from crypto.keyholder.log import charges
from crypto.keyholder.pins import Pins
from crypto.manifest import Manifest


def check(db: sqlite3.Connection, manifest: Manifest, context: str, pins: Pins) -> float:
    """ε of everything charged, at the pinned δ, once this round is released too.

    A round without noise costs nothing that a ledger could hold; only a key holder that pinned
    ``z_floor = 0`` takes part in one.

    Raises:
        BudgetError: that would pass the cap.
    """
    before = charges.releases(db, pins.population, but=context)
    if not manifest.plan.private:
        return _composed(before, pins.delta_cap)
    total = _composed([*before, describe(manifest)], pins.delta_cap)
    if total > pins.epsilon_cap * (1 + 1e-9):
        raise BudgetError(
            f"Releasing {manifest.task!r} would bring this population to ε = {total:.3f}; this key "
            f"holder's cap is {pins.epsilon_cap:g} at delta = {pins.delta_cap:g} (already charged: "
            f"{_composed(before, pins.delta_cap):.3f}). Nothing is released."
        )
    return total


def charge(
    db: sqlite3.Connection, manifest: Manifest, context: str, pins: Pins, *, now: int
) -> None:
    """Reserve a round's ε within a transaction; the same round again costs nothing.

    Raises:
        BudgetError: the cap would be passed.
    """
    check(db, manifest, context, pins)
    if manifest.plan.private:
        place = (manifest.population, manifest.task, manifest.round_id)
        charges.add(db, context=context, place=place, described=describe(manifest), now=now)


def spent(db: sqlite3.Connection, pins: Pins) -> float:
    """ε of everything charged so far, at the pinned δ."""
    return _composed(charges.releases(db, pins.population), pins.delta_cap)


def describe(manifest: Manifest) -> str:
    """What a round's release is, as JSON."""
    return json.dumps([asdict(manifest.plan.release)])


def _composed(described: list[str], delta: float) -> float:
    releases = [SkellamRelease(**each) for text in described for each in json.loads(text)]
    return epsilon(releases, delta=delta)
