"""``fedcart store state``: what its shoppers state, read by audits under their grant alone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.contributions.fairness import group_starts
from client.erasing import copies_of
from client.events import EventStore
from client.home import ClientHome
from client.participate import contribute
from client.statements import stated_by
from client.store.stated import take_down
from consent.purpose import Category, Cell, Decision, Purpose
from consent.tasks.artefact import encode_artefact
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import DEFAULT_SCHEMA, GroupSchema
from consent.tasks.inputs import hash_of
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.dp.plan import without_noise
from crypto.errors import ConsentError, InvalidInputError
from crypto.manifest import Manifest
from tests.unit.client.instructing import run, tell
from tests.unit.client.stage import (
    CATALOGUE,
    ITEMS,
    Party,
    invite,
    make_client,
    make_manifest,
    opened,
    purchases,
)
from tests.unit.client.store.conftest import Counter
from tests.unit.commands import Outcome, fedcart
from tests.unit.consent.harness import NOTICE, Stage
from tests.unit.crypto.samples import plan

SCHEMA = GroupSchema("ages", {"age": ("young", "old")})
POPULAR = encode_artefact(
    PopularityArtefact(
        task=TaskName.POPULARITY, catalogue=CATALOGUE.hash, scores=np.linspace(0, 1, 12)
    )
)
AUDIT = FairnessTask(items=12, schema=SCHEMA, least_baskets=2, inputs=(hash_of(POPULAR),))


def audit_round() -> Manifest:
    return make_manifest(
        task=str(TaskName.FAIRNESS),
        parameters=AUDIT.to_json(),
        purposes=(str(Purpose.FAIRNESS),),
        categories=("demographics", "purchases"),
        plan=without_noise(plan(dimension=AUDIT.dimension)),
        epsilon=None,
    )


def decide(stage: Stage, party: Party, name: str, **cells: Decision) -> None:
    stage.client.decide(
        party.home.shoppers[name],
        party.tokens[name],
        {Cell(Purpose.FAIRNESS, Category(cell)): say for cell, say in cells.items()},
        notice_version=NOTICE,
    )


class TestAudited:
    """In a round, with a real consent service: whose group counts in the store's sum."""

    @pytest.fixture
    def party(self, stage: Stage, tmp_path: Path) -> Party:
        """Three shoppers with two baskets each, who agree that purchases are used for audits."""
        names = ("ann", "bea", "cleo")
        made = make_client(stage, tmp_path / "store", *names, z_floor=0.0, epsilon_cap=None)
        with EventStore.open(made.home.events) as store:
            for name in names:
                bought = purchases(name, *ITEMS[:3])
                visit = np.full(3, "basket-2", dtype=object)
                store.append(replace(bought, time=bought.time + 30 * 86_400, basket=visit))
        for name in names:
            decide(stage, made, name, purchases=Decision.GIVEN)
        return made

    def counted(self, stage: Stage, party: Party) -> Mapping[str, float]:
        """What is in the place of the count of each group, in the units of one shopper."""
        made = audit_round()
        sent = contribute(
            invite(made),
            party.home,
            stage.http,
            given={hash_of(POPULAR): POPULAR},
            clock=stage.clock,
        )
        values: Any = opened(sent.header, sent.sealed, made)
        one = AUDIT.scale * 0.22**0.5
        starts = group_starts(AUDIT)
        return {group: values[starts["age", group]] / one for group in ("young", "old")}

    def test_each_counts_in_the_group_that_she_stated(self, stage: Stage, party: Party) -> None:
        for name, group in (("ann", "young"), ("bea", "old"), ("cleo", "old")):
            take_down(party.home, name, {"age": group}, schema=SCHEMA)
            decide(stage, party, name, demographics=Decision.GIVEN)
        found = self.counted(stage, party)
        assert found == pytest.approx({"young": 1, "old": 2}, abs=0.02)

    def test_without_her_grant_for_it_nothing_is_read(self, stage: Stage, party: Party) -> None:
        for name in ("ann", "bea", "cleo"):
            take_down(party.home, name, {"age": "old"}, schema=SCHEMA)
        decide(stage, party, "ann", demographics=Decision.GIVEN)
        decide(stage, party, "bea", demographics=Decision.REFUSED)
        assert self.counted(stage, party) == pytest.approx({"young": 0, "old": 1}, abs=0.02)

    def test_nobody_agrees_and_there_is_no_upload(self, stage: Stage, party: Party) -> None:
        take_down(party.home, "ann", {"age": "old"}, schema=SCHEMA)
        with pytest.raises(ConsentError, match="No shopper"):
            self.counted(stage, party)

    def test_what_the_store_was_told_to_stop_is_not_read_even_with_a_grant(
        self, stage: Stage, party: Party
    ) -> None:
        for name in ("ann", "bea"):
            take_down(party.home, name, {"age": "old"}, schema=SCHEMA)
            decide(stage, party, name, demographics=Decision.GIVEN)
        # Her part alone is left out: what one shopper's data may not be used for stops nobody else.
        tell(stage, party, "stop", cells=[Cell(Purpose.FAIRNESS, Category.DEMOGRAPHICS)])
        assert run(stage, party).reported == 1
        assert self.counted(stage, party)["old"] == pytest.approx(1, abs=0.02)

    def test_answers_to_another_list_are_not_used(self, stage: Stage, party: Party) -> None:
        take_down(party.home, "ann", {"age": "35-44"}, schema=DEFAULT_SCHEMA)
        decide(stage, party, "ann", demographics=Decision.GIVEN)
        assert self.counted(stage, party) == pytest.approx({"young": 0, "old": 0}, abs=0.02)


