"""A log that was set back: the key holder learns of it from its peers and stops."""

import shutil
from pathlib import Path

import pytest

from crypto.ballot import Vote
from crypto.errors import RoundError
from crypto.keyholder import keeping, overview
from crypto.keyholder.home import load
from crypto.keyholder.peers import Peer, set_peers
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import NUMBERS, Federation
from tests.unit.crypto.samples import signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


def whole_round(federation: Federation, task: str) -> list[SignedRecord]:
    votes = federation.votes(federation.ready(task=task))
    for number in NUMBERS:
        federation.stations[number].release(votes)
    return votes


def snapshot(federation: Federation, number: int) -> Path:
    """A copy of a whole home, as a machine's snapshot would be."""
    home = federation.homes[number - 1]
    federation.stations[number].close()
    copy = home.with_name(f"{home.name}-copy")
    shutil.copytree(home, copy)
    federation.start(number)
    return copy


def restore(federation: Federation, number: int, copy: Path) -> None:
    home = federation.homes[number - 1]
    federation.stations[number].close()
    shutil.rmtree(home)
    shutil.copytree(copy, home)
    federation.start(number)


def test_peers_keep_each_others_latest_votes(federation: Federation) -> None:
    assert federation.stations[2].latest_vote(1) is None
    whole_round(federation, "popularity")
    votes = whole_round(federation, "item-item")
    for number in NUMBERS:
        for other in NUMBERS:
            found = federation.stations[number].latest_vote(other)
            assert found == votes[other - 1].to_bytes()


def test_an_older_vote_does_not_replace_a_later_one(federation: Federation) -> None:
    first, second = federation.ready(), federation.ready(task="item-item")
    early, late = federation.votes(first), federation.votes(second)
    federation.stations[2].release(late)
    federation.stations[2].release(early)
    assert federation.stations[2].latest_vote(1) == late[0].to_bytes()


def test_an_up_to_date_log_goes_on(federation: Federation) -> None:
    whole_round(federation, "popularity")
    copy = snapshot(federation, 1)
    restore(federation, 1, copy)
    assert federation.stations[1].check_peers() is None
    whole_round(federation, "item-item")


def test_a_vote_that_no_peer_has_seen_is_no_matter(federation: Federation) -> None:
    """Cast, but the round went no further: the own log is ahead of the peers, as it should be."""
    federation.vote(1, federation.ready())
    federation.start(1)
    federation.vote(1, federation.ready(task="item-item"))


class TestBehind:
    @pytest.fixture
    def behind(self, federation: Federation) -> Federation:
        whole_round(federation, "popularity")
        copy = snapshot(federation, 1)
        whole_round(federation, "item-item")
        restore(federation, 1, copy)
        return federation

    def test_it_stops_for_good(self, behind: Federation) -> None:
        reason = behind.stations[1].check_peers()
        assert reason is not None
        assert "was set back" in reason
        assert "fedcart keyholder rotate" in reason
        request = behind.request("next", task="x").sign(signer("coordinator"))
        behind.unreachable = {2, 3}
        for restarted in (False, True):
            if restarted:
                behind.start(1)
            with pytest.raises(RoundError, match="was set back"):
                behind.stations[1].round_key(request)
        assert overview.overview(behind.holder(1)).stopped == reason
        behind.stations[2].round_key(request)

    def test_the_first_vote_finds_out_at_the_latest(self, behind: Federation) -> None:
        ready = behind.ready(task="third")
        with pytest.raises(RoundError, match="was set back"):
            behind.vote(1, ready)
        behind.vote(2, ready)

    def test_one_honest_peer_is_enough(self, behind: Federation) -> None:
        with behind.stations[2]._desk.log.transaction() as log:
            log.execute("DELETE FROM peer_votes")
        ready = behind.ready(task="third")
        with pytest.raises(RoundError, match="Key holder 3 has seen vote 2"):
            behind.vote(1, ready)

    def test_a_new_identity_goes_on(self, behind: Federation) -> None:
        behind.stations[1].check_peers()
        behind.stations[1].close()
        card = keeping.rotate(behind.homes[0])
        behind.start(1)
        ready_early = behind.request("early", task="early").sign(signer("coordinator"))
        behind.stations[1].round_key(ready_early)
        pin_anew(behind, Peer(number=1, identity=card.identity))
        votes = whole_round(behind, "third")
        vote = Vote.verify(votes[0], card.identity)
        assert vote.sequence == 1

    def test_peers_must_pin_the_new_identity_first(self, behind: Federation) -> None:
        """A peer that shows the old identity's vote has not pinned the new one."""
        behind.stations[1].close()
        keeping.rotate(behind.homes[0])
        behind.start(1)
        reason = behind.stations[1].check_peers()
        assert reason is not None
        assert "must pin this key holder's new card first" in reason


