"""The clocks against an oracle that follows the words of the regulations, day by day."""

from datetime import UTC, date, datetime, timedelta

import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.rights import request as rules
from consent.rights.clock import Calendar, Residence, after_business_days, start
from consent.rights.request import CLOSED, Action, RequestError, RequestKind, RequestState

DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2034, 12, 31))
STATES = st.sampled_from(["", "DE", "FR", "IT", "PL", "SE", "NO"])
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Shanghai"])
OPT_OUTS = {RequestKind.OPT_OUT, RequestKind.LIMIT}


def months_later(day: date, months: int, state: str) -> date:
    """Walk to the month, then forward from the date, or back to a date that the month has."""
    there = day.replace(day=1)
    for _ in range(months):
        there = (there + timedelta(days=31)).replace(day=1)
    number = day.day
    while True:
        try:
            end = there.replace(day=number)
            break
        except ValueError:
            number -= 1
    closed = holidays.country_holidays(state) if state else {}
    while end.isoweekday() in (6, 7) or end in closed:
        end += timedelta(days=1)
    return end


def noon(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


@settings(deadline=None)
@given(day=DAYS, state=STATES, kind=st.sampled_from(list(RequestKind)))
def test_the_gdpr(day: date, state: str, kind: RequestKind) -> None:
    runs = start(kind, Residence.EEA, noon(day), Calendar(member_state=state))
    assert runs.due == months_later(day, 1, state)
    assert runs.longest == months_later(day, 3, state)


@settings(deadline=None)
@given(day=DAYS, count=st.integers(1, 20))
def test_business_days_are_counted_one_by_one(day: date, count: int) -> None:
    closed = holidays.country_holidays("US", subdiv="CA")
    following = (day + timedelta(days=n) for n in range(1, 60))
    working = [each for each in following if each.isoweekday() < 6 and each not in closed]
    assert after_business_days(day, count) == working[count - 1]


@settings(deadline=None)
@given(day=DAYS, state=STATES, kind=st.sampled_from(list(RequestKind)))
def test_elsewhere_is_never_later_than_either_law(day: date, state: str, kind: RequestKind) -> None:
    place = Calendar(member_state=state)
    strict, *laws = (
        start(kind, residence, noon(day), place)
        for residence in (Residence.ELSEWHERE, Residence.EEA, Residence.CALIFORNIA)
    )
    assert strict.due <= min(law.due for law in laws)
    assert day < strict.due <= day + timedelta(days=45)
    if kind in OPT_OUTS:
        assert strict.longest is None
    else:
        assert strict.longest is not None
        assert strict.due < strict.longest <= day + timedelta(days=99)


@settings(deadline=None)
@given(at=st.integers(1_700_000_000_000, 2_000_000_000_000), zone=ZONES)
def test_a_day_ends_when_the_next_begins(at: int, zone: str) -> None:
    place = Calendar(zone=zone)
    day = place.day(at)
    assert place.end(day - timedelta(days=1)) <= at < place.end(day)
    assert place.day(place.end(day)) == day + timedelta(days=1)


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Action)), max_size=12))
def test_no_sequence_of_actions_leaves_a_closed_state(actions: list[Action]) -> None:
    state, began = RequestState.RECEIVED, False
    for action in actions:
        before = state
        try:
            state = rules.moved(state, action)
        except RequestError:
            assert state is before
            continue
        assert before not in CLOSED
        began |= action is Action.START
        if state in (RequestState.COMPLETED, RequestState.PARTLY_COMPLETED):
            assert began
