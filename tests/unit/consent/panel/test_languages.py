"""Both languages, everywhere: no sentence without a translation, none left over."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest

from consent.notice import Language
from consent.panel import language as languages
from consent.tasks.names import TaskName
from tests.browser.pages import PAGES
from tests.browser.seeding import Seeded, seed
from tests.unit.consent.harness import Stage
from tests.unit.consent.panel.conftest import Visitor
from tests.unit.consent.panel.sentences import said, translated

# Words that are the same in both: names of things, formats and commands; terms of vocabularies
# that the records use; sources of law; and what somebody typed herself.
SAME = re.compile(
    r"fedcart|English|JSON(-LD)?|SHA-256|UTC|USD|[εδ]|fedcart [a-z -]+|ISO/IEC.*|Markdown|CSV|ZIP|"
    r"Webhooks?( · fedcart)?|DPIA|ROPA|HTML|DPV|fideslang|https://|"
    rf"{'|'.join(TaskName)}|((pd|dpv|fedcart):\w+(, )?)+|"
    r"(user|functional|personalize|analytics)(\.\w+)*|finance|operations|train_ai_system|"
    r"(GDPR|EDPB Guidelines|11 CCR)\b.*|(: )?test|accounting"
)
_LATIN = re.compile(r"[A-Za-z]{3,}")


class Texts(HTMLParser):
    """What a page says: text, labels and descriptions, without code and other languages."""

    VOID = ("meta", "link", "input", "img", "br", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._own: str | None = None  # the page's language: the first one that it states
        self._skipped: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self._own = self._own or (names.get("lang") if tag == "html" else None)
        foreign = names.get("lang") not in (None, self._own)
        code = tag in ("script", "style", "pre", "code", "time") or "mono" in (
            names.get("class") or ""
        )
        skipped = foreign or code or any(self._skipped)
        if not skipped:
            texts = (names.get(each) for each in ("aria-label", "placeholder", "title", "alt"))
            self.found += [text for text in texts if text]
        if tag not in self.VOID:
            self._skipped.append(skipped)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._skipped) and data.strip():
            self.found.append(" ".join(data.split()))


def texts(html: str) -> set[str]:
    parser = Texts()
    parser.feed(html)
    return set(parser.found)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Seeded]]:
    stage, found = seed(tmp_path_factory.mktemp("languages"))
    yield stage, found
    stage.close()


@pytest.mark.parametrize("each", PAGES, ids=str)
def test_no_page_says_the_same_in_both_languages(
    seeded: tuple[Stage, Seeded], each: tuple[str, str | None]
) -> None:
    stage, known = seeded
    path, who = each[0].format(**known.ids), each[1]
    cookies = {} if who is None else {"fedcart_session": known.tokens[who]}
    english = texts(Visitor(stage, {**cookies, "fedcart_language": "en"}).get(path).text)
    page = Visitor(stage, {**cookies, "fedcart_language": "zh"}).get(path).text
    assert '<html lang="zh-Hans">' in page
    same = {text for text in texts(page) & english if _LATIN.search(text)}
    assert not {text for text in same if not SAME.fullmatch(text)}


@pytest.mark.parametrize("tag", ["en", "zh-Hans"])
def test_a_sentence_that_is_not_translated_would_be_found(tag: str) -> None:
    """On a page of either language: both are read, or nothing would ever be the same."""
    page = (
        f"<html lang='{tag}'><p>Hello there <code>code</code> <b lang='fr'>ailleurs</b></p></html>"
    )
    assert texts(page) == {"Hello there"}


def test_every_sentence_has_a_translation_and_none_is_left_over() -> None:
    known = {sentence for file in translated(Language.ZH).values() for sentence in file}
    used = said()
    assert not {sentence: where for sentence, where in used.items() if sentence not in known}
    assert not known - used.keys()


def test_no_two_files_translate_a_sentence_differently() -> None:
    found: dict[str, str] = {}
    for file in translated(Language.ZH).values():
        for sentence, text in file.items():
            assert found.setdefault(sentence, text) == text


def test_translations_name_the_same_values() -> None:
    for file in translated(Language.ZH).values():
        for sentence, text in file.items():
            assert names(text) <= names(sentence), sentence


def test_every_translation_is_chinese() -> None:
    for name, file in translated(Language.ZH).items():
        for sentence, text in file.items():
            assert re.search(r"[\u4e00-\u9fff]", text) or SAME.fullmatch(text), (name, sentence)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", Language.EN),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.ZH),
        ("zh-Hans-CN", Language.ZH),
        ("fr, de;q=0.9", Language.EN),
        ("fr, zh;q=0.2, en;q=0.1", Language.ZH),
        ("zh;q=0, en", Language.EN),
        ("zh;q=x", Language.EN),
        (";;,,=q", Language.EN),
    ],
)
def test_browsers_say_what_they_like(accepted: str, expected: Language) -> None:
    assert languages.negotiated(accepted) is expected


def test_the_switch_is_remembered_and_comes_before_the_browser(nobody: Visitor) -> None:
    assert '<html lang="zh-Hans">' in nobody.get("/", accept_language="zh").text
    nobody.post("/language", {"language": "en", "next": "/"})
    assert '<html lang="en">' in nobody.get("/", accept_language="zh").text
    nobody.cookies["fedcart_language"] = "xx"
    assert '<html lang="zh-Hans">' in nobody.get("/", accept_language="zh").text


def test_values_are_escaped_beside_markup() -> None:
    tongue = languages.tongue(Language.EN)
    said_so = tongue.say("{a} & {day}", a="<b>", day=tongue.day(0))
    assert said_so == '&lt;b&gt; &amp; <time datetime="1970-01-01T00:00:00Z">1 Jan 1970</time>'
    assert tongue.say("{a}", a="<b>") == "<b>"  # plain text: the template escapes it


def test_numbers_and_plurals() -> None:
    english, chinese = languages.tongue(Language.EN), languages.tongue(Language.ZH)
    assert english.say_n("{n} point", "{n} points", 1) == "1 point"
    assert english.say_n("{n} point", "{n} points", 1200) == "1,200 points"
    assert chinese.say_n("{n} point", "{n} points", 1) == "1 积分"
    assert english.figure(0.000123456) == "0.000123"
    assert english.figure(5.21834) == "5.22"
    assert english.bound(5.21834) == "5.219"
    assert english.bound(1.0) == chinese.bound(1.0) == "1"
    assert english.figure(1e-6) == "1 × 10⁻⁶"
    assert chinese.figure(-2.5e-12) == "-2.5 × 10⁻¹²"


def test_a_broken_file_is_read_as_no_translation(tmp_path: Path) -> None:
    path = tmp_path / "x.po"
    path.write_text('#, fuzzy\nmsgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr ""\n')
    assert languages.read(path) == {}
