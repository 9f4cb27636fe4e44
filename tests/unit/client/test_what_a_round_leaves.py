"""What leaves a client in a round: as many bytes whatever it holds, and no name of hers in any.

Two shoppers, one of whom bought one thing once and the other five hundred things, take part in the
same round through the Flower app and a recorded consent service. Everything that left is compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict

from client import app
from client.connection import mount, unmount
from client.events import EventStore
from client.participate import contribute
from consent.events import Events
from consent.tasks.catalogue import Catalogue
from crypto.invitation import Invitation
from crypto.sums.schemes import Scheme
from crypto.sums.sizes import sealed_sizes
from server.exchange import ask, round_content
from simulations.engine.grid import InProcessGrid
from tests.unit.client.recording import Recording, Sent, unwrapped
from tests.unit.client.stage import Party, invite, make_client, make_manifest
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import plan

URL = "http://consent.test"
ITEMS = tuple(f"axolotl-{number:03d}" for number in range(500))
WORDS = ("axolotl", "quince", "ocelot", "gannet", "wombat")
SHELF = Catalogue(
    name="shelf",
    level="item",
    items=ITEMS,
    categories=("",) * len(ITEMS),
    departments=("",) * len(ITEMS),
    products={},
)


def bought(shopper: str, items: Sequence[str], times: int) -> Events:
    """Each item so many times, a basket each, one of them unlisted."""
    chosen = [*items, "wombat-unlisted"] * times
    count = len(chosen)

    def text(values: Sequence[str]) -> Any:
        column = np.empty(count, dtype=object)
        column[:] = values
        return column

    return Events(
        shopper=text([shopper] * count),
        time=np.arange(count, dtype=np.int64) * 90_000 + 1_700_000_000,
        basket=text([f"ocelot-{number}" for number in range(count)]),
        item=text(chosen),
        quantity=np.full(count, 913.0),
        price=np.full(count, 7341.17),
        store=text(["gannet-branch"] * count),
    )


@dataclass
class Left:
    """All that left one client in one round."""

    party: Party
    sent: list[Sent]
    reply: RecordDict

    @property
    def parts(self) -> dict[str, bytes]:
        """What the coordinator got, by name."""
        header = self.reply.config_records["upload"]["header"]
        assert isinstance(header, bytes)
        arrays = self.reply.array_records["sealed"]
        return {"header": header} | {name: bytes(arrays[name].data) for name in arrays}

    @property
    def shape(self) -> list[tuple[str, int]]:
        """Names and lengths of it, and of every request."""
        requests = [(f"{each.method} {each.target}", len(each.body)) for each in self.sent]
        headers = [
            (name.decode(), len(value)) for each in self.sent for name, value in each.headers
        ]
        return [*((name, len(data)) for name, data in self.parts.items()), *requests, *headers]

    def readable(self) -> Iterator[bytes]:
        """Every byte, and whatever is wrapped in JSON or base64."""
        for data in self.parts.values():
            yield from unwrapped(data)
        for each in self.sent:
            yield from each.readable()


class Rounds:
    """Clients that take part in rounds, each with what left it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder

    def take_part(self, shopper: str, events: Events, invitation: Invitation) -> Left:
        party = make_client(self.stage, self.folder / shopper, shopper)
        catalogue = Path(party.home.trust.catalogue)
        catalogue.write_bytes(SHELF.to_bytes())
        with EventStore.open(party.home.events) as store:
            store.forget(shopper)
            store.append(events)
        sent: list[Sent] = []
        mount(URL, Recording(self.stage.http._transport, sent))
        grid = InProcessGrid({2: {"home": str(party.home.path)}})
        try:
            [found] = ask(grid, [2], "train.contribute", round_content(invitation), timeout=5.0)
        finally:
            unmount(URL)
        assert isinstance(found.content, RecordDict)
        assert found.content.config_records["upload"]["status"] == "sent", found.content
        return Left(party, sent, found.content)


