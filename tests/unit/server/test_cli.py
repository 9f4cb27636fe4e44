"""``fedcart coordinator``: from a key alone to a plan, and what is spent."""

import json
import math
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact
from crypto.dp.accounting import epsilon
from crypto.errors import InvalidInputError
from crypto.sums.schemes import Scheme
from crypto.sums.sizes import sealed_sizes
from crypto.update import ReleasedSum
from crypto.wire import SignedRecord, b64, public_bytes
from server import founding
from server.home import CoordinatorHome
from server.ledger import Ledger
from server.registry import Registry, Release
from server.schedule import schedule
from tests.unit.commands import Outcome, fedcart
from tests.unit.crypto import samples

ITEMS = 40
PLAN = {
    "epsilon": "8",
    "delta": "1e-5",
    "min-clients": "20",
    "max-clients": "50",
    "max-shoppers": "100",
    "expected-shoppers": "60",
    "max-colluders": "2",
}


def _key() -> str:
    return b64(public_bytes(Ed25519PrivateKey.generate().public_key()))


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("holders")
    files = []
    for card in samples.cards():
        files.append(folder / f"{card.number}.card")
        files[-1].write_bytes(card.to_bytes())
    return files


@dataclass
class Office:
    """What an operator has at hand."""

    folder: Path
    holders: list[str]
    consent_key: str

    @property
    def home(self) -> Path:
        return self.folder / "coordinator"

    def key(self) -> Outcome:
        return fedcart("coordinator", "key", "--home", self.home)

    def init(self, **changed: object) -> Outcome:
        options: dict[str, object] = {
            "home": self.home,
            "consent-url": "https://consent.test",
            "consent-key": self.consent_key,
            "consent-token-file": self.folder / "token",
            "key-holder": self.holders,
            "catalogue": self.folder / "catalogue.json",
            **PLAN,
        } | {key.replace("_", "-"): value for key, value in changed.items()}
        words: list[str] = []
        for key, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                words += [f"--{key}", str(each)]
        return fedcart("coordinator", "init", *words)

    def founded(self) -> CoordinatorHome:
        made = self.init()
        assert made.code == 0, made.said
        return CoordinatorHome.load(self.home)


@pytest.fixture
def office(tmp_path: Path, cards: list[Path]) -> Office:
    items = tuple(f"item-{k}" for k in range(ITEMS))
    catalogue = Catalogue(
        name="corner",
        level="item",
        items=items,
        categories=("",) * ITEMS,
        departments=("",) * ITEMS,
        products={},
    )
    (tmp_path / "catalogue.json").write_bytes(catalogue.to_bytes())
    (tmp_path / "token").write_text("the-token\n")
    holders = [f"http://holder-{k}.test,{file}" for k, file in enumerate(cards, 1)]
    return Office(tmp_path, holders, _key())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_comes_first_and_stays(office: Office) -> None:
    first = office.key()
    assert first.code == 0
    assert _mode(office.home / "identity.key") == 0o600
    assert office.key().out == first.out
    made = office.init()
    assert made.code == 0, made.said
    assert json.loads(made.out)["public_key"] == json.loads(first.out)["public_key"]
    home = CoordinatorHome.load(office.home)
    assert b64(public_bytes(home.identity.public_key())) == json.loads(first.out)["public_key"]


def test_a_coordinator_is_what_was_entered(office: Office) -> None:
    home = office.founded()
    assert _mode(office.home / "identity.key") == _mode(office.home / "consent.token") == 0o600
    assert home.consent_token == "the-token"
    assert [holder.to_json()["identity"] for holder in home.holders] == [
        b64(public_bytes(card.identity)) for card in samples.cards()
    ]
    assert [holder.load_card() for holder in home.holders] == list(samples.cards())
    assert home.plan.scheme is Scheme.COMPACT_SUM
    assert not home.plan.experimental
    assert len(home.load_catalogue()) == ITEMS
    told = {name.replace("_", "-"): value for name, value in vars(home.plan).items()}
    assert {name: float(told[name]) for name in PLAN} == {k: float(v) for k, v in PLAN.items()}


def test_the_token_is_not_printed(office: Office) -> None:
    made = office.init()
    assert "the-token" not in made.out + made.err


