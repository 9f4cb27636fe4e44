"""Every sentence that the panel's source says, as babel finds it."""

from typing import Any

from babel.messages.extract import extract_from_dir

from consent.notice import Language
from consent.panel.language import LOCALES, read

ROOT = LOCALES.parent
_KEYWORDS: dict[str, Any] = {
    "_": None,
    "_n": (1, 2),
    "say": None,
    "say_n": (1, 2),
    "mark": None,
}


def said() -> dict[str, tuple[str, ...]]:
    """Where each sentence is said, by its (singular) English."""
    found: dict[str, tuple[str, ...]] = {}
    for pattern, method in (("**.html", "jinja2.ext:babel_extract"), ("**.py", "python")):
        options = {pattern: {"trimmed": "false", "silent": "false"}}
        for name, line, sentence, _, _ in extract_from_dir(
            ROOT, [(pattern, method)], options, keywords=_KEYWORDS
        ):
            if name.startswith("demo/"):  # speaks on the command line, in English
                continue
            key = sentence[0] if isinstance(sentence, tuple) else sentence
            found[key] = (*found.get(key, ()), f"{name}:{line}")
    return found


def translated(language: Language) -> dict[str, dict[str, str]]:
    """The translations of each file of a language, by the file's name."""
    return {path.name: read(path) for path in sorted((LOCALES / language).glob("*.po"))}
