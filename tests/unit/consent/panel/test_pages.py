"""The panel's pages at the server: who sees what, what a form may do, what an error looks like."""

import json
import re
from dataclasses import replace

import pytest

from consent.origin import Origin
from consent.panel import markdown
from consent.panel.app import create_site
from consent.panel.form import MAX_BYTES, MAX_FIELDS
from consent.panel.headers import POLICY
from consent.panel.matrix import OFFERED
from consent.purpose import LIVE_STATES, Category, Decision, Purpose
from consent.receipt import Receipt
from consent.service.quotas import Kind, Quotas
from consent.service.shoppers import service as shoppers
from consent.verify import Evidence, verify
from tests.unit.consent.harness import GIVE, WITHDRAW, Stage
from tests.unit.consent.panel.conftest import Visitor, shopper_of
from tests.unit.consent.rounds import COLLECT, balance, release

OPEN = ("/", "/notices", "/notices/2026-11", "/policies")
HERS = ("/choices", "/diary", "/points", "/history")
YES = {"yes": "research.purchases", "epoch": "0", "notice": "2026-11"}


def live(visitor: Visitor) -> set[str]:
    assert visitor.device is not None
    who = visitor.device.shopper
    found = shoppers.read_consents(visitor.stage.context, who, visitor.device.shoppers[who])
    return {f"{e.purpose}.{e.category}" for e in found.consents if e.state in LIVE_STATES}


def location(visitor: Visitor, path: str, fields: dict[str, str]) -> str:
    answer = visitor.post(path, fields)
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.mark.parametrize("path", OPEN)
def test_open_pages_are_open(nobody: Visitor, path: str) -> None:
    answer = nobody.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", HERS)
def test_her_pages_are_hers(
    nobody: Visitor, shopper: Visitor, operator: Visitor, path: str
) -> None:
    assert shopper.get(path).status_code == 200
    refused = nobody.get(f"{path}?cursor=3")
    assert refused.status_code == 303
    assert refused.headers["location"] == f"/login?next=%2F{path[1:]}%3Fcursor%3D3"
    assert operator.get(path).status_code == 404


def test_a_device_token_is_no_login_of_the_panel(panel: Stage) -> None:
    device = panel.device()
    visitor = Visitor(panel, {"fedcart_session": device.shoppers[device.shopper]})
    assert visitor.get("/choices").status_code == 303
    coordinator = Visitor(panel, {"fedcart_session": panel.token})
    assert coordinator.get("/choices").status_code == 303


def test_the_api_reads_no_cookie(shopper: Visitor) -> None:
    assert shopper.device is not None
    path = f"/v1/shoppers/{shopper.device.shopper}/consents"
    assert shopper.get(path).status_code == 401
    token = shopper.cookies["fedcart_session"]
    assert shopper.get(path, authorization=f"Bearer {token}").status_code == 200


def test_errors_are_pages_for_people_and_problems_for_machines(nobody: Visitor) -> None:
    page = nobody.speaks("zh").get("/no-such-page")
    assert page.status_code == 404
    assert "没有这个页面" in page.text
    assert page.headers["content-security-policy"] == POLICY
    problem = nobody.get("/v1/no-such-thing")
    assert problem.headers["content-type"] == "application/problem+json"
    wrong = nobody.get("/language")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "text/html; charset=utf-8")


def test_a_failure_is_a_page_that_tells_nothing(
    shopper: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("consent.panel.pages.diary.service.read", fails)
    answer = shopper.get("/diary")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "It is our fault" in answer.text
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"


def test_too_many_requests_are_answered_with_a_page(panel: Stage) -> None:
    quotas = Quotas(named={Kind.PEER: "3 per minute"})
    busy = Stage(panel.home, settings=replace(panel.settings, quotas=quotas), build=create_site)
    visitor = Visitor(busy)
    answers = [visitor.get("/notices") for _ in range(4)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert "Too many attempts" in answers[-1].text
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].headers["content-security-policy"] == POLICY
    assert visitor.get("/v1/notices").headers["content-type"] == "application/problem+json"
    busy.close()


def test_one_post_gives_and_one_withdraws(shopper: Visitor) -> None:
    assert location(shopper, "/choices", YES) == "/choices?open=purchases#purchases"
    page = shopper.get("/choices")
    assert live(shopper) == {"research.purchases"}
    assert "Saved: Yes to “Research”" in page.text
    assert "Saved: Yes" not in shopper.get("/choices").text
    assert location(shopper, "/choices", {"no": "research.purchases"}) == "/withdrawals/2"
    assert live(shopper) == set()


def test_a_script_is_sent_to_the_whole_page_of_a_withdrawal(shopper: Visitor) -> None:
    shopper.post("/choices", YES)
    answer = shopper.post("/choices", {"no": "research.purchases"}, hx_request="true")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (200, "/withdrawals/2")


def test_a_stale_yes_changes_nothing_and_says_so(shopper: Visitor) -> None:
    shopper.post("/choices", {"no": "research.purchases"})
    for stale in (YES, {**YES, "epoch": ""}, {**YES, "epoch": "x"}):
        shopper.post("/choices", stale)
        assert "so your Yes was not saved" in shopper.get("/choices").text
    assert live(shopper) == set()
    shopper.post("/choices", {**YES, "epoch": "1"})
    assert live(shopper) == {"research.purchases"}


def test_a_yes_under_a_replaced_notice_is_not_saved(shopper: Visitor) -> None:
    shopper.stage.publish("2027-01", touches=[Purpose.RESEARCH])
    shopper.post("/choices", YES)
    assert "The notice changed" in shopper.get("/choices").text
    assert live(shopper) == set()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"yes": "research"},
        {"yes": "research.nonsense"},
        {"yes": "stock-planning.browsing"},
        {"yes-to-all": "sensitive-product-classes"},
        {"yes-to-all": "x"},
    ],
)
def test_what_is_not_asked_can_not_be_answered(shopper: Visitor, fields: dict[str, str]) -> None:
    assert shopper.post("/choices", {**fields, "epoch": "0"}).status_code == 422
    assert live(shopper) == set()


