"""The withdrawal tracker: each step says what the history says, and the bundle proves it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from typer.testing import CliRunner

from consent.ages import AgeBand
from consent.answers import Offer
from consent.cli import app
from consent.instruction_report import Outcome, Report, ReportStatus
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.records.service import write_expiries
from consent.withdrawal import floor_before
from crypto.manifest import context_of
from crypto.wire import b64, public_bytes
from tests.unit.consent.harness import CONTEXT, GIVE, TASK, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import make_manifest, publish
from tests.unit.crypto.samples import signer

BROWSING = Cell(Purpose.TRAIN, Category.BROWSING)


def get(stage: Stage, device: Device, path: str = "", status: int = 200) -> Any:
    answer = stage.http.get(
        f"/v1/shoppers/{device.shopper}/withdrawals{path}",
        headers={"Authorization": f"Bearer {device.shoppers[device.shopper]}"},
    )
    assert answer.status_code == status
    return answer.json()


def commit(stage: Stage, round_id: str, *devices: tuple[Device, list[str]]) -> None:
    offers = [
        Offer(upload=f"{number:064x}", client=device.name, grants=tuple(grants))
        for number, (device, grants) in enumerate(devices)
    ]
    stage.client.commit(task=TASK, round_id=round_id, context=CONTEXT, offers=offers)


def purge(stage: Stage, device: Device, status: ReportStatus = ReportStatus.DONE) -> None:
    outcome = {
        ReportStatus.DONE: Outcome.STOPPED,
        ReportStatus.FAILED: Outcome.STORAGE_FAILED,
        ReportStatus.REFUSED: Outcome.UNKNOWN_SHOPPER,
    }[status]
    reports = [
        Report(
            instruction=each.id,
            client_key=device.key.public_key(),
            status=status,
            outcome=outcome,
            at=7,
        )
        for each in stage.client.instructions(device.key)
    ]
    stage.client.report(device.key, reports)


def fates(found: dict[str, Any]) -> dict[str, str]:
    return {each["round"]: each["fate"] for each in found["rounds"]["rounds"]}


def test_every_step_of_a_withdrawal(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    early = stage.grants(device, "early")
    commit(stage, "early", (device, list(early.values())))
    late = list(stage.grants(device, "late").values())
    stage.grants(device, "never")
    stage.clock.now += 5
    epoch = stage.decide(device, WITHDRAW)
    found = get(stage, device, f"/{epoch}")
    saved = int(stage.clock.now * 1000)
    assert (found["saved"]["state"], found["saved"]["time"]) == ("done", saved)
    assert found["grants"] == {"state": "done", "time": saved, "ended": 2, "standing": 0}
    assert (found["rounds"]["state"], found["clients"]["state"]) == ("waiting", "waiting")
    assert fates(found) == {"early": "committed-before", "late": "open", "never": "open"}
    assert not found["settled"]
    stage.clock.now += 5
    commit(stage, "late", (device, late), (other, list(stage.grants(other, "late").values())))
    commit(stage, "never")
    purge(stage, device)
    found = get(stage, device, f"/{epoch}")
    assert fates(found) == {"early": "committed-before", "late": "dropped", "never": "dropped"}
    assert (found["rounds"]["state"], found["rounds"]["time"]) == ("done", saved + 5_000)
    assert (found["clients"]["state"], found["clients"]["time"]) == ("done", saved + 5_000)
    assert (found["settled"], found["rounds"]["frozen_before"]) == (True, 1)


def test_what_was_nothing_to_do_is_said(stage: Stage) -> None:
    made = stage.client.register(
        {BROWSING: Decision.GIVEN}, notice_version="2026-11", age_band=AgeBand.ADULT
    )
    device = Device(shoppers={made.shopper: made.token})
    epoch = stage.decide(device, {BROWSING: Decision.WITHDRAWN})
    found = get(stage, device, f"/{epoch}")
    assert [found[step]["state"] for step in ("saved", "grants", "rounds", "clients")] == [
        "done",
        "done",
        "not-needed",
        "not-needed",
    ]
    assert found["settled"]


@pytest.mark.parametrize(
    ("status", "state"), [(ReportStatus.FAILED, "failed"), (ReportStatus.REFUSED, "failed")]
)
def test_a_client_that_could_not_is_not_said_to_have(
    stage: Stage, status: ReportStatus, state: str
) -> None:
    device = stage.device()
    epoch = stage.decide(device, WITHDRAW)
    purge(stage, device, status)
    clients = get(stage, device, f"/{epoch}")["clients"]
    assert (clients["state"], clients["time"]) == (state, None)


def test_giving_again_revives_nothing_and_calls_the_purge_off(stage: Stage) -> None:
    device = stage.device()
    grants = list(stage.grants(device, "late").values())
    epoch = stage.decide(device, WITHDRAW)
    stage.decide(device, GIVE)
    commit(stage, "late", (device, grants))
    found = get(stage, device, f"/{epoch}")
    assert (found["grants"]["standing"], fates(found)) == (0, {"late": "dropped"})
    assert (found["clients"]["state"], found["settled"]) == ("not-needed", True)


def test_grants_count_for_the_withdrawal_that_killed_them(stage: Stage) -> None:
    device = stage.device(decisions={**GIVE, BROWSING: Decision.GIVEN})
    stage.grants(device, "one")
    first = stage.decide(device, {BROWSING: Decision.WITHDRAWN})
    stage.grants(device, "two")
    stage.client.pair(  # another client: the grant of round two dies here
        device.shopper, device.shoppers[device.shopper], client=Device().key.public_key()
    )
    stage.client.pair(
        device.shopper, device.shoppers[device.shopper], client=device.key.public_key()
    )
    stage.grants(device, "three")
    second = stage.decide(device, WITHDRAW)
    assert fates(get(stage, device, f"/{first}")) == {"one": "open"}
    assert fates(get(stage, device, f"/{second}")) == {"three": "open"}


def test_a_round_that_is_over_without_a_list_no_longer_waits(stage_with_policies: Stage) -> None:
    stage = stage_with_policies
    made = make_manifest("r1", opens=int(stage.clock.now), closes=int(stage.clock.now) + 60)
    device = stage.device()
    stage.grants(device, "r1", context=context_of(publish(stage, made)))
    epoch = stage.decide(device, WITHDRAW)
    assert fates(get(stage, device, f"/{epoch}")) == {"r1": "open"}
    stage.clock.now += 60
    assert fates(get(stage, device, f"/{epoch}")) == {"r1": "closed"}


@pytest.fixture
def stage_with_policies(tmp_path: Path) -> Any:
    stage = Stage(tmp_path / "consent", coordinator_key=signer("coordinator").public_key())
    yield stage
    stage.close()


def test_a_list_that_counts_her_afterwards_is_told(stage: Stage) -> None:
    """It can't happen over the API, so a row is forged: the tracker must not look away."""
    device = stage.device()
    [grant] = stage.grants(device, "late").values()
    epoch = stage.decide(device, WITHDRAW)
    commit(stage, "late")
    with stage.context.database.writing() as session:
        row = {"token": grant}
        session.execute(
            text("INSERT INTO committed_grant SELECT :token, max(id), 'x' FROM round_commit"), row
        )
    found = get(stage, device, f"/{epoch}")
    assert (found["rounds"]["state"], fates(found)) == ("failed", {"late": "counted"})
    code, said = Offline(stage).run(bundle(stage, device, epoch))
    assert (code, "FAILS: The service states that popularity / late counted her" in said) == (
        1,
        True,
    )


