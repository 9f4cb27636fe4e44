from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from consent import standing as rules
from consent.answers import Committed, Funnel, Offer
from consent.purpose import Category, Cell, Decision, Purpose
from crypto.commit import Commit
from crypto.errors import ConsentError
from tests.unit.consent.harness import CONTEXT, GIVE, TASK, WITHDRAW, Device, Stage


def offer(device: Device, grants: dict[str, str], upload: int = 0) -> Offer:
    name = f"{upload or int.from_bytes(device.name.encode()[:8]):064x}"
    return Offer(upload=name, client=device.name, grants=tuple(grants.values()))


def commit(stage: Stage, *offers: Offer, context: str = CONTEXT) -> Committed:
    return stage.client.commit(task=TASK, round_id="round-1", context=context, offers=offers)


def funnel(stage: Stage) -> Funnel:
    return stage.client.funnel(TASK, "round-1")


def test_what_stands_is_signed_sorted_and_counted(stage: Stage) -> None:
    device, store = stage.device(), stage.device(kind="store", shoppers=3)
    offers = [offer(device, stage.grants(device), 9), offer(store, stage.grants(store), 4)]
    done = commit(stage, *offers)
    assert done.dropped == {}
    assert Commit.verify(done.record, stage.service_key) == done.commit
    assert [(e.client, e.shoppers) for e in done.commit.uploads] == [
        (store.name, 3),
        (device.name, 1),
    ]
    assert done.commit.committed_at == int(stage.clock.now * 1000)
    assert stage.client.read_commit(task=TASK, round_id="round-1") == done


def test_one_withdrawal_drops_the_whole_upload(stage: Stage) -> None:
    store, device = stage.device(kind="store", shoppers=3), stage.device()
    offers = [offer(store, stage.grants(store)), offer(device, stage.grants(device))]
    stage.decide(store, WITHDRAW, shopper=list(store.shoppers)[1])
    done = commit(stage, *offers)
    assert done.dropped == {offers[0].upload: "not-standing"}
    assert [entry.client for entry in done.commit.uploads] == [device.name]
    assert funnel(stage) == Funnel(
        asked=4, granted=4, refused=0, withdrawn_before_commit=1, aggregated_after_withdrawal=0
    )


def test_giving_again_does_not_save_the_upload(stage: Stage) -> None:
    device = stage.device()
    offered = offer(device, stage.grants(device))
    stage.decide(device, WITHDRAW)
    stage.decide(device, GIVE)
    assert commit(stage, offered).dropped == {offered.upload: "not-standing"}


def test_foreign_and_unknown_grants_drop_the_upload(stage: Stage) -> None:
    first, second, third = stage.device(), stage.device(), stage.device()
    foreign = offer(first, stage.grants(second))
    unknown = offer(second, {"": "0" * 32})
    other_round = offer(third, stage.grants(third, "round-2"))
    assert commit(stage, foreign, unknown, other_round).dropped == {
        foreign.upload: "other-binding",
        unknown.upload: "unknown-grant",
        other_round.upload: "unknown-grant",
    }


def test_grants_of_another_context_drop_the_upload(stage: Stage) -> None:
    device = stage.device()
    offered = offer(device, stage.grants(device, context="cd" * 32))
    assert commit(stage, offered).dropped == {offered.upload: "other-binding"}


def test_the_same_request_gets_the_same_bytes(stage: Stage) -> None:
    store, device = stage.device(kind="store", shoppers=2), stage.device()
    body = {
        "task": TASK,
        "round": "round-1",
        "context": CONTEXT,
        "uploads": [
            {"upload": f"{i:064x}", "client": d.name, "grants": list(stage.grants(d).values())}
            for i, d in enumerate((store, device))
        ],
    }
    first = stage.http.post("/v1/commits", json=body, headers=stage.coordinator)
    stage.decide(device, WITHDRAW)
    stage.clock.now += 5
    assert (
        stage.http.post("/v1/commits", json=body, headers=stage.coordinator).content
        == first.content
    )
    read = stage.http.get(f"/v1/commits/{TASK}/round-1", headers=stage.coordinator)
    assert read.content == first.content
    uploads = list(reversed(body["uploads"]))
    again = {**body, "uploads": uploads}
    assert (
        stage.http.post("/v1/commits", json=again, headers=stage.coordinator).content
        == first.content
    )


