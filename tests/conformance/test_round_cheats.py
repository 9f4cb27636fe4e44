"""A coordinator that tells everybody something else: never two openings, never less noise.

Each lie is told to every key holder in turn, and what remains open afterwards is tried as well.
"""

from dataclasses import replace

import pytest
from flwr.app import RecordDict

from client.outbox import Contribution
from crypto.acceptance import check_accepts
from crypto.errors import FedcartError, RoundError
from crypto.keyholder.deadlines import INGEST_GRACE_S
from crypto.keyholder.judging import Reason
from crypto.manifest import Manifest, context_of
from crypto.wire import SignedRecord, pack_frames
from tests.conformance.clients import invited, manifest_of, reply, signed, tokens_of
from tests.conformance.holders import NUMBERS
from tests.conformance.lies import Ballot
from tests.conformance.rounds import World
from tests.unit.crypto.samples import signer


@pytest.fixture
def ballot(compact: World, round_id: str) -> Ballot:
    return Ballot.reach(compact, round_id)


@pytest.fixture
def any_ballot(voted: World, round_id: str) -> Ballot:
    return Ballot.reach(voted, round_id)


def nothing_opened(ballot: Ballot) -> None:
    ballot.world.nothing_released(ballot.round_id, spent=True, opened=0)


class TestTwoLists:
    @pytest.mark.parametrize("odd", [1, 3])
    def test_shown_to_different_key_holders_open_nothing(
        self, any_ballot: Ballot, odd: int
    ) -> None:
        shorter = any_ballot.list_of([*any_ballot.clients[1:], *any_ballot.entries])
        shown = {number: shorter if number == odd else any_ballot.proposal for number in NUMBERS}
        votes = {number: any_ballot.vote(number, shown[number]) for number in NUMBERS}
        other = next(number for number in NUMBERS if number != odd)
        for mixed in (
            [votes[number] for number in NUMBERS],
            [votes[other]] * 3,
            [votes[number] for number in NUMBERS if number != odd],
            [votes[odd] if number == odd else votes[other] for number in NUMBERS],
        ):
            for number in NUMBERS:
                with pytest.raises(RoundError, match="refused"):
                    any_ballot.release(number, mixed)
        nothing_opened(any_ballot)
        for number in NUMBERS:
            wrong = any_ballot.proposal if number == odd else shorter
            with pytest.raises(RoundError, match="votes never change"):
                any_ballot.vote(number, wrong)
        with pytest.raises(RoundError, match="2 of 3 key holders took part in voting"):
            any_ballot.world.run(any_ballot.round_id)
        nothing_opened(any_ballot)

    def test_after_one_was_opened_no_other_is(self, ballot: Ballot) -> None:
        votes = [ballot.vote(number) for number in NUMBERS]
        first = ballot.release(1, votes)
        shorter = ballot.list_of([*ballot.clients[1:], *ballot.entries])
        for number in NUMBERS:
            with pytest.raises(RoundError, match="votes never change"):
                ballot.vote(number, shorter)
        assert ballot.release(1, votes) == first
        found = ballot.world.run(ballot.round_id)
        ballot.world.check(found)

    def test_votes_of_one_round_open_no_other(self, ballot: Ballot) -> None:
        votes = [ballot.vote(number) for number in NUMBERS]
        later = Ballot.reach(ballot.world, f"{ballot.round_id}-later")
        own = [later.vote(number) for number in NUMBERS]
        for mixed in ([votes[0], *own[1:]], [*own[:2], votes[2]], [own[0], *votes[1:]]):
            for number in NUMBERS:
                with pytest.raises(RoundError, match="refused"):
                    later.release(number, mixed)
        nothing_opened(ballot)
        nothing_opened(later)


