"""Any interleaving of registering, deciding, moving, taking part and committing.

A model keeps its own numbered account of what happened: a grant is dead once its shopper said no,
or moved to another client, at a later step. It knows nothing of epochs, floors or events.
"""

import hmac
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from consent import standing as rules
from consent.ages import AgeBand
from consent.answers import Committed, Offer
from consent.log import tree
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.records.repository import LogRepository
from crypto.errors import ConsentError
from tests import postgres
from tests.postgres import Postgres
from tests.unit.consent.harness import CONTEXT, NOTICE, TASK, TRAIN_PURCHASES, Device, Stage
from tests.unit.consent.log import slow

OTHER = Cell(Purpose.RESEARCH, Category.BROWSING)
EFFORT = settings(max_examples=20, stateful_step_count=40, deadline=None)
STRANGE = Offer(upload="f" * 64, client="c" * 43, grants=("0" * 32,))
cells = st.sampled_from([TRAIN_PURCHASES, TRAIN_PURCHASES, OTHER])
first_decisions = st.dictionaries(cells, st.sampled_from([Decision.GIVEN, Decision.REFUSED]))
any_decisions = st.dictionaries(cells, st.sampled_from(list(Decision)), min_size=1)

_EVENTS = text("SELECT * FROM consent_event ORDER BY id")
_KEYS = text("SELECT shopper_id, key FROM log_key")
_NODES = text("SELECT position, hash FROM log_node")


def log_size(nodes: Mapping[int, bytes]) -> int:
    """How many leaves a full set of nodes belongs to: n leaves have 2n - popcount(n) nodes."""
    sizes = range(len(nodes) + 1)
    return next(n for n in sizes if 2 * n - n.bit_count() == len(nodes))


def _leaf_input(row: Any, key: bytes) -> bytes:
    """The leaf as docs/records.md describes it."""
    event = {
        "category": row.category,
        "epoch": row.epoch,
        "expires_at": row.expires_at,
        "language": row.language,
        "notice": row.notice_version,
        "purpose": row.purpose,
        "shopper": row.shopper_id,
        "state": row.state,
        "time": row.time,
    }
    message = json.dumps(event, separators=(",", ":")).encode()
    return hmac.digest(key, message, "sha256")


@dataclass
class Person:
    id: str
    token: str
    device: Device
    epoch: int
    given: dict[Cell, bool]
    withdrawable: set[Cell]
    noes: list[int] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Ticket:
    token_id: str
    person: str
    client: str
    issued: int


