"""The gateway: only what stands now, only what was granted, and nothing if nobody answers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.events import EventStore
from client.gateway import Gateway, ShopperGrant
from consent.ages import AgeBand
from consent.answers import Registered
from consent.client import ConsentClient
from consent.events import Events
from consent.purpose import Category, Cell, Decision, Purpose
from crypto.errors import ConsentError
from tests.unit.client.stage import CATALOGUE, purchases
from tests.unit.consent.harness import CONTEXT, GIVE, NOTICE, TASK, WITHDRAW, Device, Stage


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore.create(tmp_path / "events.db") as made:
        yield made


class _Watched:
    """An event store that remembers whose lines were asked for."""

    def __init__(self, store: EventStore) -> None:
        self.store, self.read = store, list[str]()

    def of(self, shopper: str) -> Events:
        self.read.append(shopper)
        return self.store.of(shopper)


def granted(stage: Stage, device: Device) -> list[ShopperGrant]:
    answer = stage.client.participation(
        device.key, task=TASK, round_id="round-1", context=CONTEXT, shoppers=list(device.shoppers)
    )
    return [
        ShopperGrant(shopper=f"name of {who}", token=found.token, grant=found.grant)
        for who, found in answer.grants.items()
    ]


def test_hands_over_what_stands(stage: Stage, store: EventStore) -> None:
    device = stage.device(shoppers=2, kind="store")
    grants = granted(stage, device)
    for grant in grants:
        store.append(purchases(grant.shopper, "item-00"))
    gateway = Gateway(store, stage.client, CATALOGUE)
    found = list(gateway.hand_over(gateway.standing(grants), Purpose.TRAIN))
    assert [set(events.events.shopper) for events in found] == [{g.shopper} for g in grants]


def test_a_withdrawn_shoppers_events_are_never_read(stage: Stage, store: EventStore) -> None:
    device = stage.device(shoppers=3, kind="store")
    grants = granted(stage, device)
    gone = list(device.shoppers)[1]
    stage.decide(device, WITHDRAW, shopper=gone)
    watched: Any = _Watched(store)
    gateway = Gateway(watched, stage.client, CATALOGUE)
    standing = gateway.standing(grants)
    list(gateway.hand_over(standing, Purpose.TRAIN))
    assert f"name of {gone}" not in watched.read
    assert len(watched.read) == len(standing) == 2


def test_giving_again_does_not_revive_a_grant(stage: Stage, store: EventStore) -> None:
    device = stage.device()
    grants = granted(stage, device)
    stage.decide(device, WITHDRAW)
    stage.decide(device, GIVE)
    assert Gateway(store, stage.client, CATALOGUE).standing(grants) == []


def test_categories_that_were_not_granted_are_blank(stage: Stage, store: EventStore) -> None:
    device = stage.device()
    [grant] = granted(stage, device)
    store.append(purchases(grant.shopper, "item-00", "item-01"))
    [events] = Gateway(store, stage.client, CATALOGUE).hand_over([grant], Purpose.TRAIN)
    assert set(events.events.store) == {""}
    assert not (events.events.time % 86_400).any()
    assert set(events.events.item) == {"item-00", "item-01"}


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.TRAIN])
def test_a_grant_covers_its_purpose_alone(
    stage: Stage, store: EventStore, purpose: Purpose
) -> None:
    watched: Any = _Watched(store)
    [grant] = granted(stage, stage.device())
    with pytest.raises(ConsentError, match="does not cover the purpose"):
        list(Gateway(watched, stage.client, CATALOGUE).hand_over([grant], purpose))
    assert watched.read == []


def test_a_grant_without_purchases_hands_over_nothing(stage: Stage, store: EventStore) -> None:
    [grant] = granted(stage, stage.device())
    without = replace(grant, grant=replace(grant.grant, categories=("location",)))
    with pytest.raises(ConsentError, match="Purchases are not granted"):
        list(Gateway(store, stage.client, CATALOGUE).hand_over([without], Purpose.TRAIN))


def _ask(stage: Stage, who: Registered, kind: str) -> None:
    asked = stage.http.post(
        f"/v1/shoppers/{who.shopper}/requests",
        json={"kind": kind, "residence": "eea"},
        headers={"Authorization": f"Bearer {who.token}", "Idempotency-Key": kind * 2},
    )
    assert asked.is_success, asked.text


class TestFailsClosed:
    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500),
            httpx.Response(503, json={"standing": []}),
            httpx.Response(404),
            httpx.Response(200, text="not json"),
            httpx.Response(200, json={}),
            httpx.Response(200, json={"standing": None}),
            httpx.Response(200, json={"standing": ["somebody else's"]}),
            httpx.Response(200, json={"standing": [], "extra": 1}),
            httpx.Response(302, headers={"location": "http://elsewhere"}),
        ],
        ids=lambda answer: f"{answer.status_code} {answer.text[:20]}",
    )
    def test_no_proper_answer(
        self, stage: Stage, store: EventStore, answer: httpx.Response
    ) -> None:
        grants = granted(stage, stage.device())
        broken = ConsentClient(
            httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://x"),
            service_key=stage.service_key,
        )
        with pytest.raises(ConsentError):
            Gateway(store, broken, CATALOGUE).standing(grants)

    def test_no_answer_at_all(self, stage: Stage, store: EventStore) -> None:
        def unreachable(_request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        broken = ConsentClient(
            httpx.Client(transport=httpx.MockTransport(unreachable), base_url="http://x"),
            service_key=stage.service_key,
        )
        with pytest.raises(ConsentError):
            Gateway(store, broken, CATALOGUE).standing(granted(stage, stage.device()))


class TestPersonal:
    PERSONAL = Cell(Purpose.PERSONALISE, Category.PURCHASES)

    def test_asks_at_every_call(self, stage: Stage, store: EventStore) -> None:
        store.append(purchases("me", "item-00"))
        made = stage.client.register({self.PERSONAL: Decision.GIVEN}, notice_version=NOTICE)
        gateway = Gateway(store, stage.client, CATALOGUE)
        found = gateway.personal("me", identifier=made.shopper, token=made.token)
        assert (len(found.events), found.purpose) == (1, Purpose.PERSONALISE)
        stage.client.decide(
            made.shopper, made.token, {self.PERSONAL: Decision.WITHDRAWN}, notice_version=NOTICE
        )
        with pytest.raises(ConsentError, match="not granted"):
            gateway.personal("me", identifier=made.shopper, token=made.token)

    def test_nothing_of_restricted_data_is_read(self, stage: Stage, store: EventStore) -> None:
        """Before the device has fetched the instruction that says so."""
        store.append(purchases("me", "item-00"))
        watched: Any = _Watched(store)
        gateway = Gateway(watched, stage.client, CATALOGUE)
        made = stage.client.register({self.PERSONAL: Decision.GIVEN}, notice_version=NOTICE)
        whose = {"identifier": made.shopper, "token": made.token}
        _ask(stage, made, "restriction")
        with pytest.raises(ConsentError, match="not granted"):
            gateway.personal("me", **whose)
        found = stage.client.consents(made.shopper, made.token)
        assert found.cells[self.PERSONAL] == "given"
        assert (found.restricted, found.categories(Purpose.PERSONALISE)) == (True, frozenset())
        assert watched.read == []
        _ask(stage, made, "lift-restriction")
        assert len(gateway.personal("me", **whose).events) == 1

    def test_consent_to_training_is_none_to_personalising(
        self, stage: Stage, store: EventStore
    ) -> None:
        made = stage.client.register(GIVE, notice_version=NOTICE, age_band=AgeBand.ADULT)
        with pytest.raises(ConsentError, match="not granted"):
            Gateway(store, stage.client, CATALOGUE).personal(
                "me", identifier=made.shopper, token=made.token
            )

    def test_anothers_token(self, stage: Stage, store: EventStore) -> None:
        one = stage.client.register({self.PERSONAL: Decision.GIVEN}, notice_version=NOTICE)
        other = stage.client.register({self.PERSONAL: Decision.GIVEN}, notice_version=NOTICE)
        with pytest.raises(ConsentError):
            Gateway(store, stage.client, CATALOGUE).personal(
                "me", identifier=one.shopper, token=other.token
            )
