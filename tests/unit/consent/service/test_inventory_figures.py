"""Counts over every shopper are made beside the requests, and say of when they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consent.notice import Language
from consent.panel.app import create_site
from consent.purpose import Purpose
from consent.receipt import moment
from consent.service import jobs
from consent.service.inventory import figures, service
from consent.service.inventory.repository import FigureRepository
from consent.service.inventory.schemas import Format
from tests.conftest import NewDatabase
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.service.operators import Caller, auditor, bearer, login
from tests.unit.consent.service.statements import read_wholly, recorded

# What grows with operators, rounds and notices, and not with shoppers; and trails of which only
# the newest entries are read.
BOUNDED = {
    "attack_audit",
    "audit_entry",
    "figure",
    "log_node",
    "notice_text",
    "published_notice",
    "rebuild",
    "retention_run",
    "round_commit",
    "round_policy",
    "round_release",
    "webhook_endpoint",
}
API = (
    "/v1/ropa",
    "/v1/dpia",
    "/v1/audit",
    "/v1/retention",
    "/v1/webhooks",
    "/v1/requests",
    "/metrics",
)
PAGES = (
    "/operators",
    "/operators/requests",
    "/operators/audit",
    "/operators/retention",
    "/operators/ropa",
    "/operators/dpia",
    "/operators/export/dpia.csv",
    "/operators/webhooks",
)


@pytest.fixture
def site(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    """A service with its panel, on each of the two databases."""
    made = Stage(tmp_path / "site", database=new_database, build=create_site)
    yield made
    made.close()


def shown(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = caller.get("/v1/dpia").json()["fedcart:figures"]
    return found


@pytest.mark.parametrize("path", [*API, *PAGES])
def test_no_request_of_an_operator_reads_every_shopper(site: Stage, path: str) -> None:
    site.device(decisions=GIVE)
    figures.renew(site.context)
    token = login(site)
    with recorded(site) as statements:
        answer = site.http.get(
            path,
            headers=bearer(token) if path in API else {"Cookie": f"fedcart_session={token}"},
        )
    assert answer.status_code == 200
    assert len(statements) > 2
    assert read_wholly(site, statements) <= BOUNDED


def test_the_control_fires(stage: Stage) -> None:
    with recorded(stage) as statements:
        figures.renew(stage.context)
    assert read_wholly(stage, statements) >= {"shopper", "consent", "consent_event"}
    assert not read_wholly(stage, [each for each in statements if each.writing])


def test_figures_are_those_of_the_time_they_state(stage: Stage) -> None:
    caller, device = auditor(stage), stage.device(decisions=GIVE, shoppers=12)
    first = shown(caller)
    assert first["counted_at"] == moment(stage.context.now_ms())
    assert (first["shoppers"], first["withdrawals_honoured"]) == ("10", "< 10")
    for shopper in list(device.shoppers):
        stage.decide(device, WITHDRAW, shopper=shopper)
    stage.clock.now += 60
    assert shown(caller) == first
    lead = caller.get("/v1/dpia", format="csv").text
    assert first["counted_at"] in lead
    assert first["counted_at"] in caller.get("/v1/dpia", format="html", language="zh").text
    figures.renew(stage.context)
    second = shown(caller)
    assert second["counted_at"] == moment(stage.context.now_ms())
    assert second["withdrawals_honoured"] == "10"
    assert second["giving"] == dict.fromkeys(Purpose, "< 10")


def test_the_job_counts_once_an_hour(stage: Stage) -> None:
    def counted_at() -> int | None:
        with stage.context.database.reading() as session:
            found = figures.stored(session)
        return None if found is None else found.counted_at

    [job] = [each for each in jobs.JOBS if each.name == "figures"]
    assert counted_at() is None
    began = stage.context.now_ms()
    for later, expected in ((0, 0), (3599, 0), (1, 3600), (-60, 3540)):
        stage.clock.now += later
        job.run(stage.context, lambda: False)
        assert counted_at() == began + expected * 1000


def test_a_command_counts_anew(stage: Stage) -> None:
    for expected in ('"shoppers": "< 10"', '"shoppers": "10"'):
        made = service.write(stage.context, service.Kind.DPIA, Format.JSON, Language.EN)
        assert expected in made
        stage.device(shoppers=10)


def test_figures_that_lack_a_purpose_are_counted_anew(stage: Stage) -> None:
    with stage.context.database.writing() as session:
        FigureRepository(session).store({"shoppers": 5, "withdrawals": 5}, counted_at=1)
    with stage.context.database.reading() as session:
        assert figures.stored(session) is None
    assert shown(auditor(stage))["counted_at"] == moment(stage.context.now_ms())


def test_nobody_makes_it_count_who_may_not_read(stage: Stage) -> None:
    device = stage.device()
    with recorded(stage) as statements:
        for token in (device.shoppers[device.shopper], "unknown", stage.token):
            assert Caller(stage, token).get("/v1/dpia").status_code in (401, 404)
    assert not any("consent_event" in each.sql for each in statements)


def test_the_assessment_has_no_exact_count_of_shoppers(stage: Stage) -> None:
    """13 registered, 12 agreed, 11 left: none of the three numbers is told, in any form."""
    caller, device = auditor(stage), stage.device(decisions=GIVE, shoppers=12)
    stage.device()
    for shopper in list(device.shoppers)[:11]:
        stage.decide(device, WITHDRAW, shopper=shopper)
    found = shown(caller)
    told = [found["shoppers"], found["withdrawals_honoured"], *found["giving"].values()]
    assert set(told) == {"10", "< 10"}
    for how in Format:
        text = caller.get("/v1/dpia", format=how).text
        assert device.shopper not in text
        for exact in (">13<", ">12<", ">11<", ",13\r", ",12\r", ",11\r", ": 13,", ": 12,", ": 11,"):
            assert exact not in text
