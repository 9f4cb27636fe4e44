from datetime import UTC, datetime

import httpx
import pytest

from consent.instruction_report import Outcome, ReportStatus
from consent.purpose import Category, Cell, ConsentState, Decision, Purpose
from consent.rights.proof import Step
from consent.service.instructions import service as told
from consent.service.principals import STEP_UP, Role
from consent.service.rights import progress
from tests.unit.consent.harness import CONTEXT, GIVE, TASK, TRAIN_PURCHASES, Stage
from tests.unit.consent.rounds import bearer
from tests.unit.consent.service.rights_calls import (
    Person,
    instructions,
    login,
    operator,
    person,
    report_all,
)

LOCATION = Cell(Purpose.PERSONALISE, Category.LOCATION)
ON_DEVICE = Cell(Purpose.PERSONALISE, Category.PURCHASES)
ALL = dict.fromkeys((TRAIN_PURCHASES, LOCATION, ON_DEVICE), Decision.GIVEN)


def states(who: Person) -> dict[Cell, ConsentState]:
    token = who.device.shoppers[who.shopper]
    return who.stage.client.consents(who.shopper, token).cells


def test_a_request_without_proof_waits_and_its_clock_runs(stage: Stage) -> None:
    who = person(stage)
    asked = who.ask("access")
    assert asked.status_code == 201
    found = asked.json()
    assert (found["state"], found["needs_proof"], found["export"]) == (
        "awaiting-proof",
        True,
        False,
    )
    assert datetime.fromtimestamp(stage.clock.now, UTC).date().isoformat() == "2027-01-15"
    assert (found["due_on"], found["acknowledge_by"]) == ("2027-02-15", None)
    assert [step["action"] for step in found["steps"]] == ["received", "ask-proof"]


@pytest.mark.parametrize("kind", ["access", "portability", "know"])
def test_a_device_proves_by_its_key(stage: Stage, kind: str) -> None:
    who = person(stage)
    found = who.ask_with_proof(kind).json()
    assert (found["state"], found["export"]) == ("waiting-for-clients", True)
    assert [each["kind"] for each in found["instructions"]] == ["export"]
    report_all(stage, who.device)
    assert who.read(found["id"])["state"] == "completed"


def test_a_fresh_login_proves_and_an_old_one_does_not(stage: Stage) -> None:
    who = person(stage)
    fresh = Person(stage, who.device, login(stage, Role.SHOPPER, shopper=who.shopper))
    assert fresh.ask("access").json()["state"] == "waiting-for-clients"
    stage.clock.now += 601
    asked = fresh.ask("access").json()
    assert asked["state"] == "awaiting-proof"
    refused = fresh.confirm(asked["id"])
    assert (refused.status_code, refused.json()["type"]) == (403, STEP_UP)


def test_a_proof_counts_for_one_thing_one_minute_and_one_device(stage: Stage) -> None:
    who, other = person(stage), person(stage)
    request = who.ask("access").json()["id"]
    step = {"request": request}
    wrong = [
        who.proof(Step.FETCH, step),
        who.proof(Step.CONFIRM, {"request": "0" * 32}),
        who.proof(Step.CONFIRM, step, issued_at=int(stage.clock.now) - 61),
        who.proof(Step.CONFIRM, step, shopper=other.shopper),
        other.proof(Step.CONFIRM, step, shopper=who.shopper),
    ]
    for record in wrong:
        body = {"proof": record.to_json()}
        answer = stage.http.post(who.path(request, "confirm"), json=body, headers=who.headers)
        assert (answer.status_code, answer.json()["type"]) == (403, STEP_UP)
    assert who.confirm(request, signed=True).json()["state"] == "waiting-for-clients"


def test_a_store_proves_nothing_for_its_shoppers(stage: Stage) -> None:
    who = person(stage, kind="store")
    assert who.ask_with_proof("access").status_code == 403
    request = who.ask("access").json()["id"]
    assert who.confirm(request, signed=True).status_code == 403


def test_the_same_key_is_one_request(stage: Stage) -> None:
    who = person(stage)
    first, again = (who.ask("access", key="k" * 16).json() for _ in range(2))
    assert first == again
    other = who.ask("portability", key="k" * 16)
    assert other.status_code == 422
    assert len(stage.http.get(who.path(), headers=who.headers).json()["requests"]) == 1