def test_a_coordinator_is_not_overwritten(office: Office) -> None:
    office.founded()
    before = (office.home / "coordinator.json").read_text()
    again = office.init(epsilon="2")
    assert (again.code, "choose another folder" in again.said) == (2, True)
    assert (office.home / "coordinator.json").read_text() == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"epsilon": "0"}, "epsilon=0.0"),
        ({"epsilon": "inf"}, "epsilon=inf"),
        ({"epsilon": "nan"}, "epsilon=nan"),
        ({"epsilon": "much"}, "epsilon"),
        ({"delta": "1"}, "delta=1.0"),
        ({"max_colluders": "20"}, "max_colluders=20"),
        ({"scheme": "share-sum", "max_colluders": "19"}, "at least two honest contributors"),
        ({"scheme": "no-sum"}, "no-sum"),
        ({"scheme": "share-sum", "client_noise": "0.5"}, "client_noise=0.5 >= 1"),
        ({"timeout": "301"}, "timeout"),
        ({"epsilon": "2e6"}, "epsilon"),
        ({"client_noise": "101"}, "client_noise"),
        ({"client_noise": "nan"}, "client_noise"),
        ({"max_clients": "19"}, "min_clients=20 <= max_clients=19"),
        ({"max_clients": "10001", "max_shoppers": "20000"}, "10001"),
        (
            {"scheme": "share-sum", "max_clients": "1001", "max_shoppers": "2000"},
            "1001",
        ),
        ({"min_clients": "0"}, "min-clients"),
        ({"consent_url": "ftp://consent.test"}, "is no address"),
        ({"consent_key": "key"}, "consent key"),
        ({"consent_token_file": "missing"}, "does not exist"),
        ({"catalogue": "missing"}, "does not exist"),
        ({"key_holder": ["one"]}, "3 key holders, got 1"),
    ],
)
def test_wrong_use_leaves_nothing(office: Office, changed: dict[str, object], said: str) -> None:
    made = office.init(**changed)
    assert (made.code, said in made.said) == (2, True), made.said
    assert not office.home.exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entry: entry.split(",")[0], "is URL,CARD_FILE"),
        (lambda entry: f"holder,{entry.split(',', 1)[1]}", "'holder' is no address"),
        (lambda entry: entry + ".missing", "There is no file"),
    ],
)
def test_a_wrong_key_holder_is_wrong_use(
    office: Office, spoil: Callable[[str], str], said: str
) -> None:
    made = office.init(key_holder=[spoil(office.holders[0]), *office.holders[1:]])
    assert (made.code, said in made.said) == (2, True), made.said
    assert not office.home.exists()


def test_what_is_no_card_is_refused(office: Office) -> None:
    file = office.folder / "card"
    entry = f"http://holder-1.test,{file}"
    good = samples.cards()[0].to_bytes()
    for data in (b"garbage", good[:-1], good.replace(b"key-holder", b"key-folder")):
        file.write_bytes(data)
        made = office.init(key_holder=[entry, *office.holders[1:]])
        assert (made.code, "is no key holder's public.card" in made.said) == (2, True)
    made = office.init(key_holder=[office.holders[1], *office.holders[1:]])
    assert (made.code, "cards of key holders 1 to 3, got 2, 2, 3" in made.said) == (2, True)


def test_key_holders_are_put_in_order(office: Office) -> None:
    made = office.init(key_holder=office.holders[::-1])
    assert made.code == 0, made.said
    home = CoordinatorHome.load(office.home)
    assert [holder.load_card().number for holder in home.holders] == [1, 2, 3]
    assert home.holders[0].url == "http://holder-1.test"


def test_a_card_that_was_swapped_later_is_noticed(office: Office, tmp_path: Path) -> None:
    home = office.founded()
    mine = tmp_path / "swapped.card"
    mine.write_bytes(samples.cards()[1].to_bytes())
    with pytest.raises(InvalidInputError, match="not the card of the key holder pinned"):
        replace(home.holders[0], card=str(mine)).load_card()
    with pytest.raises(InvalidInputError, match="can't be read"):
        replace(home.holders[0], card=str(tmp_path / "gone.card")).load_card()


def test_files_must_hold_what_they_should(office: Office) -> None:
    (office.folder / "token").write_text("\n")
    made = office.init()
    assert (made.code, "is empty" in made.said) == (2, True)
    (office.folder / "catalogue.json").write_text("{}")
    made = office.init()
    assert (made.code, "is no item list" in made.said) == (2, True)
    office.key()
    (office.home / "identity.key").write_bytes(b"short")
    made = office.key()
    assert (made.code, "holds no Ed25519 key" in made.said) == (2, True)


