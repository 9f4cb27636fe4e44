"""The power goes at every persist point of a round, then it goes on: one release, one spend.

What was on a disk when it went is what is answered afterwards, byte for byte.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError
from crypto.keyholder.log.points import PersistPoint
from crypto.manifest import context_of
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from server import journal, planning
from server.cohort import Member, in_turn
from server.ledger import Ledger
from server.planning import Spot
from server.registry import Registry
from tests.conformance.clients import Client, manifest_of
from tests.conformance.holders import NUMBERS, CrashError, Holder
from tests.conformance.rounds import MakeWorld, World

# In the order of a round; the round goes on without the key holder from the last three on.
BEFORE_THE_ANSWER = (
    PersistPoint.ROUND_SECRET,
    PersistPoint.ROUND_KEY,
    PersistPoint.ACCEPT,
    PersistPoint.ENTRY_BYTES,
    PersistPoint.ENTRY,
    PersistPoint.ENVELOPES,
    PersistPoint.ACKNOWLEDGEMENTS,
    PersistPoint.VOTE,
)
FROM_THE_ANSWER = (
    PersistPoint.ANSWER,
    PersistPoint.SECRET_ERASED,
    PersistPoint.FOLDER_ERASED,
)
SHARE_SUM = (PersistPoint.SHARE_CHARGE, PersistPoint.SHARE_REGISTER)
# At a deadline, at a start after a disk was set back, in a round of a run with bands.
ELSEWHERE = {PersistPoint.ABORTED, PersistPoint.STOPPED, PersistPoint.NOISE}

# The step whose answer is on disk at a point, and where.
ON_DISK: dict[PersistPoint, tuple[str, str, str]] = {
    PersistPoint.ROUND_KEY: ("/v1/round-keys", "key", "rounds"),
    PersistPoint.ACCEPT: ("/v1/accept", "accept", "rounds"),
    PersistPoint.VOTE: ("/v1/vote", "record", "votes"),
}


def test_every_point_is_crashed_at() -> None:
    tried = {*BEFORE_THE_ANSWER, *FROM_THE_ANSWER, *SHARE_SUM, *ELSEWHERE}
    assert tried == set(PersistPoint)


def written(holder: Holder, point: PersistPoint, round_id: str) -> bytes | None:
    """The answer that a key holder had on disk, but gave nobody, when the power went."""
    if point is PersistPoint.ENTRY:
        [(key_hash,)] = holder.rows("SELECT key_hash FROM rounds WHERE round = ?", round_id)
        return (holder.home / "rounds" / str(key_hash) / "entry").read_bytes()
    if point not in ON_DISK:
        return None
    _, column, table = ON_DISK[point]
    join = "" if table == "rounds" else "JOIN rounds USING (context)"
    [(data,)] = holder.rows(
        f"SELECT {table}.{column} FROM {table} {join} WHERE round = ?", round_id
    )
    return bytes(data)


def given(holder: Holder, point: PersistPoint) -> list[bytes]:
    """What a key holder answered at the step that this point belongs to."""
    path = "/v1/entry" if point is PersistPoint.ENTRY else ON_DISK[point][0]
    return [each.answer for each in holder.heard if each.path == path]


class TestKeyHolder:
    @pytest.mark.parametrize("point", BEFORE_THE_ANSWER)
    def test_before_its_answer_the_round_waits_for_it(
        self, compact: World, round_id: str, point: PersistPoint
    ) -> None:
        holder = compact.holders[2]
        holder.crashes_at(point)
        with pytest.raises(RoundError, match="2 of 3 key holders took part"):
            compact.run(round_id)
        assert not holder.up
        compact.nothing_released(round_id, spent=point is PersistPoint.VOTE)
        before = written(holder, point, round_id)
        holder.start()
        found = compact.run(round_id)
        compact.check(found)
        assert found.record["opened_by"] == [1, 2, 3]
        assert before is None or given(holder, point) == [before]

    @pytest.mark.parametrize("point", FROM_THE_ANSWER)
    def test_from_its_answer_on_two_others_are_enough(
        self, compact: World, round_id: str, point: PersistPoint
    ) -> None:
        """It repeats the answer that is in its log, and its secret is gone after a start."""
        holder = compact.holders[2]
        holder.crashes_at(point)
        found = compact.run(round_id)
        compact.check(found)
        assert (holder.up, found.record["opened_by"]) == (False, [1, 3])
        key_hash = manifest_of(found.manifest).key_hashes[1]
        secret = holder.home / "rounds" / key_hash / "secret.key"
        assert secret.exists() == (point is PersistPoint.ANSWER)
        holder.start()
        assert not secret.parent.exists()
        votes = [SignedRecord.from_json(each) for each in found.record["ballot"]["votes"]]
        [(answer,)] = holder.rows(
            "SELECT data FROM answers JOIN rounds USING (context) WHERE round = ?", round_id
        )
        assert holder.station.release(votes) == answer

    @pytest.mark.parametrize("point", SHARE_SUM)
    def test_in_a_share_sum(self, new_world: MakeWorld, point: PersistPoint) -> None:
        """Two have answered; the third does the same when it is asked again, and pays once."""
        world = new_world(Scheme.SHARE_SUM)
        world.holders[3].crashes_at(point)
        world.holders[1].dies_before("/v1/open")
        with pytest.raises(RoundError, match="2 are needed"):
            world.run("round")
        world.holders[3].start()
        found = world.run("round")
        world.check(found)
        assert found.record["opened_by"] == [2, 3]
        world.check_answers()

    def test_each_one_at_every_point_of_one_round(self, voted: World, round_id: str) -> None:
        sealings = [each.sealings for each in voted.clients]
        crashes = 0
        for point in BEFORE_THE_ANSWER:
            for holder in voted.holders.values():
                holder.crashes_at(point)
            with pytest.raises(RoundError, match="0 of 3"):
                voted.run(round_id)
            crashes += sum(not holder.up for holder in voted.holders.values())
            voted.restart()
        assert crashes == len(BEFORE_THE_ANSWER) * len(NUMBERS)
        voted.check(voted.run(round_id))
        assert [each.sealings for each in voted.clients] == [count + 1 for count in sealings]

    @pytest.mark.parametrize(
        "point",
        [PersistPoint.ABORTED, PersistPoint.SECRET_ERASED, PersistPoint.FOLDER_ERASED],
    )
    def test_while_it_aborts(self, compact: World, round_id: str, point: PersistPoint) -> None:
        """The deadline has passed without a release: the round is over, however it is asked."""
        for number in NUMBERS:
            compact.holders[number].dies_before("/v1/release")
        with pytest.raises(RoundError, match="0 of 3"):
            compact.run(round_id)
        compact.restart()
        record = compact.record(round_id, "manifest.json")
        compact.stage.clock.now = manifest_of(record).closes + VOTING_GRACE_S
        holder = compact.holders[2]
        holder.crashes_at(point)
        with pytest.raises(RoundError, match="0 of 3"):
            compact.run(round_id)
        assert (holder.up, holder.state(round_id)) == (False, "aborted")
        holder.start()
        assert not (holder.home / "rounds" / manifest_of(record).key_hashes[1]).exists()
        with pytest.raises(RoundError, match=r"0 of 3.*aborted"):
            compact.run(round_id)
        compact.nothing_released(round_id, spent=True)

    def test_as_it_draws_noise_around_an_earlier_rounds(self, voted: World, round_id: str) -> None:
        """In a run with bands; the entry that leaves is the one that was drawn last."""
        run = replace(voted.plan, noise_multiplier=8.0, scale=128, rounds=4)
        banded = replace(run, bands=2, separation=2)
        names = [f"{round_id}-{number}" for number in range(3)]
        places = [Spot(run=round_id, number=number) for number in range(3)]
        turns = [turn(voted, place, banded) for place in places]
        voted.check(voted.run(names[0], turns[0], plan=banded, spot=places[0]), turns[0])
        voted.holders[2].crashes_at(PersistPoint.NOISE)
        with pytest.raises(RoundError, match="2 of 3 key holders took part in adding noise"):
            voted.run(names[1], turns[1], plan=banded, spot=places[1])
        voted.holders[2].start()
        for name, cohort, place in zip(names[1:], turns[1:], places[1:], strict=True):
            voted.check(voted.run(name, cohort, plan=banded, spot=place), cohort)


def turn(world: World, place: Spot, made: PrivacyPlan) -> list[Client]:
    """Clients whose turn a round of a run is, as many as it needs: others come till there are."""
    found = list(world.clients)
    while True:
        members = [Member(node=0, client=each.id, kind="device") for each in found]
        separation = made.separation
        whose = in_turn(members, run=place.run, number=place.number, separation=separation)
        if len(whose) >= made.min_clients:
            return [each for each in found if each.id in {member.client for member in whose}]
        found.append(world.client())


class Power:
    """Takes the coordinator's power before a write, once for each kind of file."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._write = journal.write_durably

    def __call__(self, path: Path, data: bytes) -> None:
        upload = path.parent.name == "uploads"
        kind = f"upload{path.suffix}" if upload else path.name
        if kind not in self.seen:
            self.seen.append(kind)
            raise CrashError(kind)
        self._write(path, data)


