import pytest

from consent.participation import ParticipationRequest
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.tables import Grant, Refusal
from consent.tasks.names import TaskName
from crypto.errors import ConsentError
from crypto.grant import ParticipationGrant
from crypto.manifest import context_of
from tests.unit.consent import rounds
from tests.unit.consent.harness import (
    CONTEXT,
    GIVE,
    NOTICE,
    TASK,
    TRAIN_PURCHASES,
    WITHDRAW,
    Device,
    Stage,
)

REFUSE = {TRAIN_PURCHASES: Decision.REFUSED}


def grant(stage: Stage, device: Device, round_id: str = "round-1") -> ParticipationGrant:
    answer = stage.client.participation(
        device.key,
        task=TASK,
        round_id=round_id,
        context=CONTEXT,
        shoppers=[device.shopper],
    )
    return answer.grants[device.shopper].grant


def refusals(stage: Stage, device: Device, *, asked: list[str] | None = None) -> dict[str, str]:
    return stage.client.participation(
        device.key,
        task=TASK,
        round_id="round-1",
        context=CONTEXT,
        shoppers=asked or list(device.shoppers),
    ).refused


def test_a_grant_says_what_was_agreed(stage: Stage) -> None:
    location = Cell(Purpose.TRAIN, Category.LOCATION)
    elsewhere = Cell(Purpose.RESEARCH, Category.BROWSING)
    device = stage.device(
        decisions=dict.fromkeys((TRAIN_PURCHASES, location, elsewhere), Decision.GIVEN)
    )
    found = grant(stage, device)
    assert (found.issuer, found.task, found.context) == ("test-consent", TASK, CONTEXT)
    assert found.client_key == device.name
    assert found.purposes == ("train-shared-models",)
    assert found.categories == ("location", "purchases")
    assert (found.notice_version, found.epoch) == (NOTICE, 1)
    assert found.expires_at - found.issued_at == 600
    assert found.issued_at == stage.clock.now
    assert device.shopper not in (found.subject, found.token_id)


def test_the_notice_is_that_of_the_latest_consent(stage: Stage) -> None:
    device = stage.device()
    who, token = device.shopper, device.shoppers[device.shopper]
    stage.publish("notice-2")
    stage.publish("notice-3")
    stage.client.decide(who, token, GIVE, notice_version="notice-2")
    stage.client.decide(
        who,
        token,
        {Cell(Purpose.RESEARCH, Category.DEVICE): Decision.GIVEN},
        notice_version="notice-3",
    )
    assert grant(stage, device).notice_version == "notice-2"


def test_subjects_differ_per_round(stage: Stage) -> None:
    device = stage.device()
    first, second = grant(stage, device), grant(stage, device, "round-2")
    assert first.subject != second.subject
    assert first.token_id != second.token_id


def test_asking_again_renews_the_same_grant(stage: Stage) -> None:
    device = stage.device()
    first = grant(stage, device)
    stage.decide(device, {Cell(Purpose.TRAIN, Category.LOCATION): Decision.GIVEN})
    stage.clock.now += 300
    second = grant(stage, device)
    assert (second.token_id, second.subject, second.epoch) == (first.token_id, first.subject, 1)
    assert second.categories == first.categories
    assert second.expires_at == first.expires_at + 300
    with stage.context.database.reading() as session:
        assert session.query(Grant).count() == 1


def test_another_context_is_refused(stage: Stage) -> None:
    device = stage.device()
    stage.grants(device)
    with pytest.raises(ConsentError, match=r"409.*another context"):
        stage.grants(device, context="cd" * 32)
    assert stage.grants(device, "round-2", context="cd" * 32)


@pytest.mark.parametrize("decisions", [{}, REFUSE])
def test_no_consent_no_grant(stage: Stage, decisions: dict[Cell, Decision]) -> None:
    device = stage.device(decisions=decisions)
    assert refusals(stage, device) == {device.shopper: "no-consent"}


