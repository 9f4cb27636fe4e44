"""The list of the erased: nobody whom a restored backup brings back is served."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from consent.cli import app
from consent.retention import DAY_MS, RecordClass
from consent.service.audit.reading import verify
from consent.service.database import Database, DatabaseLostError
from consent.service.erasure import listed
from consent.service.erasure.listed import Erased, ErasedList
from consent.service.erasure.schemas import Tier
from consent.service.retention.service import rehearse, retain
from consent.service.rights import returned
from crypto.errors import InvalidInputError
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.rights_calls import Person, instructions, person

TIME = 1_800_000_000_000


def entries(stage: Stage) -> dict[str, Erased]:
    return listed.of(stage.context).read()


def list_her(stage: Stage, who: Person, tier: Tier = Tier.RECORDS) -> None:
    """As after a restore: on the list, and here."""
    listed.of(stage.context).add(Erased(who.shopper, stage.context.now_ms(), tier))


def is_here(who: Person) -> bool:
    return who.stage.http.get(who.path(), headers=who.headers).status_code == 200


def test_an_erasure_is_listed_with_nothing_but_id_time_and_tier(stage: Stage) -> None:
    who, other = person(stage), person(stage)
    who.erased()
    other.erased(exact=True)
    (path,) = stage.settings.erased.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert stage.settings.erased.stat().st_mode & 0o777 == 0o700
    now = stage.context.now_ms()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"shopper": who.shopper, "tier": "records", "time": now},
        {"shopper": other.shopper, "tier": "exact", "time": now},
    ]
    stage.again().close()
    assert returned.erase_again(stage.context) == returned.Repeated(listed=2, erased=0)


def test_whoever_came_back_stops_the_start_and_is_erased_again(stage: Stage) -> None:
    who, other = person(stage), person(stage)
    asked = who.ask("erasure").json()  # the backup was made before she confirmed
    list_her(stage, who)
    with pytest.raises(
        InvalidInputError, match=rf" 1 of its shoppers.*repeat-erasures --home {stage.home}"
    ):
        stage.again()
    assert returned.erase_again(stage.context) == returned.Repeated(listed=1, erased=1)
    assert returned.erase_again(stage.context) == returned.Repeated(listed=1, erased=0)
    assert not is_here(who)
    assert is_here(other)
    assert "erase" in {each.kind for each in instructions(stage, who.device)}
    found = stage.http.get(f"/v1/erasures/{asked['status_code']}").json()
    assert (found["state"], found["kind"]) == ("waiting-for-clients", "erasure")
    with stage.context.database.reading() as session:
        told = "SELECT count(*) FROM audit_entry WHERE action = 'erasure.repeated'"
        assert session.scalar(text(told)) == 1
    assert verify(stage.context).holds
    stage.again().close()


def test_her_code_shows_the_repeated_erasure_though_the_backup_has_no_request(
    stage: Stage,
) -> None:
    who = person(stage)
    first = who.ask("erasure").json()
    assert who.cancel(first["id"]).status_code == 200
    stage.clock.now += 60
    list_her(stage, who, Tier.EXACT)
    assert returned.erase_again(stage.context).erased == 1
    found = stage.http.get(f"/v1/erasures/{first['status_code']}").json()
    assert (found["state"], found["erased_at"]) == (
        "waiting-for-clients",
        stage.context.now_ms(),
    )


@pytest.fixture
def commit_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exception]]:
    """Commits fail with what is put in the list."""
    errors: list[Exception] = []
    commit: Any = Database._commit

    def fail(session: Any) -> None:
        if errors:
            session.rollback()
            raise errors[0]
        commit(session)

    monkeypatch.setattr(Database, "_commit", staticmethod(fail))
    yield errors
    errors.clear()


def test_an_erasure_that_failed_is_taken_off_the_list(
    stage: Stage, commit_fails: list[Exception]
) -> None:
    who = person(stage)
    request = who.ask("erasure").json()["id"]
    commit_fails.append(RuntimeError("no space"))
    assert who.confirm(request, signed=True).status_code == 500
    commit_fails.clear()
    (path,) = stage.settings.erased.iterdir()
    assert len(path.read_text().splitlines()) == 2
    assert entries(stage) == {}
    assert is_here(who)
    stage.again().close()
    assert who.confirm(request, signed=True).status_code == 200
    assert entries(stage).keys() == {who.shopper}


def test_an_erasure_whose_end_nobody_knows_is_repeated_unless_she_took_it_back(
    stage: Stage, commit_fails: list[Exception]
) -> None:
    first, second = person(stage), person(stage)
    requests = [who.ask("erasure").json()["id"] for who in (first, second)]
    commit_fails.append(DatabaseLostError("gone"))
    for who, request in zip((first, second), requests, strict=True):
        assert who.confirm(request, signed=True).status_code == 503
    commit_fails.clear()
    assert entries(stage).keys() == {first.shopper, second.shopper}
    assert second.cancel(requests[1]).status_code == 200
    with pytest.raises(InvalidInputError, match=" 1 of its shoppers"):
        stage.again()
    assert returned.erase_again(stage.context).erased == 1
    assert (is_here(first), is_here(second)) == (False, True)
    stage.again().close()


def test_nobody_is_erased_whom_the_list_does_not_take(stage: Stage) -> None:
    who = person(stage)
    request = who.ask("erasure").json()["id"]
    stage.settings.erased.write_text("not a folder")
    assert who.confirm(request, signed=True).status_code == 500
    assert is_here(who)
    stage.settings.erased.unlink()
    assert who.confirm(request, signed=True).status_code == 200


def test_whom_the_database_knows_as_erased_is_listed_at_the_start(stage: Stage) -> None:
    """Another machine's erasures, and those from before there was a list."""
    codes = [person(stage), person(stage)]
    codes[0].erased()
    codes[1].erased(exact=True)
    (path,) = stage.settings.erased.iterdir()
    before = entries(stage)
    path.unlink()
    stage.again().close()
    # She took part in no round, so there is nothing to rebuild.
    tiers = {shopper: Erased(shopper, each.time, Tier.RECORDS) for shopper, each in before.items()}
    assert entries(stage) == tiers
    stage.clock.now += 36 * 86_400
    path.unlink()
    stage.again().close()
    assert entries(stage) == {}


