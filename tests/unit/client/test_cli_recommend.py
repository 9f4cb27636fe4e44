"""``fedcart device recommend``: from her own purchases, while she agrees."""

import json
import os
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.events import EventStore
from client.home import ClientHome
from client.impressions import Impression, Showing
from client.recommender.discovery import Slot, Zone, probabilities
from consent.tasks.artefact import encode_artefact
from consent.tasks.evaluation import EvaluationArtefact
from crypto.secret_file import write_secret
from tests.unit.client.shop import PURCHASES, Shop, go_away
from tests.unit.commands import fedcart

FIRST = 1_709_290_000  # 1 March 2024, as her first purchases


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
    go_away()
    refused = ready.recommend()
    assert refused.code == 1
    assert "Nothing is recommended without consent" in refused.said
    assert "can't be reached" in refused.said
    assert refused.out == ""


def test_no_purchase_is_read_after_a_refusal(ready: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ready.choose("personalise-on-device", "purchases", "refused")
    handed: list[int] = []
    monkeypatch.setattr("client.showing.arranged_for", lambda *_, **__: handed.append(1))
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


def test_what_only_measures_makes_no_list(ready: Shop) -> None:
    artefact = EvaluationArtefact(
        catalogue=ready.catalogue.hash, length=10, not_before=None, inputs=(), figures={}
    )
    place = ready.releases / "federated-evaluation" / "1"
    place.mkdir(parents=True)
    (place / "artefact.json").write_bytes(encode_artefact(artefact))
    assert json.loads(ready.recommend("--json").out)["artefacts"] == ["popularity"]
    shutil.rmtree(ready.releases / "popularity")
    refused = ready.recommend()
    assert (refused.code, "only measures" in refused.said) == (2, True)


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


def noted(home: ClientHome, *, days: int, first: int = FIRST) -> None:
    """A list a day from some time on, each with the two things that are new to her."""
    chances = probabilities(2, Zone())
    zone = tuple(
        Impression(
            item=item,
            slot=Slot.DISCOVERY,
            propensity=float(chances[place]),
            rank=place + 1,
            candidates=2,
        )
        for place, item in enumerate(("tea", "coffee"))
    )
    lists = [Showing(time=first + day * 86_400, items=zone).to_json() for day in range(days)]
    folder = home.derived / home.shoppers[home.shopper]
    folder.mkdir(mode=0o700, parents=True)
    write_secret(folder / "impressions.json", json.dumps({"lists": lists}).encode())


def test_what_came_of_new_things(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    noted(home, days=16)
    asked = ("device", "discovery", "--home", ready.home, "--outcomes")
    early = fedcart(*asked).said
    assert "Of 8 new things in 4 lists that are over, you bought 0" in early
    assert "12 lists are not over" in early
    assert "too little to say" in early
    ready.import_(f"{PURCHASES}c7,tea,2024-03-10,north\nc7,milk,2024-04-20,north\n")
    told = fedcart(*asked).said
    assert "Of 32 new things in 16 lists that are over, you bought 1" in told
    assert "as it is drawn now" in told
    found = json.loads(fedcart(*asked, "--json").out)["outcomes"]
    assert (found["lists"], found["open"], found["shown"], found["bought"]) == (16, 0, 32, 1)
    now = found["estimates"]["as-now"]
    assert now["mean"] == pytest.approx(1 / 32)
    assert now["low"] < 1 / 32 < now["high"]


def test_what_came_is_not_read_without_consent(ready: Shop) -> None:
    noted(ClientHome.load(ready.home), days=2)
    asked = ("device", "discovery", "--home", ready.home, "--outcomes")
    ready.choose("personalise-on-device", "purchases", "withdrawn")
    refused = fedcart(*asked)
    assert (refused.code, "bought" in refused.said) == (1, False)
    go_away()
    assert fedcart(*asked).code == 1
    assert fedcart(*asked[:-1]).code == 0  # the slider is hers without asking anybody