def test_what_was_given_elsewhere_can_be_withdrawn_here(panel: Stage) -> None:
    assert Purpose.STOCK not in OFFERED[Category.BROWSING]
    given = next(cell for cell in GIVE)._replace(purpose=Purpose.STOCK, category=Category.BROWSING)
    visitor = shopper_of(panel, panel.device(decisions={given: Decision.GIVEN}), "elsewhere")
    assert 'value="stock-planning.browsing"' in visitor.get("/choices").text
    visitor.post("/choices", {"no": "stock-planning.browsing"})
    assert live(visitor) == set()


def test_a_signal_asks_once_more_before_a_yes_counts(shopper: Visitor) -> None:
    asked = shopper.post("/choices", YES, sec_gpc="1")
    assert asked.headers["location"] == "/choices/signal?yes=research.purchases"
    assert live(shopper) == set()
    page = shopper.get(asked.headers["location"])
    epoch = re.search(r'name="epoch" value="(\d+)"', page.text)
    assert epoch is not None
    answer = {**YES, "epoch": epoch[1], "confirmed": "signal"}
    shopper.post("/choices", answer, sec_gpc="1")
    assert live(shopper) == {"research.purchases"}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_forms_of_other_sites_are_refused(shopper: Visitor, headers: dict[str, str]) -> None:
    assert shopper.post("/choices", YES, **headers).status_code == 403
    assert live(shopper) == set()
    own = {"sec_fetch_site": "same-origin", "origin": "http://consent.test"}
    for name, value in own.items():
        assert shopper.post("/choices", YES, **{name: value}).status_code == 303


def test_a_form_needs_the_token_of_this_login(shopper: Visitor, nobody: Visitor) -> None:
    foreign = nobody.token()
    assert foreign != shopper.token()
    for token in ("", foreign, shopper.token()[:-1]):
        assert shopper.send("/choices", {**YES, "csrf": token}).status_code == 403
    assert shopper.send("/choices", YES).status_code == 403
    assert live(shopper) == set()


def test_forms_are_bounded(shopper: Visitor) -> None:
    assert shopper.post("/language", {"x": "y" * MAX_BYTES}).status_code == 413
    many = {f"f{number}": "1" for number in range(MAX_FIELDS)}
    assert shopper.post("/language", many).status_code == 422
    assert shopper.post("/language", {"language": "e\0n"}).status_code == 422
    assert shopper.post("/language", {"language": "fr"}).status_code == 422
    as_json = shopper.stage.http.post("/language", json={"language": "zh"})
    assert as_json.status_code == 415


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_no_redirect_leaves_the_site(nobody: Visitor, target: str) -> None:
    assert location(nobody, "/language", {"language": "zh", "next": target}) == "/"
    own = {"language": "zh", "next": "/policies"}
    assert location(nobody, "/language", own) == "/policies"


def test_a_message_that_we_did_not_write_is_not_shown(shopper: Visitor) -> None:
    shopper.post("/choices", YES)
    sealed = shopper.cookies["fedcart_flash"]
    text, _, seal = sealed.partition(".")
    for forged in (f"{text}x.{seal}", f"{text}.", text, "x.y", f"{text}.{seal[:-1]}"):
        shopper.cookies["fedcart_flash"] = forged
        assert "Saved: Yes" not in shopper.get("/choices").text
    shopper.cookies["fedcart_flash"] = sealed
    assert "Saved: Yes" in shopper.get("/choices").text


