"""A withdrawal over processes: saved, grants dead, dropped from the round, purged, and proved."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.events import EventStore
from client.home import ClientHome, ClientKind
from client.journal import Journal
from consent.ages import AgeBand
from consent.answers import Offer, Registered
from consent.client import ConsentClient, fetch_keys
from consent.service.settings import create_home
from crypto.wire import b64, public_bytes, thumbprint
from tests.integration.processes import ROOT, running
from tests.unit.client.stage import make_trust, purchases
from tests.unit.consent.harness import CONTEXT, GIVE, NOTICE, TASK, WITHDRAW

STEPS = ("saved", "grants", "rounds", "clients")


@dataclass
class Market:
    """A served consent service, a device's home, and a second device that stays in the round."""

    folder: Path
    http: httpx.Client
    consent: ConsentClient
    key: str
    home: ClientHome
    ann: Registered
    other: Ed25519PrivateKey
    ben: Registered

    def tracker(self, epoch: int) -> dict[str, Any]:
        answer = self.http.get(
            f"/v1/shoppers/{self.ann.shopper}/withdrawals/{epoch}",
            headers={"Authorization": f"Bearer {self.ann.token}"},
        )
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def grant(self, key: Ed25519PrivateKey, shopper: str) -> str:
        answer = self.consent.participation(
            key, task=TASK, round_id="r1", context=CONTEXT, shoppers=[shopper]
        )
        return answer.grants[shopper].grant.token_id


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fedcart", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    made = create_home(tmp_path / "consent", issuer="shop")
    program = ["-m", "fedcart", "consent", "serve", "--home", str(made.path), "--port", "0"]
    with running(program) as (service,), httpx.Client(base_url=service.url) as http:
        pinned = fetch_keys(http).key
        consent = ConsentClient(
            http, service_key=pinned, coordinator_token=made.coordinator_token.read_text()
        )
        device, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        ann, ben = (
            consent.register(
                GIVE,
                notice_version=NOTICE,
                client=key.public_key(),
                age_band=AgeBand.ADULT,
            )
            for key in (device, other)
        )
        home = ClientHome.create(
            tmp_path / "device",
            kind=ClientKind.DEVICE,
            identity=device,
            shoppers={"me": ann.shopper},
            trust=make_trust(tmp_path, consent_url=service.url, consent_key=pinned),
        )
        with EventStore.create(home.events) as events:
            events.append(purchases("me", "item-00"))
        key = b64(public_bytes(pinned))
        yield Market(tmp_path, http, consent, key, home, ann, other, ben)


def test_a_withdrawal_is_followed_to_its_end_and_proved(market: Market) -> None:
    hers = market.grant(market.home.identity, market.ann.shopper)
    epoch = market.consent.decide(
        market.ann.shopper, market.ann.token, WITHDRAW, notice_version=NOTICE
    ).epoch
    begun = market.tracker(epoch)
    assert [begun[step]["state"] for step in STEPS] == ["done", "done", "waiting", "waiting"]
    offers = [
        Offer(upload="a" * 64, client=market.home.client_id, grants=(hers,)),
        Offer(
            upload="b" * 64,
            client=thumbprint(market.other.public_key()),
            grants=(market.grant(market.other, market.ben.shopper),),
        ),
    ]
    committed = market.consent.commit(task=TASK, round_id="r1", context=CONTEXT, offers=offers)
    assert committed.dropped == {"a" * 64: "not-standing"}
    synced = command("device", "sync", "--home", market.home.path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert "Stopped using purchases for train-shared-models" in synced.stdout
    ended = market.tracker(epoch)
    assert [ended[step]["state"] for step in STEPS] == ["done"] * 4
    assert all(ended[step]["time"] >= ended["time"] for step in STEPS)
    assert (ended["settled"], ended["grants"]["ended"], ended["grants"]["standing"]) == (True, 1, 0)
    assert [each["fate"] for each in ended["rounds"]["rounds"]] == ["dropped"]
    assert ended["rounds"]["rounds"][0]["commit"] == committed.record.hash
    _proved(market, epoch)


def _proved(market: Market, epoch: int) -> None:
    """The bundle holds without the service, and no altered one does."""
    kept = market.folder / "bundle.json"
    kept.write_bytes(market.consent.withdrawal_bundle(market.ann.shopper, market.ann.token, epoch))
    verify = ("consent", "verify", "--key", market.key, "--bundle")
    good = command(*verify, kept)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "itself signed that it is done" in good.stdout
    document = json.loads(kept.read_text())
    for part, changed in (
        ("receipt", {**document["receipt"], "language": "zh"}),
        ("clients", []),
    ):
        altered = market.folder / f"altered-{part}.json"
        altered.write_text(json.dumps({**document, part: changed}))
        bad = command(*verify, altered)
        assert (bad.returncode, "FAILS" in bad.stdout) == (1, True)


def test_syncing_again_and_again_changes_nothing(market: Market) -> None:
    market.consent.decide(market.ann.shopper, market.ann.token, WITHDRAW, notice_version=NOTICE)
    first = command("device", "sync", "--home", market.home.path, "--json")
    again = command("device", "sync", "--home", market.home.path, "--json")
    assert [len(json.loads(each.stdout)["instructions"]) for each in (first, again)] == [1, 0]
    with Journal(market.home.journal) as journal:
        assert journal.holds() == {market.ann.shopper: frozenset({"train-shared-models/purchases"})}


def test_without_the_service_nothing_is_done(market: Market) -> None:
    lost = ClientHome.create(
        market.folder / "lost",
        kind=ClientKind.DEVICE,
        identity=Ed25519PrivateKey.generate(),
        shoppers={"me": market.ann.shopper},
        trust=make_trust(market.folder, consent_url="http://127.0.0.1:9", n_floor=3),
    )
    away = command("device", "sync", "--home", lost.path)
    assert (away.returncode, "can't be reached" in away.stderr) == (1, True)
