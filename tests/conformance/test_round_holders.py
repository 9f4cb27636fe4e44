"""Key holders that are lost at any step of a round: before the vote all are needed, then two."""

import pytest

from crypto.ballot import release_hash
from crypto.errors import RoundError, SealError
from crypto.opening import decode_part
from crypto.sums.schemes import Scheme
from crypto.update import PartSum
from crypto.wire import SignedRecord
from server import voting
from tests.conformance.holders import NUMBERS
from tests.conformance.lies import lying
from tests.conformance.rounds import MakeWorld, World

# Each step, whether a key holder is gone before it does it or after, and what was spent by then.
BEFORE_THE_VOTE = [
    ("/v1/round-keys", False),
    ("/v1/round-keys", True),
    ("/v1/accept", False),
    ("/v1/accept", True),
    ("/v1/entry", False),
    ("/v1/entry", True),
    ("/v1/ingest", False),
    ("/v1/ingest", True),
    ("/v1/vote", False),
    ("/v1/vote", True),
]


def lose(world: World, path: str, *numbers: int, answered: bool = False) -> None:
    for number in numbers:
        holder = world.holders[number]
        (holder.dies_after if answered else holder.dies_before)(path)


class TestBeforeTheVote:
    @pytest.mark.parametrize(("path", "answered"), BEFORE_THE_VOTE)
    def test_nothing_is_opened_until_it_is_back(
        self, compact: World, round_id: str, path: str, answered: bool
    ) -> None:
        """Then the round goes on from everybody's disk, and what was answered stays as it was."""
        lose(compact, path, 2, answered=answered)
        with pytest.raises(RoundError, match=r"2 of 3 key holders took part.*all are needed"):
            compact.run(round_id)
        compact.nothing_released(round_id, spent=path == "/v1/vote")
        compact.holders[2].start()
        found = compact.run(round_id)
        compact.check(found)
        assert found.record["opened_by"] == [1, 2, 3]

    @pytest.mark.parametrize("path", ["/v1/accept", "/v1/vote"])
    def test_or_a_new_round_is_planned(self, compact: World, round_id: str, path: str) -> None:
        """The failed round keeps its charge, for ever; no part of it is ever opened."""
        lose(compact, path, 3)
        with pytest.raises(RoundError, match="all are needed"):
            compact.run(round_id)
        compact.restart()
        again = f"{round_id}-again"
        compact.check(compact.run(again))
        compact.nothing_released(round_id, spent=path == "/v1/vote")

    def test_lost_between_two_batches_of_uploads(
        self, compact: World, round_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(voting, "MAX_BATCH", 2)
        compact.holders[1].dies_before("/v1/ingest", nth=3)
        with pytest.raises(RoundError, match="2 of 3 key holders took part in checking uploads"):
            compact.run(round_id)
        compact.nothing_released(round_id, spent=False)
        compact.holders[1].start()
        compact.check(compact.run(round_id))
        batches = [each for each in compact.holders[1].heard if each.path == "/v1/ingest"]
        assert len(batches) == 2 + 4

    def test_all_are_lost_at_every_step(self, voted: World, round_id: str) -> None:
        sealings = [each.sealings for each in voted.clients]
        for path, answered in BEFORE_THE_VOTE:
            lose(voted, path, *NUMBERS, answered=answered)
            with pytest.raises(RoundError, match="0 of 3"):
                voted.run(round_id)
            voted.nothing_released(round_id, spent=path == "/v1/vote")
            voted.restart()
        voted.check(voted.run(round_id))
        assert [each.sealings for each in voted.clients] == [count + 1 for count in sealings]


class TestAfterTheVote:
    @pytest.mark.parametrize(("number", "answered"), [(1, False), (2, True)])
    def test_one_changes_nothing(
        self, world: World, round_id: str, number: int, answered: bool
    ) -> None:
        lose(world, _last(world), number, answered=answered)
        found = world.run(round_id)
        world.check(found)
        assert found.record["opened_by"] == sorted(set(NUMBERS) - {number})
        assert list(found.record["key_holders_away"]) == [number]

    def test_two_release_nothing_until_one_is_back(self, world: World, round_id: str) -> None:
        """The third one has answered before, has erased the round, and repeats its bytes."""
        lost = (3, 1)
        lose(world, _last(world), *lost)
        with pytest.raises(RoundError, match=r"1 of 3 key holders.*2 are needed; nothing was"):
            world.run(round_id)
        world.nothing_released(round_id, spent=True, opened=int(world.scheme.votes))
        world.holders[lost[1]].start()
        found = world.run(round_id)
        world.check(found)
        assert found.record["opened_by"] == sorted(set(NUMBERS) - {lost[0]})
        [third] = set(NUMBERS) - set(lost)
        asked = [each for each in world.holders[third].heard if each.path == _last(world)]
        assert len(asked) == 2
        assert asked[0] == asked[1]

    def test_all_come_back(self, world: World, round_id: str) -> None:
        """All have answered, and nobody has heard it."""
        lose(world, _last(world), *NUMBERS, answered=True)
        with pytest.raises(RoundError, match="0 of 3"):
            world.run(round_id)
        world.nothing_released(round_id, spent=True, opened=3 if world.scheme.votes else 0)
        world.restart()
        world.check(world.run(round_id))

    def test_one_that_is_back_after_the_release_repeats_it(
        self, voted: World, round_id: str
    ) -> None:
        """It was away when the sum was opened; what it opens then fits the others' parts."""
        lose(voted, "/v1/release", 2)
        found = voted.run(round_id)
        voted.holders[2].start()
        votes = [SignedRecord.from_json(each) for each in found.record["ballot"]["votes"]]
        first, second, third = (part(voted, number, votes) for number in NUMBERS)
        piece = second.values.size // 2
        assert second.values[:piece].tolist() == third.values[:piece].tolist()
        assert second.values[piece:].tolist() == first.values[piece:].tolist()
        assert part(voted, 2, votes).values.tolist() == second.values.tolist()


def part(world: World, number: int, votes: list[SignedRecord]) -> PartSum:
    """A key holder's part of a sum, asked for directly."""
    holder = world.holders[number]
    identity = holder.me.identity.public_key()
    data = holder.station.release(votes)
    return decode_part(data, request_hash=release_hash(votes), identity=identity)


class TestShareSum:
    """Nobody votes; two of three open."""

    @pytest.mark.parametrize("scheme", [Scheme.SHARE_SUM], ids=str)
    def test_away_all_through(self, new_world: MakeWorld, scheme: Scheme) -> None:
        world = new_world(scheme)
        world.holders[2].stop()
        found = world.run("round")
        assert found.record["opened_by"] == [1, 3]
        world.check(found)


@pytest.mark.parametrize("liar", [3])
def test_one_that_lies_about_its_part_discards_the_round(
    world: World, round_id: str, liar: int
) -> None:
    holders = tuple(
        lying(each, world.holders[liar]) if each.number == liar else each
        for each in world.federation.holders
    )
    with pytest.raises(SealError, match=r"contradict each other.*signed part sums are in"):
        world.run(round_id, holders=holders)
    world.nothing_released(round_id, spent=True, opened=3 if world.scheme.votes else 0)
    kept = list((world.folder / "disputes").glob(f"*/{round_id}/part-*"))
    assert len(kept) == 3


def _last(world: World) -> str:
    return "/v1/release" if world.scheme.votes else "/v1/open"