def test_requests_are_hers_alone(stage: Stage) -> None:
    who, other = person(stage), person(stage)
    request = who.ask("access").json()["id"]
    foreign = Person(stage, who.device, other.headers)
    for path in (who.path(), who.path(request)):
        assert stage.http.get(path, headers=foreign.headers).status_code == 404
    assert stage.http.get(other.path(request), headers=other.headers).status_code == 404
    assert foreign.confirm(request).status_code == 404
    assert foreign.cancel(request).status_code == 404
    assert stage.http.get(f"/v1/requests/{request}", headers=who.headers).status_code == 404


def test_an_opt_out_needs_no_proof_and_is_complete_at_once(stage: Stage) -> None:
    who = person(stage, decisions=ALL)
    grant = stage.grants(who.device)[who.shopper]
    found = who.ask("opt-out", residence="california").json()
    assert (found["state"], found["laws"]) == ("completed", ["ccpa"])
    now = states(who)
    assert now[TRAIN_PURCHASES] is ConsentState.WITHDRAWN
    assert (now[ON_DEVICE], now[LOCATION]) == (ConsentState.GIVEN, ConsentState.GIVEN)
    assert stage.client.standing([grant]) == frozenset()
    assert "object" in {each.kind for each in instructions(stage, who.device)}


def test_a_limit_ends_sensitive_data_only(stage: Stage) -> None:
    who = person(stage, decisions=ALL)
    assert who.ask("limit", residence="california").json()["state"] == "completed"
    now = states(who)
    assert now[LOCATION] is ConsentState.WITHDRAWN
    assert now[TRAIN_PURCHASES] is ConsentState.GIVEN


def test_an_objection_of_somebody_who_gave_nothing_is_complete(stage: Stage) -> None:
    who = person(stage, decisions={})
    found = who.ask("objection").json()
    assert (found["state"], found["instructions"]) == ("completed", [])


