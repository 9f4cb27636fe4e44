"""``fedcart device choices | choose | status | forget``."""

import json

import pytest

from client.connection import connect
from client.events import EventStore
from client.home import ClientHome
from client.personal_export import write_export
from client.register import Cap, Charge, charge, enter_round
from crypto.dp.accounting import GaussianRelease
from crypto.dp.accounting import epsilon as composed
from crypto.dp.bound import told as told_bound
from crypto.errors import FedcartError
from tests.unit.client.shop import URL, Shop, go_away, left
from tests.unit.commands import Outcome, fedcart


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
    go_away()
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


def test_status_says_what_all_rounds_cost_together(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    noise = GaussianRelease(variance=25.0, squared_l2=1.0)
    quiet = GaussianRelease(variance=0.0, squared_l2=1.0)
    told = json.loads(_status(ready, "--json").out)
    assert (told["spent"], told["cap"], told["delta"]) == (0.0, 10.0, 1e-5)
    assert "All rounds together" not in _status(ready).said
    for number, release in enumerate((noise, noise, quiet)):
        name = f"r{number}"
        enter_round(
            home.register,
            population="fedcart",
            task="popularity",
            round_id=name,
            context=name,
            epsilon=0.9,
        )
        entry = Charge(context=name, release=release, run=name, number=0, separation=1)
        charge(home.register, ["me"], entry, cap=Cap(epsilon=None, delta=1e-5))
        shown = _status(ready).said
        if release is quiet:
            assert "one had no noise, so nothing bounds" in shown
            assert json.loads(_status(ready, "--json").out)["spent"] is None
        else:
            expected = composed([noise] * (number + 1), delta=1e-5)
            assert f"All rounds together: ε = {told_bound(expected)} at δ = 1e-05" in shown
            assert "you allow 10." in shown


def test_status_says_when_nothing_would_leave(ready: Shop) -> None:
    ready.choose("train-shared-models", "purchases", "withdrawn")
    assert "Nothing: your purchases are not for training" in _status(ready).said
    go_away()
    away = _status(ready)
    assert away.code == 0
    assert "Nothing: the consent service can't be asked" in away.said


def test_status_before_an_import(shop: Shop) -> None:
    shop.enrolled()
    assert "One vector of zeros a round" in _status(shop).said


def _status(shop: Shop, *more: str) -> Outcome:
    return fedcart("device", "status", "--home", shop.home, *more)


def test_forgetting_takes_everything_back_and_erases_it(ready: Shop) -> None:
    home = ClientHome.load(ready.home)
    shopper, token = home.shoppers["me"], home.token
    write_export(home, "me", f"{shopper}-{'a' * 32}", at=0, held=[])
    cut_off = home.path / ".events.db.draft"  # of an import
    cut_off.write_text("milk")
    home.outbox.mkdir()
    (home.outbox / "sealed").write_text("of milk")
    done = fedcart("device", "forget", "--home", ready.home, "--yes")
    assert done.code == 0
    assert "Withdrew purchases for train-shared-models." in done.out
    assert "Erased 4 purchase lines, 1 files" in done.out
    assert {"events.db", cut_off.name, "consent.token", "outbox"}.isdisjoint(left(ready.home))
    assert not list(home.exports.iterdir())
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
    go_away()
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
