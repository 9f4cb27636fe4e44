"""The page's sentences: English is the key, every other language has a folder of ``.po`` files.

How dates, numbers and lists are written is the panel's (``consent/panel/language.py``).
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request

from consent.notice import Language
from consent.panel.language import Tongue, negotiated, parsed, read

LOCALES: Final = Path(__file__).parent / "locales"
COOKIE: Final = "fedcart_language"


@lru_cache(maxsize=len(Language))
def tongue(language: Language) -> Tongue:
    """A language with all the page's sentences, read once."""
    sentences: dict[str, str] = {}
    for path in sorted((LOCALES / language).glob("*.po")):
        sentences |= read(path)
    return Tongue(language, sentences)


def language_of(request: Request) -> Language:
    """The language that was chosen, else the one that the browser likes best."""
    chosen = parsed(request.cookies.get(COOKIE, ""))
    return chosen or negotiated(request.headers.get("accept-language", ""))
