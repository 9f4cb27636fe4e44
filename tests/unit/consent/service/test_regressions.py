"""Mistakes that other consent services made: each has its test here or names it, and it exists.

A pointer names a module and tests in it, which have to be there; what is short enough is tested at
once.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import consent
from consent.panel.app import create_site
from consent.purpose import CELLS, Category, ConsentState, Purpose
from consent.service.accounts.service import create_account, open_session
from consent.service.principals import Role
from consent.service.settings import Settings, create_home
from tests.browser.seeding import login
from tests.unit.consent.harness import GIVE, NOTICE, TASK, TRAIN_PURCHASES, WITHDRAW, Stage

TESTS = Path(__file__).parents[3]
SOURCE = Path(consent.__file__).parent
# The mistake, the file of its tests, and tests in it.
POINTERS: dict[str, tuple[str, ...]] = {
    "sessions that survive a password change": (
        "unit/consent/service/test_accounts.py",
        "test_no_other_login_survives_a_change",
        "test_a_code_sets_a_password_once_and_ends_every_login",
    ),
    "login timing that reveals accounts": (
        "unit/consent/service/test_accounts.py",
        "test_an_unknown_name_costs_one_comparison_like_a_known_one",
        "test_whatever_is_wrong_the_answer_is_the_same",
    ),
    "scope escalation of clients (fides CVEs)": (
        "unit/consent/service/test_api_matrix.py",
        "test_nothing_of_a_stranger_is_readable_or_writable",
        "test_a_broken_route_is_caught",
    ),
    "missing rate limits": (
        "unit/consent/service/test_rates.py",
        "test_the_quota_holds_and_names_the_wait",
        "test_processes_share_the_count_and_a_restart_keeps_it",
    ),
    "SSRF in connectors (fides CVEs)": (
        "unit/consent/service/test_webhooks_addresses.py",
        "test_every_address_of_a_name_must_be_public",
    ),
    "no status shown after a change (fides #2142)": (
        "unit/consent/service/test_withdrawals.py",
        "test_every_step_of_a_withdrawal",
    ),
    "unequal Yes and No (cookieconsent #79)": (
        "browser/test_choices.py",
        "test_yes_and_no_are_equal_in_size_and_looks",
    ),
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "site", build=create_site)
    yield made
    made.close()


def names_of_tests(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("mistake", POINTERS)
def test_its_test_is_there(mistake: str) -> None:
    file, *wanted = POINTERS[mistake]
    assert set(wanted) <= set(names_of_tests(TESTS / file))


def test_a_missing_test_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("def test_one() -> None:\n    pass\n")
    assert names_of_tests(tmp_path / "test_x.py") == ["test_one"]


def test_no_template_is_made_of_text_and_all_are_escaped() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        assert "from_string(" not in text, path
        assert "render_template_string" not in text, path
        if "Environment(" in text and "jinja2" in text:
            assert "autoescape=True" in text or "select_autoescape" in text, path
    for path in SOURCE.rglob("*.html"):
        # The receipt's page carries its style in itself; the text is a constant of ours.
        text = re.sub(r"\s", "", path.read_text()).replace("<style>{{style|safe}}</style>", "")
        assert "|safe" not in text, path


def test_what_a_shopper_types_is_shown_as_text(site: Stage) -> None:
    """The name of a login with template and markup in it is neither run nor rendered."""
    context, shopper = site.context, site.device(decisions={}).shopper
    with context.database.writing() as session:
        account = create_account(
            context,
            session,
            role=Role.SHOPPER,
            shopper_id=shopper,
            name="anna",
        )
        token = open_session(context, session, account, label="{{7*7}}<b>x")
    page = site.http.get("/account", headers={"Cookie": f"fedcart_session={token}"}).text
    assert "{{7*7}}&lt;b&gt;x" in page
    assert "<b>x" not in page


def test_no_page_loads_anything_from_elsewhere() -> None:
    elsewhere = re.compile(r"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE)
    pages = [*SOURCE.rglob("*.html"), *SOURCE.rglob("*.css")]
    assert pages
    for path in pages:
        text = path.read_text()
        assert not elsewhere.search(text), path
        assert "@import" not in text, path
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", text), path
    assert elsewhere.search('<script src="https://cdn.example/x.js">')


@pytest.mark.parametrize(
    "name",
    ["..%2fsettings.json", "..%2f..%2fsigning.key", "%2e%2e/settings.json", "..\\settings.json"],
)
def test_no_path_leads_out_of_the_static_files(site: Stage, name: str) -> None:

    answer = site.http.get(f"/static/{name}")
    assert answer.status_code == 404
    assert "issuer" not in answer.text
    assert site.http.get("/static/panel.css").status_code == 200


def test_no_notice_version_leads_out_of_its_folder(stage: Stage) -> None:
    for version in ("..%2F..%2Fsigning.key", "../settings.json", "%2Fetc%2Fpasswd", "a%00b"):
        assert stage.http.get(f"/v1/notices/{version}").status_code in (404, 422)
    assert stage.http.get(f"/v1/notices/{NOTICE}").status_code == 200


def test_there_is_proof_at_the_service(stage: Stage) -> None:
    """klaro #219: consent was kept in the browser alone."""
    device = stage.device()
    token = device.shoppers[device.shopper]
    base, headers = f"/v1/shoppers/{device.shopper}", {"Authorization": f"Bearer {token}"}
    receipt = stage.http.get(f"{base}/receipts/1", headers=headers).json()
    assert receipt["proof"]
    log = stage.http.get(f"{base}/log", headers=headers).json()
    assert log["events"][0]["event"]["state"] == "given"


def test_declining_permits_nothing(stage: Stage) -> None:
    """klaro #396: the content was loaded although it was declined."""
    device = stage.device()
    grants = stage.grants(device)
    stage.decide(device, WITHDRAW)
    assert stage.client.standing(grants.values()) == frozenset()
    assert stage.client.eligible(TASK, [device.name]) == ()
    assert stage.grants(device, "round-2") == {}


def test_what_was_not_decided_is_not_saved(stage: Stage) -> None:
    """fides #6490: notices that did not apply were saved as opted in."""
    device = stage.device(decisions=GIVE)
    cells = stage.client.consents(device.shopper, device.shoppers[device.shopper]).cells
    undecided = [cell for cell in CELLS if cell != TRAIN_PURCHASES]
    assert all(cells[cell] is ConsentState.UNKNOWN for cell in undecided)
    assert cells[TRAIN_PURCHASES] is ConsentState.GIVEN


def test_looking_and_leaving_saves_nothing(site: Stage) -> None:
    """fides #4649: closing with "x" overwrote saved choices."""

    device = site.device()
    token = login(site, Role.SHOPPER, "shopper", device.shopper)
    for path in ("/choices", "/choices?open=browsing", "/", "/signals", "/age"):
        answer = site.http.get(path, headers={"Cookie": f"fedcart_session={token}"})
        assert answer.status_code == 200
    consents = site.client.consents(device.shopper, device.shoppers[device.shopper])
    assert consents.epoch == 1
    assert consents.cells[TRAIN_PURCHASES] is ConsentState.GIVEN


def test_nothing_is_preselected_for_anybody(tmp_path: Path) -> None:
    create_home(tmp_path, issuer="shop")
    assert Settings.load(tmp_path).issuer == "shop"
    for path in SOURCE.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<input[^>]*\bchecked\b", text), path
    assert {cell.purpose for cell in CELLS} == set(Purpose)
    assert {cell.category for cell in CELLS} == set(Category)