def test_expiry_is_listed_too_and_refusing_is_not(stage: Stage) -> None:
    device = stage.device()
    stage.decide(device, {BROWSING: Decision.REFUSED})
    assert get(stage, device)["withdrawals"] == []
    stage.clock.now += (stage.settings.validity_days + 1) * 86_400
    write_expiries(stage.context)
    [found] = get(stage, device)["withdrawals"]
    assert [cell["state"] for cell in found["cells"]] == ["expired"]
    assert get(stage, device, f"/{found['epoch']}")["saved"]["state"] == "done"
    for epoch in (0, 1, 2, 99):
        get(stage, device, f"/{epoch}", status=404)


def test_withdrawals_are_paged_newest_first(stage: Stage) -> None:
    device = stage.device()
    for _ in range(22):
        stage.decide(device, WITHDRAW)
        stage.decide(device, GIVE)
    first = get(stage, device)
    rest = get(stage, device, f"?cursor={first['next']}")
    epochs = [each["epoch"] for page in (first, rest) for each in page["withdrawals"]]
    assert (epochs, rest["next"]) == (sorted(epochs, reverse=True), None)
    assert len(epochs) == 22


def test_nobody_else_sees_a_withdrawal(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    epoch = stage.decide(device, WITHDRAW)
    for path in ("", f"/{epoch}", f"/{epoch}/bundle"):
        for token in (other.shoppers[other.shopper], stage.token):
            answer = stage.http.get(
                f"/v1/shoppers/{device.shopper}/withdrawals{path}",
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 404


# --- The bundle ---------------------------------------------------------------------------------


def bundle(stage: Stage, device: Device, epoch: int) -> dict[str, Any]:
    token = device.shoppers[device.shopper]
    found: dict[str, Any] = json.loads(stage.client.withdrawal_bundle(device.shopper, token, epoch))
    return found


class Offline:
    def __init__(self, stage: Stage) -> None:
        self.folder, self.key = stage.home, b64(public_bytes(stage.service_key))

    def run(self, document: Any, *more: str) -> tuple[int, str]:
        file = self.folder / "bundle.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        done = CliRunner().invoke(app, ["verify", "--bundle", str(file), "--key", self.key, *more])
        return done.exit_code, done.output


@pytest.fixture
def proved(stage: Stage) -> tuple[Stage, Device, int]:
    device = stage.device()
    grants = list(stage.grants(device, "late").values())
    epoch = stage.decide(device, WITHDRAW)
    commit(stage, "late", (device, grants))
    purge(stage, device)
    return stage, device, epoch


def test_a_bundle_is_checked_offline(proved: tuple[Stage, Device, int]) -> None:
    stage, device, epoch = proved
    code, said = Offline(stage).run(bundle(stage, device, epoch))
    assert (code, "FAILS" in said) == (0, False)
    for expected in ("1 grants died", "frozen without her", "itself signed that it is done"):
        assert expected in said


def test_a_bundle_of_a_withdrawal_that_waits_claims_no_more(stage: Stage) -> None:
    device = stage.device()
    epoch = stage.decide(device, WITHDRAW)
    code, said = Offline(stage).run(bundle(stage, device, epoch))
    assert (code, "has not reported: issued" in said) == (0, True)


Change = Callable[[dict[str, Any], dict[str, Any]], None]
CHANGES: dict[str, Change] = {
    "statement of another withdrawal": lambda d, o: d.update(statement=o["statement"]),
    "receipt of another withdrawal": lambda d, o: d.update(receipt=o["receipt"]),
    "clients of another withdrawal": lambda d, o: d.update(clients=o["clients"]),
    "no clients": lambda d, o: d.update(clients=[]),
    "no report": lambda d, o: d["clients"][0].update(report=None),
    "another's report": lambda d, o: d["clients"][0].update(report=o["clients"][0]["report"]),
    "a client twice": lambda d, o: d["clients"].append(d["clients"][0]),
    "a changed body": lambda d, o: d["statement"].update(body=o["statement"]["body"]),
    "a changed signature": lambda d, o: d["statement"].update(signature="A" * 86),
    "a report as a statement": lambda d, o: d.update(statement=d["clients"][0]["report"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tampered_bundles_fail(proved: tuple[Stage, Device, int], name: str) -> None:
    stage, device, epoch = proved
    other = stage.device()
    theirs = stage.decide(other, WITHDRAW)
    purge(stage, other)
    document = bundle(stage, device, epoch)
    CHANGES[name](document, bundle(stage, other, theirs))
    code, said = Offline(stage).run(document)
    assert (code, "FAILS" in said) == (1, True)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": "fedcart withdrawal proof 1"}'])
def test_what_is_no_bundle_is_wrong_use(stage: Stage, content: str) -> None:
    assert Offline(stage).run(content)[0] == 2


def test_a_bundle_and_a_receipt_are_not_mixed(proved: tuple[Stage, Device, int]) -> None:
    stage, device, epoch = proved
    file = str(stage.home / "bundle.json")
    assert Offline(stage).run(bundle(stage, device, epoch), file)[0] == 2
    assert Offline(stage).run(bundle(stage, device, epoch), "--head", file)[0] == 2


# --- Any interleaving against an oracle ----------------------------------------------------------

MOVES = st.lists(
    st.sampled_from(["grant", "grant", "commit", "commit", "withdraw", "give", "pair"]),
    max_size=14,
)


class Bystander:
    """A model that only watches: which grants she holds alive, and what became of their rounds."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.device = stage, stage.device()
        self.alive: dict[str, str] = {}  # round -> grant that stands, of a round not frozen
        self.frozen: set[str] = set()  # rounds with her in the list, and no *no* since her grant
        self.expected: dict[int, dict[str, str]] = {}
        self.gives, self.rounds = True, 0

    def grant(self) -> None:
        if self.gives:
            self.rounds += 1
            name = f"{self.device.shopper}-{self.rounds}"
            [self.alive[name]] = self.stage.grants(self.device, name).values()

    def commit(self) -> None:
        """Freeze a round that she holds a grant for, or one whose grant is dead."""
        if self.alive:
            name, grant = self.alive.popitem()
            commit(self.stage, name, (self.device, [grant]))
            self.frozen.add(name)
            return
        for seen in self.expected.values():
            for name in [name for name, what in seen.items() if what == "open"][:1]:
                commit(self.stage, name)
                seen[name] = "dropped"
                return

    def withdraw(self) -> None:
        if self.gives:
            epoch = self.stage.decide(self.device, WITHDRAW)
            self.expected[epoch] = dict.fromkeys(self.alive, "open") | dict.fromkeys(
                self.frozen, "committed-before"
            )
            self.alive, self.frozen, self.gives = {}, set(), False

    def give(self) -> None:
        self.stage.decide(self.device, GIVE)
        self.gives = True

    def pair(self) -> None:
        for key in (Device().key, self.device.key):
            token = self.device.shoppers[self.device.shopper]
            self.stage.client.pair(self.device.shopper, token, client=key.public_key())
        self.alive, self.frozen = {}, set()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=MOVES)
def test_the_tracker_says_what_a_bystander_saw(one: Stage, moves: list[str]) -> None:
    seen = Bystander(one)
    for move in [*moves, "withdraw"]:
        getattr(seen, move)()
    for epoch, expected in seen.expected.items():
        found = get(one, seen.device, f"/{epoch}")
        assert fates(found) == expected
        died = [name for name, what in expected.items() if what != "committed-before"]
        assert (found["grants"]["ended"], found["grants"]["standing"]) == (len(died), 0)


@pytest.fixture
def one(tmp_path: Path) -> Any:
    stage = Stage(tmp_path / "consent")
    yield stage
    stage.close()


def test_an_epoch_without_events_is_a_replaced_client() -> None:
    assert floor_before([1, 2], [], 3) == 0
    assert floor_before([1, 2], [2], 3) == 2
    assert floor_before([1, 3], [], 4) == 2
    assert floor_before([1, 3], [3], 3) == 2
    assert floor_before([], [], 1) == 0
