"""The stylesheet and the pages know the same classes and elements: no rule is left over."""

import re

from consent.panel.page import STATIC

PANEL = STATIC.parent
STYLE = STATIC / "panel.css"
# Set by htmx while it asks.
OF_HTMX = {"htmx-request"}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTORS = re.compile(r"([^{}]+)\{")
_CLASS = re.compile(r"\.(-?[a-z][a-z0-9-]*)")
_ELEMENT = re.compile(r"(?<![\w.:#\[\"=-])([a-z][a-z0-9]*)(?![\w(=-])")
_WRITTEN = re.compile(r'class="((?:\{[{%].*?[%}]\}|[^"{])*)"')
_EXPRESSION = re.compile(r"\{[{%].*?[%}]\}")
_WORD = re.compile(r"[\w-]+")
_STRING = re.compile(r'"([a-z-]+)"')


def templates() -> str:
    found = sorted(PANEL.glob("templates/*.html"))
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


def code() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(PANEL.rglob("*.py")))


def possible() -> set[str]:
    """Classes that a page can have: in an attribute, or a string that the code may put there."""
    written = {word for each in _WRITTEN.findall(templates()) for word in _WORD.findall(each)}
    return written | set(_STRING.findall(code()))


def selectors(style: str) -> list[str]:
    """What the rules of a stylesheet are for; without what a media query asks."""
    found = _SELECTORS.findall(_COMMENT.sub("", style))
    return [each.strip() for each in found if not each.strip().startswith("@")]


def classes(style: str) -> set[str]:
    return {name for each in selectors(style) for name in _CLASS.findall(each)}


def elements(style: str) -> set[str]:
    return {name for each in selectors(style) for name in _ELEMENT.findall(each)}


def unused(style: str) -> set[str]:
    pages = templates() + code()
    tags = {name for name in elements(style) if f"<{name}" not in pages}
    return (classes(style) - possible() - OF_HTMX) | tags


def test_no_rule_is_for_something_that_no_page_has() -> None:
    assert unused(STYLE.read_text(encoding="utf-8")) == set()


def test_a_rule_that_is_left_over_would_be_found() -> None:
    style = ".card > .gone:hover, marquee {} @media (max-width: 4rem) { .lost {} } /* .not {} */"
    assert unused(style) == {"gone", "marquee", "lost"}


def test_every_class_of_a_page_has_a_rule() -> None:
    written = [_EXPRESSION.sub(" ", each) for each in _WRITTEN.findall(templates())]
    known = classes(STYLE.read_text(encoding="utf-8"))
    assert {word for each in written for word in _WORD.findall(each)} <= known
