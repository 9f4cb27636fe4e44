"""The load benchmark with a handful of shoppers: it measures what it says, and notices errors."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from typer.testing import CliRunner

from consent.service.context import opened
from consent.service.settings import Settings, create_home
from consent.service.standing import service as standing
from consent.service.standing.schemas import StandingRequest
from simulations.bench import consent as bench
from simulations.bench.consent_audit import AuditError, audit
from simulations.bench.consent_http import Answer, one_by_one, open_loop, request, spread
from simulations.bench.consent_seed import seed
from simulations.bench.consent_world import STEPS, World
from simulations.cli import app
from tests.conftest import NewDatabase

SHOPPERS = 240
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