def once(method: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """The power goes the first time, before a call has done anything or after all of it."""
    calls: list[str] = []

    def act(*args: Any, **fields: Any) -> Any:
        calls.append("")
        if len(calls) > 1:
            return method(*args, **fields)
        if after:
            method(*args, **fields)
        raise CrashError(method.__qualname__)

    return act


class TestCoordinator:
    WRITES = ("manifest.json", "chain.json", "upload", "upload.json", "commit.json")
    VOTED = ("key-request.json", "round-keys", "accepts", "list.json", "votes")

    def test_before_each_of_its_writes(
        self, world: World, round_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In one round that starts again each time; nobody seals or is charged twice."""
        power = Power()
        for module in (journal, planning):
            monkeypatch.setattr(module, "write_durably", power)
        sealings = [each.sealings for each in world.clients]
        starts = 0
        while True:
            try:
                found = world.run(round_id)
                break
            except CrashError:
                starts += 1
                assert not list(world.folder.glob(f"releases/*/{round_id}"))
        world.check(found)
        assert [each.sealings for each in world.clients] == [count + 1 for count in sealings]
        assert starts == len(power.seen)
        expected = {*self.WRITES, *(self.VOTED if world.scheme.votes else ())}
        assert expected <= set(power.seen)

    def test_between_a_manifest_and_the_chain(
        self, compact: World, round_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The round after it follows it all the same; key holders would refuse a fork."""
        with monkeypatch.context() as patch:
            patch.setattr(planning, "write_durably", once(journal.write_durably, after=False))
            with pytest.raises(CrashError):
                compact.run(round_id)
        first = compact.run(round_id)
        second = compact.run(f"{round_id}-second")
        compact.check(second)
        assert manifest_of(second.manifest).previous == context_of(first.manifest)

    def test_around_its_ledger_and_registry(
        self, compact: World, round_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for owner, name in ((Ledger, "reserve"), (Registry, "save")):
            for after in (False, True):
                with monkeypatch.context() as patch:
                    patch.setattr(owner, name, once(getattr(owner, name), after=after))
                    with pytest.raises(CrashError):
                        compact.run(round_id)
                assert compact.reserved(round_id) == int(after or owner is Registry)
        assert compact.federation.sums
        found = compact.run(round_id)
        compact.check(found)
