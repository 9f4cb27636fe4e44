import csv
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from consent.receipt import Receipt
from consent.rights.archive import guarded, unguarded, verify_archive
from consent.rights.proof import Step
from consent.service.database import Database
from consent.service.exports import archive as writing
from consent.service.exports import contents
from consent.service.exports.archive import archive, pieces
from consent.service.holdings.repository import HoldingsRepository, columns, held_tables
from consent.service.migrations import draft
from consent.service.principals import STEP_UP, Role
from consent.service.tables import METADATA
from consent.verify import Evidence, verify
from crypto.errors import WireError
from crypto.manifest import context_of
from tests.unit.consent.harness import NOTICE, WITHDRAW, Stage
from tests.unit.consent.rounds import COLLECT, make_manifest, publish, release
from tests.unit.consent.service.rights_calls import Person, login, person


def fetch(who: Person, request: str) -> Any:
    proof = who.proof(Step.FETCH, {"request": request}).to_json()
    return who.stage.http.post(
        who.path(request, "export"), json={"proof": proof}, headers=who.headers
    )


def export(who: Person, folder: Path) -> Path:
    answer = fetch(who, who.ask_with_proof("access").json()["id"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    path = folder / f"{who.shopper}.zip"
    path.write_bytes(answer.content)
    return path


def table(path: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as file:
        found: list[dict[str, Any]] = json.loads(file.read(f"data/{name}.json"))
    return found


def test_every_table_about_a_shopper_is_exported_or_left_out_with_a_reason() -> None:
    draft.import_tables()
    assert set(held_tables()) == contents.FILES.keys() | contents.LEFT_OUT.keys()
    assert not contents.FILES.keys() & contents.LEFT_OUT.keys()
    assert all(contents.LEFT_OUT.values())


def test_a_table_that_names_a_shopper_leads_to_her() -> None:
    """A column that holds a shopper's id without saying so would be missed by the walk."""
    draft.import_tables()
    named = {
        name
        for name, found in METADATA.tables.items()
        if any("shopper" in column.name and column.name != "shoppers" for column in found.columns)
    }
    assert named <= set(held_tables())


def test_every_column_that_sounds_like_a_secret_is_decided_upon() -> None:
    draft.import_tables()
    decided = contents.WITHHELD.keys() | contents.SHOWN
    sounding = {
        (name, column)
        for name in contents.FILES
        for column in columns(name)
        if contents.sounds_secret(column)
    }
    assert sounding <= decided
    assert decided <= {(name, column) for name in contents.FILES for column in columns(name)}


def test_everything_that_the_service_holds_is_in_it(pinned: Stage, tmp_path: Path) -> None:
    stage = pinned
    who, other = person(stage, decisions=COLLECT), person(stage, decisions=COLLECT)
    hers = login(stage, Role.SHOPPER, shopper=who.shopper)
    release(stage, who.device, other.device)
    stage.decide(who.device, WITHDRAW)
    second = publish(stage, make_manifest("round-2"))
    stage.grants(who.device, "round-2", context=context_of(second))  # refused
    who.headers = hers
    path = export(who, tmp_path)
    with stage.context.database.reading() as session:
        holdings = HoldingsRepository(session, who.shopper)
        filled = 0
        for name, (stem, _) in contents.FILES.items():
            held = list(holdings.rows(name))
            shown = table(path, stem)
            assert len(shown) == len(held), name
            assert all(set(row) <= set(columns(name)) for row in shown)
            filled += bool(held)
    assert filled > 12
    data = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        text = b"".join(file.read(name) for name in file.namelist())
        names = set(file.namelist())
    assert who.shopper.encode() in text
    assert other.shopper.encode() not in text
    assert other.device.name.encode() not in text
    assert b"no purchases, no vectors and no recommendations" in text
    token = who.device.shoppers[who.shopper]
    assert token.encode() not in text + data
    assert {f"notices/{NOTICE}.en.md", f"notices/{NOTICE}.zh.md"} <= names
    assert any(name.startswith("rounds/") for name in names)
    (log,) = [name for name in names if name.startswith("log/")]
    with zipfile.ZipFile(path) as file:
        proved = json.loads(file.read(log))["events"]
    assert len(proved) == len(table(path, "history"))


def test_it_never_waits_for_a_second_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many exports at once as there are connections would all wait for one another."""
    who, reading = person(stage), Database.reading
    held: list[Session] = []
    request = who.ask_with_proof("access").json()["id"]

    @contextmanager
    def counted(database: Database) -> Iterator[Session]:
        assert not held
        with reading(database) as session:
            held.append(session)
            yield session
            held.pop()

    monkeypatch.setattr(Database, "reading", counted)
    assert fetch(who, request).status_code == 200


def test_the_manifest_is_signed_and_names_every_file(stage: Stage, tmp_path: Path) -> None:
    who = person(stage)
    path = export(who, tmp_path)
    body = verify_archive(path, stage.service_key)
    assert (body["shopper"], body["issuer"]) == (who.shopper, "test-consent")
    with zipfile.ZipFile(path) as file:
        assert set(file.namelist()) == {*body["files"], "manifest.json"}
        receipt = Receipt.from_bytes(file.read("receipts/1.jsonld"))
    assert all(each.holds for each in verify(Evidence(receipt=receipt), stage.service_key))
    with pytest.raises(WireError, match="signature"):
        verify_archive(path, person(stage).device.key.public_key())


@pytest.mark.parametrize("change", ["alter", "add", "drop"])
def test_a_changed_archive_fails(stage: Stage, tmp_path: Path, change: str) -> None:
    path, other = export(person(stage), tmp_path), tmp_path / "changed.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "README.txt" and change != "add":
                if change == "drop":
                    continue
                data += b"!"
            new.writestr(name, data)
        if change == "add":
            new.writestr("data/more.json", b"[]")
    with pytest.raises(WireError, match="missing, altered or was added"):
        verify_archive(other, stage.service_key)


def test_a_download_needs_its_own_proof(stage: Stage) -> None:
    who, other = person(stage), person(stage)
    request = who.ask_with_proof("access").json()["id"]
    url = who.path(request, "export")
    bare = stage.http.post(url, json={}, headers=who.headers)
    assert (bare.status_code, bare.json()["type"]) == (403, STEP_UP)
    assert stage.http.post(url, json={}, headers=other.headers).status_code == 404
    hers = login(stage, Role.SHOPPER, shopper=who.shopper)
    assert stage.http.post(url, json={}, headers=hers).status_code == 200
    stage.clock.now += 601
    assert stage.http.post(url, json={}, headers=hers).status_code == 403


def test_there_is_none_before_she_proved_it_nor_for_other_kinds_nor_for_ever(stage: Stage) -> None:
    who = person(stage)
    assert fetch(who, who.ask("access").json()["id"]).status_code == 404
    assert fetch(who, who.ask("opt-out").json()["id"]).status_code == 404
    request = who.ask_with_proof("portability").json()["id"]
    assert fetch(who, request).status_code == 200
    stage.clock.now += 91 * 86_400
    assert fetch(who, request).status_code == 404


def test_an_export_has_a_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    who = person(stage)
    request = who.ask_with_proof("access").json()["id"]
    monkeypatch.setattr(writing, "MAX_BYTES", 1000)
    assert fetch(who, request).status_code == 503


NASTY = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "'=1", "''", "plain", "", 'a"b,c\r\nd']


def test_csv_is_rfc_4180_and_no_formula_and_reads_back() -> None:
    rows = [{"text": text, "number": -number, "none": None} for number, text in enumerate(NASTY)]
    with archive() as made:
        made.rows("data/x", ["text", "number", "none"], lambda: iter(rows))
        data = b"".join(pieces(made.close(b"{}")))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        text = file.read("data/x.csv").decode()
        assert json.loads(file.read("data/x.json")) == rows
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read[0] == ["text", "number", "none"]
    assert [unguarded(row[0]) for row in read[1:]] == NASTY
    assert [row[1] for row in read[1:]] == [str(-number) for number in range(len(NASTY))]
    assert not any(row[0].startswith(("=", "+", "-", "@", "\t", "\r")) for row in read[1:])
    assert text.count("\r\n") == len(rows) + 2  # one lies within a quoted cell


@pytest.mark.parametrize("text", NASTY)
def test_guarding_is_reversible(text: str) -> None:
    assert unguarded(guarded(text)) == text
