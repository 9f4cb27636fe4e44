"""Carrying out signed instructions: on a device and in a store."""

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client import instructions as carrying
from client.events import EventStore
from client.gateway import Gateway
from client.holds import Holds
from client.home import ClientHome
from client.instructions import Synced, sync
from client.journal import Journal
from client.participate import contribute
from client.personal_export import export_path, write_export
from client.register import enter_round
from consent.client import ConsentClient
from consent.instruction_report import Count, Outcome, ReportStatus
from consent.purpose import Category, Cell, Decision, Purpose
from consent.rights.archive import unguarded
from crypto.errors import ConsentError
from tests.unit.client.instructing import DAY, lines, outcomes, run, tell, told
from tests.unit.client.stage import (
    Party,
    invite,
    make_client,
    make_manifest,
    purchases,
    quiet_manifest,
)
from tests.unit.consent.harness import NOTICE, TRAIN_PURCHASES, Stage

PERSONAL = Cell(Purpose.PERSONALISE, Category.PURCHASES)


@pytest.fixture
def store(stage: Stage, tmp_path: Path) -> Party:
    return make_client(stage, tmp_path / "store", "ann", "ben", "eve")


def decide(stage: Stage, party: Party, decision: Decision, name: str = "ann") -> None:
    stage.client.decide(
        party.home.shoppers[name],
        party.tokens[name],
        {TRAIN_PURCHASES: decision},
        notice_version=NOTICE,
    )


def test_a_stop_deletes_what_was_derived_and_keeps_what_is_hers(
    stage: Stage, device: Party
) -> None:
    derived = device.home.derived / device.home.shoppers["ann"]
    derived.mkdir(parents=True)
    (derived / "draft").write_text("x")
    decide(stage, device, Decision.WITHDRAWN)
    done = run(stage, device)
    assert outcomes(done) == [(Outcome.STOPPED, {Count.CELLS: 1, Count.FILES_DELETED: 1})]
    assert (derived.exists(), len(lines(device.home))) == (False, 2)
    holds = Holds.load(device.home)
    asked = frozenset({Category.PURCHASES, Category.LOCATION})
    assert holds.usable("ann", Purpose.TRAIN, asked) == {Category.LOCATION}
    assert holds.usable("ann", Purpose.PERSONALISE, asked) == asked
    [status] = told(stage, device)
    assert (status["state"], status["outcome"]) == ("done", "stopped")
    assert run(stage, device) == Synced(carried=(), reported=0)


def test_what_is_given_again_is_used_again(stage: Stage, device: Party) -> None:
    decide(stage, device, Decision.WITHDRAWN)
    run(stage, device)
    decide(stage, device, Decision.GIVEN)
    assert outcomes(run(stage, device)) == [(Outcome.RESUMED, {Count.CELLS: 1})]
    asked = frozenset({Category.PURCHASES})
    assert Holds.load(device.home).usable("ann", Purpose.TRAIN, asked) == asked


@pytest.mark.parametrize("kind", ["restrict", "object"])
def test_restricted_data_is_not_used_even_if_the_service_said_yes(
    stage: Stage, tmp_path: Path, kind: str
) -> None:
    device = make_client(stage, tmp_path / "device", "ann", z_floor=0.0)
    asked = invite(quiet_manifest(round_id="r1"))
    tell(stage, device, kind)
    run(stage, device)
    with pytest.raises(ConsentError, match="told to use nothing"):
        contribute(asked, device.home, stage.http, clock=stage.clock)
    assert not device.home.register.exists()
    with EventStore.open(device.home.events) as events:
        gateway = Gateway(
            events, stage.client, device.home.trust.load_catalogue(), Holds.load(device.home)
        )
        with pytest.raises(ConsentError, match="Nothing is used"):
            gateway.personal(
                "ann", identifier=device.home.shoppers["ann"], token=device.tokens["ann"]
            )
    tell(stage, device, "resume")
    run(stage, device)
    assert Holds.load(device.home).refusal("ann") is None


def test_a_store_uses_nothing_of_the_shopper_who_said_no(stage: Stage, store: Party) -> None:
    tell(stage, store, "restrict", "ben")
    tell(stage, store, "stop", "eve", cells=[TRAIN_PURCHASES])
    assert run(stage, store).reported == 2
    holds = Holds.load(store.home)
    asked = frozenset({Category.PURCHASES})
    usable = {name for name in store.home.shoppers if holds.usable(name, Purpose.TRAIN, asked)}
    assert usable == {"ann"}


