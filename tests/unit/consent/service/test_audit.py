"""The audit trail: complete, chained, read only by those who may, and its reading recorded."""

import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consent.service.audit import reading, service
from consent.service.audit.repository import AuditRepository, Wanted
from consent.service.audit.service import record
from consent.service.database import DatabaseBusyError
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.operators import auditor, bearer, operator
from tests.unit.consent.service.statements import recorded


def act(stage: Stage, *actions: str) -> None:
    with stage.context.database.writing() as session:
        for action in actions:
            record(stage.context, session, None, action, "thing", {"n": 1})


def test_reading_shows_acts_and_is_one(stage: Stage) -> None:
    act(stage, "notice.published", "retention.run")
    reader = auditor(stage)
    first = reader.get("/v1/audit").json()
    assert [entry["action"] for entry in first["entries"]] == ["retention.run", "notice.published"]
    assert first["entries"][0]["previous"] == first["entries"][1]["hash"]
    assert (first["entries"][1]["actor"], first["entries"][1]["details"]) == ("service", {"n": 1})
    again = reader.get("/v1/audit").json()["entries"]
    assert again[0]["action"] == "audit.read"
    assert again[0]["role"] == "auditor"
    assert again[0]["actor"].startswith("account:")


def test_the_page_is_read_without_the_write_lock(stage: Stage) -> None:
    """Whoever writes waits while one entry is appended, not while a page is looked for."""
    act(stage, "a.a")
    reader = auditor(stage)
    with recorded(stage) as statements:
        assert reader.get("/v1/audit", action="a.a").status_code == 200
    pages = [each for each in statements if "audit_entry.action =" in each.sql]
    assert [each.writing for each in pages] == [False]
    appended = [each for each in statements if each.sql.startswith("INSERT INTO audit_entry")]
    assert [each.writing for each in appended] == [True]


def test_what_was_not_recorded_is_not_given_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(stage, "secret.act")
    reader = auditor(stage)

    def busy() -> None:
        raise DatabaseBusyError

    monkeypatch.setattr(stage.context.database, "writing", busy)
    refused = [reader.get(path) for path in ("/v1/audit", "/v1/ropa", "/v1/dpia")]
    assert [answer.status_code for answer in refused] == [503] * 3
    assert "secret.act" not in refused[0].text


def test_filters_and_pages(stage: Stage) -> None:
    caller = operator(stage)
    act(stage, *["a.a"] * 150, "b.b")
    stage.clock.now += 60
    act(stage, "c.c")
    page = caller.get("/v1/audit", action="a.a").json()
    assert (len(page["entries"]), page["next"]) == (100, 51)
    rest = caller.get("/v1/audit", action="a.a", cursor=page["next"]).json()
    assert (len(rest["entries"]), rest["next"]) == (50, None)
    since = int(stage.clock.now * 1000)
    assert [
        e["action"] for e in caller.get("/v1/audit", since=since, actor="service").json()["entries"]
    ] == ["c.c"]
    assert not caller.get("/v1/audit", until=1).json()["entries"]
    for wrong in ({"action": "A B"}, {"actor": "\x00"}, {"cursor": -1}, {"since": 2**60}):
        assert caller.get("/v1/audit", **wrong).status_code == 422


def test_nobody_else_reads_it(stage: Stage) -> None:
    device = stage.device()
    assert stage.http.get("/v1/audit").status_code == 401
    for token in (stage.token, device.shoppers[device.shopper], stage.store_token("till")):
        assert stage.http.get("/v1/audit", headers=bearer(token)).status_code == 404
    assert stage.http.get("/v1/audit", headers=bearer("unknown")).status_code == 401


def test_an_entry_stands_or_falls_with_its_transaction(stage: Stage) -> None:
    def refused() -> None:
        with stage.context.database.writing() as session:
            record(stage.context, session, None, "never.happened")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        refused()
    assert reading.verify(stage.context).entries == 0
    with (
        pytest.raises(ValueError, match="at most"),
        stage.context.database.writing() as session,
    ):
        record(stage.context, session, None, "too.long", details={"x": "y" * 5000})


