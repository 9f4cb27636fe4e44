"""The load benchmark with a handful of shoppers: it measures what it says, and notices errors."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from typer.testing import CliRunner

from consent.purpose import Decision
from consent.service.context import Context, opened
from consent.service.holdings.repository import HoldingsRepository, held_tables
from consent.service.settings import Settings, create_home
from consent.service.standing import service as standing
from consent.service.standing.schemas import StandingRequest
from simulations.bench import consent as bench
from simulations.bench.consent_audit import AuditError, audit
from simulations.bench.consent_http import Answer, one_by_one, open_loop, request, spread
from simulations.bench.consent_seed import seed
from simulations.bench.consent_world import FIRST, STEPS, TRAIN, World
from simulations.cli import app
from tests.conftest import NewDatabase
from tests.unit.consent.harness import Device, Stage

SHOPPERS = 240
CHANCE = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9_-]{43}|otter|^\$")
STALL_S = 0.2
HELD = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def seeded(home: Path, database: str | None) -> tuple[Settings, World]:
    key = Ed25519PrivateKey.generate()
    create_home(home, issuer="b", database=database, coordinator_key=key.public_key())
    settings = Settings.load(home)
    reported: list[tuple[str, int, int]] = []
    world = seed(
        settings,
        key,
        shoppers=SHOPPERS,
        rng=np.random.default_rng(3),
        progress=lambda *step: reported.append(step),
    )
    assert reported[-1] == ("seed", SHOPPERS, SHOPPERS)
    return settings, world


WRONG = {
    "UPDATE shopper SET given = ''": "live checks",
    "UPDATE shopper SET floor = floor + 1, epoch = epoch + 1": "epochs",
    "UPDATE consent SET state = 'refused', expires_at = NULL": "live checks",
    "UPDATE consent SET state = 'revoked' WHERE state = 'refused'": "cells",
    "UPDATE log_key SET key = :key": "in the log",
}


def test_what_is_seeded_is_what_the_service_could_have_made(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    settings, world = seeded(tmp_path / "home", new_database())
    with opened(settings) as context:
        sizes = audit(context, world)
        assert sizes["events"] > 5 * SHOPPERS
        assert sizes["diary_entries"] == world.rounds.sum() > STEPS
        for grants in world.open:
            asked = StandingRequest(token_ids=[*grants.tokens, "0" * 32])
            assert standing.standing(context, asked).standing == grants.tokens


# Columns that say when something happened; each row is told from its own first one.
TIMES = ("time", "since", "created_at", "issued_at", "expires_at", "ends_at")
DAY_MS = 24 * 3600 * 1000
# What is counted, and what a caller chooses.
OWN = {"id", "leaf", "after_event", "round_id", "language"}
# Nobody here loses a password, and no client is there to be instructed.
UNSEEDED = {"account_code", "instruction", "instruction_event", "open_instruction"}


def without_chance(row: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """A row without its random ids, and with times as what they are after its first one."""
    times = [row[name] for name in TIMES if row.get(name) is not None]
    found: dict[str, object] = {}
    for name, value in row.items():
        if name in OWN:
            continue
        if name == "ends_at":  # of a cell that was given a moment after she came
            found[name] = round((value - times[0]) / DAY_MS, 3)
        elif name in TIMES and value is not None:
            found[name] = value - times[0]
        elif isinstance(value, bytes) or (isinstance(value, str) and CHANCE.search(value)):
            found[name] = type(value)
        else:
            found[name] = value
    return tuple(found.items())


def rows_of(context: Context, shopper: str) -> dict[str, set[tuple[tuple[str, object], ...]]]:
    """Every row of hers in every table that she has any in."""
    with context.database.reading() as session:
        holdings = HoldingsRepository(session, shopper)
        found = {name: set(map(without_chance, holdings.rows(name))) for name in held_tables()}
    return {name: rows for name, rows in found.items() if rows}


def test_seeded_rows_are_those_that_the_service_writes(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    """A shopper of the seed, and one who does the same over the API: the same but for chance."""
    settings, world = seeded(tmp_path / "home", new_database())
    # Somebody who once withdrew what trains, and whose data has been in no round.
    once = (world.epoch == 2) & ~world.train & (world.rounds == 0)
    who = int(np.flatnonzero(once)[0])
    with closing(Stage(tmp_path / "home", settings=settings)) as stage:
        given = dict(zip(FIRST, map(_decided, world.given[who]), strict=True))
        device = stage.device(decisions=given)
        _attach_account(stage, device)
        stage.grants(device, world.open[0].round_id, context=world.open[0].context)
        stage.decide(device, {TRAIN: Decision.WITHDRAWN})
        expected = rows_of(stage.context, device.shopper)
        found = rows_of(stage.context, world.ids[who])
    assert set(expected) - set(found) == UNSEEDED
    assert found == {name: rows for name, rows in expected.items() if name in found}


def _attach_account(stage: Stage, device: Device) -> None:
    path = f"/v1/shoppers/{device.shopper}/account"
    body = {"name": "bea-otter", "password": "a long walk by the sea"}
    headers = {"Authorization": f"Bearer {device.shoppers[device.shopper]}"}
    made = stage.http.post(path, json=body, headers=headers)
    assert made.status_code == 201, made.text


def _decided(yes: bool) -> Decision:
    return Decision.GIVEN if yes else Decision.REFUSED


@pytest.mark.parametrize(("wrong", "claim"), WRONG.items())
def test_the_audit_notices(tmp_path: Path, wrong: str, claim: str) -> None:
    settings, world = seeded(tmp_path / "home", None)
    with opened(settings) as context:
        with context.database.writing() as session:
            session.execute(text(wrong), {"key": bytes(32)} if ":key" in wrong else {})
        with pytest.raises(AuditError, match=claim):
            audit(context, world)


def test_every_part_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"REPEATS": 2, "VISITORS": 2, "WITHDRAWALS": 5}.items():
        monkeypatch.setattr(bench, name, few)
    done = CliRunner().invoke(
        app, ["bench", "consent", "--shoppers", str(SHOPPERS), "--seconds", "0.5"]
    )
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    parts = [line["part"] for line in lines]
    assert list(dict.fromkeys(parts)) == [
        "seed",
        "bulk check",
        "single check",
        "page",
        "withdrawal",
        "commit",
    ]
    single = lines[2]
    assert (single["count"], single["per_second"]) == (100, 200.0)
    assert 0 < single["p50_ms"] <= single["p99_ms"] <= single["max_ms"]
    assert {line["database"] for line in lines} == {"sqlite"}
    assert lines[-1]["uploads"] > 10


async def stalled(count: int) -> list[float]:
    """A load on a server that answers nobody for a moment, then everybody at once."""
    began = asyncio.get_running_loop().time()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() != b"":
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(began + STALL_S - asyncio.get_running_loop().time())
            writer.write(HELD.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers: list[Answer] = []
    load = [request("GET", "/")] * count
    found = await open_loop(port, load, rate=1000.0, check=answers.append)
    assert [answer.body for answer in answers] == [b"ok"] * count
    ((alone, _),) = await one_by_one(port, load[:1])
    assert alone < STALL_S / 2
    server.close()
    await server.wait_closed()
    return found


def test_a_stall_is_charged_to_all_that_waited() -> None:
    found = asyncio.run(stalled(60))
    assert len(found) == 60
    assert min(found[:20]) > STALL_S / 4  # due while nobody was answered, more than there are
    assert found[0] > found[19]


def test_percentiles_are_by_rank() -> None:
    assert spread([n / 1000 for n in range(1, 101)]) == {
        "count": 100,
        "p50_ms": 51.0,
        "p99_ms": 100.0,
        "max_ms": 100.0,
    }
