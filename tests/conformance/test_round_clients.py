"""Clients of a round that come twice or late: each counts once, or not at all."""

from typing import Any

import pytest
from flwr.app import RecordDict

from client.outbox import Contribution
from crypto.errors import RoundError
from crypto.keyholder.judging import Reason
from crypto.upload import Upload
from tests.conformance.clients import (
    Answer,
    invited,
    manifest_of,
    reply,
    signed,
    tokens_of,
)
from tests.conformance.rounds import World

# How long a grant stands.
GRANT_S = 600


class TestTwice:
    def test_the_same_upload_from_two_nodes(self, world: World, round_id: str) -> None:
        found = world.run(round_id, instead={3: world.clients[2].answer})
        world.check(found, world.clients[:3])

    def test_two_uploads_of_one_client(self, world: World, round_id: str) -> None:
        """The later one counts, the earlier one is not even handed to key holders."""
        client = world.client()

        def again(_kind: str, content: RecordDict) -> RecordDict:
            made = client.seal(invited(content))
            assert made is not None
            return reply(made)

        found = world.run(
            round_id, [*world.clients[:3], client, client], instead={3: again, 4: again}
        )
        world.check(found, [*world.clients[:3], client])
        assert client.sealings == 2
        assert found.record["clients"] == 4

    @pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
    def test_one_clients_bytes_under_another_name(
        self, voted: World, round_id: str, first: bool
    ) -> None:
        """It is bound to its sender's key: the copy falls at every key holder, whoever is first."""
        victim, thief = voted.client(), voted.client()
        order = [thief, victim] if first else [victim, thief]

        def steal(_kind: str, content: RecordDict) -> RecordDict:
            invitation = invited(content)
            own = thief.seal(invitation)
            stolen = victim.sent.get(Upload.parse(own.header).context) if own else None
            stolen = stolen or victim.seal(invitation)
            assert own is not None
            assert stolen is not None
            return reply(signed(thief.key, stolen.sealed, tokens_of(own)))

        cohort = [*order, *voted.clients[:3]]
        found = voted.run(round_id, cohort, instead={order.index(thief): steal})
        voted.check(found, [victim, *voted.clients[:3]])
        [reason] = found.record["declined"]
        assert reason in {
            f"key holders refused: {Reason.OPENING}",
            f"key holders refused: {Reason.REPEATED_BYTES}",
        }


class Stale:
    """A client that sealed when the round began and sends it when it is asked at last."""

    def __init__(self, world: World, *, after: tuple[float, float]) -> None:
        self.world, self.client = world, world.client()
        self.waits = after
        self.made: Contribution | None = None

    def first(self, kind: str, content: RecordDict) -> RecordDict | str:
        """Whoever is asked first: the slow one has sealed already, and time goes by."""
        self.made = self.client.seal(invited(content))
        self.world.stage.clock.now += self.waits[0]
        return self.world.clients[0].answer(kind, content)

    def last(self, kind: str, content: RecordDict) -> RecordDict | str:
        """Whoever is asked last: more time goes by before it seals."""
        self.world.stage.clock.now += self.waits[1]
        return self.world.clients[3].answer(kind, content)

    def late(self, _kind: str, _content: RecordDict) -> RecordDict:
        assert self.made is not None
        return reply(self.made)

    def run(self, round_id: str) -> Any:
        """First, two others, the slow one, last; in a round that outlives grants."""
        cohort = [*self.world.clients[:3], self.client, self.world.clients[3]]
        acts: dict[int, Answer] = {0: self.first, 3: self.late, 4: self.last}
        return self.world.run(round_id, cohort, instead=acts, timeout=GRANT_S)


class TestLate:
    def test_grants_that_stand_until_the_end(self, compact: World, round_id: str) -> None:
        slow = Stale(compact, after=(GRANT_S - 50, 0))
        compact.check(slow.run(round_id), [*compact.clients, slow.client])

    def test_grants_that_expired_before_receipt(self, world: World, round_id: str) -> None:
        found = Stale(world, after=(GRANT_S + 1, 0)).run(round_id)
        world.check(found, world.clients)
        [reason] = found.record["declined"]
        assert "This grant has expired" in reason

    def test_grants_that_expired_after_receipt(self, world: World, round_id: str) -> None:
        """Key holders look at the clock, too; the commit asks whether consent stands."""
        slow = Stale(world, after=(GRANT_S - 100, 150))
        found = slow.run(round_id)
        if world.scheme.votes:
            world.check(found, world.clients)
            assert found.record["declined"] == {f"key holders refused: {Reason.GRANT}": 1}
        else:
            world.check(found, [*world.clients, slow.client])

    def test_an_upload_after_the_round_has_closed(self, world: World, round_id: str) -> None:
        """It is refused; key holders add no noise to a round that has closed, so none is opened."""
        late = world.client()

        def answer(kind: str, content: RecordDict) -> RecordDict | str:
            sent = late.answer(kind, content)
            world.stage.clock.now = manifest_of(invited(content).manifest).closes
            return sent

        cohort = [*world.clients, late]
        if not world.scheme.votes:
            found = world.run(round_id, cohort, instead={4: answer})
            world.check(found, world.clients)
            [reason] = found.record["declined"]
            assert "outside the round's time" in reason
            return
        with pytest.raises(RoundError, match="has closed"):
            world.run(round_id, cohort, instead={4: answer})
        world.nothing_released(round_id, spent=False)
