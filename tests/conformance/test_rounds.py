"""Whole rounds of every scheme: exact, whoever is lost, late, double or not there at all."""

import math
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
from crypto.keyholder.judging import Reason
from crypto.sums.schemes import Scheme
from crypto.update import IntArray
from crypto.upload import Upload
from server.exchange import parse_upload
from server.ledger import Ledger
from tests.conformance.clients import (
    Answer,
    Node,
    gone,
    invited,
    reply,
    said_no,
    signed,
    spoilt,
    tokens_of,
    unheard,
)
from tests.conformance.holders import NUMBERS
from tests.conformance.rounds import MakeWorld, World
from tests.unit.client.stage import Party, make_client
from tests.unit.crypto.samples import generator
from tests.unit.server.stage import client_node


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

    def test_before_sealing(self, compact: World, round_id: str) -> None:
        found = compact.run(round_id, instead={1: gone})
        compact.check(found, compact.clients[:1] + compact.clients[2:])

    def test_after_sealing(self, compact: World, round_id: str) -> None:
        client = compact.client()
        cohort = [*compact.clients[:3], client]
        found = compact.run(round_id, cohort, instead={3: unheard(client)})
        compact.check(found, compact.clients[:3])
        assert client.sealings == 1

    def test_after_its_upload(self, compact: World, round_id: str) -> None:
        """Nobody needs it any more: it is in the sum, although a store is asked once more."""
        store, client = compact.client(shoppers=2), compact.client()
        answered: list[str] = []

        def once(kind: str, content: RecordDict) -> RecordDict | str:
            answered.append(kind)
            return client.answer(kind, content) if len(answered) == 1 else "node is gone"

        cohort = [store, client, *compact.clients[:2]]
        again = compact.between("standing", before=store.withdraw)
        found = compact.run(round_id, cohort, instead={1: once}, consent=again)
        compact.check(found, cohort)
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
    def test_withdrawn_before_the_commit(self, compact: World, round_id: str, call: str) -> None:
        """Before repair, or after the key holders have acknowledged its upload."""
        client = compact.client()
        cohort = [*compact.clients[:3], client]
        found = compact.run(round_id, cohort, consent=compact.between(call, before=client.withdraw))
        compact.check(found, compact.clients[:3])
        assert found.record["dropped_at_commit"] == 1

    def test_withdrawn_after_the_commit(self, world: World, round_id: str) -> None:
        """The past stays lawful: it is in the sum."""
        client = world.client()
        cohort = [*world.clients[:3], client]
        found = world.run(round_id, cohort, consent=world.between("commit", after=client.withdraw))
        world.check(found, cohort)

    def test_everywhere_at_once(self, world: World, round_id: str) -> None:
        """Of eight, three are left."""
        mute, early, late = (world.client() for _ in range(3))
        cohort = [*world.clients, mute, early, late, world.client()]
        instead: dict[int, Answer] = {0: gone, 1: said_no, 4: unheard(mute)}
        if world.scheme.votes:
            instead[1] = spoilt(world.clients[1], 2)
        consent = world.between(
            "standing",
            before=early.withdraw,
            after=late.withdraw,
        )
        found = world.run(round_id, cohort, instead=instead, consent=consent)
        world.check(found, [*world.clients[2:], cohort[-1]])
        assert found.record["dropped_at_commit"] == 2
