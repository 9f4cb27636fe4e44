"""Every page can be reached by links from the first one, and nothing is named by its identifier."""

import re
from collections.abc import Iterator

import pytest

from consent.notice import Language
from consent.panel import language as languages
from consent.panel.policy import TASKS
from consent.service.shoppers import clients
from consent.service.shoppers.repository import ShopperRepository
from consent.tasks.names import TaskName
from tests.browser.pages import PAGES
from tests.browser.seeding import Seeded, seed
from tests.unit.consent.harness import Stage
from tests.unit.consent.panel.conftest import Visitor

# Where forms lead, and a page that nobody has.
BY_FORM = ("/choices/signal", "/confirm", "/no-such-page")
_LINK = re.compile(r'href="(/[^"?#]*)')
_TIMES = re.compile(r"<time.*?</time>|<pre.*?</pre>|<dd[^>]*>.*?</dd>", re.DOTALL)
_IDENTIFIER = re.compile(rf">[^<>]*\b({'|'.join(TaskName)})\b[^<>]*<")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Seeded]]:
    stage, found = seed(tmp_path_factory.mktemp("ways"))
    yield stage, found
    stage.close()


def visitor(seeded: tuple[Stage, Seeded], who: str | None) -> Visitor:
    stage, known = seeded
    cookies = {} if who is None else {"fedcart_session": known.tokens[who]}
    return Visitor(stage, {**cookies, "fedcart_language": "en"})


def reached(somebody: Visitor, start: str) -> set[str]:
    """Every page of the panel that links lead to."""
    found, waiting = {start}, [start]
    while waiting:
        answer = somebody.get(waiting.pop())
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        links = set(_LINK.findall(answer.text))
        new = {each for each in links if not each.startswith(("/static/", "/v1/"))} - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("who", sorted({page.who or "" for page in PAGES}))
def test_every_page_is_linked_from_where_one_starts(seeded: tuple[Stage, Seeded], who: str) -> None:
    start = "/operators" if who in ("operator", "auditor") else "/"
    found = reached(visitor(seeded, who or None), start)
    wanted = {
        page.path.partition("?")[0].format(**seeded[1].ids)
        for page in PAGES
        if (page.who or "") == who and not page.path.startswith(BY_FORM)
    }
    assert wanted <= found


def test_every_task_has_a_name_in_both_languages() -> None:
    assert set(TASKS) == set(TaskName)
    chinese = languages.tongue(Language.ZH)
    assert all(chinese.say(name) != name for name in TASKS.values())


@pytest.mark.parametrize(
    "each", [page for page in PAGES if page.who not in ("operator", "auditor")], ids=str
)
def test_no_page_of_a_shopper_names_a_task_or_a_time_as_machines_do(
    seeded: tuple[Stage, Seeded], each: tuple[str, str | None]
) -> None:
    page = visitor(seeded, each[1]).get(each[0].format(**seeded[1].ids)).text
    shown = _TIMES.sub("", page.partition("<main")[2].partition("</main>")[0])
    assert not _IDENTIFIER.search(shown)
    assert not _STAMP.search(re.sub(r"<[^>]*>", "", shown))


def test_a_client_of_some_tasks_is_listed_with_their_names(panel: Stage, shopper: Visitor) -> None:
    other = panel.device()
    assert shopper.device is not None
    with panel.context.database.writing() as session:
        hers = ShopperRepository(session).find(shopper.device.shopper)
        his = ShopperRepository(session).memberships(other.shopper)
        assert hers is not None
        tasks = [TaskName.POPULARITY, TaskName.ITEM_ITEM]
        clients.stand(panel.context, session, hers, his[0].client_id, tasks)
    page = shopper.get("/account").text
    assert re.search(r"for: (Popular p|Products that go).* and .*", page)
    assert "item-item" not in page
    assert "相互搭配的商品" in shopper.speaks("zh").get("/account").text
