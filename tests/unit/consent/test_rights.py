"""The clocks against dates worked out by hand from the regulations, and every transition.

GDPR art. 12(3) with Regulation 1182/71 art. 3: the day of the event is not counted, the period ends
with the same date of the last month, or its last day, and never on a non-working day. The first
examples are those of EDPB Guidelines 01/2022, paragraphs 157 to 161, moved to years whose weekdays
fit. CCPA: Civ. Code §1798.130(a)(2), 11 CCR §7021, §7026(f), §7027(g); holidays of California in
2027: 18 January, 15 February, 31 March, 31 May.
"""

from datetime import UTC, date, datetime

import pytest

from consent.purpose import CELLS, Category, Cell, ConsentState, Decision, Purpose
from consent.rights import clock
from consent.rights import request as rules
from consent.rights.clock import Calendar, Law, Residence, start
from consent.rights.proof import Possession, Step, asked_hash
from consent.rights.request import Action, RequestError, RequestKind, RequestState
from consent.rights.terms import RightsTerms
from consent.standing import ShopperConsent, stands
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError, WireError
from crypto.wire import SignedRecord
from tests.unit.crypto.samples import signer

K, S, A = RequestKind, RequestState, Action
GERMANY = Calendar(zone="Europe/Berlin", member_state="DE")
ANYWHERE = Calendar()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("received", "place", "due", "longest"),
    [
        ("2027-03-05T10:00", ANYWHERE, "2027-04-05", "2027-06-07"),  # 5 June is a Saturday
        ("2027-08-31T10:00", ANYWHERE, "2027-09-30", "2027-11-30"),
        ("2027-01-31T10:00", ANYWHERE, "2027-03-01", "2027-04-30"),  # 28 February is a Sunday
        ("2028-01-31T10:00", ANYWHERE, "2028-02-29", "2028-05-01"),  # 30 April is a Sunday
        ("2028-01-31T10:00", GERMANY, "2028-02-29", "2028-05-02"),  # and 1 May is Labour Day
        ("2027-02-26T10:00", ANYWHERE, "2027-03-26", "2027-05-26"),
        ("2027-02-26T10:00", GERMANY, "2027-03-30", "2027-05-26"),  # Good Friday to Easter Monday
        ("2026-11-25T10:00", Calendar(member_state="FR"), "2026-12-28", "2027-02-25"),
        ("2026-12-15T10:00", ANYWHERE, "2027-01-15", "2027-03-15"),
    ],
)
def test_one_month_and_three_in_all(received: str, place: Calendar, due: str, longest: str) -> None:
    runs = start(K.ACCESS, Residence.EEA, at(received), place)
    assert (runs.due.isoformat(), str(runs.longest)) == (due, longest)
    assert runs.acknowledge_by is None


@pytest.mark.parametrize("kind", [K.KNOW, K.DELETE, K.CORRECT, K.ACCESS, K.ERASURE])
def test_ten_business_days_forty_five_days_and_ninety(kind: RequestKind) -> None:
    runs = start(kind, Residence.CALIFORNIA, at("2027-01-15T10:00"), ANYWHERE)
    # 19 to 22, 25 to 29 January and 1 February: the 18th is Martin Luther King Jr. Day.
    assert runs.acknowledge_by == date(2027, 2, 1)
    assert (runs.due, runs.longest) == (date(2027, 3, 1), date(2027, 4, 15))


@pytest.mark.parametrize("kind", [K.OPT_OUT, K.LIMIT])
def test_fifteen_business_days_and_no_more(kind: RequestKind) -> None:
    runs = start(kind, Residence.CALIFORNIA, at("2027-01-15T10:00"), ANYWHERE)
    assert (runs.due, runs.longest, runs.acknowledge_by) == (date(2027, 2, 8), None, None)
    with pytest.raises(RequestError, match="can't be extended"):
        runs.extended(date(2027, 1, 20), "why")


def test_elsewhere_gets_the_earlier_of_both() -> None:
    access = start(K.ACCESS, Residence.ELSEWHERE, at("2027-01-15T10:00"), ANYWHERE)
    assert (access.acknowledge_by, access.due) == (date(2027, 2, 1), date(2027, 2, 15))
    assert access.longest == date(2027, 4, 15)
    opt_out = start(K.OPT_OUT, Residence.ELSEWHERE, at("2027-01-15T10:00"), ANYWHERE)
    assert (opt_out.due, opt_out.longest) == (date(2027, 2, 8), None)