def test_a_disk_that_fails_leaves_only_the_key(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    office.key()
    with monkeypatch.context() as patched:
        patched.setattr(CoordinatorHome, "save", full)
        made = office.init()
    assert (made.code, "No space left" in made.said) == (1, True)
    assert {path.name for path in office.home.iterdir()} == {"identity.key"}
    assert [path.name for path in office.folder.iterdir() if path.name.startswith(".")] == []
    assert office.init().code == 0


def test_moving_in_can_be_done_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    key = office.key().out
    with monkeypatch.context() as patched:
        patched.setattr(founding, "_FILES", ("identity.key", "consent.token"))
        office.init()
    assert fedcart("coordinator", "plan", "--home", office.home).code == 2
    assert office.init().code == 0
    assert office.key().out == key


def test_the_plan_is_the_schedule(office: Office) -> None:
    home = office.founded()
    shown = fedcart("coordinator", "plan", "--home", office.home, "--json")
    assert shown.code == 0
    told = json.loads(shown.out)
    planned = schedule(home.plan, items=ITEMS, described=0)
    assert [task["task"] for task in told["tasks"]] == list(planned.plans)
    for task, plan in zip(told["tasks"], planned.plans.values(), strict=True):
        assert task["noise_multiplier"] == plan.noise_multiplier
        assert task["min_clients"] == 20
        assert task["sealed_bytes"] == sealed_sizes(plan).total
        assert task["scheme"] == "compact-sum"
    releases = [r for plan in planned.plans.values() for r in plan.releases()]
    assert told["epsilon"] == pytest.approx(epsilon(releases, delta=1e-5))
    assert told["epsilon"] <= 8
    assert told["left_out"] == {str(k): v for k, v in planned.left_out.items()}


def test_the_plan_says_what_is_left_out_and_why(office: Office) -> None:
    office.founded()
    shown = fedcart("coordinator", "plan", "--home", office.home)
    assert shown.code == 0
    assert "recent-popularity" in shown.said
    assert "Left out: item-item. Item-item is off: with 60 shoppers" in shown.said


def test_a_plan_without_noise_says_so(office: Office) -> None:
    office.founded()
    file = office.home / "coordinator.json"
    settings = json.loads(file.read_text())
    settings["plan"]["epsilon"] = None
    file.write_text(json.dumps(settings))
    assert "no privacy" in fedcart("coordinator", "plan", "--home", office.home).said
    assert "privacy is off" in fedcart("coordinator", "status", "--home", office.home).said
    told = json.loads(fedcart("coordinator", "status", "--home", office.home, "--json").out)
    assert (told["budget"], told["remaining"]) == (None, None)


def test_commands_need_a_coordinator(office: Office) -> None:
    for command in ("plan", "status"):
        found = fedcart("coordinator", command, "--home", office.home)
        assert (found.code, "No coordinator in" in found.said) == (2, True)


def test_nothing_is_spent_at_first(office: Office) -> None:
    office.founded()
    before = {path.name for path in office.home.iterdir()}
    shown = fedcart("coordinator", "status", "--home", office.home)
    assert shown.code == 0
    assert "Nothing was released yet." in shown.said
    assert "Spent: ε = 0.000 of 8, at δ = 1e-05." in shown.said
    assert {path.name for path in office.home.iterdir()} == before


def test_status_shows_the_ledger_and_the_releases(office: Office) -> None:
    home = office.founded()
    plan = schedule(home.plan, items=ITEMS, described=0).plans[TaskName.POPULARITY]
    ledger = Ledger(home.path / "ledger.db", budget=8.0, delta=1e-5)
    spent = ledger.reserve(
        task="popularity", round_id="1", context="aa", releases=plan.releases(), now=0
    )
    _release(home)
    told = json.loads(fedcart("coordinator", "status", "--home", office.home, "--json").out)
    assert told["spent"] == pytest.approx(spent)
    assert told["remaining"] == pytest.approx(8 - spent)
    assert [record["round"] for record in told["releases"]] == ["1"]
    shown = fedcart("coordinator", "status", "--home", office.home)
    assert f"Spent: ε = {math.ceil(spent * 1000) / 1000:.3f} of 8" in shown.said  # rounded up
    assert "popularity 1 1.234 21 60 0.5" in shown.said.replace("│", " ")


def _release(home: CoordinatorHome) -> None:
    record = {
        "task": "popularity",
        "round": "1",
        "epsilon": 1.234,
        "clients": 21,
        "shoppers": 60,
        "noise_stddev": 0.5,
    }
    signed = SignedRecord.sign("test", {}, home.identity)
    registry = Registry(home.path / "releases")
    place = registry.save(
        Release(
            task="popularity",
            round_id="1",
            artefact=PopularityArtefact(
                task=TaskName.POPULARITY,
                catalogue=home.load_catalogue().hash,
                scores=np.ones(ITEMS),
            ),
            total=ReleasedSum(values=np.ones(ITEMS), noise_stddev=0.5, clients=21, shoppers=60),
            record=record,
            manifest=signed,
            commit=signed,
        )
    )
    draft = place.with_name(".2.draft")
    draft.mkdir()
    (draft / "record.json").write_text("{")
