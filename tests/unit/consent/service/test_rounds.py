"""Task policies word for word, and diaries that are written once, for the right shoppers."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent.rounds import NOT_PINNED
from consent.service.points import service as points
from consent.service.rounds import diary, service
from consent.tasks.names import TaskName
from crypto.errors import ConsentError
from crypto.manifest import Manifest, context_of
from crypto.wire import SignedRecord
from tests.conftest import NewDatabase
from tests.unit.consent.harness import GIVE, TASK, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import (
    ARTEFACT,
    COLLECT,
    balance,
    bearer,
    freeze,
    make_manifest,
    publish,
    release,
    report_of,
    sign,
)
from tests.unit.crypto.samples import signer

POLICY = f"/v1/rounds/{TASK}/round-1"


def put(stage: Stage, record: SignedRecord, **headers: str) -> Any:
    return stage.http.put(POLICY, json=record.to_json(), headers=headers or stage.coordinator)


class TestPolicies:
    def test_is_served_word_for_word_to_anybody(self, pinned: Stage) -> None:
        record = publish(pinned, make_manifest())
        [policy] = pinned.http.get("/v1/policies").json()["policies"]
        served = SignedRecord.from_json(policy["manifest"])
        assert served == record
        key = pinned.http.get("/v1/policies").json()["coordinator_key"]
        assert Manifest.verify(served, signer("coordinator").public_key()).body
        assert policy["context"] == context_of(record)
        assert (policy["task"], policy["round"]) == (TASK, "round-1")
        assert policy["opens"] == make_manifest().opens * 1000
        assert len(key) == 43

    def test_again_changes_nothing_another_is_a_conflict(self, pinned: Stage) -> None:
        record = publish(pinned, make_manifest())
        first = pinned.http.get("/v1/policies").content
        pinned.clock.now += 60
        assert put(pinned, record).status_code == 200
        answer = put(pinned, sign(make_manifest(catalogue="ff" * 32)))
        assert answer.status_code == 409
        assert "Another manifest" in answer.json()["detail"]
        with pytest.raises(ConsentError, match="Another manifest"):
            pinned.client.publish_policy(
                sign(make_manifest(opens=1)), task=TASK, round_id="round-1"
            )
        assert pinned.http.get("/v1/policies").content == first

    def test_only_the_pinned_coordinator_signs(self, pinned: Stage) -> None:
        for record in (
            sign(make_manifest(), "impostor"),
            sign(make_manifest("round-2")),
            sign(make_manifest(task=TaskName.ITEM_ITEM)),
            replace(sign(make_manifest()), type="commit"),
        ):
            answer = put(pinned, record)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
        assert pinned.http.get("/v1/policies").json()["policies"] == []

    def test_a_task_shows_all_of_its_policies_newest_first(
        self, pinned: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "PAGE", 2)
        for number in range(1, 6):
            publish(pinned, make_manifest(f"round-{number}"))
        publish(pinned, make_manifest("other", task=TaskName.ITEM_ITEM))
        newest = pinned.http.get("/v1/policies").json()["policies"]
        assert [each["round"] for each in newest] == ["other", "round-5"]
        found: list[str] = []
        params: dict[str, str] = {}
        while True:
            page = pinned.http.get(f"/v1/policies/{TASK}", params=params).json()
            found += [each["round"] for each in page["policies"]]
            if page["next"] is None:
                break
            params = {"cursor": page["next"]}
        assert found == [f"round-{number}" for number in range(5, 0, -1)]
        assert pinned.http.get("/v1/policies/sell-data").status_code == 422


class TestWithoutPinnedKey:
    def test_nothing_is_taken_and_rounds_go_on(self, stage: Stage) -> None:
        device, record = stage.device(), sign(make_manifest())
        answer = put(stage, record)
        assert (answer.status_code, answer.json()["type"]) == (409, NOT_PINNED)
        assert "No coordinator key pinned" in answer.json()["detail"]
        assert not stage.client.publish_policy(record, task=TASK, round_id="round-1")
        freeze(stage, record, "round-1", [device])
        report = report_of(make_manifest(), [device])
        assert not stage.client.released(report, task=TASK, round_id="round-1")
        assert stage.http.get("/v1/policies").json() == {
            "coordinator_key": None,
            "policies": [],
            "next": None,
        }
        assert stage.client.diary(device.shopper, device.shoppers[device.shopper]).entries == ()


class TestReleases:
    @pytest.fixture
    def ready(self, pinned: Stage) -> tuple[Stage, Manifest, list[Device]]:
        """A committed round of a store with two shoppers and a device."""
        devices = [pinned.device(kind="store", shoppers=2), pinned.device(decisions=COLLECT)]
        made = make_manifest()
        freeze(pinned, publish(pinned, made), "round-1", devices)
        return pinned, made, devices

    def test_everybody_in_the_list_gets_one_entry(
        self, ready: tuple[Stage, Manifest, list[Device]]
    ) -> None:
        stage, made, devices = ready
        committed = int(stage.clock.now * 1000)
        stage.clock.now += 30
        report = report_of(made, devices, epsilon_spent_in_all=99.5)
        assert stage.client.released(report, task=TASK, round_id="round-1")
        for device in devices:
            for shopper, token in device.shoppers.items():
                found = stage.client.diary(shopper, token)
                [entry] = found.entries
                assert (entry.task, entry.round, entry.others) == (TASK, "round-1", 2)
                assert (entry.epsilon, entry.delta) == (made.epsilon, made.plan.delta)
                assert entry.epsilon_so_far == found.epsilon_so_far == 99.5
                assert entry.committed_at == committed
                assert entry.released_at == committed + 30_000
                assert entry.notice_version == "2026-11"
                assert entry.artefact == ARTEFACT
                assert entry.stopped_at is None
                assert entry.points == (5 if device is devices[1] else 0)

    def test_repeating_changes_nothing(self, ready: tuple[Stage, Manifest, list[Device]]) -> None:
        stage, made, devices = ready
        report = report_of(made, devices)
        for _ in range(3):
            assert stage.client.released(report, task=TASK, round_id="round-1")
            stage.clock.now += 60
        counted = stage.client.round(TASK, "round-1")
        assert (counted.diary_entries, counted.points_issued) == (3, 5)
        assert balance(stage, devices[1]) == 5
        with pytest.raises(ConsentError, match="Another release"):
            stage.client.released(
                replace(report, artefact="00" * 32), task=TASK, round_id="round-1"
            )

    def test_a_report_that_contradicts_what_was_signed(
        self, ready: tuple[Stage, Manifest, list[Device]]
    ) -> None:
        stage, made, devices = ready
        changes: list[dict[str, Any]] = [
            {"epsilon": 0.001},
            {"epsilon": None, "epsilon_spent_in_all": None},
            {"delta": 1e-9},
            {"clients": 3},
            {"shoppers": 2},
        ]
        for change in changes:
            report = report_of(made, devices, **change)
            with pytest.raises(ConsentError, match=r"409.*contradicts"):
                stage.client.released(report, task=TASK, round_id="round-1")
        assert stage.client.round(TASK, "round-1").released_at is None

    def test_all_or_nothing(
        self, ready: tuple[Stage, Manifest, list[Device]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage, made, devices = ready

        def fail(*_: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as patch:
            patch.setattr(points, "credit", fail)
            with pytest.raises(ConsentError, match="500"):
                stage.client.released(report_of(made, devices), task=TASK, round_id="round-1")
        counted = stage.client.round(TASK, "round-1")
        assert (counted.released_at, counted.diary_entries) == (None, 0)
        assert stage.client.released(report_of(made, devices), task=TASK, round_id="round-1")
        assert stage.client.round(TASK, "round-1").diary_entries == 3

    def test_needs_a_policy_and_a_list_bound_to_it(self, pinned: Stage) -> None:
        device, made = pinned.device(), make_manifest()
        report = report_of(made, [device])
        with pytest.raises(ConsentError, match="No task policy"):
            pinned.client.released(report, task=TASK, round_id="round-1")
        publish(pinned, made)
        with pytest.raises(ConsentError, match="no commit"):
            pinned.client.released(report, task=TASK, round_id="round-1")
        freeze(pinned, sign(make_manifest(catalogue="ff" * 32)), "round-1", [])
        with pytest.raises(ConsentError, match="another manifest than was published"):
            pinned.client.released(report, task=TASK, round_id="round-1")
        with pytest.raises(ConsentError, match="404"):
            pinned.client.round(TASK, "never")

    def test_other_forms_are_refused(self, pinned: Stage) -> None:
        whole = asdict(report_of(make_manifest(), [pinned.device()]))
        changes: list[dict[str, Any]] = [
            {"epsilon": -1.0},
            {"epsilon": "1"},
            {"epsilon_spent_in_all": None},
            {"artefact": "x"},
            {"clients": 0},
            {"clients": True},
            {"everybody": True},
        ]
        for change in changes:
            answer = pinned.http.post(
                f"{POLICY}/released", json=whole | change, headers=pinned.coordinator
            )
            assert answer.status_code == 422

    def test_is_append_only(self, ready: tuple[Stage, Manifest, list[Device]]) -> None:
        stage, made, devices = ready
        stage.client.released(report_of(made, devices), task=TASK, round_id="round-1")
        for table in ("round_policy", "round_release", "diary_entry"):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                stage.context.database.writing() as session,
            ):
                session.execute(text(f"DELETE FROM {table}"))


class TestDiary:
    def test_says_when_further_use_stopped(self, pinned: Stage) -> None:
        device = pinned.device()
        release(pinned, device)
        pinned.clock.now += 100
        pinned.decide(device, WITHDRAW)
        token = device.shoppers[device.shopper]
        raw = pinned.http.get(f"/v1/shoppers/{device.shopper}/diary", headers=bearer(token)).json()
        assert raw["entries"][0]["stopped_at"] == int(pinned.clock.now * 1000)
        assert raw["withdrawal_refunds_epsilon"] is False
        assert raw["epsilon_so_far"] == make_manifest().epsilon
        pinned.decide(device, GIVE)
        assert pinned.client.diary(device.shopper, token).entries[0].stopped_at is None

    def test_expired_consent_stopped_too(self, pinned: Stage) -> None:
        device = pinned.device()
        release(pinned, device)
        ends = int(pinned.clock.now * 1000) + pinned.settings.validity_days * 86_400_000
        pinned.clock.now += pinned.settings.validity_days * 86_400
        [entry] = pinned.client.diary(device.shopper, device.shoppers[device.shopper]).entries
        assert entry.stopped_at == ends

    def test_pages_newest_first_with_the_bound_so_far(
        self, pinned: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(diary, "PAGE", 2)
        device, other = pinned.device(), pinned.device()
        for number in range(1, 6):
            release(
                pinned, device, other, round_id=f"round-{number}", epsilon_spent_in_all=number / 2
            )
        found = pinned.client.diary(device.shopper, device.shoppers[device.shopper])
        assert [entry.round for entry in found.entries] == [f"round-{n}" for n in range(5, 0, -1)]
        assert [entry.epsilon_so_far for entry in found.entries] == [2.5, 2.0, 1.5, 1.0, 0.5]
        assert found.epsilon_so_far == 2.5

    def test_one_round_without_noise_ends_the_bound(self, pinned: Stage) -> None:
        device = pinned.device()
        release(pinned, device)
        release(pinned, device, round_id="round-2", private=False)
        release(pinned, device, round_id="round-3")
        found = pinned.client.diary(device.shopper, device.shoppers[device.shopper])
        assert found.epsilon_so_far is None
        bounds = [entry.epsilon_so_far for entry in found.entries]
        assert bounds == [None, None, make_manifest().epsilon]
        assert [entry.epsilon is None for entry in found.entries] == [False, True, False]

    def test_a_round_without_her_is_not_in_it(self, pinned: Stage) -> None:
        device, other = pinned.device(), pinned.device()
        release(pinned, other)
        assert pinned.client.diary(device.shopper, device.shoppers[device.shopper]).entries == ()


class TestRoles:
    def test_another_shopper_is_404(self, pinned: Stage) -> None:
        mine, other = pinned.device(), pinned.device()
        release(pinned, mine)
        for token in (other.shoppers[other.shopper], pinned.token, "x"):
            answer = pinned.http.get(f"/v1/shoppers/{mine.shopper}/diary", headers=bearer(token))
            assert answer.status_code == 404
        assert pinned.http.get(f"/v1/shoppers/{mine.shopper}/diary").status_code == 401

    def test_only_the_coordinator_publishes_and_reports(self, pinned: Stage) -> None:
        device = pinned.device()
        shopper, record = bearer(device.shoppers[device.shopper]), sign(make_manifest())
        body = asdict(report_of(make_manifest(), [device]))
        for headers in (shopper, {}):
            assert (
                pinned.http.put(POLICY, json=record.to_json(), headers=headers).status_code == 401
            )
            answer = pinned.http.post(f"{POLICY}/released", json=body, headers=headers)
            assert answer.status_code == 401
            assert pinned.http.get(POLICY, headers=headers).status_code == 401

    def test_cursors_are_numbers(self, pinned: Stage) -> None:
        device = pinned.device()
        headers = bearer(device.shoppers[device.shopper])
        for cursor in ("-1", "x", str(2**60)):
            for path in (f"/v1/shoppers/{device.shopper}/diary", f"/v1/policies/{TASK}"):
                answer = pinned.http.get(path, params={"cursor": cursor}, headers=headers)
                assert answer.status_code == 422


def test_the_policy_is_on_disk_byte_for_byte(tmp_path: Path, new_database: NewDatabase) -> None:
    """A service that starts again shows the same bytes."""
    key = signer("coordinator").public_key()
    first = Stage(tmp_path / "home", database=new_database, coordinator_key=key)
    record = publish(first, make_manifest())
    first.close()
    again = first.again()
    [policy] = again.http.get("/v1/policies").json()["policies"]
    served = json.dumps(policy["manifest"], sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(served).digest() == hashlib.sha256(record.to_bytes()).digest()
    again.close()
