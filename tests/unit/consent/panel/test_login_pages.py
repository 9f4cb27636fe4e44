"""The panel's pages for signing in, registering, recovering, and one's own account."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx
import pytest

from consent.panel.app import create_site
from consent.service.accounts import staff
from tests.unit.consent.harness import Stage

PASSWORD = "a long walk by the sea"
OTHER = "another walk, by the lake"


UNFIT = [
    ("a", PASSWORD, "name", "A name has 2 to 64"),
    ("two words", PASSWORD, "name", "no spaces"),
    ("Berta", "short", "password", "10 to 256"),
    ("Berta", "password123", "password", "first that are tried"),
    ("berta.berta", "Berta.Berta", "password", "same as the name"),
    ("ANNA", PASSWORD, "name", "is taken"),
]


@dataclass
class Browser:
    """A browser without scripts: its cookies, and the form token of the page it saw last."""

    stage: Stage
    origin: str = "http://consent.test"
    cookies: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    csrf: str = ""
    language: str = "en"

    def get(self, path: str) -> httpx.Response:
        return self._seen(self.stage.http.get(self.origin + path, headers=self._headers()))

    def post(self, path: str, **fields: str) -> httpx.Response:
        data = {"csrf": self.csrf} | fields
        headers = self._headers() | {"Referer": f"{self.origin}/account"}
        return self._seen(self.stage.http.post(self.origin + path, data=data, headers=headers))

    def register(self, name: str = "Anna") -> list[str]:
        self.get("/register")
        page = self.post("/register", name=name, password=PASSWORD, age_band="adult")
        assert page.status_code == 200, page.text
        return codes(page)

    def sign_in(
        self, name: str = "anna", password: str = PASSWORD, to: str = "/"
    ) -> httpx.Response:
        self.get("/login")
        return self.post("/login", name=name, password=password, next=to)

    @property
    def session(self) -> str | None:
        names = ("fedcart_session", "__Host-fedcart_session")
        return next((self.cookies[name] for name in names if name in self.cookies), None)

    def _headers(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": pairs, "Origin": self.origin, "Accept-Language": self.language}

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        self.stage.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            self.lines.append(line)
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer


def codes(page: httpx.Response) -> list[str]:
    return re.findall(r"<li>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</li>", page.text)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "consent", build=create_site)
    yield made
    made.close()


@pytest.fixture
def anna(stage: Stage) -> Browser:
    browser = Browser(stage)
    browser.register()
    browser.get("/account")
    return browser


class TestRegistering:
    def test_the_codes_are_shown_once_and_she_is_signed_in(self, stage: Stage) -> None:
        browser = Browser(stage)
        assert len(set(browser.register())) == 10
        page = browser.get("/account")
        assert "signed in as anna" in page.text
        assert codes(page) == []
        assert "10 codes are left" in page.text

    def test_the_page_with_the_codes_can_be_left_by_its_forms(self, stage: Stage) -> None:
        browser = Browser(stage)
        browser.register()
        assert browser.post("/logout").status_code == 303
        assert browser.session is None

    def test_what_is_wrong_is_said_at_its_field(self, anna: Browser) -> None:
        for name, password, at, said in UNFIT:
            browser = Browser(anna.stage)
            browser.get("/register")
            page = browser.post("/register", name=name, password=password)
            assert page.status_code in (409, 422)
            (found,) = re.findall(r'id="(\w+)-error" role="alert">([^<]+)', page.text)
            assert found[0] == at
            assert said in unescape(found[1])
            assert f'value="{name}"' in page.text
            assert f'value="{password}"' not in page.text
            assert browser.session is None

    def test_nothing_is_agreed_to(self, anna: Browser) -> None:
        answer = anna.stage.http.get(
            "/v1/account", headers={"Authorization": f"Bearer {anna.session}"}
        )
        path = f"/v1/shoppers/{answer.json()['shopper']}/consents"
        cells = anna.stage.http.get(path, headers={"Authorization": f"Bearer {anna.session}"})
        assert {cell["state"] for cell in cells.json()["consents"]} == {"unknown"}


class TestSigningIn:
    def test_every_sign_in_has_a_new_token_and_ends_the_old_one(self, anna: Browser) -> None:
        first = anna.session
        page = anna.post("/login", name="anna", password=PASSWORD)
        assert (page.status_code, page.headers["location"]) == (303, "/")
        assert anna.session not in (None, first)
        old = Browser(anna.stage, cookies={"fedcart_session": str(first)})
        assert old.get("/account").headers["location"] == "/login?next=%2Faccount"

    def test_a_planted_session_is_never_taken_over(self, stage: Stage) -> None:
        Browser(stage).register()
        planted = Browser(stage, cookies={"fedcart_session": "fcs_planted"})
        assert planted.sign_in().status_code == 303
        assert planted.session not in (None, "fcs_planted")

    def test_a_wrong_password_keeps_the_name_and_says_no_more(self, anna: Browser) -> None:
        pages = []
        for name in ("anna", "nobody"):
            browser = Browser(anna.stage)
            pages.append(browser.sign_in(name, "not the password").text.replace(name, "NAME"))
            assert browser.session is None
        tokens = re.compile(r'name="csrf" value="[^"]+"')
        assert tokens.sub("", pages[0]) == tokens.sub("", pages[1])
        assert "don&#39;t match" in pages[0]
        assert 'value="NAME"' in pages[0]
        assert "not the password" not in pages[0]

    def test_it_leads_to_this_site_only(self, anna: Browser) -> None:
        assert Browser(anna.stage).sign_in(to="/account").headers["location"] == "/account"
        for to in ("//evil.test", "https://evil.test/", "/\\evil.test"):
            assert Browser(anna.stage).sign_in(to=to).headers["location"] == "/"

    def test_the_cookie(self, anna: Browser) -> None:
        plain = next(line for line in anna.lines if line.startswith("fedcart_session="))
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(plain.split("; "))
        assert "Secure" not in plain
        secure = Browser(anna.stage, origin="https://consent.test")
        secure.sign_in()
        line = next(line for line in secure.lines if "fedcart_session=" in line)
        assert line.startswith("__Host-fedcart_session=")
        assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/"} <= set(line.split("; "))
        assert "Domain" not in line

    def test_signing_out_ends_it_at_the_service(self, anna: Browser) -> None:
        token = anna.session
        assert anna.post("/logout").status_code == 303
        assert anna.session is None
        answer = anna.stage.http.get("/v1/account", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401

    def test_a_form_from_elsewhere_does_nothing(self, anna: Browser) -> None:
        for change in ("csrf", "origin"):
            browser = Browser(anna.stage)
            browser.get("/login")
            if change == "csrf":
                browser.csrf = anna.csrf
            headers = browser._headers()
            if change == "origin":
                headers["Origin"] = "https://evil.test"
            data = {"csrf": browser.csrf, "name": "anna", "password": PASSWORD}
            answer = anna.stage.http.post("/login", data=data, headers=headers)
            anna.stage.http.cookies.clear()
            assert answer.status_code == 403
            assert "fedcart_session" not in answer.headers.get("set-cookie", "")

    def test_the_api_does_not_read_the_cookie(self, anna: Browser) -> None:
        assert anna.get("/v1/account").status_code == 401


class TestRecovering:
    def test_a_code_sets_a_password(self, stage: Stage) -> None:
        browser = Browser(stage)
        code = browser.register()[0]
        other = Browser(stage)
        other.get("/recover")
        refused = other.post("/recover", name="Anna", code="AAAA", password=OTHER)
        assert refused.status_code == 401
        done = other.post("/recover", name="Anna", code=code.lower(), password=OTHER)
        assert done.headers["location"] == "/login"
        assert browser.get("/account").status_code == 303  # her open login has ended
        assert other.sign_in(password=OTHER).status_code == 303

    def test_an_operator_sets_her_first_password(self, stage: Stage) -> None:
        made = staff.add(stage.context, "operator", "olga")
        browser = Browser(stage)
        browser.get("/recover")
        weak = browser.post("/recover", name="olga", code=made.setup_code, password="password123")
        assert weak.status_code == 422
        browser.post("/recover", name="olga", code=made.setup_code, password=PASSWORD)
        assert browser.sign_in("olga").status_code == 303
        page = browser.get("/account")
        assert "signed in as olga" in page.text
        assert 'id="devices"' not in page.text
        assert browser.post("/account/devices/code").status_code == 404


class TestAccount:
    def test_a_changed_password_ends_the_other_logins(self, anna: Browser) -> None:
        other = Browser(anna.stage)
        other.sign_in()
        wrong = anna.post("/account/password", old_password="not it at all", new_password=OTHER)
        assert wrong.status_code == 403
        assert "This is not the password" in wrong.text
        weak = anna.post("/account/password", old_password=PASSWORD, new_password="short")
        assert weak.status_code == 422
        done = anna.post("/account/password", old_password=PASSWORD, new_password=OTHER)
        assert done.status_code == 303
        assert anna.get("/account").status_code == 200
        assert other.get("/account").status_code == 303

    def test_logins_are_listed_and_ended(self, anna: Browser) -> None:
        other = Browser(anna.stage)
        other.sign_in()
        page = anna.get("/account")
        ids = re.findall(r'action="/account/sessions/([0-9a-f]{32})/end"', page.text)
        assert len(ids) == 2
        assert page.text.count("this one") == 1
        assert anna.post("/account/sessions/end-others").status_code == 303
        assert other.get("/account").status_code == 303
        (own,) = re.findall(
            r'action="/account/sessions/([0-9a-f]{32})/end"', anna.get("/account").text
        )
        assert anna.post(f"/account/sessions/{own}/end").headers["location"] == "/"
        assert anna.session is None

    def test_what_lets_others_in_needs_her_once_more(self, anna: Browser) -> None:
        anna.stage.clock.now += 11 * 60
        for path in ("/account/devices/code", "/account/recovery-codes"):
            sent = anna.post(path)
            assert sent.headers["location"] == "/confirm?next=%2Faccount"
        assert anna.get(sent.headers["location"]).status_code == 200
        wrong = anna.post("/confirm", password="not the password", next="/account")
        assert wrong.status_code == 403
        assert anna.post("/account/recovery-codes").status_code == 303
        done = anna.post("/confirm", password=PASSWORD, next="/account")
        assert done.headers["location"] == "/account"
        assert len(codes(anna.post("/account/recovery-codes"))) == 10

    def test_a_pairing_code_is_shown_once_with_its_end(self, anna: Browser) -> None:
        page = anna.post("/account/devices/code", label="<my phone>")
        assert re.search(r">[2-9A-Z]{4}-[2-9A-Z]{4}<", page.text)
        assert "&lt;my phone&gt;" in page.text
        assert "It works until" in page.text
        after = anna.get("/account")
        assert "A pairing code is open until" in after.text
        assert not re.search(r">[2-9A-Z]{4}-[2-9A-Z]{4}<", after.text)

    def test_the_language_is_remembered(self, anna: Browser) -> None:
        assert anna.post("/account/language", language="zh").status_code == 303
        assert "账户" in anna.get("/account").text
        elsewhere = Browser(anna.stage)
        elsewhere.sign_in()
        assert "您以 anna 的身份登录" in elsewhere.get("/account").text
        assert anna.post("/account/language", language="xx").status_code == 422

    def test_who_is_not_signed_in_sees_none_of_it(self, stage: Stage) -> None:
        browser = Browser(stage)
        for path in ("/account", "/confirm"):
            assert browser.get(path).headers["location"].startswith("/login?next=")
        browser.get("/login")
        for path in ("/account/password", "/account/recovery-codes", "/account/devices/code"):
            assert browser.post(path).headers["location"].startswith("/login")


def test_every_sentence_has_its_chinese(anna: Browser) -> None:
    """What stays English is markup, names of the machine, and other pages' business."""
    anna.post("/account/language", language="zh")
    pages = [anna.get("/account"), anna.get("/confirm"), anna.post("/account/devices/code")]
    other = Browser(anna.stage, language="zh")
    pages += [other.get(path) for path in ("/login", "/register", "/recover")]
    for page in pages:
        main = "<" + page.text.partition("<main")[2].partition("</main>")[0]
        text = re.sub(r"<pre.*?</pre>|<script.*?</script>|<[^>]+>", " ", main, flags=re.DOTALL)
        text = re.sub(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b", " ", text)  # a pairing code
        words = set(re.findall(r"[A-Za-z]{3,}", unescape(text)))
        assert words <= {"anna", "UTC", "English", "PIN"}, page.url
