"""``fedcart store link --file``: many at once, every row looked at before anything is written."""

import csv
import json
from pathlib import Path

import pytest

from client.store import members
from client.store.lists import Entry, MembersList
from client.store.members import name_shopper, name_shoppers
from consent.participation import is_name
from crypto.errors import InvalidInputError
from tests.unit.client.shop import mode
from tests.unit.client.store.conftest import Counter
from tests.unit.commands import Outcome, fedcart


class Lister:
    """A list of members as a store's operator hands it in."""

    def __init__(self, counter: Counter, folder: Path) -> None:
        self.counter, self.file = counter, folder / "members.csv"

    def link(self, text: str, *more: str | Path) -> Outcome:
        self.file.write_text(text)
        return fedcart("store", "link", "--file", self.file, "--home", self.counter.home, *more)


@pytest.fixture
def lister(counter: Counter, tmp_path: Path) -> Lister:
    return Lister(counter, tmp_path)


def rows(*pairs: tuple[str, str]) -> str:
    return "name,id\n" + "".join(f"{name},{ident}\n" for name, ident in pairs)


def test_thousands_are_linked_at_once_and_a_repeat_adds_nothing(lister: Lister) -> None:
    text = rows(*((f"card-{n}", f"{n:032x}") for n in range(3_000)))
    done = lister.link(text, "--json")
    assert json.loads(done.out) == {"linked": 3000, "known": 0, "refused": 0, "shoppers": 3002}
    assert lister.counter.loaded.shoppers["card-2999"] == f"{2999:032x}"
    again = lister.link(text + "card-new,abc\n")
    assert "1 shoppers of the list are linked now. 3,000 were linked before." in again.said
    assert "stands for 3,003 shoppers" in again.said


BAD = [
    ("c1,aa\nc1,bb", "this name stands in lines 2, 3"),
    ("c1,aa\nc2,aa", "this id stands in lines 2, 3"),
    ("c7,aa", "this store knows that name as shopper"),
    ("c1,{c7}", "is known here as 'c7'"),
    ("c1,not an id", "'not an id' is no shopper's id"),
    ("c1,-leading", "'-leading' is no shopper's id"),
    ("c1,", "'' is no shopper's id"),
    (",aa", "a shopper's name at the till is text of 1 to 256 characters, not nothing"),
    ("c1,aa,more", "it has 3 fields; expected 2"),
]


@pytest.mark.parametrize(("bad", "said"), BAD)
def test_one_bad_row_and_nobody_is_linked(lister: Lister, bad: str, said: str) -> None:
    before = lister.counter.loaded.shoppers
    done = lister.link(f"name,id\n{bad.format(c7=before['c7'])}\ngood,0123\n")
    assert (done.code, said in done.said, "nothing was changed" in done.said) == (2, True, True)
    assert lister.counter.loaded.shoppers == before


def test_the_refused_are_written_with_reasons_and_the_others_linked(
    lister: Lister, tmp_path: Path
) -> None:
    file = tmp_path / "refused.csv"
    done = lister.link(
        rows(("c1", "aa"), ("=c2", "b b"), ("c7", "cc")), "--skip-bad", "--refused", file
    )
    assert done.code == 0, done.said
    assert "Left out line 3, '=c2'" in done.said
    assert lister.counter.loaded.shoppers["c1"] == "aa"
    with file.open(newline="") as refused:
        found = list(csv.DictReader(refused))
    assert [(row["line"], row["name"]) for row in found] == [("3", "'=c2"), ("4", "c7")]
    assert "knows that name" in found[1]["reason"]
    assert mode(file) == 0o600
    again = lister.link(rows(("c3", "dd")), "--refused", file)
    assert (again.code, "exists" in again.said) == (2, True)
    assert "c3" not in lister.counter.loaded.shoppers


def test_of_many_refused_the_first_are_told(lister: Lister, tmp_path: Path) -> None:
    file = tmp_path / "refused.csv"
    done = lister.link(rows(*((f"c{n}", "no id") for n in range(100, 130))), "--refused", file)
    assert "30 of 30 rows" in done.said
    assert "and 10 more" in done.said
    assert len(file.read_text().splitlines()) == 31


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,id,born\nc1,aa,1980\n", "unknown column 'born'"),
        ("name,ID\nc1,aa\n", "did you mean 'ID'?"),
        ("name,id,id\nc1,aa,bb\n", "more than once"),
        ("name;id\nc1;aa\n", "name the right delimiter"),
        ("name,id\n", "a header and no rows"),
        ("", "not even a header"),
    ],
)
def test_a_file_of_another_form_is_refused(lister: Lister, text: str, said: str) -> None:
    done = lister.link(text)
    assert (done.code, said in done.said) == (2, True), done.said


def test_other_forms_of_text_are_read_where_they_are_stated(lister: Lister) -> None:
    lister.file.write_bytes("name;id\nMüller;aa\n".encode("latin-1"))
    words = ["--delimiter", ";", "--encoding", "latin-1", "--home", str(lister.counter.home)]
    assert fedcart("store", "link", "--file", lister.file, *words).code == 0
    assert lister.counter.loaded.shoppers["Müller"] == "aa"


def test_one_or_a_list_is_stated(lister: Lister) -> None:
    for words in (("c1",), ()):
        refused = fedcart("store", "link", *words, "--home", lister.counter.home)
        assert (refused.code, "--file FILE" in refused.said) == (2, True)
    both = lister.link(rows(("c1", "aa")), "c2")
    assert (both.code, "leave 'c2' out" in both.said) == (2, True)


def test_whoever_left_for_good_may_choose_the_store_anew(counter: Counter) -> None:
    former = counter.loaded.shoppers["c7"]
    counter.instruct("erase", former)
    assert fedcart("store", "sync", "--home", counter.home).code == 0
    assert fedcart("store", "link", "c7", "0123", "--home", counter.home).code == 0
    assert counter.loaded.shoppers["c7"] == "0123"


def test_an_id_that_the_service_would_not_read_is_refused(counter: Counter) -> None:
    for ident in ("_abc", "-abc", "a" * 65, "a b", "ä"):
        assert not is_name(ident) or len(ident) > 64
        with pytest.raises(InvalidInputError, match="no shopper's id"):
            name_shopper(counter.loaded, "c9", ident)


def test_a_client_has_room_for_so_many(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_GRANTS", 3)
    entries = tuple(Entry(line=n, name=f"x{n}", values={"id": f"{n}"}) for n in (1, 2))
    with pytest.raises(InvalidInputError, match="at most 3"):
        name_shoppers(counter.loaded, MembersList(entries=entries))
    assert counter.enrol("c9").code == 0
    assert counter.enrol("c10").code == 2
    assert set(counter.loaded.shoppers) == {"c7", "c8", "c9"}
