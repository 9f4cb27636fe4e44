"""The client takes nothing for consent unless the pinned service said so, in proper form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ages import AgeBand
from consent.answers import Offer, Registered
from consent.client import ConsentClient, fetch_keys
from consent.participation import ParticipationRequest
from consent.purpose import Decision
from consent.rounds import NOT_PINNED
from consent.tasks.names import TaskName
from crypto.commit import Commit, CommittedUpload
from crypto.errors import ConsentError
from crypto.grant import ParticipationGrant
from crypto.manifest import context_of
from crypto.wire import SignedRecord, b64, public_bytes, thumbprint
from tests.conftest import NewDatabase
from tests.unit.consent.harness import CONTEXT, NOTICE, TASK, TRAIN_PURCHASES, Device, Stage
from tests.unit.consent.rounds import make_manifest, report_of, sign

SERVICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
IMPOSTOR = Ed25519PrivateKey.from_private_bytes(bytes(32))
DEVICE = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NOW = 1_800_000_000
UPLOAD = "ab" * 32
MANIFEST = sign(make_manifest("r"))
REPORT = report_of(make_manifest("r"), [Device()], shoppers=1)

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> ConsentClient:
    http = httpx.Client(transport=httpx.MockTransport(handler), base_url="http://consent.test")
    return ConsentClient(
        http, service_key=SERVICE.public_key(), coordinator_token="token", clock=lambda: NOW
    )


def answering(body: object, status: int = 200) -> ConsentClient:
    return client(lambda _: httpx.Response(status, json=body))


def call_all(consent: ConsentClient) -> list[Callable[[], object]]:
    offers = [Offer(upload=UPLOAD, client="c", grants=("g",))]
    return [
        consent.keys,
        lambda: consent.register({}, notice_version=NOTICE),
        lambda: consent.decide("s", "t", {}, notice_version=NOTICE),
        lambda: consent.consents("s", "t"),
        lambda: consent.pair("s", "t", client=DEVICE.public_key()),
        lambda: ask(consent),
        lambda: consent.standing(["g"]),
        lambda: consent.eligible(TASK, ["c"]),
        lambda: consent.commit(task=TASK, round_id="r", context=CONTEXT, offers=offers),
        lambda: consent.read_commit(task=TASK, round_id="r"),
        lambda: consent.funnel(TASK, "r"),
        lambda: consent.publish_policy(MANIFEST, task=TASK, round_id="r"),
        lambda: consent.released(REPORT, task=TASK, round_id="r"),
        lambda: consent.round(TASK, "r"),
        lambda: consent.diary("s", "t"),
        lambda: consent.points("s", "t"),
    ]


def ask(consent: ConsentClient) -> object:
    return consent.participation(DEVICE, task=TASK, round_id="r", context=CONTEXT, shoppers=["s"])


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def too_slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


@pytest.mark.parametrize(
    "handler",
    [
        unreachable,
        too_slow,
        lambda _: httpx.Response(500, json={"detail": "broken"}),
        lambda _: httpx.Response(503, text="busy"),
        lambda _: httpx.Response(302, headers={"Location": "http://elsewhere.test"}),
        lambda _: httpx.Response(404, json=["no detail"]),
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, json=None),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(200, json={}),
        lambda _: httpx.Response(204),
    ],
)
def test_every_call_fails_closed(handler: Handler) -> None:
    for call in call_all(client(handler)):
        with pytest.raises(ConsentError):
            call()


def test_what_can_not_be_sent_fails_closed(stage: Stage) -> None:
    with pytest.raises(ConsentError):
        stage.client.consents("s", "\xff")
    with pytest.raises(ConsentError):
        stage.client.standing(["\ud800"])
    stage.close()
    for call in call_all(stage.client):
        with pytest.raises(ConsentError):
            call()


@pytest.mark.parametrize(
    "body",
    [
        {"standing": ["g"], "extra": 1},
        {"standing": "g"},
        {"standing": [1]},
        {"standing": ["somebody-elses"]},
        {"standing": None},
    ],
)
def test_standing_is_read_strictly(body: object) -> None:
    with pytest.raises(ConsentError):
        answering(body).standing(["g"])


def test_eligible_is_read_strictly() -> None:
    with pytest.raises(ConsentError, match="nobody asked for"):
        answering({"eligible": ["other"]}).eligible(TASK, ["c"])


def test_funnel_counts_are_integers() -> None:
    names = (
        "asked",
        "granted",
        "refused",
        "withdrawn_before_commit",
        "aggregated_after_withdrawal",
    )
    with pytest.raises(ConsentError):
        answering(dict.fromkeys(names, "0")).funnel(TASK, "r")
    assert answering(dict.fromkeys(names, 0)).funnel(TASK, "r").asked == 0


def token(key: Ed25519PrivateKey = SERVICE, **changes: Any) -> str:
    claims: dict[str, Any] = {
        "issuer": "test",
        "task": TASK,
        "round_id": "r",
        "context": CONTEXT,
        "subject": "p",
        "token_id": "j",
        "client_key": thumbprint(DEVICE.public_key()),
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "notice_version": NOTICE,
        "epoch": 1,
        "issued_at": NOW,
        "expires_at": NOW + 600,
    }
    return ParticipationGrant(**claims | changes).sign(key)


def test_a_proper_grant_is_taken() -> None:
    body = {"grants": [{"shopper": "s", "token": token()}], "refused": []}
    assert ask(answering(body))


@pytest.mark.parametrize(
    "forged",
    [
        token(IMPOSTOR),
        token(task=TaskName.ITEM_ITEM),
        token(round_id="other"),
        token(context="cd" * 32),
        token(client_key=thumbprint(IMPOSTOR.public_key())),
        token(issued_at=NOW - 700, expires_at=NOW - 100),
        token(expires_at=NOW + 3600),
        "not.a.token",
        "",
    ],
)
def test_other_grants_are_refused(forged: str) -> None:
    with pytest.raises(ConsentError):
        ask(answering({"grants": [{"shopper": "s", "token": forged}], "refused": []}))


@pytest.mark.parametrize(
    "body",
    [
        {"grants": [], "refused": []},
        {"grants": [{"shopper": "x", "token": token()}], "refused": []},
        {"grants": [{"shopper": "s", "token": token()}] * 2, "refused": []},
        {
            "grants": [{"shopper": "s", "token": token()}],
            "refused": [{"shopper": "s", "reason": "no-consent"}],
        },
    ],
)
def test_every_shopper_is_answered_once(body: object) -> None:
    with pytest.raises(ConsentError, match="each shopper once"):
        ask(answering(body))


def test_one_grant_does_not_serve_two_shoppers() -> None:
    body = {
        "grants": [{"shopper": "s1", "token": token()}, {"shopper": "s2", "token": token()}],
        "refused": [],
    }
    with pytest.raises(ConsentError, match="two shoppers"):
        answering(body).participation(
            DEVICE, task=TASK, round_id="r", context=CONTEXT, shoppers=["s1", "s2"]
        )


def commit_answer(key: Ed25519PrivateKey = SERVICE, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "task": TASK,
        "round_id": "r",
        "context": CONTEXT,
        "uploads": (CommittedUpload(upload=UPLOAD, client="c", shoppers=1),),
        "committed_at": 1,
    }
    dropped = changes.pop("dropped", [])
    return {"commit": Commit(**fields | changes).sign(key).to_json(), "dropped": dropped}


def freeze(consent: ConsentClient) -> object:
    offers = [Offer(upload=UPLOAD, client="c", grants=("g",))]
    return consent.commit(task=TASK, round_id="r", context=CONTEXT, offers=offers)


def test_a_proper_commit_is_taken() -> None:
    assert freeze(answering(commit_answer()))
    dropped = [{"upload": UPLOAD, "reason": "not-standing"}]
    assert freeze(answering(commit_answer(uploads=(), dropped=dropped)))


@pytest.mark.parametrize(
    "body",
    [
        commit_answer(IMPOSTOR),
        commit_answer(task="item-item"),
        commit_answer(round_id="other"),
        commit_answer(context="cd" * 32),
        commit_answer(uploads=()),
        commit_answer(dropped=[{"upload": UPLOAD, "reason": "both"}]),
        commit_answer(uploads=(CommittedUpload(upload=UPLOAD, client="c", shoppers=2),)),
        commit_answer(uploads=(CommittedUpload(upload=UPLOAD, client="d", shoppers=1),)),
        commit_answer(uploads=(CommittedUpload(upload="cd" * 32, client="c", shoppers=1),)),
        {**commit_answer(), "commit": SignedRecord.sign("grant", {}, SERVICE).to_json()},
        {**commit_answer(), "commit": {"type": "commit", "body": "!", "signature": "!"}},
    ],
)
def test_other_commits_are_refused(body: object) -> None:
    with pytest.raises(ConsentError):
        freeze(answering(body))


def test_another_key_than_the_pinned_is_refused(
    stage: Stage, tmp_path: Path, new_database: NewDatabase
) -> None:
    other = Stage(tmp_path / "other", database=new_database)
    wrong = ConsentClient(other.http, service_key=stage.service_key, clock=stage.clock)
    with pytest.raises(ConsentError, match="another key"):
        wrong.keys()
    device = Device()
    made = wrong.register(
        {TRAIN_PURCHASES: Decision.GIVEN},
        notice_version=NOTICE,
        client=device.key.public_key(),
        age_band=AgeBand.ADULT,
    )
    with pytest.raises(ConsentError, match="grant that fails"):
        wrong.participation(
            device.key, task=TASK, round_id="r", context=CONTEXT, shoppers=[made.shopper]
        )
    other.close()


@pytest.mark.parametrize("key", ["AAAA", "!", b64(bytes(31))])
def test_keys_are_parsed(key: str) -> None:
    http = httpx.Client(
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, json={"issuer": "i", "public_key": key})
        ),
        base_url="http://consent.test",
    )
    with pytest.raises(ConsentError, match="no usable key"):
        fetch_keys(http)


def test_answers_about_others_are_refused() -> None:
    consents = {"shopper": "other", "epoch": 1, "restricted": False, "consents": []}
    with pytest.raises(ConsentError, match="another shopper"):
        answering(consents).consents("s", "t")
    with pytest.raises(ConsentError, match="another client"):
        answering({"client": "other", "epoch": 1}).pair("s", "t", client=DEVICE.public_key())


def test_names_can_not_leave_their_path() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(404)

    with pytest.raises(ConsentError):
        client(handler).consents("../../v1/keys?", "t")
    with pytest.raises(ConsentError):
        client(handler).read_commit(task=TASK, round_id="../x#")
    assert seen == [
        "/v1/shoppers/..%2F..%2Fv1%2Fkeys%3F/consents",
        f"/v1/commits/{TASK}/..%2Fx%23",
    ]


def test_tokens_stay_out_of_repr() -> None:
    assert "secret" not in repr(Registered(shopper="s", token="secret", epoch=0))


def test_requests_are_signed_for_the_time_of_the_clock() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        parsed = ParticipationRequest.parse(SignedRecord.from_bytes(request.content))
        assert parsed.issued_at == NOW
        assert public_bytes(parsed.client_key) == public_bytes(DEVICE.public_key())
        return httpx.Response(
            200, json={"grants": [], "refused": [{"shopper": "s", "reason": "x"}]}
        )

    assert ask(client(handler))


def test_a_service_without_pinned_key_is_told_from_other_refusals() -> None:
    problem = {"type": NOT_PINNED, "detail": "No coordinator key pinned"}
    consent = answering(problem, 409)
    assert consent.publish_policy(MANIFEST, task=TASK, round_id="r") is False
    assert consent.released(REPORT, task=TASK, round_id="r") is False
    for other in ({**problem, "type": "about:blank"}, {"detail": NOT_PINNED}, [NOT_PINNED]):
        with pytest.raises(ConsentError):
            answering(other, 409).publish_policy(MANIFEST, task=TASK, round_id="r")


STATE: dict[str, Any] = {
    "task": TASK,
    "round": "r",
    "context": context_of(MANIFEST),
    "published_at": 1,
    "released_at": 2,
    "diary_entries": 1,
    "points_issued": 5,
}


@pytest.mark.parametrize(
    "change", [{"context": CONTEXT}, {"round": "other"}, {"task": TaskName.ITEM_ITEM}, {"more": 1}]
)
def test_a_policy_is_published_only_if_the_service_says_so(change: dict[str, Any]) -> None:
    assert answering(STATE).publish_policy(MANIFEST, task=TASK, round_id="r") is True
    with pytest.raises(ConsentError):
        answering(STATE | change).publish_policy(MANIFEST, task=TASK, round_id="r")


@pytest.mark.parametrize("change", [{"released_at": None}, {"diary_entries": 0}])
def test_a_report_counts_only_when_every_entry_is_written(change: dict[str, Any]) -> None:
    assert answering(STATE).released(REPORT, task=TASK, round_id="r") is True
    with pytest.raises(ConsentError, match="did not write"):
        answering(STATE | change).released(REPORT, task=TASK, round_id="r")


def test_pages_must_end_and_be_hers() -> None:
    page: dict[str, Any] = {"shopper": "s", "balance": 0, "value": "0 USD", "entries": []}
    assert answering({**page, "next": None}).points("s", "t").balance == 0
    with pytest.raises(ConsentError, match="do not end"):
        answering({**page, "next": 7}).points("s", "t")
    with pytest.raises(ConsentError, match="another shopper"):
        answering({**page, "shopper": "x", "next": None}).points("s", "t")