class Interleavings(RuleBasedStateMachine):
    people = Bundle("people")
    broken = False
    violations = 0
    databases: Postgres | None = None

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.url = self.databases.take() if self.databases else None
        name = postgres.text(self.url) if self.url else None
        self.stage = Stage(self.folder / "consent", database=lambda: name)
        self.step = 0
        self.persons: dict[str, Person] = {}
        self.devices: list[Device] = []
        self.tickets: dict[str, dict[str, Ticket]] = {"round-0": {}}
        self.refused: dict[str, set[str]] = {"round-0": set()}
        self.commits: dict[str, tuple[Committed, list[Offer]]] = {}
        self.committed_at: dict[str, int] = {}
        self.leaves: list[bytes] = []

    @invariant()
    def every_event_has_its_leaf_and_the_log_only_grows(self) -> None:
        """Read from the tables and rebuilt from RFC 9162's own words, not with the log's code."""
        with self.stage.context.database.reading() as session:
            rows = session.execute(_EVENTS).all()
            keys: dict[str, bytes] = dict(map(tuple, session.execute(_KEYS)))
            nodes: dict[int, bytes] = dict(map(tuple, session.execute(_NODES)))
            log = LogRepository(session)
            root = tree.root(log.size(), log.nodes)
        assert [row.leaf for row in rows] == list(range(len(rows)))
        assert sum(position % 2 == 0 for position in nodes) == len(rows) == log_size(nodes)
        leaves = [_leaf_input(row, keys[row.shopper_id]) for row in rows]
        assert slow.mth(leaves) == root
        assert leaves[: len(self.leaves)] == self.leaves
        self.leaves = leaves

    def teardown(self) -> None:
        try:
            self.audit_all()
        finally:
            self.stage.close()
            shutil.rmtree(self.folder)
            if self.databases and self.url:
                self.databases.give_back(self.url)

    @initialize(target=people)
    def begin(self) -> MultipleResults[str]:
        self.devices = [Device(), Device(), Device()]
        for store in self.devices[1:]:
            store.store_token = self.stage.store_token(f"store-{store.name}")
        willing = {TRAIN_PURCHASES: Decision.GIVEN}
        return multiple(*(self.add(number, willing) for number in (0, 1, 2, 2)))

    @rule(target=people, number=st.integers(0, 2), said=first_decisions)
    def register(self, number: int, said: Mapping[Cell, Decision]) -> str:
        return self.add(number, said)

    def add(self, number: int, said: Mapping[Cell, Decision]) -> str:
        self.step += 1
        device = self.devices[number]
        kind = "store" if number else "device"
        made = self.stage.client.register(
            said,
            notice_version=NOTICE,
            client=device.key.public_key(),
            kind=kind,
            age_band=AgeBand.ADULT,
            store_token=device.store_token,
        )
        device.shoppers[made.shopper] = made.token
        self.persons[made.shopper] = Person(
            id=made.shopper,
            token=made.token,
            device=device,
            epoch=made.epoch,
            given={cell: what is Decision.GIVEN for cell, what in said.items()},
            withdrawable={cell for cell, what in said.items() if what is Decision.GIVEN},
        )
        assert made.epoch == bool(said)
        return made.shopper

    @precondition(lambda self: self.tickets[self.open_round])
    @rule(data=st.data(), cell=cells, what=st.sampled_from([Decision.REFUSED, Decision.WITHDRAWN]))
    def change_of_mind(self, data: st.DataObject, cell: Cell, what: Decision) -> None:
        """Somebody who takes part in the open round says no, of all moments now."""
        self.say(data.draw(st.sampled_from(sorted(self.tickets[self.open_round]))), {cell: what})

    @rule(who=people, said=any_decisions)
    def decide(self, who: str, said: Mapping[Cell, Decision]) -> None:
        self.say(who, said)

    def say(self, who: str, said: Mapping[Cell, Decision]) -> None:
        self.step += 1
        person = self.persons[who]
        lawful = all(
            what is not Decision.WITHDRAWN or cell in person.withdrawable
            for cell, what in said.items()
        )
        if not lawful:
            with pytest.raises(ConsentError, match="409"):
                self.stage.client.decide(who, person.token, said, notice_version=NOTICE)
            return
        answer = self.stage.client.decide(who, person.token, said, notice_version=NOTICE)
        assert answer.epoch == person.epoch + 1
        person.epoch = answer.epoch
        for cell, what in said.items():
            self.note(person, cell, what)

    def note(self, person: Person, cell: Cell, what: Decision) -> None:
        if what is Decision.GIVEN:
            person.withdrawable.add(cell)
        else:
            person.noes.append(self.step)
            if what is Decision.REFUSED and not person.given.get(cell):
                person.withdrawable.discard(cell)
        person.given[cell] = what is Decision.GIVEN

    @rule(who=people, number=st.integers(0, 2))
    def move(self, who: str, number: int) -> None:
        self.step += 1
        person, device = self.persons[who], self.devices[number]
        kind = "store" if number else "device"
        epoch = self.stage.client.pair(who, person.token, client=device.key.public_key(), kind=kind)
        assert epoch == person.epoch + (device is not person.device)
        person.epoch = epoch
        if device is not person.device:
            del person.device.shoppers[who]
            device.shoppers[who] = person.token
            person.device = device
            person.moves.append(self.step)

    @property
    def open_round(self) -> str:
        return f"round-{len(self.commits)}"

    @rule(number=st.integers(0, 2))
    def take_part(self, number: int) -> None:
        device = self.devices[number]
        if not device.shoppers:
            return
        self.step += 1
        found = self.stage.grants(device, self.open_round)
        tickets = self.tickets[self.open_round]
        for who in device.shoppers:
            expected = self.may_take_part(who, device, tickets.get(who))
            assert (who in found) is expected
            if not expected:
                self.refused[self.open_round].add(who)
            elif who in tickets:
                assert found[who] == tickets[who].token_id
            else:
                tickets[who] = Ticket(found[who], who, device.name, self.step)

    def may_take_part(self, who: str, device: Device, ticket: Ticket | None) -> bool:
        if ticket is None:
            return self.persons[who].given.get(TRAIN_PURCHASES, False)
        return ticket.client == device.name and self.alive(ticket)

    def alive(self, ticket: Ticket) -> bool:
        person = self.persons[ticket.person]
        return not any(step > ticket.issued for step in person.noes + person.moves)

    def withdrawn(self, ticket: Ticket, round_id: str) -> bool:
        """Whether a no came after the grant and before the round's commit, if there is one."""
        end = self.committed_at.get(round_id, self.step + 1)
        return any(ticket.issued < step < end for step in self.persons[ticket.person].noes)

    @precondition(lambda self: self.tickets[self.open_round])
    @rule(left_out=st.sampled_from([None, None, None, 0, 1, 2]))
    def commit(self, left_out: int | None) -> None:
        self.step += 1
        round_id, tickets = self.open_round, self.tickets[self.open_round].values()
        offers = []
        for number, device in enumerate(self.devices):
            ids = tuple(t.token_id for t in tickets if t.client == device.name)
            if ids and number != left_out:
                offers.append(Offer(upload=f"{number:064x}", client=device.name, grants=ids))
        by_id = {ticket.token_id: ticket for ticket in tickets}
        done = self.freeze(round_id, offers)
        expected = {
            offer.client
            for offer in offers
            if self.broken or all(self.alive(by_id[i]) for i in offer.grants)
        }
        assert {entry.client for entry in done.commit.uploads} == expected
        self.committed_at[round_id] = self.step
        self.commits[round_id] = (done, offers)
        self.tickets[self.open_round] = {}
        self.refused[self.open_round] = set()

    def freeze(self, round_id: str, offers: list[Offer]) -> Committed:
        rule_of_commit = (lambda **_: True) if self.broken else rules.stands
        with mock.patch.object(rules, "stands", rule_of_commit):
            return self.stage.client.commit(
                task=TASK, round_id=round_id, context=CONTEXT, offers=offers
            )

    @precondition(lambda self: self.commits)
    @rule(data=st.data())
    def look_at_a_commit(self, data: st.DataObject) -> None:
        round_id = data.draw(st.sampled_from(sorted(self.commits)))
        done, offers = self.commits[round_id]
        assert self.stage.client.read_commit(task=TASK, round_id=round_id) == done
        assert self.freeze(round_id, offers) == done
        with pytest.raises(ConsentError, match="409"):
            self.freeze(
                round_id, [*offers, Offer(upload="f" * 64, client="c" * 43, grants=("0" * 32,))]
            )
        device = next(device for device in self.devices if device.shoppers)
        with pytest.raises(ConsentError, match="409"):
            self.stage.grants(device, round_id)

    @rule()
    def look_at_standing(self) -> None:
        tickets = [t for held in self.tickets.values() for t in held.values()]
        expected = {ticket.token_id for ticket in tickets if self.alive(ticket)}
        assert self.stage.client.standing(t.token_id for t in tickets) == expected

    @rule()
    def audit_all(self) -> None:
        for round_id in self.tickets:
            self.audit(round_id)

    def audit(self, round_id: str) -> None:
        tickets = self.tickets[round_id].values()
        found = self.stage.client.funnel(TASK, round_id)
        assert found.granted == len(tickets)
        assert found.refused == len(self.refused[round_id] - self.tickets[round_id].keys())
        assert found.asked == found.granted + found.refused
        withdrawn = {t.token_id for t in tickets if self.withdrawn(t, round_id)}
        assert found.withdrawn_before_commit == len(withdrawn)
        violations = len(self.frozen(round_id) & withdrawn)
        assert found.aggregated_after_withdrawal == violations
        assert self.broken or violations == 0
        type(self).violations += violations

    def frozen(self, round_id: str) -> set[str]:
        if round_id not in self.commits:
            return set()
        done, offers = self.commits[round_id]
        listed = {entry.upload for entry in done.commit.uploads}
        return {token for offer in offers if offer.upload in listed for token in offer.grants}


class BrokenCommit(Interleavings):
    """The positive control: the commit takes every grant to stand, and the audit must see it."""

    broken = True

    def teardown(self) -> None:
        """However the run went, it ends with one sure violation."""
        who = self.add(0, {TRAIN_PURCHASES: Decision.GIVEN})
        self.take_part(0)
        self.say(who, {TRAIN_PURCHASES: Decision.WITHDRAWN})
        self.commit(None)
        super().teardown()


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Postgres | None:
    """Where each machine of a test takes its database; None for files of their own."""
    if request.param == "sqlite":
        return None
    found: Postgres = request.getfixturevalue("postgres")
    return found


def test_no_interleaving_aggregates_after_a_withdrawal(
    databases: Postgres | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interleavings, "databases", databases)
    run_state_machine_as_test(Interleavings, settings=EFFORT)


def test_the_audit_counts_exactly_what_a_broken_rule_lets_in(
    databases: Postgres | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interleavings, "databases", databases)
    monkeypatch.setattr(BrokenCommit, "violations", 0)
    run_state_machine_as_test(BrokenCommit, settings=EFFORT)
    assert BrokenCommit.violations > 0
