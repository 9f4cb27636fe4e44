"""Step 5: a key holder's own noise, made once."""

from pathlib import Path

import numpy as np
import pytest

from crypto.ballot import release_hash
from crypto.errors import RoundError, WireError
from crypto.opening import decode_part
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.pieces.open import HeldPieces, RoundSecret, open_envelope
from crypto.sums.schemes import Scheme
from crypto.upload import Role
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    Federation,
    Sent,
    VotingRound,
    piece_plan,
)
from tests.unit.crypto.samples import NOW


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path, z_floor=0.0)


def values(federation: Federation, made: VotingRound, sent: Sent) -> list[int]:
    """What is inside an entry, with the secrets of two key holders."""
    pieces: dict[int, bytes] = {}
    first, second, third = sent.sealed.commitments
    for number in (1, 2):
        home = federation.homes[number - 1] / "rounds" / made.keys[number - 1].hash
        held: HeldPieces = open_envelope(
            sent.sealed.shares[number - 1],
            holder=number,
            context=made.context,
            secret=RoundSecret.from_bytes((home / "secret.key").read_bytes()),
            record_hash=made.keys[number - 1].hash,
            sender=sent.upload.sender,
            length=16,
            commitments=(first, second, third),
        )
        for words, piece in zip(
            np.split(held.expanded(16), 2), [k for k in NUMBERS if k != number], strict=True
        ):
            pieces[piece] = words.tobytes()
    total = sum(np.frombuffer(pieces[k], dtype=np.uint32) for k in NUMBERS)
    found: list[int] = np.asarray(total, dtype=np.uint32).view(np.int32).tolist()
    return found


def test_it_is_signed_noise_without_grants(federation: Federation) -> None:
    made = federation.accepted()
    sent = federation.entry(made, 1)
    upload = sent.upload
    assert (upload.role, upload.grant_count) == (Role.KEY_HOLDER, 0)
    assert upload.sender == federation.holder(1).identity.public_key().public_bytes_raw()
    found = np.array(values(federation, made, sent))
    deviation = np.sqrt(made.plan.holder_variance)
    assert 0.3 * deviation < found.std() < 3 * deviation


def test_without_privacy_it_is_zero(federation: Federation) -> None:
    made = federation.accepted(plan=piece_plan(noise_multiplier=0.0))
    assert values(federation, made, federation.entry(made, 1)) == [0] * 16


def test_it_is_made_once(federation: Federation) -> None:
    made = federation.accepted()
    first = federation.entry(made, 2)
    assert federation.entry(made, 2) == first
    federation.start(2)
    assert federation.entry(made, 2) == first
    federation.now = NOW + 600  # a late repeat does no harm
    assert federation.entry(made, 2) == first


def test_key_holders_make_different_noise(federation: Federation) -> None:
    made = federation.accepted(plan=piece_plan(scheme=Scheme.COMPACT_SUM, max_clients=6))
    hashes = {sent.header.hash for sent in federation.entries(made)}
    assert len(hashes) == 3


@pytest.mark.parametrize("changed", ["missing", "order", "another", "forged"])
def test_only_with_three_accepts_of_this_round(federation: Federation, changed: str) -> None:
    made, other = federation.accepted(), federation.accepted("other", task="item-item")
    one, two, three = made.accepts
    accepts = {
        "missing": (one, two),
        "order": (two, one, three),
        "another": (one, two, other.accepts[2]),
        "forged": (one, two, two),
    }[changed]
    with pytest.raises(WireError):
        federation.stations[1].entry(made.context, made.keys, accepts)
    federation.stations[1].entry(made.context, made.keys, made.accepts)


def test_only_under_this_rounds_keys(federation: Federation) -> None:
    made, other = federation.accepted(), federation.accepted("other", task="item-item")
    one, two, three = made.keys
    for keys in ((one, two), (two, one, three), (one, two, other.keys[2]), other.keys):
        with pytest.raises(WireError):
            federation.stations[1].entry(made.context, keys, made.accepts)
    federation.stations[1].entry(made.context, made.keys, made.accepts)


def test_unknown_and_closed_rounds(federation: Federation) -> None:
    made = federation.accepted()
    with pytest.raises(RoundError, match="not accepted here"):
        federation.stations[1].entry("ab" * 32, made.keys, made.accepts)
    federation.now += 600
    with pytest.raises(RoundError, match="has closed"):
        federation.stations[1].entry(made.context, made.keys, made.accepts)
    federation.now -= 1
    federation.entry(made, 1)
    federation.now += 1 + VOTING_GRACE_S
    with pytest.raises(RoundError, match="is over"):
        federation.entry(made, 1)


def test_damaged_bytes_are_not_sent(federation: Federation) -> None:
    made = federation.accepted()
    federation.entry(made, 1)
    path = federation.homes[0] / "rounds" / made.keys[0].hash / "entry"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(RoundError, match="damaged"):
        federation.entry(made, 1)


def test_the_noise_of_three_entries_is_in_the_release(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path)
    ready = federation.ready()
    votes = federation.votes(ready)
    parts = [
        decode_part(
            federation.stations[number].release(votes),
            request_hash=release_hash(votes),
            identity=federation.holder(number).identity.public_key(),
        )
        for number in NUMBERS
    ]
    total = ready.made.scheme.add([each.sealed for each in (*ready.clients, *ready.entries)])
    noise = ready.made.scheme.combine(total, parts) - ready.expected()
    deviation = np.sqrt(3 * ready.made.plan.holder_variance)
    assert 0.3 * deviation < noise.std() < 3 * deviation
