from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from consent.instruction_report import Outcome
from consent.log.tree import Span, needed
from consent.purpose import Decision
from consent.service.erasure import service as erasure
from consent.service.guardians.repository import GuardianRepository
from consent.service.guardians.tables import GuardianLink
from consent.service.holdings.repository import HoldingsRepository, held_tables
from consent.service.migrations import draft
from consent.service.principals import STEP_UP, Role
from consent.service.records.repository import LogRepository
from consent.service.tables import APPEND_ONLY, ERASABLE, METADATA
from crypto.errors import ConsentError
from tests.unit.consent import rounds
from tests.unit.consent.harness import CONTEXT, TASK, TRAIN_PURCHASES, Stage
from tests.unit.consent.rounds import COLLECT, bearer, release
from tests.unit.consent.service.rights_calls import (
    Person,
    instructions,
    login,
    operator,
    person,
    report_all,
)

HELD_DAYS = 1096


def status(stage: Stage, code: str) -> dict[str, Any]:
    found = stage.http.get(f"/v1/erasures/{code}")
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


def held(stage: Stage, shopper: str) -> dict[str, int]:
    with stage.context.database.reading() as session:
        holdings = HoldingsRepository(session, shopper)
        counted = {table: len(list(holdings.rows(table))) for table in held_tables()}
    return {table: count for table, count in counted.items() if count}


def mentions(stage: Stage, *needles: str) -> set[str]:
    """Every table, of all there are, with a cell that has one of these words in it."""
    found = set()
    with stage.context.database.reading() as session:
        for name, table in METADATA.tables.items():
            for row in session.execute(select(table)):
                shown = " ".join(
                    cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
                    for cell in row
                )
                if any(needle in shown for needle in needles):
                    found.add(name)
    return found


def test_whatever_is_about_a_shopper_can_be_erased() -> None:
    """An append-only table that nobody may delete from would keep her for ever."""
    draft.import_tables()
    assert {table for table in held_tables() if table in APPEND_ONLY} == ERASABLE.keys()
    kept = {table for table in held_tables() if erasure.kept_until_purge(table)}
    gone = {"account", "account_session", "passkey", "log_key", "membership", "consent"}
    assert not kept & gone


