import pytest

from consent.purpose import LIVE_STATES, Category, Cell, Decision, Purpose
from consent.service.records.service import write_expiries
from consent.service.shoppers.repository import ShopperRepository
from consent.service.tables import Shopper
from crypto.errors import ConsentError
from tests.unit.consent.harness import GIVE, TASK, TRAIN_PURCHASES, WITHDRAW, Device, Stage


def test_standing_follows_every_change(stage: Stage) -> None:
    device, other = stage.device(), stage.device()
    (mine,), (hers,) = stage.grants(device).values(), stage.grants(other).values()
    assert stage.client.standing([mine, hers, "0" * 32]) == {mine, hers}
    stage.decide(device, {Cell(Purpose.RESEARCH, Category.DEVICE): Decision.GIVEN})
    assert stage.client.standing([mine]) == {mine}
    stage.decide(device, WITHDRAW)
    assert stage.client.standing([mine, hers]) == {hers}
    stage.decide(device, GIVE)
    assert stage.client.standing([mine, hers]) == {hers}


def test_a_withdrawal_of_anything_counts(stage: Stage) -> None:
    device = stage.device()
    (mine,) = stage.grants(device).values()
    stage.decide(device, {Cell(Purpose.RESEARCH, Category.DEVICE): Decision.REFUSED})
    assert stage.client.standing([mine]) == frozenset()


def test_a_replaced_client_loses_its_grants(stage: Stage) -> None:
    device = stage.device()
    (mine,) = stage.grants(device).values()
    token = device.shoppers[device.shopper]
    stage.client.pair(device.shopper, token, client=Device().key.public_key())
    assert stage.client.standing([mine]) == frozenset()


def test_standing_keeps_the_order_and_drops_repeats(stage: Stage) -> None:
    ids = [next(iter(stage.grants(stage.device()).values())) for _ in range(3)]
    answer = stage.http.post("/v1/standing", json={"token_ids": [*reversed(ids), ids[0]]})
    assert answer.json() == {"standing": list(reversed(ids))}


def test_standing_of_many(stage: Stage) -> None:
    store = stage.device(kind="store", shoppers=30)
    mine = set(stage.grants(store).values())
    padding = {f"{i:032x}" for i in range(25_000)}
    assert stage.client.standing(mine | padding) == mine


def test_standing_is_capped(stage: Stage) -> None:
    ids = [f"{i:032x}" for i in range(10_001)]
    assert stage.http.post("/v1/standing", json={"token_ids": ids}).status_code == 422
    assert stage.http.post("/v1/standing", json={"token_ids": ids[1:]}).json() == {"standing": []}
    assert stage.http.post("/v1/standing", json={"token_ids": []}).json() == {"standing": []}


def test_eligible_clients_have_somebodys_consent(stage: Stage) -> None:
    willing, stranger = stage.device(), Device()
    refusing = stage.device(decisions={TRAIN_PURCHASES: Decision.REFUSED})
    silent = stage.device(decisions={})
    store = stage.device(kind="store", shoppers=2)
    first, second = store.shoppers
    stage.decide(store, WITHDRAW, shopper=first)
    names = [d.name for d in (store, stranger, refusing, silent, willing)]
    assert stage.client.eligible(TASK, names) == (store.name, willing.name)
    stage.decide(store, WITHDRAW, shopper=second)
    assert stage.client.eligible(TASK, names) == (willing.name,)


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}]
)
def test_the_coordinators_endpoints_need_its_token(stage: Stage, header: dict[str, str]) -> None:
    answers = [
        stage.http.post("/v1/eligible", json={"task": TASK, "clients": []}, headers=header),
        stage.http.post(
            "/v1/commits",
            json={"task": TASK, "round": "r", "context": "c", "uploads": []},
            headers=header,
        ),
        stage.http.get(f"/v1/commits/{TASK}/r", headers=header),
        stage.http.get("/v1/funnel", params={"task": TASK, "round": "r"}, headers=header),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4


def test_a_shoppers_token_is_not_the_coordinators(stage: Stage) -> None:
    token = next(iter(stage.device().shoppers.values()))
    header = {"Authorization": f"Bearer {token}"}
    answer = stage.http.get("/v1/funnel", params={"task": TASK, "round": "r"}, headers=header)
    assert answer.status_code == 401


def test_without_a_coordinator_token_nothing_is_sent(stage: Stage) -> None:
    stage.client._coordinator_token = None
    with pytest.raises(ConsentError, match="pass coordinator_token"):
        stage.client.eligible(TASK, [])


# What is given for these is asked before a contribution; the rest stays with a shopper's device.
OF_TASKS = {Purpose.TRAIN, Purpose.MEASUREMENT, Purpose.FAIRNESS}


def test_what_checks_read_is_what_the_cells_say(stage: Stage) -> None:
    """A shopper's row repeats her cells, whichever way they changed."""
    browsing = Cell(Purpose.TRAIN, Category.BROWSING)
    fairness = Cell(Purpose.FAIRNESS, Category.DEVICE)
    every = {
        **GIVE,
        browsing: Decision.GIVEN,
        fairness: Decision.GIVEN,
        Cell(Purpose.PERSONALISE, Category.DEVICE): Decision.GIVEN,
    }
    kept, ended, silent = (stage.device(decisions=d) for d in (every, every, {}))
    assert repeated(stage, kept) == ({TRAIN_PURCHASES, browsing, fairness}, True)
    assert repeated(stage, silent) == (set(), False)
    stage.decide(ended, {browsing: Decision.WITHDRAWN})
    assert repeated(stage, ended) == ({TRAIN_PURCHASES, fairness}, True)
    stage.publish("2099-01", touches=[Purpose.TRAIN])
    assert repeated(stage, kept) == ({fairness}, True)
    stage.clock.now += (stage.settings.validity_days + 1) * 86_400
    write_expiries(stage.context)
    assert repeated(stage, kept) == repeated(stage, ended) == (set(), False)


def repeated(stage: Stage, device: Device) -> tuple[set[Cell], bool]:
    """The cells that a shopper's row names, and whether any end is stated: it must be the first."""
    with stage.context.database.reading() as session:
        row = session.get(Shopper, device.shopper)
        assert row is not None
        cells = ShopperRepository(session).consent(row)
    live = {cell for cell, state in cells.cells.items() if state in LIVE_STATES}
    named = {Cell(*map_cell(name)) for name in row.given.split(",") if name}
    assert named == {cell for cell in live if cell.purpose in OF_TASKS}
    assert row.ends_at == min((cells.ends[cell] for cell in live), default=None)
    return named, row.ends_at is not None


def map_cell(name: str) -> tuple[Purpose, Category]:
    purpose, category = name.split(" ")
    return Purpose(purpose), Category(category)