class TestNoise:
    """Nobody votes for a list without all three entries, so nothing without them is opened."""

    def refused(self, ballot: Ballot, uploads: list[str], match: str) -> None:
        for number in NUMBERS:
            with pytest.raises(RoundError, match=match):
                ballot.vote(number, ballot.list_of(uploads))

    def test_lists_with_fewer_entries(self, any_ballot: Ballot) -> None:
        for left in ([0, 1], [0, 2], [1, 2], [2], []):
            uploads = [*any_ballot.clients, *(any_ballot.entries[place] for place in left)]
            self.refused(any_ballot, uploads, f"entries of {len(left)} of 3")
        nothing_opened(any_ballot)
        any_ballot.world.check(any_ballot.world.run(any_ballot.round_id))

    def test_an_entry_of_another_round(self, ballot: Ballot) -> None:
        later = Ballot.reach(ballot.world, f"{ballot.round_id}-later")
        uploads = [*later.clients, *later.entries[:2], ballot.entries[2]]
        self.refused(later, uploads, "1 of 7 listed uploads were not acknowledged")
        nothing_opened(later)

    def test_a_client_in_place_of_an_entry(self, ballot: Ballot) -> None:
        uploads = [*ballot.clients, *ballot.entries[:2], "ab" * 32]
        self.refused(ballot, uploads, "not acknowledged here")


class TestUploads:
    """The coordinator hands over what no honest one would; nobody is counted twice."""

    def test_two_of_one_client(self, compact: World, round_id: str) -> None:
        """A store that split its shoppers over two uploads is one client, in one upload."""
        store = compact.client(shoppers=2)
        made: list[Contribution] = []

        def split(_kind: str, content: RecordDict) -> RecordDict:
            for place in (0, 1):
                whole = store.seal(invited(content))
                assert whole is not None
                made.append(signed(store.key, whole.sealed, (tokens_of(whole)[place],)))
                values = compact.contributed[whole.header.hash]
                compact.contributed[made[-1].header.hash] = values
            return reply(made[0])

        cohort = [*compact.clients, store]
        ballot = Ballot.reach(compact, round_id, cohort, instead={4: split})
        both = ballot.list_of([*ballot.clients, *ballot.entries, made[1].header.hash])
        for number in NUMBERS:
            again = ballot.ingest(number, made[0])
            assert (again.acknowledged, again.excluded) == ((made[0].header.hash,), ())
            [excluded] = ballot.ingest(number, made[1]).excluded
            assert (excluded.reason, excluded.blamed) == (Reason.REPEATED_CLIENT, False)
            with pytest.raises(RoundError, match="not acknowledged here"):
                ballot.vote(number, both)
        compact.check(compact.run(round_id), cohort)

    def test_one_shopper_for_two_clients(self, compact: World, round_id: str) -> None:
        """A grant is its client's own; used again, by whoever, it counts for nothing."""
        client, other = compact.client(), compact.client()
        made: list[Contribution] = []

        def twice(_kind: str, content: RecordDict) -> RecordDict:
            first, second = client.seal(invited(content)), other.seal(invited(content))
            assert first is not None
            assert second is not None
            made.append(signed(other.key, second.sealed, tokens_of(first)))
            made.append(signed(client.key, second.sealed, tokens_of(first)))
            return reply(first)

        ballot = Ballot.reach(compact, round_id, [*compact.clients, client], instead={4: twice})
        for number in NUMBERS:
            reasons = [ballot.ingest(number, each).excluded[0].reason for each in made]
            assert reasons == [Reason.GRANT, Reason.REPEATED_GRANT]
        compact.check(compact.run(round_id), [*compact.clients, client])

    def test_after_the_vote_and_after_the_grace(self, compact: World, round_id: str) -> None:
        late: list[Contribution] = []

        def keeps(_kind: str, content: RecordDict) -> str:
            made = compact.clients[3].seal(invited(content))
            late.extend([made] if made else [])
            return "node is gone"

        ballot = Ballot.reach(compact, round_id, instead={3: keeps})
        ballot.vote(1)
        [voted] = ballot.ingest(1, late[0]).excluded
        compact.stage.clock.now = manifest_of(ballot.record).closes + INGEST_GRACE_S
        [closed] = ballot.ingest(2, late[0]).excluded
        assert voted.reason == closed.reason == Reason.CLOSED
        compact.check(compact.run(round_id), compact.clients[:3])