def test_what_the_ccpa_does_not_know_runs_by_the_gdpr() -> None:
    for kind in (K.RESTRICTION, K.LIFT_RESTRICTION, K.OBJECTION):
        assert clock.laws(Residence.CALIFORNIA, kind) == {Law.GDPR}
    assert clock.laws(Residence.CALIFORNIA, K.ACCESS) == {Law.CCPA}


@pytest.mark.parametrize(
    ("zone", "started", "ends"),
    [
        ("UTC", "2027-01-15", "2027-02-16T00:00"),
        ("Europe/Berlin", "2027-01-16", "2027-02-16T23:00"),
        ("America/Los_Angeles", "2027-01-15", "2027-02-16T08:00"),
        ("Asia/Shanghai", "2027-01-16", "2027-02-16T16:00"),
    ],
)
def test_days_are_those_of_the_controllers_zone(zone: str, started: str, ends: str) -> None:
    place = Calendar(zone=zone)
    runs = start(K.ACCESS, Residence.EEA, at("2027-01-15T23:30"), place)
    assert runs.started.isoformat() == started
    assert place.end(runs.due) == at(ends)


def test_one_extension_told_within_the_first_period() -> None:
    runs = start(K.ACCESS, Residence.EEA, at("2027-01-15T10:00"), ANYWHERE)
    longer = runs.extended(runs.due, "a paper archive")
    assert (runs.ends, longer.ends) == (date(2027, 2, 15), date(2027, 4, 15))
    with pytest.raises(RequestError, match="second time"):
        longer.extended(date(2027, 2, 1), "again")
    with pytest.raises(RequestError, match="2027-02-15, which is over"):
        runs.extended(date(2027, 2, 16), "late")
    with pytest.raises(RequestError, match="reason"):
        runs.extended(date(2027, 2, 1), "  ")


def test_a_place_is_checked() -> None:
    for bad in ({"zone": "Mars/Olympus"}, {"zone": "../etc/passwd"}, {"member_state": "US"}):
        with pytest.raises(InvalidInputError, match="Expected"):
            Calendar(**bad)
    terms = RightsTerms.from_json({"time_zone": "Europe/Paris", "member_state": "FR"})
    assert (terms.place.zone, terms.backup_days) == ("Europe/Paris", 35)
    wrongs: list[object] = [{"backup_days": -1}, {"colour": 1}, []]
    for wrong in wrongs:
        with pytest.raises(InvalidInputError):
            RightsTerms.from_json(wrong)


# Written out by hand: for each action, where it leads from each state.
TABLE = {
    (S.RECEIVED, A.ASK_PROOF): S.AWAITING_PROOF,
    (S.RECEIVED, A.START): S.IN_PROGRESS,
    (S.RECEIVED, A.REFUSE): S.REFUSED,
    (S.RECEIVED, A.CANCEL): S.CANCELLED,
    (S.AWAITING_PROOF, A.START): S.IN_PROGRESS,
    (S.AWAITING_PROOF, A.REFUSE): S.REFUSED,
    (S.AWAITING_PROOF, A.CANCEL): S.CANCELLED,
    (S.IN_PROGRESS, A.INSTRUCT): S.WAITING_FOR_CLIENTS,
    (S.IN_PROGRESS, A.COMPLETE): S.COMPLETED,
    (S.IN_PROGRESS, A.COMPLETE_PARTLY): S.PARTLY_COMPLETED,
    (S.IN_PROGRESS, A.REFUSE): S.REFUSED,
    (S.IN_PROGRESS, A.CANCEL): S.CANCELLED,
    (S.WAITING_FOR_CLIENTS, A.COMPLETE): S.COMPLETED,
    (S.WAITING_FOR_CLIENTS, A.COMPLETE_PARTLY): S.PARTLY_COMPLETED,
}


