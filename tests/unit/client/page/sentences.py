"""Every sentence that the page's source says, as babel finds it."""

from typing import Any

from babel.messages.extract import extract_from_dir

from client.page.language import LOCALES
from consent.notice import Language
from consent.panel.language import read

_KEYWORDS: dict[str, Any] = {"_": None, "_n": (1, 2), "say": (2,), "mark": None}
# ``say`` of a page takes the request first.


def said() -> set[str]:
    """The (singular) English of every sentence."""
    found = set()
    for pattern, method, keywords in (
        ("**.html", "jinja2.ext:babel_extract", _KEYWORDS),
        ("**.py", "python", _KEYWORDS),
    ):
        options = {pattern: {"trimmed": "false", "silent": "false"}}
        for _, _, sentence, _, _ in extract_from_dir(
            LOCALES.parent, [(pattern, method)], options, keywords=keywords
        ):
            found.add(sentence[0] if isinstance(sentence, tuple) else sentence)
    return found


def translated(language: Language) -> dict[str, str]:
    """The translations of a language."""
    found: dict[str, str] = {}
    for path in sorted((LOCALES / language).glob("*.po")):
        for key, text in read(path).items():
            assert key not in found, f"{path.name} translates {key!r} again"
            found[key] = text
    return found