class TestTwoCommits:
    def test_another_list_of_the_consent_service(self, ballot: Ballot) -> None:
        uploads = ballot.committed.uploads
        more = tuple(replace(each, shoppers=each.shoppers + 1) for each in uploads)
        for forged, match in (
            (ballot.commit_of(key=signer("coordinator")), "refused"),
            (ballot.commit_of(round_id="another"), "another round"),
            (ballot.commit_of(context="ab" * 32), "another round"),
            (ballot.commit_of(uploads=uploads[1:]), "not in the consent service's list"),
            (ballot.commit_of(uploads=more), "not in the consent service's list"),
        ):
            for number in NUMBERS:
                with pytest.raises(RoundError, match=match):
                    ballot.vote(number, commit=forged)
        nothing_opened(ballot)
        ballot.world.check(ballot.world.run(ballot.round_id))

    @pytest.mark.parametrize("odd", [2])
    def test_a_consent_service_that_signs_two(self, ballot: Ballot, odd: int) -> None:
        """Its word alone opens no second list: key holders vote on the coordinator's, once."""
        fewer = ballot.commit_of(uploads=ballot.committed.uploads[1:])
        shorter = ballot.list_of([*ballot.clients[1:], *ballot.entries])
        votes = [
            ballot.vote(number, shorter, commit=fewer) if number == odd else ballot.vote(number)
            for number in NUMBERS
        ]
        for number in NUMBERS:
            with pytest.raises(RoundError, match="voted for different lists"):
                ballot.release(number, votes)
        nothing_opened(ballot)

    def test_fewer_than_the_minimum(self, ballot: Ballot) -> None:
        short = ballot.list_of([*ballot.clients[2:], *ballot.entries])
        for number in NUMBERS:
            with pytest.raises(RoundError, match="2 participants, at least 3 are needed"):
                ballot.vote(number, short)
        nothing_opened(ballot)


class TestTwoManifests:
    def planned(self, world: World, round_id: str) -> SignedRecord:
        """A round with keys and a manifest that nobody has accepted."""
        for number in NUMBERS:
            world.holders[number].dies_before("/v1/accept")
        with pytest.raises(RoundError, match="0 of 3 key holders took part in accepting"):
            world.run(round_id)
        world.restart()
        return world.record(round_id, "manifest.json")

    def accept(self, world: World, number: int, record: SignedRecord) -> SignedRecord:
        endpoint = world.federation.holders[number - 1]
        return SignedRecord.from_bytes(endpoint.call("/v1/accept", record.to_bytes()))

    def split(self, world: World, records: tuple[SignedRecord, SignedRecord], odd: int) -> None:
        """One key holder gets the second of two manifests, and then each gets the other one."""
        honest, other = records
        accepts = [
            self.accept(world, number, other if number == odd else honest) for number in NUMBERS
        ]
        identities = [holder.identity for holder in world.federation.holders]
        for record in records:
            with pytest.raises(FedcartError):
                check_accepts(accepts, identities, context_of(record))
        for number in NUMBERS:
            with pytest.raises(RoundError, match="refused"):
                self.accept(world, number, honest if number == odd else other)
            asked = [*world.round_keys(honest), *accepts]
            for record in records:
                frames = [context_of(record).encode(), *(each.to_bytes() for each in asked)]
                with pytest.raises(RoundError, match="refused"):
                    world.federation.holders[number - 1].call("/v1/entry", pack_frames(frames))

    @pytest.mark.parametrize("odd", [1, 3])
    def test_of_one_round(self, compact: World, round_id: str, odd: int) -> None:
        """Neither is accepted by all three, so no client seals and no key holder adds noise."""
        honest = self.planned(compact, round_id)
        other = forged(manifest_of(honest), closes=manifest_of(honest).closes - 1)
        self.split(compact, (honest, other), odd)
        sealings = [each.sealings for each in compact.clients]
        with pytest.raises(RoundError, match="2 of 3 key holders took part in accepting"):
            compact.run(round_id)
        assert [each.sealings for each in compact.clients] == sealings
        compact.nothing_released(round_id, spent=False)

    @pytest.mark.parametrize("odd", [1, 3])
    def test_that_follow_the_same_one(self, compact: World, round_id: str, odd: int) -> None:
        """Two rounds can't both follow one: a history does not fork."""
        honest = self.planned(compact, round_id)
        second = self.planned(compact, f"{round_id}-second")
        other = forged(manifest_of(second), previous=manifest_of(honest).previous)
        self.split(compact, (honest, other), odd)
        for name in (round_id, f"{round_id}-second"):
            compact.nothing_released(name, spent=False)


def forged(manifest: Manifest, **changes: int | str) -> SignedRecord:
    """Another manifest that the coordinator signs."""
    return replace(manifest, **changes).sign(signer("coordinator"))  # type: ignore[arg-type]