def test_the_list_goes_with_the_last_backup(stage: Stage) -> None:
    person(stage).erased()  # on 15 January; its month is over on 1 February
    (path,) = stage.settings.erased.iterdir()
    assert path.name == "2027-01.jsonl"
    stage.clock.now = 1_801_440_000 + 35 * 86_400 - 1
    ran = retain(stage.context)
    assert ran is not None
    assert ran.counts[RecordClass.ERASED_LIST] == 0
    stage.clock.now += 1
    assert rehearse(stage.context).counts[RecordClass.ERASED_LIST] == 1
    assert path.exists()
    ran = retain(stage.context)
    assert ran is not None
    assert ran.counts[RecordClass.ERASED_LIST] == 1
    assert not path.exists()


def test_the_command_says_how_many(stage: Stage) -> None:
    who = person(stage)
    list_her(stage, who)
    for erased in (1, 0):
        ran = CliRunner().invoke(app, ["repeat-erasures", "--home", str(stage.home)])
        assert json.loads(ran.output) == {"listed": 1, "erased_again": erased}
    assert not is_here(who)


class TestList:
    def test_the_last_entry_of_each_counts(self, tmp_path: Path) -> None:
        made = ErasedList(tmp_path / "erased", durable=True)
        later = Erased("a", TIME + 40 * DAY_MS, Tier.EXACT)
        for entry in (later, Erased("a", TIME, Tier.RECORDS), Erased("b", TIME, Tier.RECORDS)):
            made.add(entry)
        made.add(Erased("b", TIME, None))
        assert made.read() == {"a": later}
        assert len(list((tmp_path / "erased").iterdir())) == 2

    def test_what_a_power_failure_cut_off_is_no_entry(self, tmp_path: Path) -> None:
        made = ErasedList(tmp_path / "erased", durable=True)
        for shopper in ("a", "b"):
            made.add(Erased(shopper, TIME, Tier.RECORDS))
        (path,) = (tmp_path / "erased").iterdir()
        path.write_bytes(path.read_bytes()[:-9])
        assert made.read().keys() == {"a"}
        made.add(Erased("c", TIME, Tier.RECORDS))
        assert made.read().keys() == {"a", "c"}

    @pytest.mark.parametrize(
        "line", ["{}", "[1}", '{"shopper":"a","tier":"bound","time":1}', '{"shopper":"a","time":1}']
    )
    def test_a_damaged_one_is_refused(self, tmp_path: Path, line: str) -> None:
        made = ErasedList(tmp_path / "erased", durable=False)
        made.add(Erased("a", TIME, Tier.RECORDS))
        (path,) = (tmp_path / "erased").iterdir()
        path.write_text(f"{path.read_text()}{line}\n")
        with pytest.raises(InvalidInputError, match=r"line 2, .*newest copy"):
            made.read()

    def test_writers_do_not_mix_their_entries(self, tmp_path: Path) -> None:
        def write(name: int) -> None:
            made = ErasedList(tmp_path / "erased", durable=False)
            for number in range(50):
                made.add(Erased(f"{name}-{number}" * 8, TIME, Tier.RECORDS))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        assert len(ErasedList(tmp_path / "erased", durable=False).read()) == 400
