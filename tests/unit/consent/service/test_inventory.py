"""The two records say what the service runs with, and to nobody but operators and auditors."""

import csv
import io
import json
import string

import pytest

from consent.notice import Language
from consent.purpose import Purpose
from consent.retention import KEPT, SCHEDULE
from consent.service.inventory import dpia, ropa
from consent.service.inventory.document import POLICY, Document, Section
from consent.service.inventory.facts import rounded
from consent.service.inventory.words import ZH
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.rounds import COLLECT, make_manifest, release
from tests.unit.consent.service.operators import Caller, auditor, bearer, operator

REPORT = {
    "task": "popularity",
    "attack": "membership-inference",
    "measure": "auc",
    "value": 0.51,
    "report_sha256": "ab" * 32,
}


def lines(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_the_record_states_what_runs(pinned: Stage) -> None:
    release(pinned, pinned.device(decisions=COLLECT))
    found = auditor(pinned).get("/v1/ropa").json()
    made = make_manifest()
    assert found["fedcart:taskPolicies"] == [json.loads(json.dumps(made.body))]
    assert found["dpv:hasDataController"]["name"] == "not stated"
    by_purpose = {each["fedcart:purpose"]: each for each in found["dpv:hasProcess"]}
    assert set(by_purpose) == set(Purpose)
    train = by_purpose["train-shared-models"]
    assert train["dpv:hasPurpose"][0] == "fedcart:TrainSharedModels"
    assert (train["fideslang"], train["fedcart:tasks"]) == ("train_ai_system", ["popularity"])
    kept = found["dpv:hasStorageCondition"]
    assert {each["record_class"] for each in kept["fedcart:retention"]} == set(SCHEDULE)
    assert kept["fedcart:kept"] == KEPT
    assert found["dpv:hasNotice"]["version"] == "2026-11"


def test_the_assessment_has_the_figures(pinned: Stage) -> None:
    givers = [pinned.device(decisions=COLLECT) for _ in range(2)]
    leaver = pinned.device(decisions=GIVE, shoppers=11)
    release(pinned, *givers)
    pinned.decide(leaver, WITHDRAW)
    found = operator(pinned).get("/v1/dpia").json()
    figures = found["fedcart:figures"]
    assert figures["shoppers"] == "10"
    assert figures["giving"]["train-shared-models"] == "10"
    assert figures["giving"]["value-sharing"] == "< 10"
    assert figures["withdrawals_honoured"] == "< 10"
    made = make_manifest()
    spent = figures["spent"]["popularity"]
    assert (spent["epsilon"], spent["releases"]) == (made.epsilon, 1)
    assert spent["without_noise"] == 0
    assert set(found["fedcart:attackAudits"].values()) == {"not run"}
    assert len(found["dpv:hasRisk"]) >= 8


def test_a_release_without_noise_has_no_bound(pinned: Stage) -> None:
    release(pinned, pinned.device(decisions=COLLECT), private=False)
    caller = operator(pinned)
    assert (
        caller.get("/v1/dpia").json()["fedcart:figures"]["spent"]["popularity"]["without_noise"]
        == 1
    )
    assert "no noise, no bound" in caller.get("/v1/dpia", format="csv").text


def test_an_attack_is_not_run_until_it_is_recorded(stage: Stage) -> None:
    caller = operator(stage)
    made = caller.post("/v1/dpia/attacks", REPORT)
    assert made.status_code == 201
    audits = caller.get("/v1/dpia").json()["fedcart:attackAudits"]
    assert audits["popularity"][0]["value"] == 0.51
    assert audits["item-item"] == "not run"
    assert caller.get("/v1/audit", action="attack.recorded").json()["entries"]
    assert auditor(stage).post("/v1/dpia/attacks", REPORT).status_code == 404
    for wrong in ({"value": "0.5"}, {"task": "x"}, {"report_sha256": "x"}, {"attack": "a b"}):
        assert caller.post("/v1/dpia/attacks", REPORT | wrong).status_code == 422
    stage.clock.now += 11 * 60
    assert caller.post("/v1/dpia/attacks", REPORT).status_code == 403


@pytest.mark.parametrize("kind", ["ropa", "dpia"])
class TestForms:
    def test_table_and_page_in_both_languages(self, stage: Stage, kind: str) -> None:
        caller = operator(stage)
        for language in Language:
            table = lines(caller.get(f"/v1/{kind}", format="csv", language=language).text)
            assert len(table) > 20
            page = caller.get(f"/v1/{kind}", format="html", language=language)
            assert f'<html lang="{language}">' in page.text
            assert page.headers["content-security-policy"] == POLICY
            assert "<script" not in page.text

    def test_given_out_is_audited(self, stage: Stage, kind: str) -> None:
        caller = auditor(stage)
        caller.get(f"/v1/{kind}", format="csv")
        [entry] = caller.get("/v1/audit", action=f"{kind}.exported").json()["entries"]
        assert (entry["role"], entry["details"]) == ("auditor", {"format": "csv"})

    def test_to_nobody_else(self, stage: Stage, kind: str) -> None:
        device = stage.device()
        for token in (stage.token, device.shoppers[device.shopper], stage.store_token("till")):
            answer = stage.http.get(f"/v1/{kind}", headers=bearer(token))
            assert answer.status_code == 404
        assert Caller(stage, "nobody").get(f"/v1/{kind}").status_code == 401
        assert operator(stage).get(f"/v1/{kind}", format="pdf").status_code == 422


def test_counts_tell_nothing_of_one() -> None:
    assert [rounded(n) for n in (0, 9, 10, 19, 123_456)] == ["< 10", "< 10", "10", "10", "123450"]


def test_no_cell_is_a_formula() -> None:
    section = Section(heading="=1+1", columns=["@a"], rows=[["=HYPERLINK()", "-1", "+1", "fine"]])
    made = Document(title="t", lead="l", language=Language.EN, sections=[section])
    assert lines(made.csv()) == [
        ["", "'@a"],
        ["'=1+1", "'=HYPERLINK()", "'-1", "'+1", "fine"],
    ]


def test_markup_in_facts_is_shown_as_text() -> None:
    section = Section(heading="h", columns=["c"], rows=[["<script>alert(1)</script>"]])
    page = Document(title="t", lead="l", language=Language.EN, sections=[section]).html()
    assert "<script>" not in page


def test_the_chinese_fills_in_the_same_values() -> None:
    def names(sentence: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    for english, chinese in ZH.items():
        assert names(english) == names(chinese), english
        assert chinese.strip()
    for texts in (ropa.MEASURES, dpia.NECESSITY, dpia.NOT_CLAIMED):
        assert set(texts) <= set(ZH)
    for rule in SCHEDULE.values():
        assert {rule.begins, rule.ground} <= set(ZH)
    assert {*KEPT, *KEPT.values(), *SCHEDULE} <= set(ZH)