def test_an_unreadable_journal_permits_nothing(device: Party) -> None:
    device.home.journal.write_text("not a database, and long enough to be read as one" * 100)
    with pytest.raises(ConsentError, match="nobody knows"):
        Holds.load(device.home)


def test_an_older_instruction_never_undoes_a_newer_one(stage: Stage, device: Party) -> None:
    """As when the disk refuses the stop at first, and it is tried again after she resumed."""
    decide(stage, device, Decision.WITHDRAWN)
    found = list(stage.client.instructions(device.home.identity))
    decide(stage, device, Decision.GIVEN)
    [_, resume] = stage.client.instructions(device.home.identity)
    with Journal(device.home.journal) as journal:
        made = carrying._Run(home=device.home, journal=journal, clock=stage.clock)
        list(made.carry_out([resume, *found]))
    asked = frozenset({Category.PURCHASES})
    assert Holds.load(device.home).usable("ann", Purpose.TRAIN, asked) == asked


def test_an_export_stays_on_the_device_and_has_everything(stage: Stage, device: Party) -> None:
    enter_round(
        device.home.register,
        population="p",
        task="popularity",
        round_id="r1",
        context="c",
        epsilon=0.5,
    )
    tell(stage, device, "stop", cells=[TRAIN_PURCHASES])
    made = tell(stage, device, "export")
    assert outcomes(run(stage, device))[1] == (
        Outcome.EXPORTED,
        {Count.LINES_EXPORTED: 2, Count.FILES_WRITTEN: 1},
    )
    [file] = device.home.exports.iterdir()
    assert file == export_path(device.home, f"{device.home.shoppers['ann']}-{made}")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with zipfile.ZipFile(file) as bundle:
        items = [row["item"] for row in json.loads(bundle.read("purchases.json"))]
        rows = list(csv.DictReader(io.StringIO(bundle.read("purchases.csv").decode())))
        rounds = json.loads(bundle.read("rounds.json"))
        held = json.loads(bundle.read("not-to-be-used.json"))
        manifest = json.loads(bundle.read("manifest.json"))
    assert items == [row["item"] for row in rows] == lines(device.home)
    assert rounds == [{"task": "popularity", "round": "r1", "epsilon": 0.5}]
    assert held == ["train-shared-models/purchases"]
    assert manifest["sha256"].keys() | {"manifest.json"} == set(bundle.namelist())


def test_no_item_of_an_export_is_a_formula(device: Party) -> None:
    with EventStore.open(device.home.events) as events:
        events.replace(purchases("ann", "=cmd()", "milk"))
    write_export(device.home, "ann", "x", at=0, held=[])
    with zipfile.ZipFile(export_path(device.home, "x")) as made:
        text = made.read("purchases.csv").decode()
        kept = [line["item"] for line in json.loads(made.read("purchases.json"))]
    items = [row["item"] for row in csv.DictReader(io.StringIO(text))]
    assert items == ["'=cmd()", "milk"]
    assert [unguarded(each) for each in items] == kept == ["=cmd()", "milk"]