def test_a_withdrawn_grant_stays_dead_in_its_round(stage: Stage) -> None:
    device = stage.device()
    stage.grants(device)
    stage.decide(device, WITHDRAW)
    assert refusals(stage, device) == {device.shopper: "withdrawn"}
    stage.decide(device, GIVE)
    assert refusals(stage, device) == {device.shopper: "withdrawn"}
    assert grant(stage, device, "round-2").epoch == 3


def test_members_only_and_no_probing(stage: Stage) -> None:
    mine, hers, nobody = stage.device(), stage.device(), "0" * 32
    refused = refusals(stage, mine, asked=[hers.shopper, nobody])
    assert refused == {hers.shopper: "not-member", nobody: "not-member"}
    stranger = Device(shoppers={hers.shopper: ""})
    assert refusals(stage, stranger) == {hers.shopper: "not-member"}
    with stage.context.database.reading() as session:
        assert session.query(Refusal).count() == 0


def test_one_grant_a_round_over_all_clients(stage: Stage) -> None:
    device, store = stage.device(), stage.device(kind="store")
    stage.grants(device)
    who, token = device.shopper, device.shoppers[device.shopper]
    stage.client.pair(who, token, client=store.key.public_key(), kind="store")
    assert refusals(stage, store, asked=[who]) == {who: "other-client"}


def test_a_store_asks_for_many_at_once(stage: Stage) -> None:
    store = stage.device(kind="store", shoppers=60)
    quitter = list(store.shoppers)[7]
    stage.decide(store, WITHDRAW, shopper=quitter)
    answer = stage.client.participation(
        store.key, task=TASK, round_id="round-1", context=CONTEXT, shoppers=list(store.shoppers)
    )
    assert answer.refused == {quitter: "no-consent"}
    assert len({verified.grant.token_id for verified in answer.grants.values()}) == 59


def test_tasks_are_apart(stage: Stage) -> None:
    device = stage.device()
    stage.grants(device)
    answer = stage.client.participation(
        device.key,
        task=TaskName.ITEM_ITEM,
        round_id="round-1",
        context="cd" * 32,
        shoppers=[device.shopper],
    )
    assert answer.grants[device.shopper].grant.task == "item-item"


@pytest.mark.parametrize("age", [61, -61])
def test_stale_requests_are_refused(stage: Stage, age: int) -> None:
    device = stage.device()
    request = ParticipationRequest(
        task=TASK,
        round_id="round-1",
        context=CONTEXT,
        client_key=device.key.public_key(),
        issued_at=int(stage.clock.now) - age,
        shoppers=(device.shopper,),
    )
    answer = stage.http.post("/v1/participation", json=request.sign(device.key).to_json())
    assert answer.status_code == 422


def test_requests_signed_by_another_key_are_refused(stage: Stage) -> None:
    device, thief = stage.device(), Device()
    request = ParticipationRequest(
        task=TASK,
        round_id="round-1",
        context=CONTEXT,
        client_key=device.key.public_key(),
        issued_at=int(stage.clock.now),
        shoppers=(device.shopper,),
    )
    answer = stage.http.post("/v1/participation", json=request.sign(thief.key).to_json())
    assert answer.status_code == 422
    assert "grants" not in answer.json()


def test_a_round_without_shoppers_is_no_request(stage: Stage) -> None:
    with pytest.raises(ConsentError, match="422"):
        stage.client.participation(
            stage.device().key, task=TASK, round_id="round-1", context=CONTEXT, shoppers=[]
        )


def test_with_a_pinned_coordinator_no_grant_is_issued_for_an_unpublished_policy(
    pinned: Stage,
) -> None:
    device = pinned.device()
    record = rounds.sign(rounds.make_manifest("round-1"))
    with pytest.raises(ConsentError, match=r"409.*No task policy"):
        pinned.grants(device, context=context_of(record))
    rounds.publish(pinned, rounds.make_manifest("round-1"))
    with pytest.raises(ConsentError, match=r"409.*No task policy"):
        pinned.grants(device)  # of another context
    with pytest.raises(ConsentError, match=r"409.*No task policy"):
        pinned.grants(device, "round-2", context=context_of(record))
    assert len(pinned.grants(device, context=context_of(record))) == 1
