"""The population's ledger: charged with every vote, for ever, over all tasks and schemes."""

from pathlib import Path

import pytest

from crypto.errors import BudgetError
from crypto.keyholder import overview
from crypto.round_times import VOTING_GRACE_S
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    Federation,
    Ready,
    piece_plan,
)
from tests.unit.crypto.keyholder.stage import make_round
from tests.unit.crypto.samples import plan


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


@pytest.fixture
def ready(federation: Federation) -> Ready:
    return federation.ready()


class TestBudget:
    def test_a_vote_is_charged_even_if_the_round_fails(self, federation: Federation) -> None:
        ready = federation.ready()
        federation.vote(1, ready)
        federation.vote(1, ready)
        cost = piece_plan(delta=1e-5).round_epsilon()
        spent = overview.overview(federation.holder(1)).epsilon
        assert spent == pytest.approx(cost, rel=1e-9)
        federation.now += 600 + VOTING_GRACE_S
        federation.start(1)
        found = overview.overview(federation.holder(1))
        assert found.epsilon == spent
        assert found.rounds[0].state == "aborted"

    def test_all_tasks_share_one_ledger(self, tmp_path: Path) -> None:
        cost = piece_plan(delta=1e-5).round_epsilon()
        federation = Federation.make(tmp_path, epsilon_cap=1.2 * cost)
        first, second = federation.ready(), federation.ready(task="item-item")
        federation.vote(1, first)
        with pytest.raises(BudgetError, match="population's ledger"):
            federation.vote(1, second)
        federation.start(1)
        with pytest.raises(BudgetError, match="nothing is released"):
            federation.vote(1, second)
        assert overview.overview(federation.holder(1)).votes == 1
        with pytest.raises(BudgetError, match="population's ledger"):
            federation.accepted("third", task="recent-popularity")

    def test_share_sums_are_charged_to_it_too(self, tmp_path: Path) -> None:
        cost = plan(delta=1e-5).round_epsilon()
        federation = Federation.make(tmp_path, epsilon_cap=1.1 * cost)
        holders = tuple(federation.holder(number) for number in NUMBERS)
        first = make_round(holders).request(1)
        station = federation.stations[1]
        assert station.open_sum(first) == station.open_sum(first)
        fields = {"task": "item-item"}
        second = make_round(holders, manifest_changes=fields, commit_changes=fields).request(1)
        with pytest.raises(BudgetError, match="population's ledger"):
            station.open_sum(second)
        with pytest.raises(BudgetError, match="population's ledger"):
            federation.accepted()

    def test_without_noise_nothing_is_charged(self, tmp_path: Path) -> None:
        federation = Federation.make(tmp_path, z_floor=0.0, epsilon_cap=1e-6)
        federation.vote(1, federation.ready(plan=piece_plan(noise_multiplier=0.0)))
        assert overview.overview(federation.holder(1)).epsilon == 0.0

    def test_a_full_disk_casts_nothing(self, federation: Federation, ready: Ready) -> None:
        desk = federation.stations[1]._desk
        with desk.log.transaction() as log:
            log.execute(
                "CREATE TRIGGER full BEFORE INSERT ON votes BEGIN SELECT RAISE(ABORT, ''); END"
            )
        with pytest.raises(BudgetError, match="can't be written"):
            federation.vote(1, ready)
        found = overview.overview(federation.holder(1))
        assert (found.votes, found.epsilon) == (0, 0.0)