def pin_anew(federation: Federation, changed: Peer) -> None:
    for number in NUMBERS:
        if number == changed.number:
            continue
        station = federation.stations[number]
        others = [peer for peer in station.holder.parties() if peer.number != number]
        set_peers(
            station.holder.home,
            [changed if peer.number == changed.number else peer for peer in others],
        )


def test_a_fork_of_its_own_votes(federation: Federation) -> None:
    """Two votes of one number: the log that is asked is not the only one."""
    whole_round(federation, "popularity")
    copy = snapshot(federation, 1)
    whole_round(federation, "second")
    home = federation.homes[0]
    later = home.with_name("later")
    federation.stations[1].close()
    shutil.copytree(home, later)
    restore(federation, 1, copy)
    federation.stations[1]._desk.current = True  # a key holder that never asked
    federation.vote(1, federation.ready(task="third"))
    federation.start(1)
    with pytest.raises(RoundError, match="has seen vote 2"):
        federation.vote(1, federation.ready(task="fourth"))


class TestPeersAway:
    @pytest.mark.parametrize("away", [{2}, {3}, {2, 3}])
    def test_it_serves_but_does_not_vote(self, federation: Federation, away: set[int]) -> None:
        federation.start(1)
        ready = federation.ready()
        federation.unreachable = away
        reason = federation.stations[1].check_peers()
        assert reason is not None
        assert "could not be asked" in reason
        for _ in range(2):
            with pytest.raises(RoundError, match="could not be asked"):
                federation.vote(1, ready)
        assert overview.overview(federation.holder(1)).votes == 0
        federation.unreachable = set()
        federation.vote(1, ready)

    def test_once_a_start_is_enough(self, federation: Federation) -> None:
        ready = federation.ready()
        federation.vote(1, ready)
        federation.unreachable = {2, 3}
        federation.vote(1, federation.ready(task="item-item"))

    def test_a_repeated_vote_needs_nobody(self, federation: Federation) -> None:
        ready = federation.ready()
        first = federation.vote(1, ready)
        federation.start(1)
        federation.unreachable = {2, 3}
        assert federation.vote(1, ready) == first


def test_a_peer_that_shows_a_forged_vote(federation: Federation) -> None:
    """It can keep a key holder from voting, which it could anyway, but not stop it for good."""
    ready = federation.ready()
    forged = Vote(
        holder=1, context="ab" * 32, list_hash="cd" * 32, sequence=9, previous="0" * 64
    ).sign(signer("mallory"))
    name = load(federation.homes[0]).name
    with federation.stations[3]._desk.log.transaction() as log:
        log.execute("INSERT INTO peer_votes VALUES (?, 9, ?)", (name, forged.to_bytes()))
    with pytest.raises(RoundError, match="did not sign"):
        federation.vote(1, ready)
    assert overview.overview(federation.holder(1)).stopped is None
    with federation.stations[3]._desk.log.transaction() as log:
        log.execute("DELETE FROM peer_votes")
    federation.vote(1, ready)