def test_another_request_is_a_conflict(stage: Stage) -> None:
    device = stage.device()
    offered = offer(device, stage.grants(device))
    first = commit(stage, offered)
    with pytest.raises(ConsentError, match="409"):
        commit(stage)
    with pytest.raises(ConsentError, match="409"):
        commit(stage, offered, context="cd" * 32)
    assert stage.client.read_commit(task=TASK, round_id="round-1") == first


def test_after_the_commit_the_past_stays(stage: Stage) -> None:
    device = stage.device()
    done = commit(stage, offer(device, stage.grants(device)))
    stage.decide(device, WITHDRAW)
    assert stage.client.read_commit(task=TASK, round_id="round-1") == done
    counted = funnel(stage)
    assert (counted.withdrawn_before_commit, counted.aggregated_after_withdrawal) == (0, 0)


def test_a_committed_round_issues_no_more_grants(stage: Stage) -> None:
    device = stage.device()
    commit(stage)
    with pytest.raises(ConsentError, match=r"409.*committed"):
        stage.grants(device)


def test_an_empty_commit_is_signed_too(stage: Stage) -> None:
    assert commit(stage).commit.uploads == ()


def test_no_commit_is_404(stage: Stage) -> None:
    with pytest.raises(ConsentError, match="404"):
        stage.client.read_commit(task=TASK, round_id="never")


def test_nothing_is_offered_twice(stage: Stage) -> None:
    first, second = stage.device(), stage.device()
    one, two = offer(first, stage.grants(first), 1), offer(second, stage.grants(second), 2)
    for pair in (
        (one, offer(second, {"": "0" * 32}, 1)),
        (one, offer(first, {"": "0" * 32}, 2)),
        (one, Offer(upload=two.upload, client=two.client, grants=one.grants)),
    ):
        with pytest.raises(ConsentError, match="422"):
            commit(stage, *pair)


def test_expiry_is_judged_elsewhere(stage: Stage) -> None:
    device = stage.device()
    offered = offer(device, stage.grants(device))
    stage.clock.now += 3600
    assert commit(stage, offered).commit.clients == 1


@pytest.mark.parametrize("table", ["round_commit", "committed_grant"])
def test_commits_are_append_only(stage: Stage, table: str) -> None:
    device = stage.device()
    commit(stage, offer(device, stage.grants(device)))
    with (
        pytest.raises(IntegrityError, match="append-only"),
        stage.context.database.writing() as session,
    ):
        session.execute(text(f"DELETE FROM {table}"))


def test_the_funnel_counts_refusals_and_members_only(stage: Stage) -> None:
    store = stage.device(kind="store", shoppers=4)
    stage.decide(store, WITHDRAW, shopper=store.shopper)
    store.shoppers["0" * 32] = ""
    stage.grants(store)
    assert funnel(stage) == Funnel(
        asked=4, granted=3, refused=1, withdrawn_before_commit=0, aggregated_after_withdrawal=0
    )
    stage.decide(store, GIVE, shopper=store.shopper)
    stage.grants(store)
    assert (funnel(stage).granted, funnel(stage).refused) == (4, 0)


def test_more_consent_is_not_a_withdrawal(stage: Stage) -> None:
    device = stage.device()
    offered = offer(device, stage.grants(device))
    stage.decide(device, {Cell(Purpose.RESEARCH, Category.DEVICE): Decision.GIVEN})
    assert commit(stage, offered).commit.clients == 1
    assert funnel(stage).withdrawn_before_commit == 0


def test_the_audit_finds_a_broken_rule(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    store, device = stage.device(kind="store", shoppers=3), stage.device()
    offers = [offer(store, stage.grants(store)), offer(device, stage.grants(device))]
    for shopper in list(store.shoppers)[:2]:
        stage.decide(store, WITHDRAW, shopper=shopper)
    monkeypatch.setattr(rules, "stands", lambda **_: True)
    assert commit(stage, *offers).commit.shoppers == 4
    counted = funnel(stage)
    assert (counted.withdrawn_before_commit, counted.aggregated_after_withdrawal) == (2, 2)


def test_the_audit_finds_a_withdrawal_that_forgot_the_epoch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rules.ShopperConsent.decide
    device = stage.device()
    offered = offer(device, stage.grants(device))
    monkeypatch.setattr(
        rules.ShopperConsent,
        "decide",
        lambda self, decided, **kw: replace(
            rule(self, decided, **kw), epoch=self.epoch, floor=self.floor
        ),
    )
    stage.decide(device, {Cell(Purpose.RESEARCH, Category.DEVICE): Decision.REFUSED})
    assert commit(stage, offered).commit.clients == 1
    assert funnel(stage).aggregated_after_withdrawal == 1
