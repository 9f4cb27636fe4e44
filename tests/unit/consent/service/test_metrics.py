"""Metrics: counted truly, without ids, for operators and auditors only, and cheap."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from consent.service.commits.schemas import DropReason
from consent.service.grants.schemas import RefusalReason
from consent.service.jobs import JOBS
from consent.service.metrics.middleware import Measured
from consent.service.metrics.registry import Metrics
from consent.service.retention.service import retain
from crypto.manifest import context_of
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.rounds import freeze, make_manifest, publish
from tests.unit.consent.service.operators import Caller, auditor, bearer, operator

PREFIX = "fedcart_consent_"


def scrape(caller: Caller) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = caller.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Any, name: str, **labels: str) -> float:
    return float(found.get((name, tuple(sorted(labels.items()))), 0))


def test_it_counts_what_happens(pinned: Stage) -> None:
    caller = operator(pinned)
    stays, leaves = pinned.device(decisions=GIVE), pinned.device(decisions=GIVE)
    record = publish(pinned, make_manifest())
    earlier = publish(pinned, make_manifest("round-0"))
    pinned.grants(leaves, context=context_of(earlier), round_id="round-0")
    pinned.decide(leaves, WITHDRAW)
    freeze(pinned, record, "round-1", [stays])
    retain(pinned.context)
    found = scrape(caller)
    assert value(found, "grants_issued_total") == 2
    assert value(found, "withdrawals_total") == 1
    assert value(found, "commits_total") == 1
    assert value(found, "log_size") == 3
    assert value(found, "retention_last_success_timestamp_seconds") == pinned.clock.now
    assert value(found, "requests_open") == value(found, "webhook_backlog") == 0
    assert value(found, "writer_wait_seconds_count") > 5
    route = "/v1/shoppers/{shopper}/consents"
    counted = {labels for name, labels in found if name == "requests_total"}
    assert any(dict(labels).get("route") == route for labels in counted), counted


def test_a_refusal_and_a_drop_are_counted(stage: Stage) -> None:
    caller, device = operator(stage), stage.device(decisions=GIVE)
    stage.grants(device)
    stage.decide(device, WITHDRAW)
    stage.grants(device)
    found = scrape(caller)
    assert value(found, "grants_refused_total", reason="withdrawn") == 1


def test_no_label_is_an_id(stage: Stage) -> None:
    caller, device = operator(stage), stage.device()
    token = device.shoppers[device.shopper]
    for path in ("points", "diary", "consents", "nothing"):
        stage.http.get(f"/v1/shoppers/{device.shopper}/{path}", headers=bearer(token))
    stage.http.get(f"/nowhere/{device.shopper}")
    stage.http.request("BREW", "/v1/keys")
    shown = caller.get("/metrics").text
    assert device.shopper not in shown
    assert not re.search(r"[0-9a-f]{32}", shown)
    assert 'route="none"' in shown
    assert 'method="other"' in shown
    assert "BREW" not in shown


def test_no_label_sets_a_group_of_shoppers_apart(pinned: Stage) -> None:
    """By purpose, data, age, store or task a count could be of one shopper: there is none."""
    stays, leaves = (pinned.device(decisions=GIVE, kind="store") for _ in range(2))
    caller, record = operator(pinned), publish(pinned, make_manifest())
    pinned.decide(leaves, WITHDRAW)
    pinned.grants(leaves, context=context_of(record))
    freeze(pinned, record, "round-1", [stays])
    pinned.http.get("/nowhere")
    retain(pinned.context)
    caller.get("/metrics")
    routes = set(pinned.app.openapi()["paths"])
    words = {
        "route": routes | {"none"},
        "method": {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "other"},
        "status": {"1xx", "2xx", "3xx", "4xx", "5xx"},
        "reason": {*RefusalReason, *DropReason},
        "job": {job.name for job in JOBS},
    }
    seen = set()
    for _, labels in scrape(caller):
        for name, text in labels:
            if name != "le":
                assert text in words[name], name
                seen.add(name)
    assert seen >= {"route", "method", "status", "reason"}


def test_only_for_operators_and_auditors(stage: Stage) -> None:
    device = stage.device()
    assert auditor(stage).get("/metrics").status_code == 200
    assert stage.http.get("/metrics").status_code == 401
    for token in (stage.token, device.shoppers[device.shopper]):
        assert stage.http.get("/metrics", headers=bearer(token)).status_code == 404


def test_two_services_count_apart(stage: Stage) -> None:
    other, caller = stage.again(), operator(stage)
    other.device()
    assert value(scrape(caller), "withdrawals_total") == 0
    label = {"method": "POST", "route": "/v1/shoppers", "status": "2xx"}
    assert value(scrape(caller), "requests_total", **label) == 0
    assert value(scrape(Caller(other, caller.token)), "requests_total", **label) == 1
    other.close()


def test_a_failure_is_counted_as_one() -> None:
    metrics = Metrics()

    async def fails(*_: Any) -> None:
        raise RuntimeError

    async def call() -> None:
        try:
            await Measured(fails, metrics=metrics)({"type": "http", "method": "GET"}, None, None)  # type: ignore[arg-type]
        except RuntimeError:
            return

    asyncio.run(call())
    assert 'status="5xx"} 1.0' in metrics.text().decode()


def test_a_request_costs_less_than_fifty_microseconds() -> None:
    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(_message: Any) -> None:
        pass

    async def cost(app: Any, times: int = 2000) -> float:
        scope = {"type": "http", "method": "GET"}
        began = time.process_time()
        for _ in range(times):
            await app(scope, None, send)
        return (time.process_time() - began) / times

    measured = Measured(nothing, metrics=Metrics())
    best = min(asyncio.run(cost(measured)) - asyncio.run(cost(nothing)) for _ in range(5))
    assert best < 50e-6


def test_the_documented_alerts_name_metrics_that_exist(stage: Stage) -> None:
    shown = operator(stage).get("/metrics").text
    stated = (Path(__file__).parents[4] / "docs" / "operating.md").read_text()
    [alerts] = re.findall(r"<!-- tested: alerts -->\n```yaml\n(.*?)```", stated, re.DOTALL)
    named = set(re.findall(r"fedcart_consent_\w+", alerts))
    assert len(named) >= 8
    known = set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))
    for name in named:
        assert name in known or name.removesuffix("_bucket") in known, name
