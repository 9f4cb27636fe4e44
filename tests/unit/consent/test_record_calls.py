"""Receipts and the log through the consent client: checked, or not believed."""

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ages import AgeBand
from consent.client import ConsentClient
from consent.log.proof import consistent
from consent.notice import Language
from consent.purpose import CELLS, Decision
from crypto.errors import ConsentError
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW, Stage

MANY = dict.fromkeys(CELLS[:3], Decision.REFUSED)


def test_receipts_are_listed_and_read_over_pages(stage: Stage) -> None:
    device = stage.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    for _ in range(26):
        stage.decide(device, WITHDRAW)
        stage.decide(device, GIVE)
    listed = stage.client.receipts(who, token)
    assert [each.record for each in listed] == list(range(1, 54))
    found = stage.client.receipt(who, token, 2)
    _, [event] = found.verified(stage.service_key)
    assert (event.epoch, event.state) == (2, "withdrawn")
    with pytest.raises(ConsentError):
        stage.client.receipt(who, token, 99)


def test_the_language_of_the_notice_is_recorded(stage: Stage) -> None:
    made = stage.client.register(
        MANY, notice_version=NOTICE, age_band=AgeBand.ADULT, language=Language.ZH
    )
    stage.client.decide(made.shopper, made.token, GIVE, notice_version=NOTICE, language=Language.EN)
    events = stage.client.log(made.shopper, made.token)
    assert [event.language for event in events] == ["zh", "zh", "zh", "en"]


def test_heads_are_tied_together(stage: Stage) -> None:
    stage.device()
    _, first = stage.client.head()
    stage.device()
    _, second = stage.client.head()
    proof = stage.client.consistency(first.size, second.size)
    assert consistent(first.size, first.root, second.size, second.root, proof.path)
    assert not consistent(first.size, second.root, second.size, first.root, proof.path)


def test_what_another_key_signed_is_not_believed(stage: Stage) -> None:
    device = stage.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    stranger = ConsentClient(
        stage.http, service_key=Ed25519PrivateKey.generate().public_key(), clock=stage.clock
    )
    for ask in (
        lambda: stranger.receipt(who, token, 1),
        lambda: stranger.log(who, token),
        stranger.head,
    ):
        with pytest.raises(ConsentError):
            ask()
    assert stage.client.log(who, token)  # the pinned key's own answer is


def test_another_receipt_than_was_asked_for_is_not_believed(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    token = other.shoppers[other.shopper]
    real = stage.http.get(
        f"/v1/shoppers/{other.shopper}/receipts/1", headers={"Authorization": f"Bearer {token}"}
    )
    swapped = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=real.content)),
        base_url="http://consent.test",
    )
    client = ConsentClient(swapped, service_key=stage.service_key, clock=stage.clock)
    client.receipt(other.shopper, token, 1)
    for who, record in ((device.shopper, 1), (other.shopper, 2)):
        with pytest.raises(ConsentError, match="another receipt"):
            client.receipt(who, token, record)
    swapped.close()
