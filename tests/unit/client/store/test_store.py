"""``fedcart store``: whom it stands for, by whose decision, and what it keeps of them."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import connection, notice
from client.home import ClientHome, ClientKind
from client.store.members import name_shopper
from client.store.node import Link, node_command, node_environment
from consent.client import ConsentClient
from consent.purpose import Category, Purpose
from crypto.errors import ConsentError, FedcartError, InvalidInputError
from crypto.wire import parse_public_key
from tests.unit.client.shop import Shop, mode
from tests.unit.client.store.conftest import Counter
from tests.unit.commands import fedcart


def test_a_new_store_stands_for_nobody(shop: Shop) -> None:
    counter = Counter(shop)
    made = counter.init()
    assert made.code == 0, made.said
    assert json.loads(made.out)["client"] == counter.loaded.client_id
    assert (counter.loaded.kind, counter.loaded.shoppers) == (ClientKind.STORE, {})
    assert mode(counter.home / "consent.token") == 0o600
    assert counter.init().code == 2  # never over another


@pytest.mark.parametrize("content", ["", "fct_0"])
def test_a_token_that_others_may_read_or_that_is_none_is_refused(shop: Shop, content: str) -> None:
    counter = Counter(shop)
    counter.token_file.write_text(content)
    counter.token_file.chmod(0o600 if not content else 0o644)
    assert counter.init().code == 2
    assert not counter.home.exists()


def test_a_shopper_joins_by_her_own_answers(counter: Counter) -> None:
    joined = counter.enrol("c9", "--no-personalise", "--train")
    told = json.loads(joined.out)
    assert counter.loaded.shoppers["c9"] == told["shopper"]
    http = connection.connect(counter.loaded.trust.consent_url)
    answer = http.get(
        f"/v1/shoppers/{told['shopper']}/consents",
        headers={"Authorization": f"Bearer {told['token']}"},
    )
    states = {
        (cell["purpose"], cell["category"]): cell["state"] for cell in answer.json()["consents"]
    }
    assert states[Purpose.TRAIN, Category.PURCHASES] == "given"
    assert states[Purpose.PERSONALISE, Category.PURCHASES] == "refused"
    kept = b"".join(path.read_bytes() for path in counter.home.rglob("*") if path.is_file())
    assert told["token"].encode() not in kept


@pytest.mark.parametrize("missing", [("--train",), ("--personalise",), ()])
def test_nothing_is_taken_for_a_yes(counter: Counter, missing: tuple[str, ...]) -> None:
    words = ["store", "enrol", "c9", "--home", str(counter.home), "--age-band", "adult", *missing]
    assert fedcart(*words).code == 2
    assert "c9" not in counter.loaded.shoppers


@pytest.mark.parametrize("name", ["c7", " ", "x" * 300])
def test_a_name_is_one_shoppers(counter: Counter, name: str) -> None:
    before = counter.loaded.shoppers
    assert counter.enrol(name).code == 2
    assert counter.loaded.shoppers == before


def test_whoever_chose_the_store_herself_is_noted(counter: Counter) -> None:
    done = fedcart("store", "link", "c9", "0123abcd", "--home", counter.home)
    assert (done.code, counter.loaded.shoppers["c9"]) == (0, "0123abcd")
    for words in (("c9", "another"), ("c10", "0123abcd"), ("c11", "no id"), ("c12", "")):
        assert fedcart("store", "link", *words, "--home", counter.home).code == 2
    assert set(counter.loaded.shoppers) == {"c7", "c8", "c9"}


def test_she_chooses_a_store_that_has_enrolled_somebody(shop: Shop) -> None:
    counter = Counter(shop)
    key = json.loads(counter.init().out)["public_key"]
    store = parse_public_key(key, what="store key")
    http = connection.connect(counter.loaded.trust.consent_url)
    consent = ConsentClient(http, service_key=counter.loaded.trust.consent_key)
    she = consent.register({}, notice_version=notice.VERSION)
    with pytest.raises(ConsentError, match="not registered"):  # so docs/stores.md says
        consent.pair(she.shopper, she.token, client=store, kind="store")
    assert counter.enrol("c7").code == 0
    consent.pair(she.shopper, she.token, client=store, kind="store")
    assert fedcart("store", "link", "c8", she.shopper, "--home", counter.home).code == 0


def test_two_counters_lose_nobody(counter: Counter) -> None:
    seen = counter.loaded  # each counter has read the home before the other wrote it
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: name_shopper(seen, f"c{n}", f"id{n}"), range(10, 30)))
    assert set(counter.loaded.shoppers) == {"c7", "c8", *(f"c{n}" for n in range(10, 30))}


def test_a_device_is_no_store(ready: Shop) -> None:
    for words in (("status",), ("link", "c9", "abc"), ("sync",)):
        refused = fedcart("store", *words, "--home", ready.home)
        assert (refused.code, "is a device's home" in refused.said) == (2, True)
    assert "fedcart store init" in fedcart("store", "status", "--home", ready.folder).said


def test_the_status_says_what_is_kept(counter: Counter, tmp_path: Path) -> None:
    empty = fedcart("store", "status", "--home", counter.home)
    assert "stands for 2 shoppers. Nothing was imported yet." in empty.said
    file = tmp_path / "sales.csv"
    file.write_text("card,article,date\nc7,milk,2024-03-04T09:00:00\n")
    words = ["--shopper", "card", "--item", "article", "--time", "date", "--settle", "0"]
    assert fedcart("store", "import", file, "--home", counter.home, *words).code == 0
    shown = fedcart("store", "status", "--home", counter.home)
    assert "1 purchase lines of 1 shoppers are kept" in shown.said
    assert "2024-03-04 09:00:01" in shown.said
    found = json.loads(fedcart("store", "status", "--home", counter.home, "--json").out)
    assert (found["shoppers"], found["lines"], found["rounds"], found["spent"]) == (2, 1, [], 0.0)


class TestNode:
    def link(self, **changed: object) -> Link:
        fields = {"superlink": "link:9092", "authority": Path("ca.pem"), "key": None}
        return Link(**(fields | {"listen": ("127.0.0.1", 9094)} | changed))  # type: ignore[arg-type]

    def test_it_names_the_home_and_the_authority(self, counter: Counter) -> None:
        command = node_command(counter.loaded, self.link(key=Path("node.pem")))
        assert command[0] == str(Path(sys.executable).with_name("flower-supernode"))
        assert command[command.index("--node-config") + 1] == f'home="{counter.home}"'
        assert command[command.index("--root-certificates") + 1] == "ca.pem"
        assert "--insecure" not in command

    def test_without_tls_no_key_is_shown(self, counter: Counter) -> None:
        assert "--insecure" in node_command(counter.loaded, self.link(authority=None))
        with pytest.raises(InvalidInputError, match="needs TLS"):
            node_command(counter.loaded, self.link(authority=None, key=Path("node.pem")))

    def test_flower_keeps_its_files_in_the_store(self, counter: Counter) -> None:
        found = node_environment(counter.loaded, {"PATH": "/bin", "OTHER": "1"})
        assert found["FLWR_HOME"] == str(counter.home / "flower")
        assert found["PATH"].endswith(":/bin")
        assert found["OTHER"] == "1"

    def test_a_missing_flower_is_said(
        self, counter: Counter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(FedcartError, match="missing"):
            node_command(counter.loaded, self.link())

    def test_how_to_connect_is_stated(self, counter: Counter) -> None:
        refused = fedcart("store", "join", "--home", counter.home, "--superlink", "127.0.0.1:1")
        assert (refused.code, "--authority FILE or --insecure" in refused.said) == (2, True)


def test_a_home_of_a_device_takes_no_more_shoppers(ready: Shop) -> None:
    with pytest.raises(InvalidInputError, match="stands for one shopper"):
        ClientHome.load(ready.home).joined_by({"c9": "abc"})
