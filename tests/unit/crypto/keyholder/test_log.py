"""The log: on disk as a whole or not at all, unique by the database's own rule."""

import sqlite3
from pathlib import Path

import pytest

from crypto.errors import BudgetError
from crypto.keyholder.log import charges, rounds, uploads, votes
from crypto.keyholder.log.charges import Charge
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.log.store import VERSION, Log, copy_database
from crypto.keyholder.log.uploads import Taken, Used
from crypto.keyholder.log.votes import Answer, CastVote
from crypto.upload import Upload
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import Federation, Sent, client_upload
from tests.unit.crypto.samples import signer


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log.db")


def row(**changes: object) -> RoundRow:
    fields: dict[str, object] = {
        "population": "p",
        "task": "t",
        "round": "r",
        "identity": "me",
        "request": "q",
        "key_hash": "k",
        "key": b"key",
        "opens": 0,
        "closes": 10,
        "deadline": 20,
        "state": State.KEYED,
    }
    return RoundRow(**(fields | changes))  # type: ignore[arg-type]


def test_it_waits_for_the_disk(log: Log) -> None:
    with log.transaction() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_transaction_is_whole(log: Log, tmp_path: Path) -> None:
    def interrupted() -> None:
        with log.transaction() as db:
            rounds.add(db, row())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with Log(tmp_path / "log.db").reading() as db:
        assert rounds.every(db) == []
    with log.transaction() as db:
        rounds.add(db, row())
    with Log(tmp_path / "log.db").reading() as db:
        assert rounds.every(db) == [row()]


def test_reading_waits_for_nobody(log: Log) -> None:
    with log.transaction() as writing:
        rounds.add(writing, row())
        with log.reading() as db:
            assert rounds.every(db) == []


def test_a_later_version_is_refused(log: Log, tmp_path: Path) -> None:
    with log.transaction() as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(BudgetError, match="later version"):
        Log(tmp_path / "log.db")


def test_a_file_that_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"precious words" * 1000)
    with pytest.raises(BudgetError, match=r"log\.db can't be written or read"):
        Log(tmp_path / "log.db")
    assert (tmp_path / "log.db").read_bytes().startswith(b"precious")


def test_a_copy_is_consistent_while_it_is_used(log: Log, tmp_path: Path) -> None:
    with log.transaction() as db:
        rounds.add(db, row())
    copy_database(tmp_path / "log.db", tmp_path / "copy.db")
    with log.transaction() as db:
        rounds.add(db, row(round="later", key_hash="k2"))
    assert not (tmp_path / "copy.db-wal").exists()
    with Log(tmp_path / "copy.db").reading() as db:
        assert [each.round for each in rounds.every(db)] == ["r"]


class TestUnique:
    """What two rows may never share is refused by the file itself, whoever writes."""

    @pytest.mark.parametrize(
        "changes",
        [{"key_hash": "other"}, {"round": "other"}, {"round": "o", "key_hash": "o"}],
        ids=["round", "key", "neither"],
    )
    def test_rounds(self, log: Log, changes: dict[str, object]) -> None:
        with log.transaction() as db:
            rounds.add(db, row())
        if len(changes) == 2:
            with log.transaction() as db:
                rounds.add(db, row(**changes))
            return
        with pytest.raises(BudgetError), log.transaction() as db:
            rounds.add(db, row(**changes))

    def test_a_context_and_a_predecessor(self, log: Log) -> None:
        accepted = {"context": "c", "previous": "x", "run": "r", "number": 0, "plan": "p"}
        with log.transaction() as db:
            for name in ("a", "b"):
                rounds.add(db, row(round=name, key_hash=name))
            rounds.accept(db, row(round="a", key_hash="a", **accepted))
        for changes in ({"context": "d"}, {"previous": "y"}):
            with pytest.raises(BudgetError), log.transaction() as db:
                rounds.accept(db, row(round="b", key_hash="b", **(accepted | changes)))
        with log.transaction() as db:
            both = accepted | {"context": "d", "previous": "y"}
            rounds.accept(db, row(round="b", key_hash="b", **both))

    def test_votes(self, log: Log) -> None:
        vote = CastVote(
            identity="me",
            sequence=1,
            context="c",
            list_hash="l",
            record=b"",
            record_hash="h",
            voted_at=0,
        )
        with log.transaction() as db:
            votes.cast(db, vote)
        for changes in ({"sequence": 2}, {"context": "d"}):
            with pytest.raises(BudgetError), log.transaction() as db:
                votes.cast(db, CastVote(**(vars(vote) | changes)))
        with log.transaction() as db:
            votes.cast(db, CastVote(**(vars(vote) | {"sequence": 2, "context": "d"})))

    def test_answers(self, log: Log) -> None:
        with log.transaction() as db:
            votes.answer(db, Answer(context="c", request="q", data=b"1", answered_at=0))
        with pytest.raises(BudgetError), log.transaction() as db:
            votes.answer(db, Answer(context="c", request="q", data=b"2", answered_at=0))

    def test_charges(self, log: Log) -> None:
        entry = Charge(
            context="c",
            population="p",
            task="t",
            round="r",
            run="run",
            number=0,
            plan="p",
            releases="[]",
            charged_at=0,
        )
        with log.transaction() as db:
            charges.add(db, entry)
            charges.add(db, Charge(**(vars(entry) | {"releases": "[1]"})))
            assert charges.every(db, "p") == [entry]
        with pytest.raises(BudgetError), log.transaction() as db:
            charges.add(db, Charge(**(vars(entry) | {"context": "d"})))

    def test_uploads(self, log: Log, tmp_path: Path) -> None:
        made = Federation.make(tmp_path).accepted()
        sent = client_upload(made, "client 1")
        with log.transaction() as db:
            uploads.enter(db, [taken(sent)])
        other = client_upload(made, "client 2")
        cases = {
            "upload": (sent, ("x", "y")),
            "commitment": (copied(other, commitments=list(sent.upload.commitments)), ("x", "y")),
            "envelope": (copied(other, shares=list(sent.upload.shares)), ("x", "y")),
            "grant": (other, ("token", "y")),
            "subject": (other, ("x", "subject")),
        }
        for spoilt, (token, subject) in cases.values():
            with pytest.raises(BudgetError), log.transaction() as db:
                uploads.enter(db, [taken(spoilt, token=token, subject=subject)])
        with log.transaction() as db:
            uploads.enter(db, [taken(other, token="x", subject="y")])
            assert len(uploads.acknowledged(db, made.context)) == 2
            seen = uploads.seen(db, made.context)
        assert seen.used == {"token", "x"}
        assert seen.subjects == {"subject", "y"}
        assert len(seen.marks) == 12


def taken(sent: Sent, *, token: str = "token", subject: str = "subject") -> Taken:
    grant = Used(token_id=token, subject=subject)
    return Taken(upload=sent.upload, grants=(grant,), start=0, length=1)


def copied(sent: Sent, **changes: object) -> Sent:
    body = sent.upload._body() | changes
    record = SignedRecord.sign("upload", body, signer("client 2"))
    assert Upload.parse(record).client == sent.upload.client
    return Sent(header=record, sealed=sent.sealed, grants=sent.grants, shoppers=1)


def test_errors_say_nothing_of_what_is_inside(log: Log) -> None:
    with pytest.raises(BudgetError) as caught, log.transaction() as db:
        db.execute("INSERT INTO rounds (population) VALUES ('secret words')")
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
