from itertools import product

import pytest

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
from consent.standing import ShopperConsent, TransitionError, next_state, stands
from consent.tasks.names import TaskName

S, D = ConsentState, Decision
TRAIN = Cell(Purpose.TRAIN, Category.PURCHASES)
OTHER = Cell(Purpose.RESEARCH, Category.BROWSING)
# What tasks need that don't need TRAIN alone, by hand.
NEEDED = {
    TaskName.EVALUATION: (Cell(Purpose.MEASUREMENT, Category.PURCHASES),),
    TaskName.FAIRNESS: (
        Cell(Purpose.FAIRNESS, Category.PURCHASES),
        Cell(Purpose.FAIRNESS, Category.DEMOGRAPHICS),
    ),
}

# Written out by hand, so that the rule is checked against a list and not against itself.
TRANSITIONS = {
    S.UNKNOWN: (S.GIVEN, S.REFUSED, None),
    S.REQUESTED: (S.GIVEN, S.REFUSED, None),
    S.REQUEST_DEFERRED: (S.GIVEN, S.REFUSED, None),
    S.GIVEN: (S.RENEWED, S.WITHDRAWN, S.WITHDRAWN),
    S.RENEWED: (S.RENEWED, S.WITHDRAWN, S.WITHDRAWN),
    S.REFUSED: (S.GIVEN, S.REFUSED, None),
    S.EXPIRED: (S.GIVEN, S.REFUSED, S.WITHDRAWN),
    S.WITHDRAWN: (S.GIVEN, S.REFUSED, S.WITHDRAWN),
    S.REVOKED: (S.GIVEN, S.REFUSED, None),
    S.INVALIDATED: (S.GIVEN, S.REFUSED, None),
}


@pytest.mark.parametrize("state", list(S))
def test_every_transition(state: ConsentState) -> None:
    for decision, expected in zip(D, TRANSITIONS[state], strict=True):
        if expected is None:
            with pytest.raises(TransitionError, match="never given"):
                next_state(state, decision)
        else:
            assert next_state(state, decision) is expected


def test_a_no_never_leaves_a_cell_live() -> None:
    for state in S:
        assert next_state(state, D.REFUSED) in ENDED_STATES


def test_only_given_and_renewed_are_live() -> None:
    assert {S.GIVEN, S.RENEWED} == LIVE_STATES
    assert not LIVE_STATES & ENDED_STATES
    assert len(CELLS) == len(Purpose) * len(Category)


def test_undecided_is_unknown_and_permits_nothing() -> None:
    nobody = ShopperConsent(epoch=0, floor=0)
    assert all(nobody.state(cell) is S.UNKNOWN for cell in CELLS)
    assert not any(nobody.allows(task) for task in TaskName)
    assert not any(nobody.categories(purpose) for purpose in Purpose)


@pytest.mark.parametrize("state", list(S))
def test_standing_for_every_state_epoch_and_floor(state: ConsentState) -> None:
    for task, epoch, floor, granted in product(TaskName, range(4), range(4), range(5)):
        cells = dict.fromkeys(NEEDED.get(task, (TRAIN,)), state)
        consent = ShopperConsent(epoch=epoch, floor=floor, cells=cells)
        expected = state in (S.GIVEN, S.RENEWED) and granted in range(floor, epoch + 1)
        assert stands(task=task, epoch=granted, consent=consent) is expected


def test_no_other_cell_stands_in_for_the_required_one() -> None:
    for cell in set(CELLS) - {TRAIN}:
        consent = ShopperConsent(epoch=1, floor=0, cells={cell: S.GIVEN})
        assert not consent.allows(TaskName.POPULARITY)


def test_a_fairness_audit_needs_both_of_its_cells_and_training_gives_neither() -> None:
    for cell in (TRAIN, *NEEDED[TaskName.FAIRNESS], *NEEDED[TaskName.EVALUATION]):
        consent = ShopperConsent(epoch=1, floor=0, cells={cell: S.GIVEN})
        assert not consent.allows(TaskName.FAIRNESS)
        assert consent.allows(TaskName.EVALUATION) is (cell in NEEDED[TaskName.EVALUATION])


def test_more_consent_keeps_older_grants() -> None:
    before = ShopperConsent(epoch=1, floor=0, cells={TRAIN: S.GIVEN})
    after = before.decide({OTHER: D.GIVEN, TRAIN: D.GIVEN})
    assert (after.epoch, after.floor) == (2, 0)
    assert after.state(TRAIN) is S.RENEWED
    assert stands(task=TaskName.ITEM_ITEM, epoch=1, consent=after)


@pytest.mark.parametrize("decision", [D.REFUSED, D.WITHDRAWN])
def test_any_no_kills_older_grants_for_ever(decision: Decision) -> None:
    before = ShopperConsent(epoch=3, floor=1, cells={TRAIN: S.GIVEN, OTHER: S.GIVEN})
    after = before.decide({OTHER: decision})
    assert (after.epoch, after.floor) == (4, 4)
    assert after.allows(TaskName.POPULARITY)
    assert not stands(task=TaskName.POPULARITY, epoch=3, consent=after)
    assert stands(task=TaskName.POPULARITY, epoch=4, consent=after)
    again = after.decide({OTHER: D.GIVEN})
    assert not stands(task=TaskName.POPULARITY, epoch=3, consent=again)


def test_decisions_are_all_or_none() -> None:
    before = ShopperConsent(epoch=1, floor=0, cells={TRAIN: S.GIVEN})
    with pytest.raises(TransitionError, match="research / browsing"):
        before.decide({TRAIN: D.WITHDRAWN, OTHER: D.WITHDRAWN})
    assert before.state(TRAIN) is S.GIVEN


def test_moving_to_another_client_kills_older_grants() -> None:
    moved = ShopperConsent(epoch=1, floor=0, cells={TRAIN: S.GIVEN}).moved()
    assert not stands(task=TaskName.POPULARITY, epoch=1, consent=moved)
    assert stands(task=TaskName.POPULARITY, epoch=2, consent=moved)