def test_an_export_that_is_cut_off_leaves_nothing_that_an_erasure_does_not_find(
    stage: Stage, store: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(BaseException):
        pass

    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    tell(stage, store, "export", "ben")
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", disk_full)
        assert outcomes(run(stage, store)) == [(Outcome.STORAGE_FAILED, {})]
        assert not list(store.home.exports.iterdir())
        patched.setattr("os.fsync", cut)
        patched.setattr(Path, "unlink", cut)
        with pytest.raises(PowerCutError):
            run(stage, store)
    assert len(list(store.home.exports.iterdir())) == 1
    tell(stage, store, "erase", "ann")
    tell(stage, store, "erase", "ben")
    run(stage, store)
    assert not list(store.home.exports.iterdir())


def test_a_store_exports_one_shopper_only(stage: Stage, store: Party) -> None:
    tell(stage, store, "export", "ben")
    run(stage, store)
    [file] = store.home.exports.iterdir()
    text = zipfile.ZipFile(file).read("purchases.json").decode()
    assert "item-02" in text
    assert "item-01" not in text
    for other in ("ann", "eve"):
        assert store.home.shoppers[other] not in zipfile.ZipFile(file).read("client.json").decode()


def test_corrections_are_applied_to_her_lines_alone(stage: Stage, store: Party) -> None:
    corrections = [
        {"item": "item-00", "day": DAY, "delete": True},
        {"item": "item-01", "day": DAY, "values": {"item": "item-09", "quantity": 3}},
        {"item": "item-05", "day": DAY, "delete": True},
    ]
    tell(stage, store, "correct", details={"corrections": corrections})
    done = run(stage, store)
    counts = {Count.LINES_CORRECTED: 1, Count.LINES_DELETED: 1}
    assert outcomes(done) == [(Outcome.CORRECTED, counts)]
    assert (lines(store.home), lines(store.home, "ben")) == (["item-09"], ["item-00", "item-02"])


def test_a_correction_moves_a_day_and_says_when_there_was_nothing(
    stage: Stage, device: Party
) -> None:
    move = {"item": "item-00", "day": DAY, "values": {"day": "2023-11-20", "price": 2}}
    tell(stage, device, "correct", details={"corrections": [move]})
    again = {"item": "item-00", "day": DAY, "delete": True}
    tell(stage, device, "correct", details={"corrections": [again]})
    assert [what for what, _ in outcomes(run(stage, device))] == [
        Outcome.CORRECTED,
        Outcome.NOTHING_THERE,
    ]
    with EventStore.open(device.home.events) as events:
        found = events.of("ann")
    assert (found.item[-1], found.time[-1] - found.time[0], found.price[-1]) == (
        "item-00",
        6 * 86_400 - 1,
        2.0,
    )


def test_an_erasure_leaves_nothing_on_a_device(stage: Stage, device: Party) -> None:
    secret = b"item-00"
    device.home.token_file.write_text("token")
    contribute(invite(make_manifest()), device.home, stage.http, clock=stage.clock)
    assert list(device.home.outbox.iterdir())
    tell(stage, device, "export")
    tell(stage, device, "erase")
    done = run(stage, device)
    assert outcomes(done)[1] == (
        Outcome.ERASED,
        {Count.LINES_DELETED: 2, Count.FILES_DELETED: 1, Count.ROUNDS_DELETED: 1},
    )
    home = device.home
    gone = (home.events, home.register, home.token_file, home.outbox)
    assert not any(path.exists() for path in gone)
    for file in home.path.rglob("*"):
        if file.is_file() and "catalogue" not in file.name:
            assert secret not in file.read_bytes()
    assert Holds.load(home).refusal("ann") == "her data was erased here"
    assert run(stage, device).carried == ()  # it can still talk, and has nothing more to say


def test_an_erasure_in_a_store_is_of_one_shopper(stage: Stage, store: Party) -> None:
    for name in ("ann", "ben"):
        tell(stage, store, "export", name)
    tell(stage, store, "erase", "ben")
    run(stage, store)
    assert (lines(store.home, "ben"), lines(store.home)) == ([], ["item-00", "item-01"])
    [left] = store.home.exports.iterdir()
    assert left.name.startswith(store.home.shoppers["ann"])
    assert b"item-02" not in store.home.events.read_bytes()
    holds = Holds.load(store.home)
    assert [holds.refusal(name) is None for name in ("ann", "ben", "eve")] == [True, False, True]


def test_an_erasure_waits_for_the_export_that_she_asked_for_first(
    stage: Stage, device: Party
) -> None:
    device.home.exports.write_text("a file where the folder belongs")
    tell(stage, device, "export")
    tell(stage, device, "erase")
    done = run(stage, device)
    assert [each.finished.status for each in done.carried] == [ReportStatus.FAILED]
    assert len(lines(device.home)) == 2
    device.home.exports.unlink()
    assert [what for what, _ in outcomes(run(stage, device))] == [Outcome.EXPORTED, Outcome.ERASED]


def test_strangers_and_late_instructions_are_refused(stage: Stage, device: Party) -> None:
    tell(stage, device, "export")
    other = ClientHome(
        path=device.home.path,
        kind=device.home.kind,
        identity=device.home.identity,
        shoppers={"ann": "0" * 32},
        trust=device.home.trust,
    )
    assert outcomes(sync(other, stage.client, clock=stage.clock)) == [(Outcome.UNKNOWN_SHOPPER, {})]
    tell(stage, device, "export")
    late = sync(device.home, stage.client, clock=lambda: stage.clock.now + 91 * 86_400)
    assert outcomes(late) == [(Outcome.TOO_LATE, {})]
    assert not device.home.exports.exists()
    assert [each["state"] for each in told(stage, device)] == ["refused", "refused"]


def test_nothing_is_done_that_the_pinned_key_did_not_sign(stage: Stage, device: Party) -> None:
    tell(stage, device, "erase")
    stranger = ConsentClient(
        stage.http,
        service_key=Ed25519PrivateKey.generate().public_key(),
        clock=stage.clock,
    )
    with pytest.raises(ConsentError):
        sync(device.home, stranger, clock=stage.clock)
    assert len(lines(device.home)) == 2
