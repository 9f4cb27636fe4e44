"""A crash at every persist point, then a start: the same answers as if there had been none.

The power goes right after something has reached the disk and before anybody is answered. Whatever
the key holder then answers to the same requests must fit what it wrote: nothing twice, nothing
else, and no secret left behind.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from crypto.ballot import release_hash
from crypto.errors import RoundError
from crypto.keyholder import overview
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.service import create_app
from crypto.opening import decode_part
from crypto.round_times import VOTING_GRACE_S
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    CrashError,
    Federation,
    Ready,
    client_upload,
    piece_plan,
)
from tests.unit.crypto.keyholder.stage import make_round
from tests.unit.crypto.samples import NOW, generator, signer

# Each is crashed at by the first of these steps that reaches it.
IN_A_ROUND = (
    PersistPoint.ROUND_SECRET,
    PersistPoint.ROUND_KEY,
    PersistPoint.ACCEPT,
    PersistPoint.ENTRY_BYTES,
    PersistPoint.ENTRY,
    PersistPoint.ENVELOPES,
    PersistPoint.ACKNOWLEDGEMENTS,
    PersistPoint.VOTE,
    PersistPoint.ANSWER,
    PersistPoint.SECRET_ERASED,
    PersistPoint.FOLDER_ERASED,
)
ELSEWHERE = {
    PersistPoint.NOISE,  # test_runs
    PersistPoint.ABORTED,
    PersistPoint.STOPPED,
    PersistPoint.SHARE_CHARGE,
    PersistPoint.SHARE_REGISTER,
}


class Power:
    """Goes once, at one point of one key holder; the key holder is started again by hand."""

    def __init__(self, point: PersistPoint | None) -> None:
        self.point = point
        self.went = 0

    def __call__(self, point: PersistPoint) -> None:
        if point is self.point:
            self.point = None
            self.went += 1
            raise CrashError


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path, z_floor=0.0)


def through(federation: Federation, number: int, step: Callable[[], bytes]) -> bytes:
    """A step at a key holder that may crash in it, is started again, and asked again."""
    try:
        return step()
    except CrashError:
        federation.start(number)
        return step()


def round_key(federation: Federation, number: int, request: SignedRecord) -> bytes:
    return federation.stations[number].round_key(request)


def whole_round(federation: Federation, power: Power) -> tuple[Ready, list[bytes], list[bytes]]:
    """A round whose first key holder is subject to ``power``; all its answers."""
    request = federation.request().sign(signer("coordinator"))
    keys = []
    for number in NUMBERS:
        federation.reached = power if number == 1 else lambda _point: None
        ask = partial(round_key, federation, number, request)
        data = through(federation, number, ask)
        keys.append(SignedRecord.from_bytes(data))
    federation.reached = lambda _point: None
    document = federation.manifest(keys, plan=piece_plan(noise_multiplier=0.0))
    record = document.sign(signer("coordinator"))
    federation.reached = power
    answers = [through(federation, 1, lambda: federation.stations[1].accept(record))]
    federation.reached = lambda _point: None
    # The other two, and what they hand over, are the ordinary ones.
    made = federation.accepted(plan=piece_plan(noise_multiplier=0.0))
    assert made.record == record
    assert made.keys == tuple(keys)
    sent = [client_upload(made, f"client {k}") for k in range(4)]
    federation.reached = power
    first = through(
        federation, 1, lambda: federation.stations[1].entry(made.context, made.keys, made.accepts)
    )
    federation.reached = lambda _point: None
    entries = federation.entries(made)
    everything = [*sent, *entries]
    federation.reached = power
    try:
        receipt = federation.ingest(1, made, everything)
    except CrashError:
        federation.start(1)
        receipt = federation.ingest(1, made, everything)
    assert receipt.excluded == ()
    federation.reached = lambda _point: None
    federation.ingest_all(made, everything)
    ready = Ready(made=made, clients=tuple(sent), entries=tuple(entries))
    federation.reached = power
    vote = through(
        federation,
        1,
        lambda: federation.stations[1].vote(ready.context, ready.commit, ready.proposal),
    )
    federation.reached = lambda _point: None
    votes = [SignedRecord.from_bytes(vote), federation.vote(2, ready), federation.vote(3, ready)]
    federation.reached = power
    part = through(federation, 1, lambda: federation.stations[1].release(votes))
    federation.reached = lambda _point: None
    parts = [part, *(federation.stations[n].release(votes) for n in (2, 3))]
    return ready, [*answers, first, vote], parts


@pytest.mark.parametrize("point", IN_A_ROUND)
def test_a_round_survives_a_crash(federation: Federation, point: PersistPoint) -> None:
    power = Power(point)
    ready, said, parts = whole_round(federation, power)
    assert power.went == 1
    station = federation.stations[1]
    # What was said stays said.
    assert station.accept(ready.made.record) == said[0]
    assert station.vote(ready.context, ready.commit, ready.proposal) == said[2]
    with pytest.raises(RoundError, match="votes never change"):
        station.vote(ready.context, ready.commit, ready.without(1).proposal)
    # The sum is exact, so nothing was lost or counted twice.
    votes = [federation.vote(number, ready) for number in NUMBERS]
    opened = [
        decode_part(
            part,
            request_hash=release_hash(votes),
            identity=federation.holder(number).identity.public_key(),
        )
        for number, part in zip(NUMBERS, parts, strict=True)
    ]
    total = ready.made.scheme.add([each.sealed for each in (*ready.clients, *ready.entries)])
    assert ready.made.scheme.combine(total, opened).tolist() == ready.expected().tolist()
    # Nothing to open is left, and one vote was cast.
    assert list((federation.homes[0] / "rounds").iterdir()) == []
    assert overview.overview(federation.holder(1)).votes == 1


def test_without_a_crash_likewise(federation: Federation) -> None:
    """The control: the same round without any."""
    power = Power(None)
    whole_round(federation, power)
    assert power.went == 0


def test_every_point_is_crashed_at_somewhere() -> None:
    assert {*IN_A_ROUND, *ELSEWHERE} == set(PersistPoint)


@pytest.mark.parametrize("point", [PersistPoint.ROUND_SECRET, PersistPoint.ROUND_KEY])
def test_a_key_that_nobody_saw_is_erased(federation: Federation, point: PersistPoint) -> None:
    request = federation.request().sign(signer("coordinator"))
    federation.reached = Power(point)
    with pytest.raises(CrashError):
        federation.stations[1].round_key(request)
    [orphan] = (federation.homes[0] / "rounds").iterdir()
    federation.start(1)
    assert orphan.exists() is (point is PersistPoint.ROUND_KEY)
    federation.stations[1].round_key(request)
    assert len(list((federation.homes[0] / "rounds").iterdir())) == 1


def test_an_entry_that_nobody_saw_is_made_anew(federation: Federation) -> None:
    made = federation.accepted()
    federation.reached = Power(PersistPoint.ENTRY_BYTES)
    with pytest.raises(CrashError):
        federation.entry(made, 1)
    path = federation.homes[0] / "rounds" / made.keys[0].hash / "entry"
    draft = path.read_bytes()
    federation.start(1)
    federation.stations[1]._desk.rng = generator("another start")
    entry = federation.entry(made, 1)
    assert path.read_bytes() != draft
    assert federation.entry(made, 1) == entry


@pytest.mark.parametrize(
    "point",
    [PersistPoint.ABORTED, PersistPoint.SECRET_ERASED, PersistPoint.FOLDER_ERASED],
)
def test_aborting_survives_a_crash(federation: Federation, point: PersistPoint) -> None:
    ready = federation.ready(plan=piece_plan(noise_multiplier=0.0))
    votes = federation.votes(ready)
    federation.now += 600 + VOTING_GRACE_S
    power = Power(point)
    federation.reached = power
    with pytest.raises(CrashError):
        federation.start(1)
    assert power.went == 1
    federation.now = NOW
    federation.start(1)
    assert list((federation.homes[0] / "rounds").iterdir()) == []
    with pytest.raises(RoundError, match="not reopened"):
        federation.stations[1].release(votes)


def test_stopping_survives_a_crash(federation: Federation) -> None:
    votes = federation.votes(federation.ready())
    for number in NUMBERS:
        federation.stations[number].release(votes)
    desk = federation.stations[1]._desk
    with desk.log.transaction() as log:
        log.execute("DELETE FROM votes")
    federation.start(1)
    federation.reached = Power(PersistPoint.STOPPED)
    with pytest.raises(CrashError):
        federation.stations[1].check_peers()
    federation.start(1)
    federation.unreachable = {2, 3}
    with pytest.raises(RoundError, match="was set back"):
        federation.accepted("next", task="item-item")


@pytest.mark.parametrize("point", [PersistPoint.SHARE_CHARGE, PersistPoint.SHARE_REGISTER])
def test_share_sum_survives_a_crash(federation: Federation, point: PersistPoint) -> None:
    holders = tuple(federation.holder(number) for number in NUMBERS)
    made, other = make_round(holders), make_round(holders, clients=5)
    federation.reached = Power(point)
    with pytest.raises(CrashError):
        federation.stations[1].open_sum(made.request(1))
    federation.start(1)
    spent = overview.overview(federation.holder(1)).epsilon
    assert spent > 0
    if point is PersistPoint.SHARE_REGISTER:
        with pytest.raises(RoundError, match="answers once"):
            federation.stations[1].open_sum(other.request(1))
    first = federation.stations[1].open_sum(made.request(1))
    assert federation.stations[1].open_sum(made.request(1)) == first
    assert overview.overview(federation.holder(1)).epsilon == spent


def test_a_service_starts_on_what_a_crash_left(federation: Federation) -> None:
    request = federation.request().sign(signer("coordinator"))
    federation.reached = Power(PersistPoint.ROUND_SECRET)
    with pytest.raises(CrashError):
        federation.stations[1].round_key(request)
    create_app(federation.holder(1), clock=lambda: float(NOW))
    assert list((federation.homes[0] / "rounds").iterdir()) == []