def listed(counter: Counter, folder: Path, text: str, *more: str | Path) -> Outcome:
    file = folder / "groups.csv"
    file.write_text(text)
    return fedcart("store", "state", "--file", file, "--home", counter.home, *more)


def groups(home: ClientHome, name: str) -> dict[str, str]:
    return stated_by(home, name, DEFAULT_SCHEMA)


def test_one_shopper_states_sees_and_takes_back(counter: Counter) -> None:
    words = ("store", "state", "c7")
    done = fedcart(*words, "age=35-44", "income=top-fifth", "--home", counter.home, "--json")
    assert json.loads(done.out)["groups"] == {"age": "35-44", "income": "top-fifth"}
    shown = fedcart(*words, "age=nothing", "--home", counter.home)
    assert "age: not stated" in shown.said
    assert "income: top-fifth" in shown.said
    assert groups(counter.loaded, "c8") == {}
    assert len(copies_of(counter.loaded, counter.loaded.shoppers["c7"])) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("c9", "age=35-44"), "does not stand for her"),
        (("c9",), "does not stand for her"),
        (("c7", "age=36"), "one of 18-24"),
        (("c7", "faith=any"), "there are age"),
        ((), "State NAME, or a list"),
    ],
)
def test_nobody_elses_and_nothing_else_is_taken(
    counter: Counter, words: tuple[str, ...], said: str
) -> None:
    refused = fedcart("store", "state", *words, "--home", counter.home)
    assert (refused.code, said in refused.said) == (2, True), refused.said


def test_a_list_is_taken_as_a_whole_or_not_at_all(counter: Counter, tmp_path: Path) -> None:
    bad = listed(counter, tmp_path, "name,age\nc7,35-44\nc8,old\nc9,18-24\nc7,18-24\n")
    assert bad.code == 2
    for said in ("4 of 4 rows", "age can't be 'old'", "does not stand for her", "lines 2, 5"):
        assert said in bad.said
    assert groups(counter.loaded, "c7") == {}
    refused = tmp_path / "refused.csv"
    text = "name,age,income\nc7,35-44,\nc8,,top-fifth\nc9,18-24,\n"
    done = listed(counter, tmp_path, text, "--skip-bad", "--refused", refused)
    assert "What 2 shoppers state is taken down." in done.said
    assert "c9" in refused.read_text()
    assert groups(counter.loaded, "c7") == {"age": "35-44"}
    again = listed(counter, tmp_path, "name,age,income\nc7,,top-fifth\nc8,,\n", "--json")
    assert json.loads(again.out) == {"stated": 1, "refused": 0}
    assert groups(counter.loaded, "c7") == {"age": "35-44", "income": "top-fifth"}


@pytest.mark.parametrize(
    ("header", "said"),
    [("name,born", "unknown column 'born'"), ("name", "no column but 'name'"), ("age", "'name'")],
)
def test_a_list_has_attributes_and_nothing_else(
    counter: Counter, tmp_path: Path, header: str, said: str
) -> None:
    done = listed(counter, tmp_path, f"{header}\nc7\n")
    assert (done.code, said in done.said) == (2, True), done.said


@pytest.mark.parametrize("kind", ["erase", "restrict", "stop"])
def test_of_whoever_said_stop_nothing_new_is_taken_down(
    counter: Counter, tmp_path: Path, kind: str
) -> None:
    assert fedcart("store", "state", "c7", "age=35-44", "--home", counter.home).code == 0
    counter.instruct(kind, counter.loaded.shoppers["c7"])
    assert fedcart("store", "sync", "--home", counter.home).code == 0
    assert bool(groups(counter.loaded, "c7")) == (kind != "erase")
    with pytest.raises(InvalidInputError, match="nothing new is taken down"):
        take_down(counter.loaded, "c7", {"income": "top-fifth"}, schema=DEFAULT_SCHEMA)
    listing = listed(counter, tmp_path, "name,age\nc7,18-24\n")
    assert (listing.code, "nothing new is taken down" in listing.said) == (2, True)
    back = fedcart("store", "state", "c7", "age=nothing", "--home", counter.home)
    assert (back.code, groups(counter.loaded, "c7")) == (0, {})
