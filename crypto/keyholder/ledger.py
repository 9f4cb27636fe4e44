"""The population's ledger: ε of all tasks and rounds together stays below the pinned cap.

A key holder charges a round when it votes for it, before anything of it is opened, and composes
what it has charged anew each time. All three votes are needed for a release, so the strictest of
three ledgers decides.
"""

import json
import sqlite3

from crypto.dp.accounting import Release, release_from_json, release_to_json
from crypto.dp.budget import admit
from crypto.dp.conversion import device_epsilon
from crypto.keyholder.log import charges
from crypto.keyholder.pins import Pins
from crypto.manifest import Manifest
from crypto.wire import parse_object


def check(db: sqlite3.Connection, manifest: Manifest, context: str, pins: Pins) -> None:
    """See whether everything charged and this round together stay below the cap.

    A round without noise costs nothing that a ledger could hold; only a key holder that pinned
    ``z_floor = 0`` takes part in one.

    Raises:
        BudgetError: they would not.
    """
    if not manifest.plan.private:
        return
    admit(
        _releases(charges.described(db, pins.population, but=context)),
        [manifest.plan.release],
        cap=pins.epsilon_cap,
        delta=pins.delta_cap,
        whose=f"the population's ledger at this key holder, at δ = {pins.delta_cap:g},",
    )


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
        described = json.dumps(release_to_json(manifest.plan.release))
        charges.add(db, context=context, place=place, described=described, now=now)


def spent(db: sqlite3.Connection, pins: Pins) -> float:
    """ε of everything charged so far, at the pinned δ."""
    return device_epsilon(_releases(charges.described(db, pins.population)), delta=pins.delta_cap)


def _releases(described: list[str]) -> list[Release]:
    return [
        release_from_json(parse_object(text.encode(), what="charged release")) for text in described
    ]
