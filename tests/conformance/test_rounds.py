"""Whole rounds of every scheme: exact, whoever is lost, late, double or not there at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import RecordDict

from client.outbox import Contribution
from crypto.commit import Commit
from crypto.dp.noise import holder_noise
from crypto.dp.plan import without_noise
from crypto.errors import CohortTooSmallError, RoundError
from crypto.keyholder.judging import Reason
from crypto.sums.schemes import Scheme
from crypto.update import IntArray
from crypto.upload import Upload
from server.exchange import parse_upload
from server.ledger import Ledger
from tests.conformance.clients import (
    Answer,
    Client,
    Node,
    gone,
    invited,
    manifest_of,
    reply,
    signed,
    tokens_of,
)
from tests.conformance.holders import NUMBERS
from tests.conformance.rounds import Between, MakeWorld, World
from tests.unit.client.stage import Party, make_client
from tests.unit.crypto.samples import generator
from tests.unit.server.stage import client_node, declined

# How long a grant stands.
GRANT_S = 600


def plain(world: World, release: Any) -> IntArray:
    """The sum of what the listed clients put in."""
    commit = Commit.verify(release.commit, world.stage.service_key)
    total: IntArray = np.sum([world.contributed[each.upload] for each in commit.uploads], axis=0)
    return total


@dataclass
class Real:
    """A real client with purchases in its home; ``sent`` is what it sent."""

    party: Party
    world: World
    sent: list[Contribution] = field(default_factory=list)

    @classmethod
    def make(cls, world: World, folder: Path, *shoppers: str) -> "Real":
        cards = tuple(str(holder.home / "public.card") for holder in world.holders.values())
        identities = tuple(card.identity for card in world.federation.terms.cards)
        return cls(
            make_client(world.stage, folder, *shoppers, cards=cards, holders=identities), world
        )

    @property
    def id(self) -> str:
        return self.party.home.client_id

    def answer(self, kind: str, content: RecordDict) -> RecordDict | str:
        answer = client_node(self.party, self.world.stage)(kind, content)
        assert isinstance(answer, RecordDict)
        sent = parse_upload(answer)
        assert not isinstance(sent, str), sent
        made = Contribution(
            header=sent.header, grants=sent.grants, sealed=sent.sealed, token_ids=()
        )
        record = invited(content).manifest
        sender = Upload.parse(sent.header).sender
        self.world.contributed[sent.header.hash] = self.world.open_one(record, sent.sealed, sender)
        self.sent.append(made)
        return answer


class TestExact:
    def test_with_everybodys_noise(self, world: World, round_id: str) -> None:
        found = world.run(round_id)
        world.check(found)
        assert found.record["opened_by"] == [1, 2, 3]
        total = world.federation.sums[-1]
        assert np.array_equal(total, plain(world, found)) != world.scheme.votes

    @pytest.mark.parametrize("scheme", Scheme, ids=str)
    def test_without_noise_it_is_the_plain_sum(self, new_world: MakeWorld, scheme: Scheme) -> None:
        world = new_world(scheme)
        ledger = Ledger(world.folder / "ledger.db", budget=math.inf, delta=1e-6)
        found = world.run("round", plan=without_noise(world.plan), ledger=ledger)
        world.check(found)
        assert world.federation.sums[-1].tolist() == plain(world, found).tolist()
        if world.scheme.votes:
            assert not any(world.entry(number, found.manifest).any() for number in NUMBERS)

    def test_with_as_many_clients_as_the_plan_allows(self, world: World, round_id: str) -> None:
        more = [world.client(shoppers=shoppers) for shoppers in (1, 1, 2, 5)]
        found = world.run(round_id, [*world.clients, *more])
        world.check(found, [*world.clients, *more])
        assert (found.record["clients"], found.record["shoppers"]) == (8, 13)

    def test_with_real_clients_and_their_noise(
        self, world: World, round_id: str, tmp_path: Path
    ) -> None:
        store = Real.make(world, tmp_path / "store", "anna", "ben", "chris")
        devices = [Real.make(world, tmp_path / name, name) for name in ("dora", "emil")]
        cohort: list[Node] = [store, *devices, world.clients[0]]
        found = world.run(round_id, cohort)
        world.check(found, cohort)
        assert found.record["shoppers"] == 6
        assert [len(each.sent) for each in (store, *devices)] == [1, 1, 1]

    @pytest.mark.parametrize("scheme", [Scheme.PIECE_SUM, Scheme.COMPACT_SUM], ids=str)
    def test_an_entry_is_the_noise_of_its_key_holder(
        self, new_world: MakeWorld, scheme: Scheme
    ) -> None:
        """Drawn again from the same stream, beside all that seals and opens."""
        world = new_world(scheme)
        found = world.run("round")
        for number in NUMBERS:
            noise = holder_noise(plan=world.plan, rng=generator(f"holder-{number} 1"))
            assert world.entry(number, found.manifest).tolist() == noise.values.tolist()
            assert noise.values.any()


class TestLost:
    """One of four is lost; the others' sum is exact, with all the noise that was promised."""

    def test_before_sealing(self, world: World, round_id: str) -> None:
        found = world.run(round_id, instead={1: gone})
        world.check(found, world.clients[:1] + world.clients[2:])

    def test_after_sealing(self, world: World, round_id: str) -> None:
        client = world.client()

        def loses_its_answer(kind: str, content: RecordDict) -> str:
            client.answer(kind, content)
            return "node is gone"

        cohort = [*world.clients[:3], client]
        world.check(world.run(round_id, cohort, instead={3: loses_its_answer}), world.clients[:3])
        assert client.sealings == 1

    def test_after_its_upload(self, world: World, round_id: str) -> None:
        """Nobody needs it any more: it is in the sum, although a store is asked once more."""
        store, client = world.client(shoppers=2), world.client()
        answered: list[str] = []

        def once(kind: str, content: RecordDict) -> RecordDict | str:
            answered.append(kind)
            return client.answer(kind, content) if len(answered) == 1 else "node is gone"

        cohort = [store, client, *world.clients[:2]]
        again = Between(world, "standing", before=store.withdraw)
        found = world.run(round_id, cohort, instead={1: once}, consent=again)
        world.check(found, cohort)
        assert (len(answered), found.record["resealed"], store.sealings) == (1, 1, 2)
        assert found.record["shoppers"] == 4

    def test_excluded_by_one_key_holder(self, voted: World, round_id: str) -> None:
        """Each by another one; what one leaves out is left out."""
        bad = [voted.client() for _ in NUMBERS]
        acts = {place: spoilt(client, place) for place, client in enumerate(bad, start=1)}
        cohort = [voted.clients[0], *bad, *voted.clients[1:3]]
        found = voted.run(round_id, cohort, instead=acts)
        voted.check(found, voted.clients[:3])
        assert found.record["declined"] == {f"key holders refused: {Reason.OPENING}": 3}

    def test_excluded_by_those_that_it_lied_to(self, voted: World, round_id: str) -> None:
        """Its second piece is not the committed one: two key holders see it and blame it."""

        def lie(kind: str, content: RecordDict) -> RecordDict:
            made = voted.clients[3].seal(invited(content))
            assert made is not None
            first, _, third = made.sealed.commitments
            sealed = replace(made.sealed, commitments=(first, "ab" * 32, third))
            return reply(signed(voted.clients[3].key, sealed, tokens_of(made)))

        found = voted.run(round_id, instead={3: lie})
        voted.check(found, voted.clients[:3])
        assert found.record["declined"] == {f"key holders refused: {Reason.COMMITMENT}": 1}
        blamed = {
            number: holder.rows(
                "SELECT client FROM blames JOIN rounds USING (context) WHERE round = ?", round_id
            )
            for number, holder in voted.holders.items()
        }
        assert blamed == {1: [(voted.clients[3].id,)], 2: [], 3: [(voted.clients[3].id,)]}

    @pytest.mark.parametrize("call", ["standing", "commit"])
    def test_withdrawn_before_the_commit(self, world: World, round_id: str, call: str) -> None:
        """Before repair, or after the key holders have acknowledged its upload."""
        client = world.client()
        cohort = [*world.clients[:3], client]
        found = world.run(round_id, cohort, consent=Between(world, call, before=client.withdraw))
        world.check(found, world.clients[:3])
        assert found.record["dropped_at_commit"] == 1

    def test_withdrawn_after_the_commit(self, world: World, round_id: str) -> None:
        """The past stays lawful: it is in the sum."""
        client = world.client()
        cohort = [*world.clients[:3], client]
        found = world.run(round_id, cohort, consent=Between(world, "commit", after=client.withdraw))
        world.check(found, cohort)

    def test_everywhere_at_once(self, world: World, round_id: str) -> None:
        """Of eight, three are left."""
        left = [world.client() for _ in range(2)]
        early, late = world.client(), world.client()
        cohort = [*world.clients, early, late, *left]
        instead: dict[int, Answer] = {0: gone, 1: said_no}
        instead[2] = spoilt(world.clients[2], 2) if world.scheme.votes else gone

        def withdraw() -> None:
            early.withdraw()
            late.withdraw()

        consent = Between(world, "commit", before=withdraw)
        found = world.run(round_id, cohort, instead=instead, consent=consent)
        world.check(found, [world.clients[3], *left])


