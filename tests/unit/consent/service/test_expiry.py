"""Consent ends when its time is over, whether or not anybody writes that down."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.answers import Offer
from consent.purpose import (
    CELLS,
    ENDED_STATES,
    LIVE_STATES,
    Category,
    Cell,
    ConsentState,
    Decision,
    Purpose,
)
from consent.service.records.service import write_expiries
from consent.standing import ShopperConsent, TransitionError, stands
from consent.tasks.names import TaskName
from tests.conftest import NewDatabase
from tests.unit.consent.harness import CONTEXT, GIVE, TASK, TRAIN_PURCHASES, WITHDRAW, Stage

DAY = 86_400
OTHER = Cell(Purpose.RESEARCH, Category.BROWSING)


@pytest.fixture
def brief(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service under which consent lasts a day."""
    first = Stage(tmp_path / "brief", database=new_database)
    first.close()
    made = Stage(tmp_path / "brief", settings=replace(first.settings, validity_days=1))
    made.clock = first.clock
    yield made
    made.close()


def state(stage: Stage, who: str, token: str) -> tuple[int, ConsentState]:
    found = stage.client.consents(who, token)
    return found.epoch, found.cells[TRAIN_PURCHASES]


def test_consent_ends_by_itself(brief: Stage) -> None:
    device = brief.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    brief.clock.now += DAY - 0.001
    grants = brief.grants(device)
    assert brief.client.standing(grants.values())
    assert brief.client.eligible(TASK, [device.name])
    brief.clock.now += 0.001
    assert not brief.client.standing(grants.values())
    assert not brief.client.eligible(TASK, [device.name])
    assert state(brief, who, token) == (2, ConsentState.EXPIRED)
    offer = Offer(upload="a" * 64, client=device.name, grants=tuple(grants.values()))
    done = brief.client.commit(task=TASK, round_id="round-1", context=CONTEXT, offers=[offer])
    assert done.dropped == {offer.upload: "not-standing"}
    assert not brief.grants(device, "round-2")


def test_renewing_after_the_end_revives_no_grant(brief: Stage) -> None:
    device = brief.device()
    grants = brief.grants(device)
    brief.clock.now += DAY
    assert brief.decide(device, GIVE) == 3
    assert not brief.client.standing(grants.values())
    assert brief.grants(device, "round-2")


def test_any_expiry_kills_older_grants(brief: Stage) -> None:
    device = brief.device(decisions={OTHER: Decision.GIVEN})
    brief.clock.now += DAY / 2
    brief.decide(device, GIVE)
    first = brief.grants(device)
    brief.clock.now += DAY / 2
    assert not brief.client.standing(first.values())
    second = brief.grants(device, "round-2")
    assert brief.client.standing(second.values()) == set(second.values())
    write_expiries(brief.context)
    assert brief.client.standing([*first.values(), *second.values()]) == set(second.values())


def test_what_is_due_is_written_once(brief: Stage) -> None:
    store = brief.device(kind="store", shoppers=7)
    quitter = next(iter(store.shoppers))
    brief.decide(store, WITHDRAW, shopper=quitter)
    assert write_expiries(brief.context) == 0
    brief.clock.now += DAY
    before = {who: state(brief, who, token) for who, token in store.shoppers.items()}
    assert write_expiries(brief.context) == 6
    assert write_expiries(brief.context) == 0
    assert {who: state(brief, who, token) for who, token in store.shoppers.items()} == before
    assert before.pop(quitter) == (2, ConsentState.WITHDRAWN)
    assert set(before.values()) == {(2, ConsentState.EXPIRED)}


def test_expired_consent_can_be_withdrawn(brief: Stage) -> None:
    device = brief.device()
    brief.clock.now += 2 * DAY
    assert brief.decide(device, WITHDRAW) == 3


def test_a_longer_setting_does_not_prolong_what_was_given(brief: Stage) -> None:
    device = brief.device()
    again = Stage(brief.home, settings=replace(brief.settings, validity_days=396))
    brief.clock.now += DAY
    assert not again.client.eligible(TASK, [device.name])
    again.close()


states = st.dictionaries(st.sampled_from(CELLS), st.sampled_from(list(ConsentState)))


@given(
    cells=states,
    ends=st.dictionaries(st.sampled_from(CELLS), st.integers(0, 20)),
    now=st.integers(0, 20),
    granted=st.integers(0, 9),
    floor=st.integers(0, 5),
)
def test_expiry_only_ever_takes_away(
    cells: dict[Cell, ConsentState], ends: dict[Cell, int], now: int, granted: int, floor: int
) -> None:
    before = ShopperConsent(epoch=5, floor=floor, cells=cells, ends=ends)
    after = before.at(now)
    due = {c for c, s in cells.items() if s in LIVE_STATES and ends.get(c, now + 1) <= now}
    assert before.due(now) == due
    for cell in CELLS:
        expected = ConsentState.EXPIRED if cell in due else before.state(cell)
        assert after.state(cell) is expected
    assert (after.epoch, after.floor) == ((6, 6) if due else (5, floor))
    assert after.at(now) is after
    if stands(task=TaskName.POPULARITY, epoch=granted, consent=after) and granted <= 5:
        assert stands(task=TaskName.POPULARITY, epoch=granted, consent=before)
        assert not due


def test_what_is_not_given_can_not_expire() -> None:
    for ended in ENDED_STATES | {ConsentState.UNKNOWN}:
        consent = ShopperConsent(epoch=1, floor=0, cells={OTHER: ended})
        with pytest.raises(TransitionError, match="not given"):
            consent.lapse([OTHER])
    assert consent.lapse([]) is consent
