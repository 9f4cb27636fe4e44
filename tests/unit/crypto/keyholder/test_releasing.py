"""Step 9: three votes on one list, one answer, and then nothing is left to open."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crypto.ballot import Vote, release_hash
from crypto.errors import RoundError, SealError, WireError
from crypto.keyholder import desk as desks
from crypto.opening import decode_part
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.schemes import Scheme
from crypto.update import PartSum
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import NUMBERS, Federation, Ready, piece_plan
from tests.unit.crypto.samples import NOW, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    """Without noise, so that sums are the plain ones."""
    return Federation.make(tmp_path, z_floor=0.0)


@pytest.fixture
def ready(federation: Federation) -> Ready:
    return federation.ready(plan=piece_plan(noise_multiplier=0.0))


def opened(federation: Federation, number: int, votes: list[SignedRecord]) -> PartSum:
    return decode_part(
        federation.stations[number].release(votes),
        request_hash=release_hash(votes),
        identity=federation.holder(number).identity.public_key(),
    )


def total(ready: Ready, parts: list[PartSum]) -> list[int]:
    added = ready.made.scheme.add([each.sealed for each in (*ready.clients, *ready.entries)])
    found: list[int] = ready.made.scheme.combine(added, parts).tolist()
    return found


@pytest.mark.parametrize("scheme", [Scheme.PIECE_SUM, Scheme.COMPACT_SUM])
@pytest.mark.parametrize("answering", [(1, 2, 3), (1, 2), (1, 3), (2, 3)])
def test_two_answers_make_the_exact_sum(
    federation: Federation, scheme: Scheme, answering: tuple[int, ...]
) -> None:
    made = federation.ready(plan=piece_plan(noise_multiplier=0.0, scheme=scheme))
    votes = federation.votes(made)
    parts = [opened(federation, number, votes) for number in answering]
    assert total(made, parts) == made.expected().tolist()


def test_only_what_is_listed_is_in_the_sum(federation: Federation, ready: Ready) -> None:
    listed = ready.without(1)
    votes = federation.votes(listed)
    parts = [opened(federation, number, votes) for number in NUMBERS]
    assert total(listed, parts) == listed.expected().tolist()
    assert listed.expected().tolist() != ready.expected().tolist()


def test_after_a_restart_envelopes_are_opened_again(federation: Federation, ready: Ready) -> None:
    votes = federation.votes(ready)
    for number in NUMBERS:
        federation.start(number)
    parts = [opened(federation, number, votes) for number in NUMBERS]
    assert total(ready, parts) == ready.expected().tolist()


def test_with_no_room_in_memory_likewise(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "MAX_KEPT_BYTES", 200)
    ready = federation.ready(plan=piece_plan(noise_multiplier=0.0))
    [kept] = federation.stations[1]._desk.kept.values()
    assert len(kept.pieces) == 1
    votes = federation.votes(ready)
    parts = [opened(federation, number, votes) for number in NUMBERS]
    assert total(ready, parts) == ready.expected().tolist()


class TestRefusals:
    def refused(
        self, federation: Federation, votes: list[SignedRecord], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            federation.stations[1].release(votes)

    def forged(self, federation: Federation, number: int, ready: Ready, **changes: object) -> Vote:
        fields = {
            "holder": number,
            "context": ready.context,
            "list_hash": ready.upload_list.hash,
            "sequence": 1,
            "previous": "0" * 64,
        }
        return Vote(**(fields | changes))  # type: ignore[arg-type]

    def test_fewer_or_repeated_votes(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        for some in ([], votes[:2], [*votes, votes[0]]):
            self.refused(federation, some, WireError, "votes of all")
        self.refused(federation, [votes[0], votes[1], votes[1]], WireError, "signature")
        self.refused(federation, [votes[1], votes[0], votes[2]], WireError, "signature")
        opened(federation, 1, votes)

    def test_votes_that_are_not_the_key_holders(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        false = self.forged(federation, 2, ready).sign(signer("mallory"))
        self.refused(federation, [votes[0], false, votes[2]], WireError, "signature")
        own = self.forged(federation, 1, ready).sign(federation.holder(2).identity)
        self.refused(federation, [votes[0], own, votes[2]], WireError, "another key holder's")
        opened(federation, 1, votes)

    def test_votes_for_different_lists(self, federation: Federation, ready: Ready) -> None:
        """One bad key holder votes for two lists; honest ones open neither for it."""
        votes = federation.votes(ready)
        other = self.forged(federation, 3, ready, list_hash=ready.without(1).upload_list.hash).sign(
            federation.holder(3).identity
        )
        self.refused(federation, [votes[0], votes[1], other], RoundError, "different lists")
        opened(federation, 1, votes)

    def test_a_list_that_it_did_not_vote_for(self, federation: Federation, ready: Ready) -> None:
        """Equivocation: even three signatures on another list don't open it here."""
        votes = federation.votes(ready)
        other = ready.without(1).upload_list.hash
        stolen = [
            self.forged(federation, number, ready, list_hash=other).sign(
                federation.holder(number).identity
            )
            for number in NUMBERS
        ]
        self.refused(federation, stolen, RoundError, "not the one that this key holder cast")
        opened(federation, 1, votes)

    def test_votes_for_another_round(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        second = federation.ready(task="item-item", plan=piece_plan(noise_multiplier=0.0))
        others = federation.votes(second)
        self.refused(federation, [votes[0], votes[1], others[2]], WireError, "another round")
        opened(federation, 1, votes)
        opened(federation, 1, others)

    def test_it_did_not_vote(self, federation: Federation, ready: Ready) -> None:
        votes = [federation.vote(2, ready), federation.vote(3, ready)]
        own = self.forged(federation, 1, ready).sign(federation.holder(1).identity)
        self.refused(federation, [own, *votes], RoundError, "did not vote")

    def test_damaged_envelopes(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        path = federation.homes[0] / "rounds" / ready.made.keys[0].hash / "envelopes"
        data = path.read_bytes()
        for bad in (data[:-1], bytes(len(data))):
            path.write_bytes(bad)
            federation.start(1)
            self.refused(federation, votes, RoundError, "damaged")
        path.write_bytes(data)
        opened(federation, 1, votes)


class TestOnce:
    def test_repeats_are_identical_at_any_time(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        first = federation.stations[1].release(votes)
        assert federation.stations[1].release(votes) == first
        federation.start(1)
        assert federation.stations[1].release(votes) == first
        federation.now += 10 * VOTING_GRACE_S
        federation.start(1)
        assert federation.stations[1].release(votes) == first

    def test_other_votes_on_the_same_list(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        federation.stations[1].release(votes)
        cast = Vote.verify(votes[2], federation.holder(3).identity.public_key())
        again = replace(cast, sequence=7).sign(federation.holder(3).identity)
        with pytest.raises(RoundError, match="answered for other votes"):
            federation.stations[1].release([votes[0], votes[1], again])


class TestErasure:
    def test_nothing_of_the_round_is_left(self, federation: Federation, ready: Ready) -> None:
        votes = federation.votes(ready)
        folder = federation.homes[0] / "rounds" / ready.made.keys[0].hash
        secret = (folder / "secret.key").read_bytes()
        federation.stations[1].release(votes)
        assert not folder.exists()
        assert federation.stations[1]._desk.kept == {}
        for path in federation.homes[0].rglob("*"):
            if path.is_file():
                assert secret[:32] not in path.read_bytes()

    def test_the_secret_is_overwritten_before_it_is_unlinked(
        self, federation: Federation, ready: Ready, tmp_path: Path
    ) -> None:
        """Seen through a second name of the same file."""
        secrets = {}
        for number in (1, 2):
            folder = federation.homes[number - 1] / "rounds" / ready.made.keys[number - 1].hash
            secrets[number] = tmp_path / f"second-name-{number}"
            secrets[number].hardlink_to(folder / "secret.key")
        votes = federation.votes(ready)
        federation.stations[1].release(votes)
        assert secrets[1].read_bytes() == bytes(96)
        assert secrets[2].read_bytes() != bytes(96)
        federation.now += 600 + VOTING_GRACE_S
        federation.start(2)
        assert secrets[2].read_bytes() == bytes(96)

    def test_what_is_not_released_in_time_never_is(
        self, federation: Federation, ready: Ready
    ) -> None:
        votes = federation.votes(ready)
        federation.now += 600 + VOTING_GRACE_S - 1
        federation.stations[1].release(votes)
        federation.now += 1
        with pytest.raises(RoundError, match="aborted; it is not reopened"):
            federation.stations[2].release(votes)
        assert not (federation.homes[1] / "rounds" / ready.made.keys[1].hash).exists()
        federation.now = NOW
        federation.start(2)
        with pytest.raises(RoundError, match="aborted; it is not reopened"):
            federation.stations[2].release(votes)

    def test_a_start_erases_what_is_late(self, federation: Federation, ready: Ready) -> None:
        federation.now += 600 + VOTING_GRACE_S
        folder = federation.homes[2] / "rounds" / ready.made.keys[2].hash
        assert folder.exists()
        federation.start(3)
        assert not folder.exists()

    def test_uploads_are_forgotten_after_the_deadline(
        self, federation: Federation, ready: Ready
    ) -> None:
        votes = federation.votes(ready)
        federation.stations[1].release(votes)
        receipt = federation.ingest(1, ready.made, ready.clients)
        assert receipt.excluded == ()
        federation.now += 600 + VOTING_GRACE_S
        federation.start(1)
        with federation.stations[1]._desk.log.reading() as db:
            for table in ("uploads", "marks", "grants"):
                assert db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] == 0
        assert set(federation.ingest(1, ready.made, ready.clients).acknowledged) == set()


def test_a_lying_part_is_seen(federation: Federation, ready: Ready) -> None:
    """What combine compares: the pieces that two key holders both hold."""
    votes = federation.votes(ready)
    one, two, three = (opened(federation, number, votes) for number in NUMBERS)
    lie = replace(two, values=np.roll(two.values, 1))
    with pytest.raises(SealError, match="contradict"):
        total(ready, [one, lie, three])
