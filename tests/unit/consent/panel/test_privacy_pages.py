"""Pages about the privacy signal, ages and guardians."""

import re

from consent.ages import AgeBand
from consent.purpose import ConsentState
from consent.service.guardians.repository import AgeRepository, GuardianRepository
from consent.service.guardians.tables import GuardianLink
from consent.service.shoppers import service as shoppers
from tests.unit.consent.harness import GIVE, TRAIN_PURCHASES, Stage
from tests.unit.consent.panel.conftest import Visitor, shopper_of

GPC = {"sec-gpc": "1"}


def state(visitor: Visitor) -> ConsentState:
    assert visitor.device is not None
    who = visitor.device.shopper
    found = shoppers.read_consents(visitor.stage.context, who, visitor.device.shoppers[who])
    cells = {(each.purpose, each.category): each.state for each in found.consents}
    return cells[TRAIN_PURCHASES]


def minor(panel: Stage, name: str = "cleo") -> Visitor:
    visitor = shopper_of(panel, panel.device(decisions={}), name)
    assert visitor.device is not None
    with panel.context.database.writing() as session:
        now = panel.context.now_ms()
        AgeRepository(session).state(visitor.device.shopper, AgeBand.TEEN, time=now)
    return visitor


def adult(panel: Stage) -> Visitor:
    return shopper_of(panel, panel.device(decisions={}), "mona")


def test_the_signal_is_acknowledged_on_every_page_and_only_then(nobody: Visitor) -> None:
    for path in ("/", "/login", "/notices"):
        assert "Global Privacy Control" in nobody.get(path, **GPC).text
        assert "Your browser sends" not in nobody.get(path).text
        assert "Your browser sends" not in nobody.get(path, **{"sec-gpc": "0"}).text


def test_a_page_view_with_the_signal_is_enough(panel: Stage) -> None:
    visitor = shopper_of(panel, panel.device(decisions=GIVE), "shopper")
    visitor.get("/diary")
    assert state(visitor) is ConsentState.GIVEN
    visitor.get("/diary", **GPC)
    assert state(visitor) is ConsentState.WITHDRAWN
    page = visitor.get("/signals").text
    assert "Honoured." in page
    assert "None of them sends it any more" in page
    assert "None of them sends it any more" not in visitor.get("/signals", **GPC).text
    assert visitor.post("/signals/clear", {}).status_code == 303
    assert "We have not seen a privacy signal" in visitor.get("/signals").text


def test_the_age_question_has_nothing_preselected(nobody: Visitor, shopper: Visitor) -> None:
    for page in (nobody.get("/register").text, shopper.get("/age").text):
        radios = re.findall(r'<input type="radio" name="age_band"[^>]*>', page)
        assert len(radios) == 4
        assert not any("checked" in radio for radio in radios)
    assert "birth" in nobody.get("/register").text  # that it is never asked for


def test_an_age_is_stated_and_an_older_one_waits(panel: Stage) -> None:
    visitor = minor(panel)
    assert "waits for a guardian" in visitor.get("/age").text
    visitor.post("/age", {"age_band": "adult"})
    assert "30 days" in visitor.get("/age").text
    assert visitor.post("/age", {"age_band": "not-stated"}).status_code == 422
    assert visitor.post("/age", {"age_band": "under-13"}).status_code == 303
    assert "Under 13" in visitor.get("/age").text


def test_a_guardian_is_found_by_code_and_decides(panel: Stage) -> None:
    child, mother = minor(panel), adult(panel)
    page = child.post("/age/code", {}).text
    found = re.search(r'mono">([A-Z2-7]{4}-[A-Z2-7]{4})<', page)
    assert found is not None
    assert mother.post("/guardian", {"code": "nonsense"}).headers["location"] == "/guardian"
    assert child.device is not None
    ward = f"/guardian/{child.device.shopper}"
    assert mother.post("/guardian", {"code": found[1].lower()}).headers["location"] == ward
    asked = {"yes": "train-shared-models.purchases", "epoch": "0", "notice": "2026-11"}
    child.post("/choices", asked)
    assert state(child) is ConsentState.REQUESTED
    page = mother.get(ward).text
    answer = {
        name: re.search(rf'name="{name}" value="([^"]+)"', page)[1]  # type: ignore[index]
        for name in ("epoch", "notice", "cell")
    }
    for stale in ("0", "", "x", '0", "1", "2'):
        mother.post(ward, {**answer, "epoch": stale, "answer": "yes"})
        assert state(child) is ConsentState.REQUESTED
    assert mother.post(ward, {**answer, "answer": "yes"}).status_code == 303
    assert state(child) is ConsentState.GIVEN
    mother.post(ward, {**answer, "answer": "no"})
    assert state(child) is ConsentState.WITHDRAWN
    assert mother.post(f"{ward}/end", {}).headers["location"] == "/guardian"
    assert mother.get(ward).status_code == 404


def test_a_childs_own_end_of_it_counts(panel: Stage) -> None:
    child, mother = minor(panel), adult(panel)
    assert child.device is not None
    assert mother.device is not None
    with panel.context.database.writing() as session:
        GuardianRepository(session).tie(
            GuardianLink(ward_id=child.device.shopper, guardian_id=mother.device.shopper, since=1)
        )
    assert "Your guardian sees your choices" in child.get("/age").text
    assert child.post("/age/leave", {}).status_code == 303
    assert mother.get(f"/guardian/{child.device.shopper}").status_code == 404


def test_yes_and_no_of_a_guardian_are_alike(panel: Stage) -> None:
    child, mother = minor(panel), adult(panel)
    assert child.device is not None
    assert mother.device is not None
    child.post(
        "/choices",
        {"yes": "train-shared-models.purchases", "epoch": "0", "notice": "2026-11"},
    )
    with panel.context.database.writing() as session:
        GuardianRepository(session).tie(
            GuardianLink(ward_id=child.device.shopper, guardian_id=mother.device.shopper, since=1)
        )
    page = mother.get(f"/guardian/{child.device.shopper}").text
    buttons = re.findall(r'<button name="answer" value="(yes|no)"([^>]*)>', page)
    assert buttons == [("yes", ""), ("no", "")]