@pytest.mark.parametrize("state", list(S))
def test_every_transition(state: RequestState) -> None:
    for action in A:
        expected = TABLE.get((state, action))
        assert rules.can(state, action) == (expected is not None)
        if expected is not None:
            assert rules.moved(state, action) is expected
        else:
            with pytest.raises(RequestError, match="can't take the step"):
                rules.moved(state, action)


def test_which_kinds_need_proof_and_which_take_effect_at_once() -> None:
    proved = {K.ACCESS, K.PORTABILITY, K.KNOW, K.RECTIFICATION, K.CORRECT, K.ERASURE, K.DELETE}
    assert {kind for kind in K if rules.needs_proof(kind)} == proved
    assert {kind for kind in K if rules.needs_confirmation(kind)} == {K.ERASURE, K.DELETE}


def test_what_a_request_ends() -> None:
    given = ShopperConsent(epoch=1, floor=0, cells=dict.fromkeys(CELLS, ConsentState.GIVEN))
    stays = {cell for cell in CELLS if cell.purpose is Purpose.PERSONALISE}
    for kind in (K.OBJECTION, K.OPT_OUT):
        assert tuple(sorted(CELLS, key=CELLS.index)) == CELLS
        assert set(rules.withdrawals(kind, given)) == set(CELLS) - stays
    sensitive = {Category.SENSITIVE, Category.LOCATION}
    assert {cell.category for cell in rules.withdrawals(K.LIMIT, given)} == sensitive
    assert set(rules.withdrawals(K.LIMIT, given).values()) == {Decision.WITHDRAWN}
    nobody = ShopperConsent(epoch=0, floor=0)
    assert all(rules.withdrawals(kind, nobody) == {} for kind in K)


def test_while_restricted_nothing_permits_anything() -> None:
    cell = Cell(Purpose.TRAIN, Category.PURCHASES)
    given = ShopperConsent(epoch=4, floor=2, cells={cell: ConsentState.GIVEN})
    task = TaskName.POPULARITY
    assert stands(task=task, epoch=4, consent=given)
    frozen = given.restrict()
    assert (frozen.epoch, frozen.floor, frozen.state(cell)) == (5, 5, ConsentState.GIVEN)
    assert not any(stands(task=task, epoch=epoch, consent=frozen) for epoch in range(8))
    assert not frozen.allows(task)
    assert frozen.categories(Purpose.TRAIN) == frozenset()
    assert frozen.restrict() == frozen
    lifted = frozen.lift()
    assert (lifted.epoch, lifted.floor, lifted.allows(task)) == (6, 5, True)
    assert not stands(task=task, epoch=4, consent=lifted)
    assert stands(task=task, epoch=6, consent=lifted)
    assert given.lift() == given
    more = frozen.decide({cell: Decision.GIVEN})
    assert more.restricted
    assert not more.allows(task)


class TestPossession:
    KEY = signer("device")

    def made(self, **changes: object) -> Possession:
        fields: dict[str, object] = {
            "shopper": "a" * 32,
            "step": Step.CONFIRM,
            "asked": asked_hash({"request": "b"}),
            "client_key": self.KEY.public_key(),
            "issued_at": 1000,
        }
        return Possession(**(fields | changes))  # type: ignore[arg-type]

    def test_it_covers_one_thing_for_a_minute(self) -> None:
        proof = Possession.parse(self.made().sign(self.KEY))
        right = ("a" * 32, Step.CONFIRM, asked_hash({"request": "b"}))
        assert proof.covers(*right, 1060)
        assert proof.covers(*right, 940)
        assert not proof.covers(*right, 1061)
        assert not proof.covers("c" * 32, *right[1:], 1000)
        assert not proof.covers(right[0], Step.FETCH, right[2], 1000)
        assert not proof.covers(*right[:2], asked_hash({"request": "c"}), 1000)

    def test_another_key_or_form_is_refused(self) -> None:
        record = self.made().sign(signer("other"))
        with pytest.raises(WireError, match="signature"):
            Possession.parse(record)
        body = {"shopper": "a", "client_key": "x"}
        with pytest.raises(WireError):
            Possession.parse(SignedRecord.sign("rights-proof", body, self.KEY))
        with pytest.raises(WireError):
            Possession.parse(SignedRecord.sign("participation", body, self.KEY))
