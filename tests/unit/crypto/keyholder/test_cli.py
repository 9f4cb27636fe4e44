"""The commands, as a person runs them."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from crypto.errors import InvalidInputError, RoundError
from crypto.holder_card import HolderCard
from crypto.keyholder.cli import app
from crypto.keyholder.home import load
from crypto.keyholder.keeping import only_one
from crypto.sums.schemes import Scheme
from crypto.wire import b64, public_bytes
from tests.unit.crypto.keyholder.federation import Federation
from tests.unit.crypto.keyholder.spoilt_uploads import swapped_pieces
from tests.unit.crypto.samples import signer

COORDINATOR = b64(public_bytes(signer("coordinator").public_key()))
CONSENT = b64(public_bytes(signer("consent").public_key()))


def run(*words: str | Path) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def lines(*words: str | Path) -> list[dict[str, Any]]:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def init(home: Path, number: int, *options: str) -> dict[str, Any]:
    keys = ("--coordinator-key", COORDINATOR, "--consent-key", CONSENT)
    [line] = lines("init", "--home", home, "--number", str(number), *keys, *options)
    return line


def test_init_pins_and_tells_where_the_card_is(tmp_path: Path) -> None:
    told = init(
        tmp_path / "home",
        2,
        *("--population", "groceries", "--n-floor", "50", "--z-floor", "0.5"),
        *("--epsilon-cap", "4", "--delta-cap", "1e-6", "--max-dimension", "1000"),
        *("--share-sum", "--allow-experimental"),
    )
    holder = load(tmp_path / "home")
    card = HolderCard.from_bytes(Path(told["card"]).read_bytes())
    assert told == {
        "home": str(tmp_path / "home"),
        "holder": 2,
        "identity": b64(public_bytes(card.identity)),
        "card": str(tmp_path / "home" / "public.card"),
    }
    pins = holder.pins
    assert (pins.population, pins.n_floor, pins.z_floor) == ("groceries", 50, 0.5)
    assert (pins.epsilon_cap, pins.delta_cap, pins.max_dimension) == (4.0, 1e-6, 1000)
    assert pins.schemes == tuple(Scheme)
    assert pins.allow_experimental


def test_init_is_careful_by_default(tmp_path: Path) -> None:
    init(tmp_path / "home", 1)
    pins = load(tmp_path / "home").pins
    assert pins.schemes == (Scheme.COMPACT_SUM, Scheme.PIECE_SUM)
    assert not pins.allow_experimental
    assert (pins.n_floor, pins.epsilon_cap, pins.delta_cap) == (20, 10.0, 1e-5)


class TestPeers:
    @pytest.fixture
    def homes(self, tmp_path: Path) -> list[Path]:
        homes = [tmp_path / str(number) for number in (1, 2, 3)]
        for number, home in enumerate(homes, start=1):
            init(home, number)
        return homes

    def test_they_are_pinned_by_their_cards(self, homes: list[Path]) -> None:
        three = f"https://three.example,{homes[2] / 'public.card'}"
        two = f"http://two.example:8642,{homes[1] / 'public.card'}"
        told = lines("peers", "--home", homes[0], "--peer", three, "--peer", two)
        assert [each["peer"] for each in told] == [3, 2]
        names = [load(home).name for home in homes]
        parties = load(homes[0]).parties()
        assert [party.name for party in parties] == names
        assert [party.url for party in parties[1:]] == [
            "http://two.example:8642",
            "https://three.example",
        ]

    @pytest.mark.parametrize(
        "text",
        ["nonsense", "https://two.example", "https://two.example,missing", "two.example,CARD"],
    )
    def test_what_is_no_peer(self, homes: list[Path], text: str) -> None:
        card = str(homes[1] / "public.card")
        other = f"https://three.example,{homes[2] / 'public.card'}"
        words = ("--peer", text.replace("CARD", card), "--peer", other)
        result = run("peers", "--home", homes[0], *words)
        assert result.exit_code == 2
        assert "URL,CARD_FILE" in result.output

    def test_a_file_that_is_no_card(self, homes: list[Path], tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"x")
        with pytest.raises(InvalidInputError, match=r"no key holder's public\.card"):
            run("peers", "--home", homes[0], *("--peer", f"https://a.b,{tmp_path / 'x'}") * 2)

    def test_both_are_needed(self, homes: list[Path]) -> None:
        peer = f"https://two.example,{homes[1] / 'public.card'}"
        with pytest.raises(InvalidInputError, match="Expected key holders 2 and 3"):
            run("peers", "--home", homes[0], "--peer", peer)


class TestStatus:
    @pytest.fixture
    def federation(self, tmp_path: Path) -> Federation:
        federation = Federation.make(tmp_path)
        ready = federation.ready(clients=3)
        federation.vote(1, ready)
        made = federation.accepted("blamed", task="item-item")
        federation.ingest(1, made, [swapped_pieces(made)])
        return federation

    def test_as_json(self, federation: Federation) -> None:
        own, first, second, blame = lines("status", "--home", federation.homes[0], "--json")
        assert (own["kind"], own["holder"], own["votes"], own["stopped"]) == (
            "key-holder",
            1,
            1,
            None,
        )
        assert 0 < own["epsilon"] < own["epsilon_cap"] == 10.0
        assert (first["kind"], first["state"], first["clients"]) == ("round", "voted", 3)
        assert (second["state"], second["scheme"]) == ("accepted", "piece-sum")
        assert sum(second["excluded"].values()) == 1
        assert (blame["kind"], blame["context"]) == ("blame", second["context"])
        assert blame["header"]

    def test_as_a_table(self, federation: Federation) -> None:
        told = run("status", "--home", federation.homes[0]).stdout
        for word in ("voted", "accepted", "Charged: ε =", "of 10, at δ = 1e-05", "Blamed in round"):
            assert word in told

    def test_nothing_yet(self, tmp_path: Path) -> None:
        init(tmp_path / "home", 1)
        assert "No round yet." in run("status", "--home", tmp_path / "home").stdout

    def test_a_stopped_one(self, federation: Federation) -> None:
        with federation.stations[1]._desk.log.transaction() as log:
            log.execute("INSERT INTO stops VALUES (?, 'set back', 0)", (federation.holder(1).name,))
        assert "STOPPED: set back" in run("status", "--home", federation.homes[0]).stdout


def test_rotate_and_backup(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = init(home, 3)
    [told] = lines("rotate", "--home", home)
    assert told["holder"] == 3
    assert told["identity"] != before["identity"]
    assert told["identity"] == load(home).name
    [saved] = lines("backup", "--home", home, "--out", tmp_path / "b.tar")
    assert saved["bytes"] == (tmp_path / "b.tar").stat().st_size > 1000
    with only_one(home), pytest.raises(RoundError, match="Another process"):
        run("rotate", "--home", home)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    home = tmp_path / "home"
    init(home, 1)
    words = [sys.executable, "-m", "fedcart", "keyholder", "serve", "--home", str(home)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None
        yield home, json.loads(child.stdout.readline())["ready"]
        child.stdout.close()
    finally:
        child.terminate()
        child.wait(20)


def test_serve_is_alone_in_its_home(served: tuple[Path, str]) -> None:
    home, url = served
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            host, port = url.removeprefix("http://").split(":")
            if probe.connect_ex((host, int(port))) == 0:
                break
    assert httpx.get(f"{url}/v1/healthz", trust_env=False).json() == {"ready": True, "holder": 1}
    for command in ("serve", "rotate"):
        with pytest.raises(RoundError, match="Another process works in"):
            run(command, "--home", home)
    assert run("backup", "--home", home, "--out", home.with_name("b.tar")).exit_code == 0
