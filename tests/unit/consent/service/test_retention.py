"""The retention job: within bounds, exact at the border, once at a time, written down."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from typer.testing import CliRunner

from consent.cli import app
from consent.redemption import Redemption
from consent.retention import DAY_MS, KEPT, SCHEDULE, RecordClass, Retention
from consent.service import jobs
from consent.service.audit.reading import verify
from consent.service.retention import service
from consent.service.retention.registry import PURGES
from consent.service.retention.repository import RunRepository
from consent.service.retention.service import rehearse, retain
from consent.service.settings import Settings, create_home
from crypto.errors import InvalidInputError
from crypto.manifest import context_of
from tests.unit.consent.harness import GIVE, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import (
    COLLECT,
    balance,
    bearer,
    freeze,
    make_manifest,
    publish,
    release,
)
from tests.unit.consent.service import rights_calls as people
from tests.unit.consent.service.operators import auditor, login, operator
from tests.unit.consent.service.statements import read_wholly, recorded

DAY = 86_400


def count(stage: Stage, table: str) -> int:
    with stage.context.database.reading() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


class TestSchedule:
    def test_every_class_has_a_rule_and_a_way(self) -> None:
        assert set(SCHEDULE) == set(PURGES) == set(RecordClass)
        for rule in SCHEDULE.values():
            assert rule.low <= rule.days <= rule.high
            assert rule.begins
            assert rule.ground
            assert rule.source
        assert KEPT

    @given(record_class=st.sampled_from(RecordClass), days=st.integers(-5, 5000))
    def test_bounds_hold(self, record_class: RecordClass, days: int) -> None:
        rule, stated = SCHEDULE[record_class], {record_class.value: days}
        if rule.low <= days <= rule.high:
            made = Retention.from_json(stated)
            assert made.days(record_class) == days
            assert made.before(record_class, 10**13) == 10**13 - days * DAY_MS
        else:
            with pytest.raises(InvalidInputError):
                Retention({record_class: days})
            with pytest.raises(InvalidInputError):
                Retention.from_json(stated)

    @pytest.mark.parametrize("value", [[], {"unknown": 1}, {"refusals": "3"}, {"refusals": True}])
    def test_other_forms_are_refused(self, value: object) -> None:
        with pytest.raises(InvalidInputError):
            Retention.from_json(value)

    def test_settings_set_it(self, tmp_path: Path) -> None:
        create_home(tmp_path, issuer="x")
        path = tmp_path / "settings.json"
        stated = json.loads(path.read_bytes())
        more = {
            "retention": {"refusals": 3},
            "webhook_ports": [9443],
            "webhooks_allow_loopback": True,
        }
        path.write_text(json.dumps(stated | more))
        found = Settings.load(tmp_path)
        assert found.retention.days(RecordClass.REFUSALS) == 3
        assert (found.webhook_ports, found.webhooks_allow_loopback) == ((9443,), True)
        for wrong in ({"webhook_ports": [0]}, {"webhook_ports": "443"}, {"retention": {"x": 1}}):
            path.write_text(json.dumps(stated | wrong))
            with pytest.raises(InvalidInputError):
                Settings.load(tmp_path)


class TestCodes:
    def code(self, stage: Stage, device: Device, points: int = 3, key: str = "k") -> Any:
        token = device.shoppers[device.shopper]
        answer = stage.http.post(
            f"/v1/shoppers/{device.shopper}/codes",
            json={"points": points},
            headers=bearer(token) | {"Idempotency-Key": key},
        )
        return answer.json()

    def redeem(self, stage: Stage, till: Device, code: str) -> int:
        record = Redemption(
            code=code, sale="s", client_key=till.key.public_key(), issued_at=int(stage.clock.now)
        ).sign(till.key)
        return stage.http.post(
            "/v1/codes/redeem", json=record.to_json(), headers=bearer(till.store_token or "")
        ).status_code

    def test_points_of_an_unused_code_come_back_once(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        used = self.code(pinned, device, 1, "a")["code"]
        lost = self.code(pinned, device, 3, "b")
        assert self.redeem(pinned, till, used) == 200
        retain(pinned.context)
        assert balance(pinned, device) == 1
        pinned.clock.now = lost["expires_at"] / 1000 - 1
        retain(pinned.context)
        assert balance(pinned, device) == 1
        pinned.clock.now += 2
        ran = retain(pinned.context)
        assert ran is not None
        assert ran.counts[RecordClass.CODES] == 1
        assert balance(pinned, device) == 4
        retain(pinned.context)
        assert balance(pinned, device) == 4
        with pinned.context.database.reading() as session:
            entry = session.execute(
                text("SELECT debit, credit, points, reference FROM points_entry ORDER BY id DESC")
            ).first()
        assert entry == ("redeemed", "shopper", 3, f"returned:{lost['id']}")

    def test_a_returned_code_is_dead_whatever_the_clock_does(self, pinned: Stage) -> None:
        device, till = pinned.device(decisions=COLLECT), pinned.device(kind="store")
        release(pinned, device)
        lost = self.code(pinned, device)
        pinned.clock.now = lost["expires_at"] / 1000 + 1
        retain(pinned.context)
        pinned.clock.now -= 10
        assert self.redeem(pinned, till, lost["code"]) == 404
        assert balance(pinned, device) == 5


class TestJob:
    def test_old_rows_go_and_young_ones_stay(self, stage: Stage) -> None:
        device = stage.device(shoppers=2)
        stage.grants(device, "round-1")
        login(stage)
        lasts = stage.context.settings.sessions.absolute_ms / 1000
        stage.clock.now += 20 * DAY
        stage.grants(device, "round-2")
        stage.clock.now += max(10 * DAY + 601, lasts - 20 * DAY + 7 * DAY + 1)
        stage.grants(device, "round-3")
        ran = retain(stage.context)
        assert ran is not None
        assert (ran.failed, ran.counts[RecordClass.SESSIONS]) == ((), 1)
        assert ran.counts[RecordClass.GRANTS] in (2, 4)
        assert count(stage, "account_session") == 0
        assert count(stage, "participation_grant") == 6 - ran.counts[RecordClass.GRANTS]

    def test_a_list_keeps_its_grants(self, pinned: Stage) -> None:
        device = pinned.device(decisions=COLLECT)
        release(pinned, device)
        pinned.clock.now += 400 * DAY
        ran = retain(pinned.context)
        assert ran is not None
        assert ran.counts[RecordClass.GRANTS] == 0
        assert ran.failed == ()
        assert count(pinned, "participation_grant") == count(pinned, "committed_grant") == 1

    def test_refusals_go_with_their_round(self, pinned: Stage) -> None:
        leaver, stays = pinned.device(decisions=GIVE), pinned.device(decisions=GIVE)
        record = publish(pinned, make_manifest())
        pinned.decide(leaver, WITHDRAW)
        pinned.grants(leaver, context=context_of(record))
        pinned.clock.now += 10 * DAY
        freeze(pinned, record, "round-1", [stays])
        pinned.clock.now += 5 * DAY
        later = publish(pinned, make_manifest("round-2"))
        pinned.grants(leaver, context=context_of(later), round_id="round-2")
        assert count(pinned, "refusal") == 2
        for days, left in (
            (25, 2),
            (1, 1),
            (4, 1),
            (1, 0),
        ):  # the list on day 10, or announced on 15
            pinned.clock.now += days * DAY
            retain(pinned.context)
            assert count(pinned, "refusal") == left

    def test_what_shoppers_leave_behind_is_found_by_index(self, stage: Stage) -> None:
        """The job looks under the write lock: it must not read a table of many shoppers there."""
        with recorded(stage) as statements:
            retain(stage.context)
        found = read_wholly(stage, [each for each in statements if each.writing])
        assert "round_policy" in found
        assert not found & {
            "account_session",
            "hit",
            "keyed_request",
            "oidc_attempt",
            "participation_grant",
            "refusal",
            "webauthn_challenge",
            "webhook_delivery",
        }

    def test_closed_requests_go_and_open_ones_stay(self, stage: Stage) -> None:
        who = people.person(stage)
        asked = [who.ask("access").json()["id"] for _ in range(2)]
        assert who.cancel(asked[0]).status_code == 200
        stage.clock.now += 1095 * DAY
        for expected in (0, 1, 0):
            ran = retain(stage.context)
            assert ran is not None
            assert ran.counts[RecordClass.REQUESTS] == expected
            stage.clock.now += DAY + 1
        assert count(stage, "rights_request") == 1

    def test_a_rehearsal_changes_nothing(self, stage: Stage) -> None:
        login(stage)
        stage.clock.now += 400 * DAY
        assert rehearse(stage.context).counts[RecordClass.SESSIONS] == 1
        assert count(stage, "account_session") == 1
        assert count(stage, "retention_run") == 0

    def test_many_batches(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "BATCH", 2)
        for _ in range(5):
            login(stage)
        stage.clock.now += 400 * DAY
        ran = retain(stage.context)
        assert ran is not None
        assert ran.counts[RecordClass.SESSIONS] == 5

    def test_one_process_at_a_time(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        other = stage.again()
        seen: list[object] = []

        def meanwhile() -> bool:
            seen.append(retain(other.context))
            return False

        monkeypatch.setattr(service, "PURGES", {RecordClass.SESSIONS: PURGES[RecordClass.SESSIONS]})
        assert retain(stage.context, stopping=meanwhile) is not None
        assert seen
        assert set(seen) == {None}
        assert retain(stage.context, only_if_due=True) is None
        stage.clock.now += 3601
        assert retain(other.context, only_if_due=True) is not None
        other.close()

    def test_a_dead_holder_is_stood_in_for(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with stage.context.database.writing() as session:
            now = stage.context.now_ms()
            RunRepository(session).lease(
                service.JOB, holder="dead", now=now, until=now + service.LEASE_MS
            )
        assert retain(stage.context) is None
        stage.clock.now += service.LEASE_MS / 1000 + 1
        assert retain(stage.context) is not None

    def test_a_class_that_fails_keeps_no_other(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(*_: object) -> int:
            raise RuntimeError

        login(stage)
        monkeypatch.setattr(
            service, "PURGES", {RecordClass.CODES: fails, **PURGES} | {RecordClass.CODES: fails}
        )
        stage.clock.now += 400 * DAY
        ran = retain(stage.context)
        assert ran is not None
        assert ran.failed == (RecordClass.CODES,)
        assert ran.counts[RecordClass.SESSIONS] == 1
        found = auditor(stage).get("/v1/retention").json()
        assert (found["last_success"], found["runs"][0]["failed"]) == (
            None,
            ["expired-discount-codes"],
        )

    def test_runs_are_shown_and_audited(self, stage: Stage) -> None:
        retain(stage.context)
        caller = operator(stage)
        found = caller.get("/v1/retention").json()
        assert {rule["record_class"] for rule in found["schedule"]} == set(RecordClass)
        assert found["last_success"] == stage.context.now_ms()
        [entry] = caller.get("/v1/audit", action="retention.run").json()["entries"]
        assert entry["details"] == {"failed": [], "removed": {}}
        assert verify(stage.context).holds
        device = stage.device()
        token = device.shoppers[device.shopper]
        assert stage.http.get("/v1/retention", headers=bearer(token)).status_code == 404


class TestThreads:
    @pytest.fixture
    def busy(self, tmp_path: Path) -> Iterator[Stage]:
        made = Stage(tmp_path / "busy", background_jobs=True)
        yield made
        made.close()

    def test_serving_runs_retention_and_ends_cleanly(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "busy", background_jobs=True)
        names = {thread.name for thread in threading.enumerate()}
        assert {"fedcart webhooks", "fedcart retention"} <= names
        stage.close()
        names = {thread.name for thread in threading.enumerate()}
        assert not {"fedcart webhooks", "fedcart retention"} & names

    def test_a_job_that_fails_is_tried_again(
        self, busy: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        tried, done = [], threading.Event()

        def fails(*_: object) -> None:
            tried.append(1)
            if len(tried) == 3:
                done.set()
            raise RuntimeError

        with jobs.running(busy.context, (jobs.Job(name="x", every_s=0.01, run=fails),)):
            assert done.wait(10)
        text_of = busy.context.metrics.text().decode()
        assert 'fedcart_consent_job_failures_total{job="x"}' in text_of


def test_the_commands(tmp_path: Path) -> None:
    runner, home = CliRunner(), str(tmp_path / "home")
    runner.invoke(app, ["init", "--home", home])

    def run(*words: str) -> Any:
        done = runner.invoke(app, [*words, "--home", home])
        assert done.exit_code == 0, done.output
        return done.stdout

    run("notice", "publish", "2026-11")
    dry = json.loads(run("retain", "--dry-run"))
    assert (dry["dry_run"], set(dry["removed"])) == (True, set(RecordClass))
    assert json.loads(run("retain"))["failed"] == []
    assert json.loads(run("deliver")) == {"delivered": 0, "failed": 0}
    checked = json.loads(run("audit", "verify"))
    assert (checked["entries"], checked["holds"]) == (1, True)
    run("audit", "verify", "--expect", checked["head"])
    cut = runner.invoke(app, ["audit", "verify", "--home", home, "--expect", "ab" * 32])
    assert cut.exit_code == 1
    assert json.loads(run("export", "ropa"))["@type"] == "dpv:RecordsOfActivities"
    assert "数据保护影响评估" in run("export", "dpia", "--format", "html", "--language", "zh")
    wrong = runner.invoke(app, ["export", "users", "--home", home])
    assert isinstance(wrong.exception, InvalidInputError)