def test_cookies_are_locked_to_a_secure_origin(panel: Stage) -> None:
    origin = Origin.parse("https://consent.example")
    secure = Stage(
        panel.home, settings=replace(panel.settings, public_url=origin), build=create_site
    )
    visitor = shopper_of(secure, secure.device(), "secure")
    token = visitor.cookies.pop("fedcart_session")
    visitor.cookies["fedcart_session"] = token
    assert visitor.get("/choices").status_code == 303  # a plain cookie could be planted
    del visitor.cookies["fedcart_session"]
    visitor.cookies["__Host-fedcart_session"] = token
    assert visitor.get("/choices").status_code == 200
    answer = visitor.post("/choices", {**YES, "epoch": "1"}, origin="https://consent.example")
    assert answer.status_code == 303
    (flash,) = answer.headers.get_list("set-cookie")
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= set(flash.lower().split("; "))
    (visit,) = Visitor(secure).get("/").headers.get_list("set-cookie")
    assert visit.startswith("__Host-fedcart_visit=")
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= set(visit.lower().split("; "))
    secure.close()


def test_a_form_of_a_visit_that_another_host_planted_is_refused(panel: Stage) -> None:
    settings = replace(panel.settings, public_url=Origin.parse("https://consent.example"))
    secure = Stage(panel.home, settings=settings, build=create_site)
    attacker = Visitor(secure)
    token = attacker.token()
    planted = {"fedcart_visit": attacker.cookies["__Host-fedcart_visit"]}
    answer = Visitor(secure, planted).send("/login", {"csrf": token, "name": "a", "password": "b"})
    assert answer.status_code == 403
    secure.close()


def test_the_diary_tells_rounds_and_no_refund(panel: Stage) -> None:
    device, others = panel.device(decisions=COLLECT), [panel.device() for _ in range(4)]
    release(panel, device, *others, round_id="r1")
    visitor = shopper_of(panel, device, "diarist")
    page = visitor.get("/diary").text
    assert "together with 4 others" in page
    assert "You got 5 points for it." in page
    assert "One sealed list of 12 numbers" in page
    panel.decide(device, WITHDRAW)
    assert "its ε is not refunded" in visitor.get("/diary").text
    assert "Policy of round r1" in visitor.get("/policies/popularity/r1").text
    assert visitor.get("/policies/popularity/r2").status_code == 404
    assert visitor.get("/policies/nonsense/r1").status_code == 404


def test_pressing_twice_makes_one_code(panel: Stage) -> None:
    device, others = panel.device(decisions=COLLECT), [panel.device() for _ in range(4)]
    release(panel, device, *others)
    visitor = shopper_of(panel, device, "saver")
    form = {"points": "3", "key": "k" * 32}
    for _ in range(2):
        assert location(visitor, "/points/codes", form) == "/points#codes"
    assert balance(panel, device) == 2
    page = visitor.get("/points").text
    assert len(set(re.findall(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}", page))) == 1
    for wrong in ({"points": "3"}, {"points": "x"}, {"points": "0"}, {"points": "9" * 30}):
        visitor.post("/points/codes", {"key": "l" * 32, **wrong})
        assert balance(panel, device) == 2
    assert visitor.post("/points/codes", {**form, "points": "1"}).status_code == 422


def test_receipts_are_read_and_kept(shopper: Visitor) -> None:
    shopper.post("/choices", YES)
    page = shopper.get("/history/1")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    kept = shopper.get("/history/1/receipt.json")
    assert kept.headers["content-security-policy"] == POLICY
    assert kept.headers["cache-control"] == "no-store"
    assert kept.headers["content-disposition"] == 'attachment; filename="receipt-1.json"'
    evidence = Evidence(receipt=Receipt.from_bytes(kept.content), heads=[], proofs=[])
    assert all(check.holds for check in verify(evidence, shopper.stage.service_key))
    assert json.loads(kept.content)["language"] == "en"
    assert shopper.get("/history/2").status_code == 404
    assert shopper.get("/history/x").status_code == 404


def test_static_files_are_kept_by_their_version(nobody: Visitor) -> None:
    found = re.search(r'href="(/static/panel\.css\?v=[0-9a-f]{16})"', nobody.get("/").text)
    assert found is not None
    assert "immutable" in nobody.get(found[1]).headers["cache-control"]
    assert nobody.get("/static/panel.css").headers["cache-control"] == "no-cache"
    assert nobody.get(found[1]).headers["content-security-policy"] == POLICY
    assert nobody.get("/static/../app.py").status_code == 404
    assert nobody.get("/static/%2e%2e/app.py").status_code == 404


def test_a_notice_can_bring_no_markup() -> None:
    text = "# <b>T</b>\n\n<script>x</script> **bold** `code`\n\n- <i>one</i>\n- two"
    assert markdown.html(text) == (
        "<h1>&lt;b&gt;T&lt;/b&gt;</h1>\n"
        "<p>&lt;script&gt;x&lt;/script&gt; <strong>bold</strong> <code>code</code></p>\n"
        "<ul><li>&lt;i&gt;one&lt;/i&gt;</li><li>two</li></ul>"
    )
