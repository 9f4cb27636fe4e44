"""Any interleaving of deciding, taking part, reporting and redeeming keeps the books.

A model keeps what each shopper is owed by hand: five points a released round for which she had
opted in, less what she turned into codes. It knows nothing of accounts or entries.
"""

import json
import shutil
import tempfile
from pathlib import Path

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from consent.incentive import OPT_IN
from consent.purpose import Decision
from consent.redemption import Redemption
from tests.unit.consent.harness import GIVE, TASK, TRAIN_PURCHASES, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import (
    COLLECT,
    balance,
    bearer,
    freeze,
    make_manifest,
    publish,
    report_of,
)
from tests.unit.crypto.samples import signer

PEOPLE = 3
POINTS = 5
who = st.integers(0, PEOPLE - 1)
opt_ins = st.sampled_from([Decision.GIVEN, Decision.REFUSED])


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        key = signer("coordinator").public_key()
        self.stage = Stage(self.folder / "consent", coordinator_key=key)
        self.rounds = 0
        self.codes: dict[str, str | None] = {}
        self.requests: dict[tuple[int, str], tuple[int, bytes]] = {}

    def teardown(self) -> None:
        self.stage.close()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.people = [self.stage.device(decisions=COLLECT) for _ in range(PEOPLE)]
        self.till = self.stage.device(kind="store")
        self.collects = [True] * PEOPLE
        self.trains = [True] * PEOPLE
        self.owed = [0] * PEOPLE

    @rule(person=who, decision=opt_ins)
    def opt(self, person: int, decision: Decision) -> None:
        self.stage.decide(self.people[person], {OPT_IN: decision})
        self.collects[person] = decision is Decision.GIVEN

    @rule(person=who, gives=st.booleans())
    def train(self, person: int, gives: bool) -> None:
        decided = GIVE if gives else dict.fromkeys(WITHDRAW, Decision.REFUSED)
        assert set(decided) == {TRAIN_PURCHASES}
        self.stage.decide(self.people[person], decided)
        self.trains[person] = gives

    @precondition(lambda self: any(self.trains))
    @rule()
    def release(self) -> None:
        """A round of everybody who trains, reported twice."""
        self.rounds += 1
        name = f"round-{self.rounds}"
        made = make_manifest(name)
        inside = [p for p in range(PEOPLE) if self.trains[p]]
        devices: list[Device] = [self.people[person] for person in inside]
        freeze(self.stage, publish(self.stage, made), name, devices)
        report = report_of(made, devices)
        for _ in range(2):
            assert self.stage.client.released(report, task=TASK, round_id=name)
        for person in inside:
            self.owed[person] += POINTS * self.collects[person]

    @precondition(lambda self: self.rounds)
    @rule(data=st.data())
    def report_again(self, data: st.DataObject) -> None:
        """Whatever was decided since, a round is credited once."""
        name = f"round-{data.draw(st.integers(1, self.rounds))}"
        before = self.stage.client.round(TASK, name)
        made = make_manifest(name)
        shoppers = before.diary_entries
        report = report_of(made, [], clients=shoppers, shoppers=shoppers)
        assert self.stage.client.released(report, task=TASK, round_id=name)
        assert self.stage.client.round(TASK, name) == before

    @rule(person=who, points=st.sampled_from([1, 3, 6]), key=st.sampled_from("ab"))
    def make_code(self, person: int, points: int, key: str) -> None:
        answer = self.ask(person, points, key)
        known = self.requests.get((person, key))
        if known is not None:
            assert (answer.status_code == 201) == (known[0] == points)
            return
        if points > self.owed[person]:
            assert answer.status_code == 409
            return
        assert answer.status_code == 201
        self.owed[person] -= points
        self.requests[person, key] = (points, answer.content)
        self.codes[answer.json()["code"]] = None

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """The answer to the same request is the same, apart from what remains."""
        person, key = data.draw(st.sampled_from(sorted(self.requests)))
        points, content = self.requests[person, key]
        answer = self.ask(person, points, key)
        assert answer.status_code == 201
        assert answer.json() == json.loads(content) | {"balance": self.owed[person]}

    def ask(self, person: int, points: int, key: str) -> httpx.Response:
        device = self.people[person]
        return self.stage.http.post(
            f"/v1/shoppers/{device.shopper}/codes",
            json={"points": points},
            headers=bearer(device.shoppers[device.shopper]) | {"Idempotency-Key": key},
        )

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), sale=st.sampled_from(["sale-1", "sale-2"]))
    def redeem(self, data: st.DataObject, sale: str) -> None:
        code = data.draw(st.sampled_from(sorted(self.codes)))
        request = Redemption(
            code=code,
            sale=sale,
            client_key=self.till.key.public_key(),
            issued_at=int(self.stage.clock.now),
        )
        assert self.till.store_token is not None
        answer = self.stage.http.post(
            "/v1/codes/redeem",
            json=request.sign(self.till.key).to_json(),
            headers=bearer(self.till.store_token),
        )
        used_for = self.codes[code]
        assert answer.status_code == (200 if used_for in (None, sale) else 404)
        self.codes[code] = used_for or sale

    @invariant()
    def everybody_has_what_she_is_owed(self) -> None:
        for person, device in enumerate(self.people):
            assert balance(self.stage, device) == self.owed[person] >= 0

    @invariant()
    def all_accounts_together_are_zero(self) -> None:
        with self.stage.context.database.reading() as session:
            rows = session.execute(text("SELECT debit, credit, points FROM points_entry")).all()
        books: dict[str, int] = {}
        for debit, credit, points in rows:
            books[debit] = books.get(debit, 0) - points
            books[credit] = books.get(credit, 0) + points
        assert sum(books.values()) == 0
        assert books.get("shopper", 0) == sum(self.owed)
        assert books.get("redeemed", 0) == sum(points for points, _ in self.requests.values())


def test_the_books_hold() -> None:
    effort = settings(max_examples=8, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Books, settings=effort)