@pytest.fixture
def rounds(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """With the stage's clock, which the app does not know."""
    monkeypatch.setattr(
        app,
        "contribute",
        lambda invitation, home, http, given: contribute(
            invitation, home, http, given=given, clock=stage.clock
        ),
    )
    return Rounds(stage, tmp_path)


def invitation_of(scheme: Scheme) -> Invitation:
    made = plan(scheme=scheme, dimension=len(ITEMS))
    return invite(make_manifest(plan=made, catalogue=SHELF.hash, parameters={"items": len(ITEMS)}))


@pytest.mark.parametrize("scheme", Scheme)
def test_one_purchase_and_five_hundred_leave_as_many_bytes(rounds: Rounds, scheme: Scheme) -> None:
    invitation = invitation_of(scheme)
    one = rounds.take_part("quince-a", bought("quince-a", ITEMS[7:8], 1), invitation)
    many = rounds.take_part("quince-b", bought("quince-b", ITEMS, 3), invitation)
    assert one.shape == many.shape
    sizes = sealed_sizes(plan(scheme=scheme, dimension=len(ITEMS)))
    for left in (one, many):
        lengths = {name: len(data) for name, data in left.parts.items()}
        shares = [lengths.pop(f"share-{k}") for k in (1, 2, 3)]
        assert (lengths.pop("body"), tuple(shares)) == (sizes.body, sizes.shares)
        assert lengths.keys() == {"header", "grants"}
        assert lengths["grants"] == 1536


@pytest.mark.parametrize("scheme", Scheme)
def test_no_name_of_hers_is_in_any_byte(rounds: Rounds, scheme: Scheme) -> None:
    left = rounds.take_part("quince-a", bought("quince-a", ITEMS, 2), invitation_of(scheme))
    canaries = {word.encode() for word in WORDS}
    assert [word for word in canaries for part in left.readable() if word in part] == []
    shopper, token = left.party.home.shoppers["quince-a"], left.party.tokens["quince-a"]
    folder = str(left.party.home.path)
    for data in left.parts.values():
        for part in unwrapped(data):
            # Neither who she is at the consent service nor where her device keeps its files.
            assert not any(word.encode() in part for word in (shopper, token, folder))


def test_the_vector_itself_is_in_none(rounds: Rounds) -> None:
    """Her roots of counts as float64 or float32, or the integers that they become."""
    left = rounds.take_part(
        "quince-a", bought("quince-a", ITEMS, 1), invitation_of(Scheme.COMPACT_SUM)
    )
    vector = np.full(len(ITEMS), 1 / np.sqrt(len(ITEMS)))
    needles = [vector.astype(kind).tobytes()[:24] for kind in ("<f8", ">f8", "<f4")]
    needles += [np.round(vector * 1024).astype(kind).tobytes()[:24] for kind in ("<i8", "<i4")]
    for data in left.parts.values():
        assert not any(needle in data for needle in needles)


def test_a_leak_would_be_seen(rounds: Rounds) -> None:
    left = rounds.take_part(
        "quince-a", bought("quince-a", ITEMS[:1], 1), invitation_of(Scheme.SHARE_SUM)
    )
    leaky = Left(left.party, [*left.sent, Sent("GET", "/?item=axolotl-007", (), b"")], left.reply)
    assert any(b"axolotl" in part for part in leaky.readable())
    assert leaky.shape != left.shape
    wrapped = Sent("POST", "/", (), b'{"note":"YXhvbG90bC0wMDc"}')
    leaky = Left(left.party, [*left.sent, wrapped], left.reply)
    assert any(b"axolotl" in part for part in leaky.readable())


@pytest.mark.parametrize("reason", ["consent", "pins", "crash"])
def test_who_declines_leaves_no_name_either(
    rounds: Rounds, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = make_client(rounds.stage, rounds.folder / "quince-a", "quince-a")
    invitation = invitation_of(Scheme.COMPACT_SUM)
    Path(party.home.trust.catalogue).write_bytes(SHELF.to_bytes())

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text="quince-a")

    transport: httpx.BaseTransport = rounds.stage.http._transport
    if reason == "consent":
        transport = httpx.MockTransport(refuse)
    if reason == "pins":
        invitation = Invitation(manifest=invitation.manifest)
    if reason == "crash":
        party.home.events.write_bytes(b"quince-a is no database")
    mount(URL, transport)
    grid = InProcessGrid({2: {"home": str(party.home.path)}})
    try:
        [found] = ask(grid, [2], "train.contribute", round_content(invitation), timeout=5.0)
    finally:
        unmount(URL)
    assert isinstance(found.content, RecordDict)
    said = found.content.config_records["upload"]
    assert isinstance(said, ConfigRecord)
    assert said["status"] == "declined"
    assert not any(word in str(said) for word in (*WORDS, str(rounds.folder)))
