"""Step 1: one key a round, on disk before it is told, the same for the same request."""

from pathlib import Path
from typing import Any

import pytest

from crypto.errors import FedcartError, RoundError, WireError
from crypto.keyholder.deadlines import MAX_OPEN_ROUNDS, MAX_ROUND_S
from crypto.round_key import RoundKey
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.pieces.open import RoundSecret
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import Federation
from tests.unit.crypto.samples import NOW, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


def ask(federation: Federation, *, by: str = "coordinator", **changes: Any) -> SignedRecord:
    request = federation.request(**changes).sign(signer(by))
    return SignedRecord.from_bytes(federation.stations[1].round_key(request))


def test_the_key_is_for_this_round_alone(federation: Federation) -> None:
    record = ask(federation)
    key = RoundKey.verify(record, federation.holder(1).identity.public_key())
    assert (key.holder, key.population, key.task, key.round_id) == (
        1,
        "test-federation",
        "popularity",
        "round-1",
    )
    assert (key.not_before, key.not_after) == (NOW - 60, NOW + 600)
    [folder] = (federation.homes[0] / "rounds").iterdir()
    secret = folder / "secret.key"
    assert folder.name == record.hash
    assert secret.stat().st_mode & 0o777 == 0o600
    assert RoundSecret.from_bytes(secret.read_bytes()).public == key.public


def test_the_same_request_gets_the_same_bytes(federation: Federation) -> None:
    first = ask(federation)
    assert ask(federation) == first
    federation.start(1)
    assert ask(federation) == first
    assert len(list((federation.homes[0] / "rounds").iterdir())) == 1


def test_every_round_has_another_key(federation: Federation) -> None:
    keys = [ask(federation, round_id="a"), ask(federation, round_id="b")]
    keys.append(ask(federation, round_id="a", task="item-item"))
    publics = {
        RoundKey.verify(key, federation.holder(1).identity.public_key()).public for key in keys
    }
    assert len(publics) == 3


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"by": "mallory"}, WireError, "signature"),
        ({"by": "consent"}, WireError, "signature"),
        ({"population": "other"}, RoundError, "serves 'test-federation'"),
        ({"closes": NOW}, RoundError, "has closed"),
        ({"closes": NOW - 5}, RoundError, "has closed"),
        ({"closes": NOW + MAX_ROUND_S + 1}, RoundError, "at most"),
    ],
)
def test_refusals(
    federation: Federation, changes: dict[str, Any], error: type[FedcartError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask(federation, **changes)
    assert not (federation.homes[0] / "rounds").exists()
    ask(federation)


def test_at_the_limit_of_time(federation: Federation) -> None:
    ask(federation, closes=NOW + MAX_ROUND_S)
    ask(federation, round_id="short", closes=NOW + 1)


def test_another_request_for_the_same_round(federation: Federation) -> None:
    first = ask(federation)
    for opens, closes in ((NOW - 60, NOW + 601), (NOW - 61, NOW + 600)):
        with pytest.raises(RoundError, match="key for another request"):
            ask(federation, opens=opens, closes=closes)
    assert ask(federation) == first


def test_too_many_open_rounds(federation: Federation) -> None:
    for number in range(MAX_OPEN_ROUNDS):
        ask(federation, round_id=f"r{number}")
    with pytest.raises(RoundError, match=f"{MAX_OPEN_ROUNDS} rounds are open"):
        ask(federation, round_id="one-more")
    ask(federation, round_id="r0")
    federation.now += 600 + VOTING_GRACE_S
    ask(federation, round_id="one-more", closes=federation.now + 10)


def test_an_aborted_round_has_no_key(federation: Federation) -> None:
    ask(federation)
    request = federation.request().sign(signer("coordinator"))
    federation.now += 599 + VOTING_GRACE_S
    federation.stations[1].round_key(request)
    federation.now += 1
    with pytest.raises(RoundError, match="was aborted"):
        federation.stations[1].round_key(request)
    assert list((federation.homes[0] / "rounds").iterdir()) == []