def said_no(_kind: str, _content: RecordDict) -> RecordDict:
    return declined("consent")


def spoilt(client: Client, number: int) -> Answer:
    """It signs bytes for one key holder that nobody can open."""

    def answer(_kind: str, content: RecordDict) -> RecordDict:
        made = client.seal(invited(content))
        assert made is not None
        shares = list(made.sealed.shares)
        shares[number - 1] = shares[number - 1][::-1]
        sealed = replace(made.sealed, shares=tuple(shares))
        return reply(signed(client.key, sealed, tokens_of(made)))

    return answer


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
    def test_grants_that_stand_until_the_end(self, world: World, round_id: str) -> None:
        slow = Stale(world, after=(GRANT_S - 50, 0))
        world.check(slow.run(round_id), [*world.clients, slow.client])

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


class TestTooFew:
    """Nothing is opened, spent or released below the minimum of three, wherever that shows."""

    def refused(self, world: World, round_id: str, cohort: Sequence[Node], **fields: Any) -> None:
        with pytest.raises(CohortTooSmallError):
            world.run(round_id, cohort, **fields)
        world.nothing_released(round_id, spent=False)
        if not world.scheme.votes:
            for holder in world.holders.values():
                assert not [each for each in holder.heard if each.path == "/v1/open"]

    def test_nobody_is_there(self, world: World, round_id: str) -> None:
        self.refused(world, round_id, [])

    def test_nobody_answers(self, world: World, round_id: str) -> None:
        self.refused(world, round_id, world.clients, instead=dict.fromkeys(range(4), gone))

    def test_nobody_agrees_any_more(self, world: World, round_id: str) -> None:
        cohort = [world.client() for _ in range(4)]
        for each in cohort:
            each.withdraw()
        self.refused(world, round_id, cohort)

    @pytest.mark.parametrize("left", [0, 2])
    def test_key_holders_exclude_the_others(self, compact: World, round_id: str, left: int) -> None:
        acts = {place: spoilt(compact.clients[place], 1 + place % 3) for place in range(left, 4)}
        self.refused(compact, round_id, compact.clients, instead=acts)

    @pytest.mark.parametrize(("call", "left"), [("eligible", 2), ("standing", 2), ("commit", 0)])
    def test_the_others_withdraw(self, world: World, round_id: str, call: str, left: int) -> None:
        cohort = [world.client() for _ in range(4)]

        def withdraw() -> None:
            for each in cohort[left:]:
                each.withdraw()

        self.refused(world, round_id, cohort, consent=Between(world, call, before=withdraw))

    def test_too_few_answer(self, world: World, round_id: str) -> None:
        self.refused(world, round_id, world.clients, instead={0: gone, 3: gone})

    @pytest.mark.parametrize("scheme", Scheme, ids=str)
    def test_a_key_holder_wants_more_than_the_manifest(
        self, new_world: MakeWorld, scheme: Scheme
    ) -> None:
        """One is enough to refuse where they vote; in share sum it takes two. The charge stays."""
        world = new_world(scheme)
        picky = [3] if scheme.votes else [2, 3]
        for number in picky:
            settings = world.holders[number].home / "keyholder.json"
            settings.write_text(settings.read_text().replace('"n_floor": 3', '"n_floor": 5'))
            world.holders[number].start()
        with pytest.raises(RoundError, match="4 participants, at least 5 are needed"):
            world.run("round")
        world.nothing_released("round", spent=True)
        world.check_answers()