class TestRestriction:
    def test_grants_die_at_standing_and_none_is_issued(self, stage: Stage) -> None:
        who = person(stage)
        grant = stage.grants(who.device)[who.shopper]
        assert stage.client.standing([grant]) == {grant}
        found = who.ask("restriction").json()
        assert found["state"] == "waiting-for-clients"
        assert stage.client.standing([grant]) == frozenset()
        assert stage.client.eligible(TASK, [who.device.name]) == ()
        assert stage.grants(who.device) == {}
        assert stage.grants(who.device, "round-2") == {}
        report_all(stage, who.device)
        assert who.read(found["id"])["state"] == "completed"

    def test_an_upload_of_before_is_dropped_at_the_commit(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        offers = [
            {"upload": f"{n:064x}", "client": p.device.name, "grants": list(g.values())}
            for n, p in enumerate((who, other))
            for g in [stage.grants(p.device)]
        ]
        who.ask("restriction")
        body = {"task": TASK, "round": "round-1", "context": CONTEXT, "uploads": offers}
        answer = stage.http.post("/v1/commits", json=body, headers=stage.coordinator).json()
        assert answer["dropped"] == [{"upload": f"{0:064x}", "reason": "not-standing"}]

    def test_consent_is_kept_and_comes_back_and_dead_grants_do_not(self, stage: Stage) -> None:
        who = person(stage)
        dead = stage.grants(who.device)[who.shopper]
        who.ask("restriction")
        assert states(who)[TRAIN_PURCHASES] is ConsentState.GIVEN
        listed = stage.http.get(who.path(), headers=who.headers).json()
        assert listed["restricted_since"] == int(stage.clock.now * 1000)
        who.ask("lift-restriction")
        assert states(who)[TRAIN_PURCHASES] is ConsentState.GIVEN
        assert stage.client.standing([dead]) == frozenset()
        assert stage.grants(who.device) == {}  # of that round: the dead one is hers
        fresh = stage.grants(who.device, "round-2")[who.shopper]
        assert stage.client.standing([fresh]) == {fresh}

    def test_giving_more_does_not_lift_it(self, stage: Stage) -> None:
        who = person(stage, decisions={})
        who.ask("restriction")
        stage.decide(who.device, GIVE)
        assert stage.grants(who.device) == {}
        assert stage.client.eligible(TASK, [who.device.name]) == ()

    def test_one_restricted_shopper_of_a_store_leaves_the_others(self, stage: Stage) -> None:
        store = stage.device(kind="store", shoppers=3)
        first = Person(stage, store)
        first.ask("restriction")
        assert set(stage.grants(store)) == set(store.shoppers) - {first.shopper}


def test_a_rectification_of_what_the_service_holds(stage: Stage) -> None:
    who = person(stage)
    hers = Person(stage, who.device, login(stage, Role.SHOPPER, shopper=who.shopper))
    own = {"name": "New.Name", "language": "zh", "residence": "california"}
    assert hers.ask("rectification", own=own).json()["state"] == "completed"
    assert hers.ask("correct", own={"name": "x"}).status_code == 422
    login(stage, Role.SHOPPER, shopper=person(stage).shopper)
    taken = hers.ask("correct", own={"name": "new.name"})
    assert taken.json()["state"] == "completed"  # it is her own


def test_a_name_that_somebody_has_is_not_taken(stage: Stage) -> None:
    first, second = person(stage), person(stage)
    for who in (first, second):
        who.headers = login(stage, Role.SHOPPER, shopper=who.shopper)
    assert first.ask("correct", own={"name": "wanted"}).json()["state"] == "completed"
    assert second.ask("correct", own={"name": "wanted"}).status_code == 409
    assert stage.http.get(second.path(), headers=second.headers).json()["requests"] == []


def test_corrections_of_purchases_go_to_her_client(stage: Stage) -> None:
    who = person(stage)
    wrong = [{"item": "milk", "day": "2026-11-01", "delete": True}]
    found = who.ask_with_proof("rectification", purchases=wrong).json()
    assert found["state"] == "waiting-for-clients"
    (told,) = instructions(stage, who.device)
    assert [each.to_json() for each in told.corrections] == wrong
    report_all(stage, who.device, status=ReportStatus.REFUSED, outcome=Outcome.UNKNOWN_SHOPPER)
    closed = who.read(found["id"])
    assert (closed["state"], closed["may_complain"]) == ("partly-completed", True)


def test_only_a_rectification_says_what_is_wrong(stage: Stage) -> None:
    who = person(stage)
    for kind, body in (
        ("rectification", {}),
        ("access", {"note": "and this"}),
        ("access", {"exact": True}),
        ("rectification", {"purchases": [{"item": "milk"}]}),
        ("rectification", {"note": "a\0b"}),
    ):
        assert who.ask(kind, **body).status_code == 422


def test_she_takes_back_what_was_not_carried_out(stage: Stage) -> None:
    who = person(stage)
    request = who.ask("access").json()["id"]
    assert who.cancel(request).json()["state"] == "cancelled"
    assert who.cancel(request).status_code == 409
    assert who.confirm(request, signed=True).status_code == 409
    begun = who.ask_with_proof("access").json()["id"]
    assert who.cancel(begun).status_code == 409


def test_open_requests_are_bounded(stage: Stage) -> None:
    who = person(stage)
    for _ in range(20):
        assert who.ask("access").status_code == 201
    assert who.ask("access").status_code == 409


def step(
    stage: Stage,
    request: str,
    name: str,
    headers: dict[str, str],
    body: dict[str, str] | None = None,
    *,
    seen: str | None = None,
) -> httpx.Response:
    """A step of an operator's, from what he saw: how it is now, unless that is said."""
    path = f"/v1/requests/{request}"
    seen = seen or stage.http.get(path, headers=headers).headers["etag"]
    sent = headers | {"If-Match": seen}
    return stage.http.post(f"{path}/{name}", json=body, headers=sent)


class TestQueue:
    def test_the_operator_sees_the_request_and_nothing_of_her_consent(self, stage: Stage) -> None:
        who, headers = person(stage), operator(stage)
        asked = who.ask_with_proof("rectification", note="My age band is wrong.").json()
        (found,) = stage.http.get("/v1/requests", headers=headers).json()["requests"]
        assert (found["id"], found["shopper"]) == (asked["id"], who.shopper)
        assert found["details"] == {"note": "My age band is wrong."}
        assert found["state"] == "in-progress"
        token = headers["Authorization"].removeprefix("Bearer ")
        assert (
            stage.http.get(
                f"/v1/shoppers/{who.shopper}/consents", headers=bearer(token)
            ).status_code
            == 404
        )

    def test_the_earliest_due_comes_first_and_pages_join(self, stage: Stage) -> None:
        headers = operator(stage)
        ids = []
        for _ in range(5):
            ids.append(person(stage).ask("access").json()["id"])
            stage.clock.now += 86_400
        stage.clock.now += 29 * 86_400
        headers = operator(stage)
        found, cursor = [], None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = stage.http.get("/v1/requests", params=query, headers=headers).json()
            found += page["requests"]
            cursor = page["next"]
            if cursor is None:
                break
        # The 15th to 19th of February 2027 are Monday to Friday.
        assert [each["id"] for each in found] == ids
        assert [each["overdue"] for each in found] == [True, True, True, False, False]
        assert (page["open"], page["overdue"]) == (5, 3)

    def test_steps_are_told_and_audited(self, stage: Stage) -> None:
        who, headers = person(stage), operator(stage)
        request = who.ask_with_proof("rectification", note="Something else.").json()["id"]
        assert step(stage, request, "take", headers).status_code == 200
        body = {"reason": "The store's archive is on paper."}
        longer = step(stage, request, "extend", headers, body).json()
        assert (longer["due_on"], longer["extended_until"]) == ("2027-02-15", "2027-04-15")
        assert step(stage, request, "extend", headers, body).status_code == 409
        answer = {"answer": "It is corrected."}
        closed = step(stage, request, "complete", headers, answer).json()
        assert (closed["state"], closed["details"]) == ("completed", {})
        assert step(stage, request, "complete", headers, answer).status_code == 409
        hers = who.read(request)
        assert hers["extension_reason"] == body["reason"]
        assert [step["action"] for step in hers["steps"]][-3:] == ["take", "extend", "complete"]
        assert hers["answer"] == "It is corrected."

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("take", None),
            ("extend", {"reason": "Archive."}),
            ("complete", {"answer": "Done."}),
            ("refuse", {"ground": "no-such-data", "answer": "None."}),
        ],
    )
    def test_a_step_is_from_the_state_that_was_read(
        self, stage: Stage, name: str, body: dict[str, str] | None
    ) -> None:
        who, headers = person(stage), operator(stage)
        request = who.ask_with_proof("rectification", note="Something else.").json()["id"]
        path = f"/v1/requests/{request}"
        assert stage.http.post(f"{path}/{name}", json=body, headers=headers).status_code == 428
        read = stage.http.get(path, headers=headers).headers["etag"]
        taken = step(stage, request, "take", headers, seen=read)
        assert taken.status_code == 200
        before = stage.http.get(path, headers=headers)
        assert before.headers["etag"] == taken.headers["etag"] != read
        assert step(stage, request, name, headers, body, seen=read).status_code == 412
        assert stage.http.get(path, headers=headers).json() == before.json()
        done = step(stage, request, name, headers, body, seen=taken.headers["etag"])
        assert done.status_code == 200
        now = stage.http.get(path, headers=headers)
        assert now.headers["etag"] == done.headers["etag"] != taken.headers["etag"]

    def test_a_step_after_she_took_it_back_is_refused(self, stage: Stage) -> None:
        who, headers = person(stage), operator(stage)
        request = who.ask("access").json()["id"]
        read = stage.http.get(f"/v1/requests/{request}", headers=headers).headers["etag"]
        assert who.cancel(request).status_code == 200
        body = {"ground": "not-identified", "answer": "Nobody proved who asks."}
        assert step(stage, request, "refuse", headers, body, seen=read).status_code == 412
        assert step(stage, request, "refuse", headers, body).status_code == 409
        assert who.read(request)["state"] == "cancelled"

    def test_an_extension_is_told_within_the_first_period(self, stage: Stage) -> None:
        who = person(stage)
        request = who.ask("access").json()["id"]
        stage.clock.now += 32 * 86_400
        body = {"reason": "late"}
        late = step(stage, request, "extend", operator(stage), body)
        assert late.status_code == 409

    def test_a_refusal_has_a_ground_and_she_may_complain(self, stage: Stage) -> None:
        who, headers = person(stage), operator(stage)
        request = who.ask("access").json()["id"]
        body = {"ground": "not-identified", "answer": "Nobody proved who asks."}
        refused = step(stage, request, "refuse", headers, body)
        assert refused.json()["state"] == "refused"
        hers = who.read(request)
        assert (hers["ground"], hers["may_complain"]) == ("not-identified", True)

    def test_an_auditor_reads_and_changes_nothing(self, stage: Stage) -> None:
        request = person(stage).ask("access").json()["id"]
        headers = login(stage, Role.AUDITOR)
        assert stage.http.get("/v1/requests", headers=headers).status_code == 200
        assert step(stage, request, "take", headers).status_code == 404
        assert step(stage, request, "take", operator(stage)).status_code == 200


def test_a_request_whose_client_never_answers_is_closed_in_part(stage: Stage) -> None:
    who = person(stage)
    request = who.ask("restriction").json()["id"]
    with stage.context.database.writing() as session:
        assert progress.close_finished(stage.context, session, 10) == 0
    stage.clock.now += 400 * 86_400
    with stage.context.database.writing() as session:
        told.expire(stage.context, session)
        assert progress.close_finished(stage.context, session, 10) == 1
    assert who.read(request)["state"] == "partly-completed"
