"""Whether a seeded database is one that the service itself could have made.

Asked of the service's own functions and of the numbers alone: the log verifies, every leaf has its
event, the ledger balances, nobody was aggregated after she withdrew, and what a shopper's cells say
is what her latest events say.
"""

from typing import Any, Final

from sqlalchemy import text

from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.log.proof import consistent, included
from consent.service.context import Context
from consent.service.funnel import service as funnel
from consent.service.log import service as log
from consent.service.records.repository import LogRepository
from consent.service.shoppers.repository import ShopperRepository
from crypto.wire import SignedRecord, unb64
from simulations.bench.consent_world import STEPS, TASK, World

SAMPLE: Final = 50
_COUNTS: Final = """
SELECT (SELECT count(*) FROM consent_event), (SELECT max(leaf) + 1 FROM consent_event),
(SELECT count(*) FROM log_node), (SELECT count(*) FROM diary_entry),
(SELECT count(*) FROM points_entry), (SELECT sum(points) FROM points_entry),
(SELECT count(*) FROM committed_grant), (SELECT count(*) FROM shopper)
"""
_WRONG_ENTRIES: Final = "SELECT count(*) FROM points_entry WHERE points <= 0 OR debit = credit"
_STRANGE_ENTRIES: Final = """
SELECT count(*) FROM
(SELECT reference FROM points_entry EXCEPT SELECT subject FROM diary_entry) AS strange
"""
# Shoppers beside whom something else is kept than the cells say.
_REPEATED: Final = """
SELECT count(*) FROM shopper WHERE coalesce(ends_at, 0) <> coalesce((
  SELECT min(expires_at) FROM consent
  WHERE shopper_id = shopper.id AND state IN ('given', 'renewed-consent-given')), 0)
OR (given LIKE '%train-shared-models purchases%') <> EXISTS (
  SELECT 1 FROM consent WHERE shopper_id = shopper.id AND purpose = 'train-shared-models'
  AND category = 'purchases' AND state IN ('given', 'renewed-consent-given'))
"""


class AuditError(ValueError):
    """The seeded database contradicts itself."""


def audit(context: Context, world: World) -> dict[str, Any]:
    """Check a seeded database; returns its sizes.

    Raises:
        AuditError: it is not one that the service could have made; the message says why.
    """
    with context.database.reading() as session:
        if session.get_bind().dialect.name == "postgresql":  # whole tables are counted
            session.execute(text("SET LOCAL statement_timeout = 0"))
        row = session.execute(text(_COUNTS)).one()
        wrong = session.scalar(text(_WRONG_ENTRIES))
        repeated = session.scalar(text(_REPEATED))
        strange = session.scalar(text(_STRANGE_ENTRIES))
    events, leaves, nodes, diary, entries, points, committed, shoppers = map(int, row)
    _require(events == leaves, "every leaf has one event")
    _require(nodes == 2 * leaves - leaves.bit_count(), "the log has every complete subtree")
    _require(diary == committed == int(world.rounds.sum()), "everybody in a list has her entry")
    _require(wrong == 0, "points move from one account to another")
    _require(repeated == 0, "live checks read what the cells say")
    _require(strange == 0, "points are for a round of the diary")
    _require(points == entries * context.settings.incentive.points_per_round, "points are flat")
    _require(shoppers == len(world), "every shopper is there")
    for step in range(STEPS):
        counted = funnel.read(context, TASK, f"round-{step + 1}")
        _require(counted.aggregated_after_withdrawal == 0, "no one was summed after she withdrew")
    _verify_log(context, world)
    return {"events": events, "log_nodes": nodes, "diary_entries": diary, "points": points}


def _verify_log(context: Context, world: World) -> None:
    key = context.key.public_key()
    records = [log.head(context).to_json()]
    records += [each.model_dump() for each in log.heads(context, None, 100).heads]
    heads = sorted(
        (TreeHead.verify(SignedRecord.from_json(each), key) for each in records),
        key=lambda head: head.size,
    )
    last = heads[-1]
    for head in heads:
        if head.size:
            path = [
                unb64(p, what="path") for p in log.consistency(context, head.size, last.size).path
            ]
            holds = consistent(head.size, head.root, last.size, last.root, path)
            _require(holds, "the log only grew")
    for who in range(0, len(world), max(1, len(world) // SAMPLE)):
        _verify_shopper(context, world, who, last)


def _verify_shopper(context: Context, world: World, who: int, head: TreeHead) -> None:
    """Her events are in the log, and her cells are what the latest of them say."""
    shopper = world.ids[who]
    with context.database.reading() as session:
        events = LogRepository(session).events_after(shopper, -1, limit=100)
        (held,) = ShopperRepository(session).held([shopper])
    proof = log.prove(context, shopper, events)
    latest: dict[tuple[str, str], LoggedEvent] = {}
    for (_, event), leaf in zip(events, proof.leaves, strict=True):
        stands = included(
            event.leaf(proof.key), leaf.index, size=head.size, path=leaf.path, root=head.root
        )
        _require(stands, "every event is in the log")
        latest[event.purpose, event.category] = event
    _require(
        {(c.purpose, c.category): s for c, s in held.consent.cells.items()}
        == {cell: event.state for cell, event in latest.items()},
        "cells are what the latest events say",
    )
    _require(
        (held.consent.epoch, held.consent.floor) == (world.epoch[who], world.floor[who])
        and held.consent.epoch == max(event.epoch for _, event in events),
        "epochs are those of the events",
    )


def _require(holds: object, claim: str) -> None:
    if not holds:
        raise AuditError(f"The seeded database is wrong: not so that {claim}.")
