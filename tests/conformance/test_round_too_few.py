"""Rounds that shrink below their minimum, wherever that shows: nothing is opened or released."""

from collections.abc import Sequence
from typing import Any

import pytest

from crypto.errors import CohortTooSmallError, RoundError
from crypto.sums.schemes import Scheme
from tests.conformance.clients import Node, gone, spoilt
from tests.conformance.rounds import MakeWorld, World


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

    def test_nobody_agrees_any_more(self, compact: World, round_id: str) -> None:
        cohort = [compact.client() for _ in range(4)]
        for each in cohort:
            each.withdraw()
        self.refused(compact, round_id, cohort)

    @pytest.mark.parametrize("left", [0, 2])
    def test_key_holders_exclude_the_others(self, compact: World, round_id: str, left: int) -> None:
        acts = {place: spoilt(compact.clients[place], 1 + place % 3) for place in range(left, 4)}
        self.refused(compact, round_id, compact.clients, instead=acts)

    @pytest.mark.parametrize(("call", "left"), [("eligible", 2), ("commit", 0)])
    def test_the_others_withdraw(self, world: World, round_id: str, call: str, left: int) -> None:
        cohort = [world.client() for _ in range(4)]

        def withdraw() -> None:
            for each in cohort[left:]:
                each.withdraw()

        self.refused(world, round_id, cohort, consent=world.between(call, before=withdraw))

    def test_too_few_answer(self, world: World, round_id: str) -> None:
        self.refused(world, round_id, world.clients, instead={0: gone, 3: gone})

    @pytest.mark.parametrize("scheme", [Scheme.COMPACT_SUM, Scheme.SHARE_SUM], ids=str)
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