class TestTierA:
    def test_it_is_confirmed_before_anything_is_done(self, stage: Stage) -> None:
        who = person(stage)
        asked = who.ask_with_proof("erasure").json()
        assert (asked["state"], asked["needs_proof"]) == ("awaiting-proof", True)
        assert stage.http.get(f"/v1/erasures/{asked['status_code']}").status_code == 404
        assert "log_key" in held(stage, who.shopper)
        bare = who.confirm(asked["id"])
        assert (bare.status_code, bare.json()["type"]) == (403, STEP_UP)
        assert "log_key" in held(stage, who.shopper)
        done = who.confirm(asked["id"], signed=True).json()
        assert done["state"] == "waiting-for-clients"
        assert done["status_code"] == asked["status_code"]

    def test_no_token_of_hers_works_and_the_code_shows_the_status(self, stage: Stage) -> None:
        who = person(stage)
        hers = login(stage, Role.SHOPPER, shopper=who.shopper)
        code = who.erased()
        for headers in (who.headers, hers):
            assert stage.http.get(who.path(), headers=headers).status_code == 404
        found = status(stage, code)
        assert (found["state"], found["tiers"]) == ("waiting-for-clients", ["records"])
        assert found["backups_until"] > found["erased_at"]
        assert [(each["kind"], each["state"]) for each in found["clients"]] == [
            ("device", "issued")
        ]
        report_all(stage, who.device, outcome=Outcome.ERASED)
        found = status(stage, code)
        assert (found["state"], found["clients"][0]["state"]) == ("completed", "done")
        typed = code.lower().replace("-", " ")
        assert status(stage, typed) == found
        assert stage.http.get(f"/v1/erasures/{'A' * 32}").status_code == 404

    def test_what_identifies_her_is_gone_at_once(self, stage: Stage) -> None:
        who = person(stage)
        login(stage, Role.SHOPPER, shopper=who.shopper)
        stage.grants(who.device)
        who.erased()
        left = held(stage, who.shopper)
        assert left.keys() == {
            "shopper",
            "consent_event",
            "erasure",
            "rights_request",
            "rights_step",
            "instruction",
            "instruction_event",
            "open_instruction",
            "age_statement",
        }
        assert "erase" in {each.kind for each in instructions(stage, who.device)}

    def test_what_else_she_asked_for_leaves_the_queue(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        asked, noted = who.ask("access").json()["id"], other.ask("access").json()["id"]
        begun = who.ask_with_proof("rectification", note="My age band is wrong.").json()["id"]
        waiting = who.ask("restriction").json()["id"]
        who.erased()
        headers = operator(stage)
        found = {
            each["id"]: each["state"]
            for each in stage.http.get("/v1/requests", headers=headers).json()["requests"]
        }
        assert not found.keys() & {asked, begun}
        assert (found[noted], found[waiting]) == ("awaiting-proof", "waiting-for-clients")
        closed = stage.http.get(f"/v1/requests/{asked}", headers=headers).json()
        assert (closed["state"], closed["steps"][-1]["by"]) == ("cancelled", "service")
        report_all(stage, who.device)
        assert len(stage.http.get("/v1/requests", headers=headers).json()["requests"]) == 1

    def test_nothing_of_hers_can_be_committed(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        uploads = [
            {"upload": f"{n:064x}", "client": p.device.name, "grants": list(g.values())}
            for n, p in enumerate((who, other))
            for g in [stage.grants(p.device)]
        ]
        (token,) = uploads[0]["grants"]
        who.erased()
        assert stage.client.standing([str(token)]) == frozenset()
        assert stage.client.eligible(TASK, [who.device.name]) == ()
        body = {"task": TASK, "round": "round-1", "context": CONTEXT, "uploads": uploads}
        answer = stage.http.post("/v1/commits", json=body, headers=stage.coordinator).json()
        assert [each["upload"] for each in answer["dropped"]] == [f"{0:064x}"]
        assert stage.grants(who.device, "round-2") == {}

    def test_leaves_are_unlinked_and_the_log_still_holds(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        first = stage.http.get("/v1/log/head").json()
        who.erased()
        with stage.context.database.reading() as session:
            assert LogRepository(session).keys([who.shopper]) == {}
        last = stage.http.get("/v1/log/head").json()
        assert first != last
        page = f"/v1/shoppers/{other.shopper}/log"
        assert len(stage.http.get(page, headers=other.headers).json()["events"]) == 1

    def test_points_are_lost_and_the_ledger_balances(self, pinned: Stage) -> None:
        stage = pinned
        who = person(stage, decisions=COLLECT)
        release(stage, who.device)
        headers = {**who.headers, "Idempotency-Key": "k" * 16}
        code = stage.http.post(
            f"/v1/shoppers/{who.shopper}/codes", json={"points": 2}, headers=headers
        )
        assert code.status_code == 201
        told = stage.http.get(f"/v1/shoppers/{who.shopper}/erasure", headers=who.headers).json()
        assert (told["points"], told["code_points"]) == (3, 2)
        found = status(stage, who.erased())
        assert found["points_lost"] == 5
        assert sums(stage) == {("issuer", "shopper"): 5, ("shopper", "redeemed"): 2} | {
            ("shopper", "issuer"): 3
        }
        assert "discount_code" not in held(stage, who.shopper)


def sums(stage: Stage) -> dict[tuple[str, str], int]:
    with stage.context.database.reading() as session:
        rows = session.execute(
            text("SELECT debit, credit, SUM(points) FROM points_entry GROUP BY debit, credit")
        )
        return {(debit, credit): int(points) for debit, credit, points in rows}


class TestTierB:
    def test_the_trace_in_a_model_is_stated_with_its_evidence(self, pinned: Stage) -> None:
        who, other = person(pinned), person(pinned)
        report = release(pinned, who.device, other.device)
        found = status(pinned, who.erased())
        assert found["tiers"] == ["records", "bound"]
        (model,) = found["models"]
        assert (model["task"], model["round"], model["shoppers"]) == (TASK, "round-1", 2)
        assert (model["epsilon"], model["delta"]) == (report.epsilon, report.delta)
        assert model["artefact"] == report.artefact

    def test_a_frozen_round_that_is_released_later_appears_then(self, pinned: Stage) -> None:
        who = person(pinned)
        made = rounds.make_manifest()
        rounds.freeze(pinned, rounds.publish(pinned, made), "round-1", [who.device])
        code = who.erased()
        (before,) = status(pinned, code)["models"]
        assert (before["released_at"], before["epsilon"]) == (None, None)
        report = rounds.report_of(made, [who.device])
        assert pinned.client.released(report, task=TASK, round_id="round-1")
        (after,) = status(pinned, code)["models"]
        assert after["epsilon"] == report.epsilon


class TestTierC:
    def test_rebuilds_are_batched_by_task_from_the_earliest_round(self, pinned: Stage) -> None:
        stage = pinned
        early, late = person(stage), person(stage)
        release(stage, early.device, round_id="round-1")
        release(stage, late.device, round_id="round-2")
        headers = operator(stage)
        codes = [late.erased(exact=True), early.erased(exact=True)]
        (asked,) = stage.http.get("/v1/rebuilds", headers=headers).json()["rebuilds"]
        assert (asked["task"], asked["from_round"], asked["erasures"]) == (TASK, "round-1", 2)
        for code in codes:
            found = status(stage, code)
            assert found["tiers"] == ["records", "bound", "exact"]
            assert found["rebuilds"][0]["done_at"] is None
        path, body = f"/v1/rebuilds/{asked['id']}/done", {"artefact": "ab" * 32}
        assert stage.http.post(path, json=body, headers=headers).status_code == 200
        assert stage.http.post(path, json=body, headers=headers).status_code == 200
        other = {"artefact": "cd" * 32}
        assert stage.http.post(path, json=other, headers=headers).status_code == 409
        assert status(stage, codes[0])["rebuilds"][0]["artefact"] == "ab" * 32

    def test_whoever_asks_after_it_was_done_needs_another(self, pinned: Stage) -> None:
        stage = pinned
        first, second = person(stage), person(stage)
        release(stage, first.device, second.device)
        first.erased(exact=True)
        headers = operator(stage)
        (one,) = stage.http.get("/v1/rebuilds", headers=headers).json()["rebuilds"]
        stage.http.post(
            f"/v1/rebuilds/{one['id']}/done", json={"artefact": "ab" * 32}, headers=headers
        )
        second.erased(exact=True)
        rebuilds = stage.http.get("/v1/rebuilds", headers=headers).json()["rebuilds"]
        assert [each["done_at"] is None for each in rebuilds] == [True, False]

    def test_it_is_not_done_unless_she_asks(self, pinned: Stage) -> None:
        who = person(pinned)
        release(pinned, who.device)
        assert status(pinned, who.erased())["rebuilds"] == []


def purge_due(stage: Stage) -> int:
    """What the retention job does; of how many shoppers."""
    with stage.context.database.writing() as session:
        return erasure.purge(stage.context, session, stage.context.now_ms(), 10)


class TestPurge:
    def test_nothing_mentions_her_afterwards_and_sums_stay(self, pinned: Stage) -> None:
        stage = pinned
        who, other = person(stage, decisions=COLLECT), person(stage, decisions=COLLECT)
        login(stage, Role.SHOPPER, shopper=who.shopper)
        release(stage, who.device, other.device)
        before = sums(stage)
        code = who.erased(exact=True)
        report_all(stage, who.device)
        during = mentions(stage, who.shopper)
        assert {"consent_event", "diary_entry", "participation_grant"} <= during
        assert purge_due(stage) == 0
        stage.clock.now += HELD_DAYS * 86_400 - 1
        assert purge_due(stage) == 0
        stage.clock.now += 1
        assert purge_due(stage) == 1
        assert purge_due(stage) == 0
        # The round's signed list names devices by their keys; nothing ties the key to her now.
        assert mentions(stage, who.shopper, who.device.name) <= {"round_commit"}
        assert held(stage, who.shopper) == {}
        assert sums(stage) == before | {("shopper", "issuer"): 5}
        found = status(stage, code)
        assert (found["state"], found["models"]) == (None, [])
        assert found["purged_at"] == int(stage.clock.now * 1000)
        assert stage.client.points(other.shopper, other.headers["Authorization"][7:]).balance == 5

    def test_the_log_grows_on_when_its_last_events_are_gone(self, stage: Stage) -> None:
        other, who = person(stage), person(stage)
        size = log_size(stage)
        who.erased()
        grown = log_size(stage)
        assert grown == size + 1
        stage.clock.now += HELD_DAYS * 86_400
        purge_due(stage)
        assert log_size(stage) == grown
        head = stage.http.get("/v1/log/head").json()
        stage.decide(other.device, {TRAIN_PURCHASES: Decision.REFUSED})
        assert stage.http.get("/v1/log/head").json() != head
        page = f"/v1/shoppers/{other.shopper}/log"
        events = stage.http.get(page, headers=other.headers).json()["events"]
        assert [each["index"] for each in events] == [0, grown, grown + 1]  # it had expired first
        query = f"/v1/log/consistency?first={size}&second={grown + 2}"
        assert stage.http.get(query).status_code == 200
        with stage.context.database.reading() as session:
            log = LogRepository(session)
            positions = needed([Span(0, log.size())])
            assert len(log.nodes(positions)) == len(positions)

    def test_others_stay_whole(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        before = held(stage, other.shopper)
        who.erased()
        stage.clock.now += HELD_DAYS * 86_400
        purge_due(stage)
        assert held(stage, other.shopper) == before


PROTECTED = ["consent_event", "committed_grant", "diary_entry", "points_entry", "instruction"]


class TestGuard:
    """The triggers refuse whatever is not the purge of an erased shopper, on both databases."""

    @pytest.mark.parametrize("table", PROTECTED)
    def test_a_delete_is_refused_before_and_after_her_erasure_until_its_purge(
        self, pinned: Stage, table: str
    ) -> None:
        who = person(pinned, decisions=COLLECT)
        release(pinned, who.device)
        pinned.decide(who.device, {TRAIN_PURCHASES: Decision.WITHDRAWN})
        refused(pinned, f"DELETE FROM {table}")
        who.erased()
        refused(pinned, f"DELETE FROM {table}")

    def test_a_purge_before_its_time_is_refused(self, stage: Stage) -> None:
        person(stage).erased()
        refused(stage, "UPDATE erasure SET purge_started_at = purge_after - 1", match="purged_late")

    def test_rows_of_another_are_refused_while_hers_go(self, stage: Stage) -> None:
        who, other = person(stage), person(stage)
        who.erased()
        begin = "UPDATE erasure SET purge_started_at = purge_after"
        with stage.context.database.writing() as session:
            session.execute(text(begin))
        mine = f"shopper_id = '{who.shopper}'"
        with stage.context.database.writing() as session:
            deleted = session.execute(text(f"DELETE FROM consent_event WHERE {mine} RETURNING id"))
            assert len(deleted.all()) == 2
        refused(stage, "DELETE FROM consent_event")
        refused(stage, f"UPDATE consent_event SET state = 'given' WHERE NOT {mine}")
        assert held(stage, other.shopper)["consent_event"] == 1

    def test_an_unused_code_goes_only_with_its_shopper(self, pinned: Stage) -> None:
        who = person(pinned, decisions=COLLECT)
        release(pinned, who.device)
        headers = {**who.headers, "Idempotency-Key": "k" * 16}
        pinned.http.post(f"/v1/shoppers/{who.shopper}/codes", json={"points": 2}, headers=headers)
        refused(pinned, "DELETE FROM discount_code")


def refused(stage: Stage, statement: str, *, match: str = "append-only") -> None:
    with pytest.raises(IntegrityError, match=match), stage.context.database.writing() as session:
        session.execute(text(statement))


def log_size(stage: Stage) -> int:
    with stage.context.database.reading() as session:
        return LogRepository(session).size()


def test_an_erasure_ends_every_device_that_stood_for_her(stage: Stage) -> None:
    who = person(stage)
    stage.grants(who.device)
    first, second = who.device, stage.device()
    token = first.shoppers[who.shopper]
    stage.client.pair(who.shopper, token, client=second.key.public_key())
    moved = Person(stage, second, bearer(token))
    second.shoppers = {who.shopper: token}
    moved.erased()
    for device in (first, second):
        assert "erase" in {each.kind for each in instructions(stage, device)}
    with pytest.raises(ConsentError, match="404"):
        stage.client.consents(who.shopper, token)


def test_what_an_erased_guardian_agreed_to_ends(stage: Stage) -> None:
    guardian, ward = person(stage), person(stage)
    with stage.context.database.writing() as session:
        link = GuardianLink(ward_id=ward.shopper, guardian_id=guardian.shopper, since=0)
        GuardianRepository(session).tie(link)
    grant = stage.grants(ward.device)[ward.shopper]
    guardian.erased()
    assert stage.client.standing([grant]) == frozenset()
    assert held(stage, ward.shopper)["consent_event"] == 2
    assert "guardian_link" not in held(stage, ward.shopper)
