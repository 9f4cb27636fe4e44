"""A key holder whose disk is set back, or that can't ask its peers, acts on nothing old."""

import shutil
from pathlib import Path

import pytest

from crypto.errors import RoundError
from crypto.keyholder.log.points import PersistPoint
from tests.conformance.holders import NUMBERS, Holder
from tests.conformance.lies import Ballot
from tests.conformance.rounds import MakeWorld, World


@pytest.fixture
def own(new_world: MakeWorld) -> World:
    return new_world()


class Disk:
    """A key holder's disk as it is now, to be put back later."""

    def __init__(self, holder: Holder, folder: Path) -> None:
        self._holder, self._copy = holder, folder / "copy"
        holder.stop()
        shutil.copytree(holder.home, self._copy)
        holder.start()

    def put_back(self) -> None:
        self._holder.stop()
        shutil.rmtree(self._holder.home)
        shutil.copytree(self._copy, self._holder.home)
        self._holder.start()


class TestSetBack:
    def test_to_before_a_vote_that_peers_have_seen(self, own: World, tmp_path: Path) -> None:
        """It stops: no vote, no other answer, not after another start either."""
        ballot = Ballot.reach(own, "round")
        disk = Disk(own.holders[1], tmp_path)
        own.holders[1].dies_before("/v1/release")
        own.check(own.run("round"))
        disk.put_back()
        shorter = ballot.list_of([*ballot.clients[1:], *ballot.entries])
        with pytest.raises(RoundError, match="log was set back"):
            ballot.vote(1, shorter)
        for _ in range(2):
            for path in ("/v1/round-keys", "/v1/accept", "/v1/entry", "/v1/vote", "/v1/ingest"):
                asked = next(each for each in own.holders[1].heard if each.path == path)
                with pytest.raises(RoundError, match="log was set back"):
                    own.federation.holders[0].call(path, asked.request)
            own.holders[1].start()
        with pytest.raises(RoundError, match="2 of 3 key holders took part in making round keys"):
            own.run("another")
        own.nothing_released("another", spent=False)
        assert own.holders[1].count("answers", ballot.context) == 0

    def test_at_its_start_it_asks_by_itself(self, own: World, tmp_path: Path) -> None:
        Ballot.reach(own, "round")
        disk = Disk(own.holders[2], tmp_path)
        own.check(own.run("round"))
        disk.put_back()
        reason = own.holders[2].station.check_peers()
        assert reason is not None
        assert "log was set back" in reason
        with pytest.raises(RoundError, match="making round keys"):
            own.run("another")

    def test_the_power_goes_as_it_stops(self, own: World, tmp_path: Path) -> None:
        ballot = Ballot.reach(own, "round")
        disk = Disk(own.holders[3], tmp_path)
        own.holders[3].dies_before("/v1/release")
        own.check(own.run("round"))
        disk.put_back()
        own.holders[3].crashes_at(PersistPoint.STOPPED)
        with pytest.raises(Exception, match="went away"):
            ballot.vote(3)
        own.holders[3].start()
        with pytest.raises(RoundError, match="log was set back"):
            ballot.vote(3)

    def test_to_before_a_vote_that_nobody_has_seen(self, own: World, tmp_path: Path) -> None:
        """It votes again, but the others don't: of two lists one is opened, however it is tried."""
        ballot = Ballot.reach(own, "round")
        disk = Disk(own.holders[1], tmp_path)
        votes = [ballot.vote(number) for number in NUMBERS]
        disk.put_back()
        shorter = ballot.list_of([*ballot.clients[1:], *ballot.entries])
        second = ballot.vote(1, shorter)
        for number in (2, 3):
            with pytest.raises(RoundError, match="votes never change"):
                ballot.vote(number, shorter)
        for number in NUMBERS:
            with pytest.raises(RoundError, match="voted for different lists"):
                ballot.release(number, [second, *votes[1:]])
        with pytest.raises(RoundError, match="not the one that this key holder cast"):
            ballot.release(1, votes)
        own.nothing_released("round", spent=True)
        for number in (2, 3):
            ballot.release(number, votes)
        # They have seen the first vote now: the next time that it starts, it is found out.
        own.holders[1].start()
        reason = own.holders[1].station.check_peers()
        assert reason is not None
        assert "log was set back" in reason


class TestPeersAway:
    def test_only_the_vote_waits_for_them(self, own: World) -> None:
        """Keys, accepts, entries and uploads are served; then it votes once they answer."""
        own.neighbours.unreachable |= {3}
        with pytest.raises(RoundError, match="1 of 3 key holders took part in voting") as told:
            own.run("round")
        assert "Key holder 3 could not be asked for votes" in str(told.value)
        own.nothing_released("round", spent=True)
        own.neighbours.unreachable.clear()
        own.check(own.run("round"))

    def test_one_that_asked_since_its_start_needs_them_no_more(self, own: World) -> None:
        own.check(own.run("round"))
        own.neighbours.unreachable |= set(NUMBERS)
        own.check(own.run("second"))

    def test_a_new_disk_without_its_round_secrets(self, own: World) -> None:
        """As from a backup: its answer is missing, and the others open the sum."""
        Ballot.reach(own, "round")
        own.holders[2].stop()
        shutil.rmtree(own.holders[2].home / "rounds")
        own.holders[2].start()
        found = own.run("round")
        own.check(found)
        assert found.record["opened_by"] == [1, 3]
        assert "secret of this round is not here" in found.record["key_holders_away"][2]
