"""Both languages, everywhere."""

import re
from string import Formatter

from client.page.words import _TASKS
from consent.notice import Language
from consent.tasks.names import TaskName
from tests.unit.client.page.conftest import Browser
from tests.unit.client.page.sentences import said, translated
from tests.unit.client.page.test_door import PAGES

# Names, and what she or the shop typed.
SAME = re.compile(
    r"fedcart|English|(: )?(milk|bread|tea|coffee|batteries)( · fedcart)?|: [a-z]+, [\d-]+|"
    "dairy|bakery|drinks|north|south"
)


def test_every_sentence_has_a_translation_and_none_is_left_over() -> None:
    assert said() == translated(Language.ZH).keys()


def test_translations_are_chinese_and_name_the_same_values() -> None:
    for sentence, text in translated(Language.ZH).items():
        assert re.search(r"[\u4e00-\u9fff]", text), sentence
        assert names(text) == names(sentence), sentence


def test_every_task_has_words() -> None:
    assert set(TaskName) <= _TASKS.keys()


def test_no_page_says_the_same_in_both_languages(browser: Browser) -> None:
    for path in (*PAGES, "/why?item=milk", "/data/line?item=milk&day=2024-03-01", "/no-such"):
        english = texts(browser, path, "en")
        chinese = texts(browser, path, "zh")
        same = {text for text in english & chinese if re.search("[A-Za-z]{4,}", text)}
        assert all(SAME.fullmatch(text) for text in same), (path, same)


def texts(browser: Browser, path: str, language: str) -> set[str]:
    answer = browser.get(path, accept_language=language)
    return {" ".join(text.split()) for text in re.findall(r">([^<>]+)<", answer.text)}


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}