def test_rows_refuse_change(stage: Stage) -> None:
    act(stage, "a.a")
    for statement in ("UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            stage.context.database.writing() as session,
        ):
            session.execute(text(statement))


class TestChain:
    """On SQLite, whose file anybody with the disk can write: the triggers are dropped first."""

    @pytest.fixture
    def kept(self, tmp_path: Path) -> Stage:
        stage = Stage(tmp_path / "c")
        act(stage, *"abcdef")
        stage.close()
        return stage

    def tamper(self, stage: Stage, statement: str) -> None:
        with sqlite3.connect(stage.home / "consent.db") as connection:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                    "AND tbl_name = 'audit_entry'"
                )
            ]
            for name in names:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute(statement)
        connection.close()

    def test_holds(self, kept: Stage) -> None:
        check = reading.verify(kept.context)
        assert (check.entries, check.fault, check.holds) == (6, None, True)
        assert reading.verify(kept.context, check.head).holds
        assert not reading.verify(kept.context, "ab" * 32).holds

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("UPDATE audit_entry SET actor = 'x' WHERE id = 3", 3),
            ("UPDATE audit_entry SET time = time + 1 WHERE id = 1", 1),
            ("DELETE FROM audit_entry WHERE id = 4", 5),
            ("DELETE FROM audit_entry WHERE id <= 2", 3),
            ("UPDATE audit_entry SET details = '{}' WHERE id = 6", 6),
        ],
    )
    def test_a_change_shows(self, kept: Stage, statement: str, fault: int) -> None:
        self.tamper(kept, statement)
        check = reading.verify(kept.context)
        assert (check.fault, check.holds) == (fault, False)

    def test_a_cut_end_shows_to_whoever_kept_a_hash(self, kept: Stage) -> None:
        head = reading.verify(kept.context).head
        self.tamper(kept, "DELETE FROM audit_entry WHERE id = 6")
        assert reading.verify(kept.context).holds
        assert not reading.verify(kept.context, head).holds

    def test_a_hash_made_anew_breaks_the_next(self, kept: Stage) -> None:
        with kept.context.database.reading() as session:
            row = AuditRepository(session).page(Wanted(), before=3, limit=1)[0]
        row.details = json.dumps({"n": 2})
        made = service.entry_hash(row)
        self.tamper(
            kept, f"UPDATE audit_entry SET details = '{row.details}', hash = '{made}' WHERE id = 2"
        )
        assert reading.verify(kept.context).fault == 3


class TestRetention:
    def test_old_entries_go_and_the_rest_still_proves_itself(self, stage: Stage) -> None:
        act(stage, *"abc")
        kept = reading.verify(stage.context).head
        stage.clock.now += 400 * 86_400
        act(stage, *"de")
        before = stage.context.now_ms() - 365 * 86_400_000
        for expected in (2, 1, 0):
            with stage.context.database.writing() as session:
                assert service.purge(stage.context, session, before, 2) == expected
        check = reading.verify(stage.context, kept)
        assert (check.holds, check.entries) == (True, 4)
        entries = auditor(stage).get("/v1/audit").json()["entries"]
        assert [entry["action"] for entry in entries] == ["audit.purged"] * 2 + ["e", "d"]

    def test_the_newest_stays_whatever_its_age(self, stage: Stage) -> None:
        act(stage, "a")
        with stage.context.database.writing() as session:
            assert service.purge(stage.context, session, 2**52, 10) == 0

    def test_only_what_is_marked_can_be_deleted(self, stage: Stage) -> None:
        act(stage, *"abc")
        stage.clock.now += 10
        with stage.context.database.writing() as session:
            assert service.purge(stage.context, session, stage.context.now_ms(), 2) == 2
        for statement in (
            "DELETE FROM audit_entry WHERE id = 3",
            "UPDATE audit_entry SET actor = 'x' WHERE id = 3",
            "UPDATE audit_mark SET through = 9",
        ):
            with (
                pytest.raises(DBAPIError, match="append-only"),
                stage.context.database.writing() as session,
            ):
                session.execute(text(statement))
