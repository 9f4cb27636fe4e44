"""``fedcart device``, against the real consent service in this process."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client import enrol
from client.connection import connect, mount, unmount
from client.events import EventStore
from client.home import ClientHome, ClientKind
from client.register import enter_round
from consent.purpose import Category, ConsentState, Decision, Purpose
from consent.service.app import create_app
from consent.service.inprocess import InProcessTransport
from consent.service.settings import Settings, create_home
from consent.tasks.artefact import PopularityArtefact, encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.task import PopularityTask, TaskName
from crypto.dp.plan import PrivacyPlan
from crypto.errors import FedcartError
from crypto.sums.share_sum.context import generate, public_context_bytes
from crypto.wire import b64, parse_public_key, public_bytes
from server.rounds import RoundTerms, plan_round
from tests.unit.commands import Outcome, fedcart

URL = "http://consent.test"
COLUMNS = ("--shopper", "card", "--item", "article", "--time", "date")
ITEMS = ("bread", "coffee", "milk", "tea")
PURCHASES = """card,article,date,branch
c7,milk,2024-03-01T09:00:00,north
c7,bread,2024-03-01T09:00:00,north
c7,milk,2024-03-04T18:30:00,north
c7,batteries,2024-03-05,south
"""


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    files = [tmp_path_factory.mktemp("holders") / f"{k}.context" for k in (1, 2, 3)]
    for file in files:
        file.write_bytes(public_context_bytes(generate()))
    return files


@dataclass
class Shop:
    """A consent service, key holders' contexts, an item list, and a shopper's file."""

    folder: Path
    consent_key: str
    coordinator: Ed25519PrivateKey
    contexts: list[Path]
    catalogue: Catalogue

    @property
    def home(self) -> Path:
        return self.folder / "device"

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    def setup(self, **changed: object) -> list[str | Path]:
        options: dict[str, object] = {
            "home": self.home,
            "consent-url": URL,
            "consent-key": self.consent_key,
            "coordinator-key": b64(public_bytes(self.coordinator.public_key())),
            "catalogue": self.folder / "catalogue.json",
            "key-holder": self.contexts,
        } | {key.replace("_", "-"): value for key, value in changed.items()}
        words: list[str | Path] = []
        for key, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                words += [f"--{key}", str(each)]
        return words

    def init(self, *choices: str, **changed: object) -> Outcome:
        return fedcart("device", "init", *self.setup(**changed), *choices)

    def enrolled(self, *choices: str) -> ClientHome:
        made = self.init(*(choices or ("--personalise", "--train")))
        assert made.code == 0, made.said
        return ClientHome.load(self.home)

    def import_(self, text: str = PURCHASES, *more: str) -> Outcome:
        file = self.folder / "mine.csv"
        file.write_text(text)
        return fedcart("device", "import", file, "--home", self.home, *COLUMNS, *more)

    def recommend(self, *more: str) -> Outcome:
        return fedcart(
            "device", "recommend", "--home", self.home, "--releases", self.releases, *more
        )

    def choose(self, *words: str) -> Outcome:
        return fedcart("device", "choose", *words, "--home", self.home)

    def states(self) -> dict[tuple[str, str], str]:
        shown = fedcart("device", "choices", "--home", self.home, "--json")
        assert shown.code == 0, shown.said
        cells = json.loads(shown.out)["choices"]
        return {(cell["purpose"], cell["category"]): cell["state"] for cell in cells}

    def release(self, *best: str, folder: str = "popularity/1", catalogue: str = "") -> Path:
        place = self.releases / folder
        place.mkdir(parents=True)
        scores = np.array([1.0 if item in best else 0.1 for item in self.catalogue.items])
        artefact = PopularityArtefact(
            task=TaskName.POPULARITY, catalogue=catalogue or self.catalogue.hash, scores=scores
        )
        (place / "artefact.json").write_bytes(encode_artefact(artefact))
        return place

    def manifest(self, place: Path, *, opens: int, key: Ed25519PrivateKey | None = None) -> None:
        plan = PrivacyPlan(
            dimension=len(self.catalogue),
            clipping_norm=1.0,
            noise_multiplier=1.0,
            min_clients=20,
            max_clients=20,
            max_shoppers=20,
            max_colluders=0,
            delta=1e-5,
        )
        terms = RoundTerms(
            population="fedcart", catalogue=self.catalogue.hash, key_hashes=("a", "b", "c")
        )
        planned = plan_round(
            PopularityTask(items=len(self.catalogue)),
            plan,
            round_id=place.name,
            terms=terms,
            key=key or self.coordinator,
            opens=opens,
            closes=opens + 60,
        )
        (place / "manifest.json").write_bytes(planned.record.to_bytes())


@pytest.fixture
def shop(tmp_path: Path, contexts: list[Path]) -> Iterator[Shop]:
    made = create_home(tmp_path / "consent", issuer="test")
    settings = replace(Settings.load(made.path), durable=False)
    catalogue = Catalogue(
        name="corner",
        level="item",
        items=ITEMS,
        categories=("bakery", "drinks", "dairy", "drinks"),
        departments=("",) * 4,
        products={},
    )
    (tmp_path / "catalogue.json").write_bytes(catalogue.to_bytes())
    transport = InProcessTransport(create_app(settings))
    mount(URL, transport)
    yield Shop(tmp_path, made.public_key, Ed25519PrivateKey.generate(), contexts, catalogue)
    unmount(URL)
    transport.close()


@pytest.fixture
def ready(shop: Shop) -> Shop:
    """A device with purchases, and a release to recommend from."""
    shop.enrolled()
    assert shop.import_().code == 0
    shop.release("tea")
    return shop


def _go_away() -> None:
    connect(URL).close()
    unmount(URL)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"consent", "catalogue.json"}


def test_from_setting_up_to_taking_it_back(shop: Shop) -> None:
    assert shop.init("--no-personalise", "--train").code == 0
    assert shop.import_().code == 0
    shop.release("tea")
    assert shop.recommend().code == 1
    given = shop.choose("personalise-on-device", "purchases", "given")
    assert given.code == 0
    made = shop.recommend("--json")
    assert made.code == 0, made.said
    shelf = json.loads(made.out)
    assert [each["item"] for each in shelf["recommendations"]][:2] == ["milk", "tea"]
    assert shelf["recommendations"][0]["reason"].startswith("You bought it in 2 of your last 2")
    assert (shelf["used"], shelf["artefacts"]) == (["purchases"], ["popularity"])
    assert shop.choose("personalise-on-device", "purchases", "withdrawn").code == 0
    refused = shop.recommend()
    assert refused.code == 1
    assert "Nothing is recommended without consent" in refused.said
    assert "milk" not in refused.said


@pytest.mark.parametrize(
    ("choices", "missing"),
    [((), "--personalise"), (("--train",), "--personalise"), (("--no-personalise",), "--train")],
)
def test_nothing_is_preselected(shop: Shop, choices: tuple[str, ...], missing: str) -> None:
    made = shop.init(*choices)
    assert made.code == 2
    assert missing in made.said
    assert not shop.home.exists()


@pytest.mark.parametrize(
    ("choices", "states"),
    [
        (("--personalise", "--no-train"), ("given", "refused")),
        (("--no-personalise", "--train"), ("refused", "given")),
    ],
)
def test_exactly_what_was_said_is_registered(
    shop: Shop, choices: tuple[str, ...], states: tuple[str, str]
) -> None:
    shop.enrolled(*choices)
    found = shop.states()
    said = {
        (Purpose.PERSONALISE, Category.PURCHASES): states[0],
        (Purpose.TRAIN, Category.PURCHASES): states[1],
    }
    assert {cell: found[cell] for cell in said} == said
    assert {found[cell] for cell in found.keys() - said.keys()} == {ConsentState.UNKNOWN}


def test_what_is_secret_is_for_its_owner_alone(shop: Shop) -> None:
    made = shop.init("--personalise", "--train")
    home = ClientHome.load(shop.home)
    assert _mode(shop.home) == 0o700
    assert {
        _mode(shop.home / name) for name in ("identity.key", "consent.token", "client.json")
    } == {0o600}
    assert home.token not in made.out + made.err
    assert shop.import_().code == 0
    assert _mode(home.events) == 0o600


def test_the_home_needs_no_other_file(shop: Shop) -> None:
    printed = json.loads(shop.init("--personalise", "--train").out)
    for file in (shop.folder / "catalogue.json", *shop.folder.glob("mine.csv")):
        file.unlink()
    home = ClientHome.load(shop.home)
    assert home.trust.public_contexts() == [file.read_bytes() for file in shop.contexts]
    assert home.trust.load_catalogue() == shop.catalogue
    assert {Path(path).parent for path in home.trust.contexts} == {shop.home}
    assert printed["key_holders"] == list(home.trust.context_hashes)
    assert (printed["client"], printed["home"]) == (home.client_id, str(shop.home))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"consent_key": "short"}, "consent key"),
        ({"coordinator_key": "!" * 43}, "coordinator key: not base64url"),
        ({"consent_url": "consent.test"}, "'consent.test' is no address"),
        ({"consent_url": "http://["}, "is no address"),
        ({"catalogue": "missing.json"}, "does not exist"),
        ({"key_holder": ["missing.context"]}, "does not exist"),
        ({"n_floor": 1}, "n-floor"),
        ({"z_floor": -1}, "z-floor"),
    ],
)
def test_a_wrong_setup_is_wrong_use(shop: Shop, changed: dict[str, object], said: str) -> None:
    made = shop.init("--personalise", "--train", **changed)
    assert made.code == 2
    assert said in made.said
    assert _left(shop.folder) == set()


def test_three_different_key_holders_are_needed(shop: Shop) -> None:
    one, two, _ = shop.contexts
    for files, said in (([one, two], "3 key holders, got 2"), ([one, two, two], "the same public")):
        made = shop.init("--personalise", "--train", key_holder=files)
        assert (made.code, said in made.said) == (2, True)
    assert _left(shop.folder) == set()


def test_a_file_that_is_no_public_context_is_refused(shop: Shop, tmp_path: Path) -> None:
    garbage, secret = tmp_path / "garbage", tmp_path / "secret"
    garbage.write_bytes(b"no context")
    secret.write_bytes(generate().serialize(save_secret_key=True))
    for file in (garbage, secret):
        made = shop.init("--personalise", "--train", key_holder=[*shop.contexts[:2], file])
        assert (made.code, file.name in made.said) == (2, True)
    assert not shop.home.exists()


def test_a_file_that_is_no_item_list_is_refused(shop: Shop) -> None:
    (shop.folder / "catalogue.json").write_text('{"items": []}')
    made = shop.init("--personalise", "--train")
    assert made.code == 2
    assert "catalogue.json is no item list" in made.said


def test_another_service_than_the_pinned_one_gets_nobody(shop: Shop) -> None:
    other = b64(public_bytes(Ed25519PrivateKey.generate().public_key()))
    made = shop.init("--personalise", "--train", consent_key=other)
    assert made.code == 1
    assert "another key than the pinned one" in made.said
    assert _left(shop.folder) == set()


def test_no_device_without_the_consent_service(shop: Shop) -> None:
    _go_away()
    made = shop.init("--personalise", "--train")
    assert made.code == 1
    assert "can't be reached" in made.said
    assert _left(shop.folder) == set()


def test_a_disk_that_fails_leaves_no_half_a_home(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(enrol, "write_secret", full)
    made = shop.init("--personalise", "--train")
    assert made.code == 1
    assert "No space left" in made.said
    assert _left(shop.folder) == set()


def test_a_folder_in_use_is_left_alone(shop: Shop) -> None:
    shop.enrolled()
    before = {path.name: path.read_bytes() for path in shop.home.iterdir()}
    made = shop.init("--no-personalise", "--no-train")
    assert made.code == 2
    assert "choose another folder" in made.said
    assert {path.name: path.read_bytes() for path in shop.home.iterdir()} == before


def test_an_import_replaces_the_one_before(shop: Shop) -> None:
    home = shop.enrolled()
    first = shop.import_(PURCHASES, "--json", "--store", "branch")
    told = json.loads(first.out)
    assert (told["lines"], told["baskets"], told["unlisted"], told["replaced"]) == (4, 3, 1, 0)
    again = shop.import_("card,article,date\nc7,rare-tea,2024-03-09\n")
    assert again.code == 0
    assert "They replaced 4 lines" in again.said
    with EventStore.open(home.events) as store:
        assert store.shoppers() == ("me",)
        assert list(store.of("me").item) == ["rare-tea"]
    assert b"batteries" not in home.events.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PURCHASES + "c8,tea,2024-03-05,north\n", "holds 2 shoppers; a device stands for one"),
        (PURCHASES + "c7,tea,yesterday,north\n", "line 6"),
        ("card,article,date\n", "no usable line"),
        ("card,article,day\nc7,tea,2024-03-05\n", "no column 'date'"),
        ("", "is empty"),
    ],
)
def test_a_wrong_file_changes_nothing(shop: Shop, text: str, said: str) -> None:
    home = shop.enrolled()
    assert shop.import_(text).code == 2
    assert not home.events.exists()
    shop.import_()
    refused = shop.import_(text)
    assert (refused.code, said in refused.said) == (2, True)
    with EventStore.open(home.events) as store:
        assert store.count() == 4


def test_bad_lines_are_left_out_on_request(shop: Shop) -> None:
    shop.enrolled()
    done = shop.import_(PURCHASES + "c7,tea,yesterday,north\n", "--skip-bad")
    assert done.code == 0
    assert "1 bad lines were left out" in done.out
    assert "Left out line 6" in done.err


def test_a_disk_that_fails_leaves_no_half_an_import(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FedcartError("The disk is full.")

    shop.enrolled()
    before = _left(shop.home)
    monkeypatch.setattr(EventStore, "append", full)
    assert shop.import_().code == 1
    assert _left(shop.home) == before


def test_commands_need_a_device(shop: Shop) -> None:
    for command in (("choices",), ("status",), ("forget", "--yes")):
        found = fedcart("device", *command, "--home", shop.home)
        assert (found.code, "No client in" in found.said) == (2, True)
    assert shop.import_().code == 2


def test_a_stores_home_is_no_device(shop: Shop) -> None:
    device = shop.enrolled()
    ClientHome.create(
        shop.folder / "store",
        kind=ClientKind.STORE,
        identity=Ed25519PrivateKey.generate(),
        shoppers={"ann": "1", "ben": "2"},
        trust=device.trust,
    )
    found = fedcart("device", "choices", "--home", shop.folder / "store")
    assert (found.code, "is a store's home" in found.said) == (2, True)


def test_the_list_comes_with_reasons(ready: Shop) -> None:
    made = ready.recommend("--count", "2")
    assert made.code == 0
    assert "You bought it in 2 of your last 2 baskets" in made.said
    assert "Made from your purchases and popularity." in made.said
    assert "bread" not in made.said


def test_only_granted_categories_are_used(ready: Shop) -> None:
    assert ready.choose("personalise-on-device", "location", "given").code == 0
    assert ready.choose("train-shared-models", "browsing", "given").code == 0
    assert json.loads(ready.recommend("--json").out)["used"] == ["location", "purchases"]


def test_no_list_without_the_consent_service(ready: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("Her purchases were read.")

    monkeypatch.setattr(EventStore, "of", never)
    _go_away()
    refused = ready.recommend()
    assert refused.code == 1
    assert "Nothing is recommended without consent" in refused.said
    assert "can't be reached" in refused.said
    assert refused.out == ""


def test_no_purchase_is_read_after_a_refusal(ready: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ready.choose("personalise-on-device", "purchases", "refused")
    handed: list[int] = []
    monkeypatch.setattr("client.shelf.recommend", lambda *_, **__: handed.append(1))
    assert ready.recommend().code == 1
    assert handed == []


def test_no_purchases_no_list(shop: Shop) -> None:
    shop.enrolled()
    shop.release("tea")
    refused = shop.recommend()
    assert (refused.code, "import some" in refused.said) == (2, True)


def test_releases_must_be_there(ready: Shop) -> None:
    shutil.rmtree(ready.releases)
    assert ready.recommend().code == 2
    ready.releases.mkdir()
    refused = ready.recommend()
    assert (refused.code, "no artefact.json" in refused.said) == (2, True)


def test_an_artefact_over_another_list_is_refused(ready: Shop) -> None:
    shutil.rmtree(ready.releases)
    ready.release("tea", catalogue="0" * 64)
    refused = ready.recommend()
    assert (refused.code, "over another item list" in refused.said) == (2, True)


def test_a_damaged_artefact_is_refused(ready: Shop) -> None:
    (ready.releases / "popularity/1/artefact.json").write_text("{}")
    refused = ready.recommend()
    assert (refused.code, "is no released artefact" in refused.said) == (2, True)


def test_the_newest_release_counts_and_unfinished_ones_do_not(shop: Shop) -> None:
    shop.enrolled()
    shop.import_()
    for best, folder, opens in (("tea", "popularity/b", 100), ("coffee", "popularity/a", 200)):
        shop.manifest(shop.release(best, folder=folder), opens=opens)
    draft = shop.release("tea", folder="popularity/.c.draft")
    os.utime(draft / "artefact.json", (300, 300))
    made = json.loads(shop.recommend("--json").out)
    new = [each["item"] for each in made["recommendations"] if each["item"] in ("tea", "coffee")]
    assert new[0] == "coffee"


def test_another_federations_release_is_refused(ready: Shop) -> None:
    place = ready.releases / "popularity/1"
    ready.manifest(place, opens=100, key=Ed25519PrivateKey.generate())
    refused = ready.recommend()
    assert (refused.code, "not of this device's federation" in refused.said) == (2, True)


def test_choices_are_shown_and_changed_by_one_command(ready: Shop) -> None:
    shown = fedcart("device", "choices", "--home", ready.home)
    assert shown.code == 0
    assert "never decided, and permits nothing" in shown.said
    changed = ready.choose("train-shared-models", "purchases", "withdrawn", "--json")
    cells = json.loads(changed.out)["choices"]
    assert {"withdrawn"} == {
        cell["state"]
        for cell in cells
        if (cell["purpose"], cell["category"]) == ("train-shared-models", "purchases")
    }
    assert "purchases (withdrawn)" in fedcart("device", "choices", "--home", ready.home).said


@pytest.mark.parametrize(
    "words",
    [
        ("world-domination", "purchases", "given"),
        ("research", "dreams", "given"),
        ("research", "purchases", "perhaps"),
        ("research", "purchases"),
    ],
)
def test_a_choice_that_does_not_exist_is_wrong_use(shop: Shop, words: tuple[str, ...]) -> None:
    shop.enrolled()
    assert shop.choose(*words).code == 2


def test_what_was_never_given_cannot_be_withdrawn(shop: Shop) -> None:
    shop.enrolled()
    refused = shop.choose("research", "purchases", "withdrawn")
    assert (refused.code, "409" in refused.said) == (1, True)


def test_no_choice_without_the_consent_service(shop: Shop) -> None:
    shop.enrolled()
    _go_away()
    assert fedcart("device", "choices", "--home", shop.home).code == 1
    assert shop.choose("research", "purchases", "given").code == 1


def test_status_says_what_left_and_what_would(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    assert "No round was joined yet" in _status(ready).said
    for number, epsilon in enumerate((1.25, None)):
        enter_round(
            home.register,
            population="fedcart",
            task="popularity",
            round_id=f"r{number}",
            context="aa",
            epsilon=epsilon,
        )
    shown = _status(ready)
    assert shown.code == 0
    for expected in ("1.250", "none (no noise)", "4 purchase lines", "at least 20 clients"):
        assert expected in shown.said
    told = json.loads(_status(ready, "--json").out)
    assert told["rounds"][0] == {"task": "popularity", "round": "r0", "epsilon": 1.25}
    assert (told["lines"], told["trains"]) == (4, True)


def test_status_says_when_nothing_would_leave(ready: Shop) -> None:
    ready.choose("train-shared-models", "purchases", "withdrawn")
    assert "Nothing: your purchases are not for training" in _status(ready).said
    _go_away()
    away = _status(ready)
    assert away.code == 0
    assert "Nothing: the consent service can't be asked" in away.said


def test_status_before_an_import(shop: Shop) -> None:
    shop.enrolled()
    assert "Nothing: there are no purchases" in _status(shop).said


def _status(shop: Shop, *more: str) -> Outcome:
    return fedcart("device", "status", "--home", shop.home, *more)


def test_forgetting_takes_everything_back_and_erases_it(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    shopper, token = home.shoppers["me"], home.token
    done = fedcart("device", "forget", "--home", ready.home, "--yes")
    assert done.code == 0
    assert "Withdrew purchases for train-shared-models." in done.out
    assert "Erased 4 purchase lines" in done.out
    assert {"events.db", "consent.token"}.isdisjoint(_left(ready.home))
    headers = {"Authorization": f"Bearer {token}"}
    matrix = connect(URL).get(f"/v1/shoppers/{shopper}/consents", headers=headers).json()
    assert "given" not in {cell["state"] for cell in matrix["consents"]}
    assert "this device was forgotten" in _status(ready).said
    for refused in (
        fedcart("device", "choices", "--home", ready.home),
        fedcart("device", "forget", "--home", ready.home, "--yes"),
        ready.recommend(),
        ready.import_(),
    ):
        assert (refused.code, "forgotten" in refused.said) == (2, True)


def test_forgetting_asks_first(ready: Shop) -> None:
    no = fedcart("device", "forget", "--home", ready.home, answer="n\n")
    assert no.code == 1
    assert ready.states()["train-shared-models", "purchases"] == "given"
    assert ready.recommend().code == 0
    yes = fedcart("device", "forget", "--home", ready.home, "--json", answer="y\n")
    assert yes.code == 0
    told = json.loads(yes.out)
    assert told["lines"] == 4
    assert ["personalise-on-device", "purchases"] in told["withdrawn"]


def test_nothing_is_erased_while_consent_cannot_be_withdrawn(ready: Shop) -> None:
    _go_away()
    refused = fedcart("device", "forget", "--home", ready.home, "--yes")
    assert refused.code == 1
    home = ClientHome.load(ready.home)
    assert home.events.exists()
    assert home.token


def test_forgetting_again_finishes_what_a_failure_left(
    ready: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise FedcartError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(EventStore, "forget", full)
        assert fedcart("device", "forget", "--home", ready.home, "--yes").code == 1
    assert ready.states()["train-shared-models", "purchases"] == "withdrawn"
    done = fedcart("device", "forget", "--home", ready.home, "--yes")
    assert done.code == 0
    assert "Erased 4 purchase lines" in done.out


def test_the_first_decisions_are_the_two_that_were_asked() -> None:
    made = enrol.first_decisions(personalise=True, train=False)
    assert made == {
        (Purpose.PERSONALISE, Category.PURCHASES): Decision.GIVEN,
        (Purpose.TRAIN, Category.PURCHASES): Decision.REFUSED,
    }


def test_the_pinned_consent_key_is_the_services(shop: Shop) -> None:
    home = shop.enrolled()
    pinned = parse_public_key(shop.consent_key, what="key")
    assert public_bytes(home.trust.consent_key) == public_bytes(pinned)
