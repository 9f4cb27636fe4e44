"""``fedcart store import`` from SQLite and PostgreSQL: each line once, nobody else's, only read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client.events import EventStore
from client.importers.columns import Columns
from client.importers.tables import Table, open_table
from client.importers.text_form import TextForm
from client.store.intake import take_in
from client.store.till import Window
from tests.unit.client.store.conftest import Counter
from tests.unit.client.store.till import TillDatabase, rows_of
from tests.unit.commands import Outcome, fedcart

MONDAY = [
    (1, "c7", "milk", "2024-03-04 09:00:00"),
    (1, "c7", "bread", "2024-03-04 09:00:00"),
    (2, "c9", "tea", "2024-03-04 09:30:00"),
    (3, None, "tea", "2024-03-04 09:40:00"),
    (4, "c8", "coffee", "2024-03-04 11:00:00"),
]


def told_of(counter: Counter, till: TillDatabase, *more: str) -> dict[str, object]:
    done = counter.import_(till, "--json", *more)
    assert done.code == 0, done.said
    found: dict[str, object] = json.loads(done.out)
    return found


def test_lines_of_its_shoppers_come_in_and_no_others(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    found = told_of(counter, till, "--settle", "0")
    assert (found["added"], found["shoppers"], found["strangers"]) == (3, 2, 2)
    with EventStore.open(counter.loaded.events) as store:
        events = store.of("c7")
    assert sorted(events.item) == ["bread", "milk"]
    assert set(events.basket) == {"1"}
    assert events.quantity.tolist() == [2.0, 2.0]
    assert events.price.tolist() == [3.5, 3.5]
    assert events.time.tolist() == [1_709_542_800] * 2  # 09:00 by the shop's clock
    assert b"c9" not in counter.loaded.events.read_bytes()


def test_an_import_again_adds_only_what_is_new(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    for _ in range(2):
        told_of(counter, till, "--settle", "0")
    before = rows_of(counter.loaded.events)
    assert len(before) == 3
    till.sell((5, "c7", "tea", "2024-03-05 18:00:00"))
    again = told_of(counter, till, "--settle", "0")
    assert (again["added"], again["shoppers"]) == (1, 1)
    assert len(rows_of(counter.loaded.events)) == 4
    assert set(before) < set(rows_of(counter.loaded.events))


def test_what_a_till_posts_late_is_not_lost(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    first = told_of(counter, till)  # the settling time is an hour: the line of 11:00 waits
    assert (first["added"], first["waiting"]) == (2, 1)
    till.sell((6, "c8", "tea", "2024-03-04 10:30:00"), (7, "c8", "milk", "2024-03-04 14:00:00"))
    second = told_of(counter, till)
    assert (second["added"], second["waiting"]) == (2, 1)
    found = [(shopper, item) for shopper, item, _ in rows_of(counter.loaded.events)]
    assert sorted(found) == [("c7", "bread"), ("c7", "milk"), ("c8", "coffee"), ("c8", "tea")]


def test_whoever_joins_later_brings_her_whole_history(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    told_of(counter, till, "--settle", "0")
    till.sell((5, "c8", "tea", "2024-05-05 18:00:00"))
    assert counter.enrol("c9").code == 0
    found = told_of(counter, till, "--settle", "0")
    assert (found["added"], found["shoppers"]) == (2, 2)
    assert {shopper for shopper, _, _ in rows_of(counter.loaded.events)} == {"c7", "c8", "c9"}


def test_a_trial_keeps_nothing(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    found = told_of(counter, till, "--settle", "0", "--dry-run")
    assert found["added"] == 3
    assert "nothing was kept" in counter.import_(till, "--dry-run").said
    assert not counter.loaded.events.exists()


def test_bad_lines_are_named_and_nothing_comes_in(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY, (9, "c7", "", "2024-03-05 09:00:00"))
    refused = counter.import_(till)
    assert (refused.code, "column 'article' is ''" in refused.said) == (2, True)
    assert not counter.loaded.events.exists()
    found = told_of(counter, till, "--settle", "0", "--skip-bad")
    assert (found["added"], found["skipped"]) == (3, 1)


def test_a_strangers_bad_line_stops_nobody(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY, (9, "c9", "", "2024-03-05 09:00:00"))
    assert told_of(counter, till, "--settle", "0")["added"] == 3


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM sales",
        "DROP TABLE sales",
        "SELECT 1; DELETE FROM sales",
        "INSERT INTO sales SELECT * FROM sales",
        "WITH gone AS (DELETE FROM sales RETURNING *) SELECT * FROM gone",
        "SELECT * FROM sales) AS x; DELETE FROM sales; SELECT * FROM (SELECT 1",
    ],
)
def test_the_till_is_only_read(counter: Counter, till: TillDatabase, harm: str) -> None:
    till.sell(*MONDAY)
    till.query(harm)
    refused = counter.import_(till)
    assert (refused.code, "refused" in refused.said) == (2, True)
    till.query()
    assert told_of(counter, till, "--settle", "0")["added"] == 3


def test_the_operators_own_signs_stay_what_they_are(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    till.query(
        "SELECT card, article, sold_at, receipt, units, paid FROM sales\n"
        "WHERE article LIKE '%i%' AND card <> ' :since' -- a comment at the end"
    )
    assert told_of(counter, till, "--settle", "0")["added"] == 1
    assert told_of(counter, till, "--settle", "0")["added"] == 0


def test_a_column_that_is_not_there_is_named(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    till.query("SELECT card, article, sold_at AS sold, receipt, units, paid FROM sales")
    refused = counter.import_(till)
    assert (refused.code, "no column 'sold_at'" in refused.said) == (2, True)


def test_a_whole_table_needs_no_query(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    columns = ["--shopper", "card", "--item", "article", "--time", "sold_at"]
    named = ["--database", till.url, "--table", "sales", "--settle", "0"]
    done = fedcart("store", "import", "--home", counter.home, *columns, *named)
    assert (done.code, "3 new lines of 2 shoppers" in done.said) == (0, True)


def test_nothing_erased_comes_back(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    told_of(counter, till, "--settle", "0")
    home = counter.loaded
    counter.instruct("erase", home.shoppers["c7"])
    assert fedcart("store", "sync", "--home", counter.home).code == 0
    assert {shopper for shopper, _, _ in rows_of(home.events)} == {"c8"}
    till.sell((5, "c7", "tea", "2024-03-05 18:00:00"))
    found = told_of(counter, till, "--settle", "0")
    assert (found["added"], found["held"] != 0) == (0, True)
    assert {shopper for shopper, _, _ in rows_of(home.events)} == {"c8"}
    again = counter.enrol("c7")  # she comes back, as somebody new
    assert again.code == 0, again.said
    assert told_of(counter, till, "--settle", "0")["added"] == 3


def test_corrections_made_here_stay(counter: Counter, till: TillDatabase) -> None:
    till.sell(*MONDAY)
    told_of(counter, till, "--settle", "0")
    counter.instruct(
        "correct",
        counter.loaded.shoppers["c8"],
        details={
            "corrections": [{"item": "coffee", "day": "2024-03-04", "values": {"item": "tea"}}]
        },
    )
    assert fedcart("store", "sync", "--home", counter.home).code == 0
    for more in ([], [(5, "c8", "milk", "2024-03-05 18:00:00")]):
        till.sell(*more)
        told_of(counter, till, "--settle", "0")
    found = [item for shopper, item, _ in rows_of(counter.loaded.events) if shopper == "c8"]
    assert found == ["tea", "milk"]


def test_an_import_that_is_cut_off_changes_nothing(
    counter: Counter, till: TillDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.sell(*MONDAY)
    told_of(counter, till)
    before = rows_of(counter.loaded.events)
    till.sell((5, "c7", "tea", "2024-03-05 18:00:00"))
    with monkeypatch.context() as patched:  # lines are written, then the moment is not
        patched.setattr("client.events._TAKE", "INSERT INTO nowhere VALUES (?, ?)")
        assert counter.import_(till, "--settle", "0").code == 1
    assert rows_of(counter.loaded.events) == before
    assert told_of(counter, till, "--settle", "0")["added"] == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://till/shop", "'mysql'"),
        ("nonsense", "no address"),
        ("sqlite:////nowhere/till.db", "no database file"),
        ("postgresql://reader:s3cret@127.0.0.1:1/shop", "refused"),
    ],
)
def test_what_is_no_till_is_said_without_its_password(
    counter: Counter, tmp_path: Path, url: str, said: str
) -> None:
    wrong = TillDatabase(url, tmp_path)
    refused = counter.import_(wrong)
    assert (refused.code, said in refused.said) == (2, True), refused.said
    assert "s3cret" not in refused.said


def test_a_file_is_taken_in_the_same_way(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    header = "card,article,date\n"
    file.write_text(f"{header}c7,milk,2024-03-04T09:00:00\nc9,tea,2024-03-04T09:00:00\n")
    words = ["--shopper", "card", "--item", "article", "--time", "date", "--settle", "0", "--json"]
    for more, added in (("", 1), ("c7,tea,2024-03-05T09:00:00\n", 1), ("", 0)):
        file.write_text(file.read_text() + more)
        done = fedcart("store", "import", file, "--home", counter.home, *words)
        assert json.loads(done.out)["added"] == added


def test_a_source_is_named_once(counter: Counter) -> None:
    words = ["--shopper", "card", "--item", "article", "--time", "date"]
    refused = fedcart("store", "import", "--home", counter.home, *words)
    assert (refused.code, "Name a file, or a database" in refused.said) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sales.csv", "--query", "{query}"), "name a file or a database, not both"),
        (("--database", "{url}", "--table", "sales", "--delimiter", ";"), "how a file is written"),
        (("--database", "nonsense", "--table", "sales"), "no address"),
        (("--database", "mysql://till/shop", "--table", "sales"), "'mysql'"),
        (("--database", "sqlite:////x.db", "--table", "shop."), "is no table"),
    ],
)
def test_a_source_that_is_none_is_refused_in_words(
    counter: Counter, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    query = tmp_path / "query.sql"
    query.write_text("SELECT 1")
    columns = ["--shopper", "card", "--item", "article", "--time", "date"]
    named = [word.format(query=query, url=f"sqlite:///{tmp_path / 'till.db'}") for word in words]
    refused = fedcart("store", "import", "--home", counter.home, *columns, *named)
    assert (refused.code, said in refused.said) == (2, True), refused.said


def test_a_query_that_is_no_text_is_refused(counter: Counter, tmp_path: Path) -> None:
    (tmp_path / "till.db").touch()
    (tmp_path / "query.sql").write_bytes(b"SELECT '\xff'")
    refused = counter.import_(TillDatabase(f"sqlite:///{tmp_path / 'till.db'}", tmp_path))
    assert (refused.code, "text in UTF-8" in refused.said) == (2, True), refused.said


def test_a_file_is_read_as_its_form_says(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes("c7;Käse;2024-03-04\nc7;-1;2024-03-04\n".encode("latin-1"))
    words = ["--shopper", "1", "--item", "2", "--time", "3", "--settle", "0", "--no-header"]
    form = ["--delimiter", ";", "--encoding", "latin-1", "--ignore-item", "-1", "--json"]
    done = fedcart("store", "import", file, "--home", counter.home, *words, *form)
    assert done.code == 0, done.said
    found = json.loads(done.out)
    assert (found["added"], found["ignored"], found["unlisted"]) == (1, 1, 1)


def lines_of(tmp_path: Path, text: str) -> tuple[str | Path, ...]:
    file = tmp_path / "sales.csv"
    file.write_text(f"card,article,date\n{text}")
    words = ("--shopper", "card", "--item", "article", "--time", "date", "--settle", "0")
    return (file, *words)


def import_file(counter: Counter, tmp_path: Path, text: str, *more: str) -> Outcome:
    words = lines_of(tmp_path, text)
    return fedcart("store", "import", *words, "--home", counter.home, *more)


@pytest.mark.parametrize("card", ["c7", "c9"])
def test_a_till_whose_clock_is_wrong_stops_no_later_import(
    counter: Counter, tmp_path: Path, card: str
) -> None:
    first = f"c7,milk,2024-03-04\n{card},tea,2099-01-01\n"
    refused = import_file(counter, tmp_path, first)
    if card == "c7":  # a member's line is reported, a stranger's moves nothing
        assert (refused.code, "is the till's clock right?" in refused.said) == (2, True)
        assert not counter.loaded.events.exists()
        assert import_file(counter, tmp_path, first, "--skip-bad").code == 0
    later = import_file(counter, tmp_path, first + "c7,tea,2024-03-05\n", "--skip-bad", "--json")
    assert json.loads(later.out)["added"] == 1
    assert [item for _, item, _ in rows_of(counter.loaded.events)] == ["milk", "tea"]


def test_two_imports_at_once_add_each_line_once(counter: Counter, tmp_path: Path) -> None:
    words = lines_of(tmp_path, "c7,milk,2024-03-04\n")
    columns = Columns(shopper="card", item="article", time="date")

    @contextmanager
    def slow(_window: Window) -> Iterator[Table]:
        again = fedcart("store", "import", *words, "--home", counter.home)
        assert (again.code, "Another import" in again.said) == (1, True)
        yield open_table(Path(words[0]), (), form=TextForm(), progress=lambda *_: None)

    take_in(counter.loaded, slow, columns, name="sales", settle=0)
    assert len(rows_of(counter.loaded.events)) == 1
    assert fedcart("store", "import", *words, "--home", counter.home).code == 0
    assert len(rows_of(counter.loaded.events)) == 1


def test_whoever_is_erased_while_an_import_runs_stays_erased(
    counter: Counter, tmp_path: Path
) -> None:
    words = lines_of(tmp_path, "c7,milk,2024-03-04\nc8,tea,2024-03-04\n")
    columns = Columns(shopper="card", item="article", time="date")

    @contextmanager
    def slow(_window: Window) -> Iterator[Table]:
        yield open_table(Path(words[0]), (), form=TextForm(), progress=lambda *_: None)
        counter.instruct("erase", counter.loaded.shoppers["c7"])
        done = fedcart("store", "sync", "--home", counter.home)
        assert done.code == 0, done.said

    take_in(counter.loaded, slow, columns, name="sales", settle=0)
    assert [card for card, _, _ in rows_of(counter.loaded.events)] == ["c8"]
    assert b"c7" not in counter.loaded.events.read_bytes()


def test_the_status_tells_who_waits_for_an_import(counter: Counter, tmp_path: Path) -> None:
    assert import_file(counter, tmp_path, "c7,milk,2024-03-04\n").code == 0
    assert counter.enrol("c9").code == 0
    shown = fedcart("store", "status", "--home", counter.home)
    assert "1 shoppers wait for the next import" in shown.said
    counter.instruct("stop", counter.loaded.shoppers["c8"])  # left behind, and asked for no more
    assert fedcart("store", "sync", "--home", counter.home).code == 0
    assert import_file(counter, tmp_path, "c7,tea,2024-04-04\n").code == 0
    shown = fedcart("store", "status", "--home", counter.home)
    assert "up to 2024-04-04 00:00:01 at least" in shown.said
    assert "wait for" not in shown.said
