"""The panel's withdrawal tracker: what it says, when it asks again, and that it works plainly."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consent.notice import Language
from consent.panel.app import create_site
from consent.panel.pages.withdrawals import OFTEN, SELDOM
from consent.purpose import Decision
from consent.service.principals import identify
from tests.unit.consent.harness import WITHDRAW, Device, Stage
from tests.unit.consent.panel.sentences import said, translated
from tests.unit.consent.service.logins import log_in
from tests.unit.consent.service.test_withdrawals import commit, purge

MINE = ("panel/pages/withdrawals.py", "withdrawals.html", "withdrawal.html")


class Shopper:
    """A shopper with a device and an open login of the same shopper."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.device = stage, Device()
        self.login = log_in(stage, "ann")
        [shopper] = self._shopper()
        token = self.login
        self.device.shoppers[shopper] = token
        stage.client.pair(shopper, token, client=self.device.key.public_key())
        answer = stage.http.put(
            f"/v1/shoppers/{shopper}/age",
            json={"band": "adult"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.is_success, answer.text
        stage.decide(self.device, dict.fromkeys(WITHDRAW, Decision.GIVEN))

    def _shopper(self) -> list[str]:
        with self.stage.context.database.reading() as session:
            found = identify(self.stage.context, session, self.login)
        assert found is not None
        assert found.shopper is not None
        return [found.shopper]

    def get(
        self, path: str, *, status: int = 200, fetched: bool = False, language: str = "en"
    ) -> httpx.Response:
        name = "__Host-fedcart_session"
        self.stage.http.cookies.clear()
        answer = self.stage.http.get(
            path,
            headers={
                "Cookie": f"{name}={self.login}; fedcart_session={self.login}",
                "Accept-Language": language,
                **({"HX-Request": "true"} if fetched else {}),
            },
        )
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Shopper]:
    stage = Stage(tmp_path / "site", build=create_site)
    yield Shopper(stage)
    stage.close()


def test_the_tracker_says_how_far_it_is_and_stops_asking(ann: Shopper) -> None:
    grants = list(ann.stage.grants(ann.device, "late").values())
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    page = ann.get(f"/withdrawals/{epoch}").text
    for expected in (
        "1 grant died in the same moment",
        "It is still open.",
        "It has not asked yet.",
        "2 steps are still under way",
        f'hx-trigger="{OFTEN}"',
        '<noscript><meta http-equiv="refresh"',
        'aria-live="polite"',
        "Look again",
    ):
        assert expected in page
    commit(ann.stage, "late", (ann.device, grants))
    purge(ann.stage, ann.device)
    page = ann.get(f"/withdrawals/{epoch}").text
    for expected in ("Everything is done.", "frozen without you", "uses the data no more"):
        assert expected in page
    for gone in ("hx-get", "http-equiv", "Look again"):
        assert gone not in page


def test_where_no_grant_was_live_it_says_so(ann: Shopper) -> None:
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    for language, told, counted in (
        ("en", "No grant of yours was live at that moment.", "0 grants"),
        ("zh", "当时您没有任何有效的授权。", "0 份授权"),
    ):
        page = ann.get(f"/withdrawals/{epoch}", language=language).text
        assert told in page
        assert counted not in page


def test_a_page_that_is_as_it_was_is_not_sent_again(ann: Shopper) -> None:
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    page = ann.get(f"/withdrawals/{epoch}").text
    [url] = re.findall(r'hx-get="([^"]+)"', page)
    assert ann.get(url, status=204, fetched=True).text == ""
    assert "Step by step" in ann.get(url).text  # typed into a browser, it is a page
    ann.stage.device()  # the log grows; nothing of this page changes
    ann.get(url, status=204, fetched=True)
    purge(ann.stage, ann.device)
    assert "Everything is done." in ann.get(url, fetched=True).text


def test_later_it_asks_seldom(ann: Shopper) -> None:
    ann.stage.grants(ann.device, "late")
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    ann.stage.clock.now += 301
    assert f'hx-trigger="{SELDOM}"' in ann.get(f"/withdrawals/{epoch}").text


def test_the_proof_is_shown_and_kept(ann: Shopper) -> None:
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    page = ann.get(f"/withdrawals/{epoch}").text
    assert page.count("<summary>") >= 3
    assert "Inclusion proofs" in page
    kept = ann.get(f"/withdrawals/{epoch}/proof.json")
    assert "attachment" in kept.headers["content-disposition"]
    assert json.loads(kept.text)["format"] == "fedcart withdrawal proof 1"


def test_all_withdrawals_are_listed(ann: Shopper) -> None:
    assert "You have not taken anything back." in ann.get("/withdrawals").text
    epoch = ann.stage.decide(ann.device, WITHDRAW)
    assert f'href="/withdrawals/{epoch}"' in ann.get("/withdrawals").text


def test_what_is_not_hers_or_is_none_is_not_found(ann: Shopper) -> None:
    other = ann.stage.device()
    epoch = ann.stage.decide(other, WITHDRAW)
    for path in (f"/withdrawals/{epoch + 50}", "/withdrawals/0"):
        ann.get(path, status=404)
    ann.login = "nobody"
    ann.get(f"/withdrawals/{epoch}", status=303)


def test_every_sentence_is_translated() -> None:
    """The walk through every page in both languages is the panel's; this names the sentence."""
    known = {key for sentences in translated(Language.ZH).values() for key in sentences}
    mine = {
        sentence
        for sentence, places in said().items()
        if any(place.rsplit(":", 1)[0].endswith(MINE) for place in places)
    }
    assert len(mine) > 30
    shared = {"Newest", "Older", "Entries in the log", "Head signed", "Root", "Command"}
    assert mine - known <= shared | {"Record {number}"}
