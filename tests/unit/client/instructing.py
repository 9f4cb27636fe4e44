"""Telling clients what to do, and reading what they did."""

from typing import Any

from client.events import EventStore
from client.home import ClientHome
from client.instructions import Synced, sync
from consent.instruction_report import Count
from consent.service.instructions import service
from tests.unit.client.stage import Party
from tests.unit.consent.harness import Stage

DAY = "2023-11-14"  # of tests.unit.client.stage.purchases


def tell(stage: Stage, party: Party, kind: str, name: str = "ann", **more: Any) -> str:
    with stage.context.database.writing() as session:
        [made] = service.issue(stage.context, session, party.home.shoppers[name], kind, **more)
    return made


def run(stage: Stage, party: Party) -> Synced:
    return sync(party.home, stage.client, clock=stage.clock)


def outcomes(synced: Synced) -> list[tuple[str, dict[Count, int]]]:
    return [
        (each.finished.outcome, {c: n for c, n in each.finished.counts.items() if n})
        for each in synced.carried
    ]


def told(stage: Stage, party: Party, name: str = "ann") -> list[dict[str, Any]]:
    shopper = party.home.shoppers[name]
    answer = stage.http.get(
        f"/v1/shoppers/{shopper}/instructions",
        headers={"Authorization": f"Bearer {party.tokens[name]}"},
    )
    found: list[dict[str, Any]] = answer.json()["instructions"]
    return found


def lines(home: ClientHome, name: str = "ann") -> list[str]:
    with EventStore.open(home.events) as events:
        return list(events.of(name).item)
