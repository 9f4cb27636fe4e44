"""What she states of herself: from a public list, read under one grant, erased with her."""

import json
import stat
import zipfile
from pathlib import Path

import pytest

from client.erasing import copies_of
from client.home import ClientHome
from client.personal_export import export_path, write_export
from client.statements import NOTHING, Statements, read_statements, state, stated_for
from consent.admit import ConsentedEvents, admit
from consent.purpose import Category, Purpose
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import DEFAULT_SCHEMA, GroupSchema
from consent.tasks.popularity import PopularityTask
from consent.tasks.task import Task
from crypto.errors import InvalidInputError
from crypto.secret_file import write_secret
from tests.unit.client.instructing import run, tell
from tests.unit.client.shop import Shop
from tests.unit.client.stage import Party, make_client, purchases
from tests.unit.commands import fedcart
from tests.unit.consent.harness import Stage

AUDIT = FairnessTask(items=12, schema=DEFAULT_SCHEMA)
OTHER = GroupSchema("elsewhere", {"age": ("18-24", "25-34")})
EVERYTHING = frozenset(Category)


@pytest.fixture
def home(stage: Stage, tmp_path: Path) -> ClientHome:
    return device(stage, tmp_path).home


def device(stage: Stage, tmp_path: Path) -> Party:
    made = make_client(stage, tmp_path / "device", "ann")
    write_secret(made.home.token_file, made.tokens["ann"].encode())
    return made


def admitted(purpose: Purpose, categories: frozenset[Category] = EVERYTHING) -> ConsentedEvents:
    return admit(
        purchases("ann", "item-00"),
        purpose=purpose,
        categories=categories,
        sensitive_items=frozenset(),
    )


def identifier(home: ClientHome) -> str:
    return home.shoppers["ann"]


def test_answers_are_kept_changed_and_taken_back(home: ClientHome) -> None:
    assert read_statements(home, identifier(home)) is None
    state(home, {"age": "35-44", "income": "top-fifth"})
    state(home, {"age": "45-54", "income": NOTHING, "household-size": "2"})
    found = read_statements(home, identifier(home))
    assert found is not None
    assert found.groups == {"age": "45-54", "household-size": "2"}
    [file] = (home.path / "statements").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"age": "36"}, "it is one of 18-24"),
        ({"religion": "any"}, "there are age"),
        ({"religion": NOTHING}, "there are age"),
        ({"age": "18-24", "income": "1,000,000"}, "lowest-fifth"),
    ],
)
def test_nothing_else_can_be_stated_and_all_or_none_is(
    home: ClientHome, answers: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        state(home, answers)
    assert read_statements(home, identifier(home)) is None


def test_answers_of_another_list_are_not_carried_over(home: ClientHome) -> None:
    state(home, {"age": "35-44", "income": "top-fifth"})
    made = state(home, {"age": "25-34"}, schema=OTHER)
    assert made == Statements(schema="elsewhere", groups={"age": "25-34"})
    assert stated_for(AUDIT, admitted(Purpose.FAIRNESS), home, "ann") == {}


def test_they_are_read_under_one_purpose_and_category_alone(home: ClientHome) -> None:
    state(home, {"age": "35-44"})
    assert stated_for(AUDIT, admitted(Purpose.FAIRNESS), home, "ann") == {"age": "35-44"}
    without = frozenset(EVERYTHING - {Category.DEMOGRAPHICS})
    assert stated_for(AUDIT, admitted(Purpose.FAIRNESS, without), home, "ann") == {}
    for purpose in set(Purpose) - {Purpose.FAIRNESS}:
        assert stated_for(AUDIT, admitted(purpose), home, "ann") == {}
    other: Task = PopularityTask(items=12)
    assert stated_for(other, admitted(Purpose.FAIRNESS), home, "ann") == {}


def test_they_are_exported_and_erased_with_her(stage: Stage, tmp_path: Path) -> None:
    party = device(stage, tmp_path)
    home = party.home
    state(home, {"age": "35-44"})
    write_export(home, "ann", "copy", at=0, held=[])
    with zipfile.ZipFile(export_path(home, "copy")) as copy:
        assert json.loads(copy.read("statements.json"))["groups"] == {"age": "35-44"}
    assert any(file.parent.name == "statements" for file in copies_of(home, identifier(home)))
    tell(stage, party, "erase")
    assert run(stage, party).reported == 1
    assert not list((home.path / "statements").iterdir())


def test_one_shopper_of_a_store_does_not_see_anothers(stage: Stage, tmp_path: Path) -> None:
    home = make_client(stage, tmp_path / "store", "ann", "bea").home
    with pytest.raises(InvalidInputError, match="a store's home"):
        state(home, {"age": "35-44"})
    assert copies_of(home, home.shoppers["bea"]) == []


def test_damaged_statements_are_not_read(home: ClientHome) -> None:
    state(home, {"age": "35-44"})
    [file] = (home.path / "statements").iterdir()
    file.write_text('{"schema": "fedcart-1", "groups": [1]}')
    with pytest.raises(InvalidInputError, match="State them again"):
        stated_for(AUDIT, admitted(Purpose.FAIRNESS), home, "ann")


def test_the_command_asks_takes_and_shows(shop: Shop, tmp_path: Path) -> None:
    shop.enrolled()
    asked = fedcart("device", "state", "--home", shop.home)
    assert "age: not stated (one of 18-24" in asked.said
    done = fedcart("device", "state", "age=35-44", "--home", shop.home, "--json")
    assert json.loads(done.said) == {"schema": "fedcart-1", "groups": {"age": "35-44"}}
    wrong = fedcart("device", "state", "age", "--home", shop.home)
    assert wrong.code != 0
    file = tmp_path / "groups.json"
    file.write_text(json.dumps(OTHER.to_json()))
    own = fedcart("device", "state", "--home", shop.home, "--schema", file)
    assert "age: not stated (one of 18-24, 25-34)" in own.said
    file.write_text("{}")
    assert fedcart("device", "state", "--home", shop.home, "--schema", file).code != 0
