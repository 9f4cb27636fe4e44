"""The panel's languages: sentences, dates and numbers.

English sentences are their own keys. Every other language has a folder under ``locales`` with one
``.po`` file an area of the panel; all of them are read once and merged. A sentence without a
translation is shown in English, and a test fails for it.

Values are put into sentences by name, as ``str.format`` does: ``say("{n} rounds", n=3)``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from consent.notice import Language
from crypto.dp.bound import rounded_up

LOCALES: Final = Path(__file__).parent / "locales"
# Each language in its own words, for the switch.
OWN_NAMES: Final[Mapping[Language, str]] = {Language.EN: "English", Language.ZH: "中文"}
# What ``<html lang>`` says, and the conventions of dates and numbers.
TAGS: Final[Mapping[Language, str]] = {Language.EN: "en", Language.ZH: "zh-Hans"}
_LOCALES: Final[Mapping[Language, Locale]] = {
    Language.EN: Locale("en", "GB"),
    Language.ZH: Locale("zh", "CN", script="Hans"),
}
# Every tag of a browser's list that a language answers to.
_ANSWERS: Final = {"en": Language.EN, "zh": Language.ZH}
_MAX_ACCEPTED: Final = 20
# Below this a number is easier to read with a power of ten.
_TINY: Final = 1e-4
_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def mark(sentence: str) -> str:
    """The sentence itself: marks one that is kept in a table and translated where it is shown."""
    return sentence


@dataclass(frozen=True)
class Tongue:
    """One language: how the panel says things in it.

    Attributes:
        language: which one.
        sentences: translations by English sentence; a plural's key is its singular.
    """

    language: Language
    sentences: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The BCP 47 tag for ``lang``."""
        return TAGS[self.language]

    def say(self, sentence: str, /, **values: object) -> str:
        """A sentence in this language with values put in.

        Guarantee: if a value is markup, the result is markup, and everything else in it is escaped.
        """
        return _filled(self.sentences.get(sentence, sentence), values)

    def say_n(self, one: str, many: str, n: int, /, **values: object) -> str:
        """A sentence that depends on a number, which it names ``{n}``."""
        english = one if n == 1 else many
        return _filled(self.sentences.get(one, english), {"n": self.number(n), **values})

    def number(self, value: float) -> str:
        """A number as it is written in this language; at most three decimals."""
        return str(format_decimal(value, locale=_LOCALES[self.language]))

    def bound(self, epsilon: float) -> str:
        """An ε, rounded up: what is shown is a bound too."""
        return self.number(rounded_up(epsilon))

    def figure(self, value: float) -> str:
        """A measured number with three digits that count; a tiny one, such as a δ, as 1 × 10⁻⁶."""
        rounded = float(f"{value:.3g}")
        if 0 < abs(rounded) < _TINY:
            digits, _, power = f"{rounded:.2e}".partition("e")
            return f"{self.number(float(digits))} × 10{str(int(power)).translate(_RAISED)}"
        return str(format_decimal(rounded, format="#,##0.#######", locale=_LOCALES[self.language]))

    def listing(self, names: Iterable[str]) -> str:
        """Names one after another, as a sentence lists them."""
        return format_list(list(names), locale=_LOCALES[self.language])

    def day(self, ms: int) -> Markup:
        """The day of a time (Unix milliseconds, UTC) as a ``<time>`` element."""
        at = datetime.fromtimestamp(ms / 1000, UTC)
        return _time(at, format_date(at, "medium", locale=_LOCALES[self.language]))

    def date(self, iso: str) -> Markup:
        """A calendar day that the law counts (``2026-12-17``) as a ``<time>`` element."""
        shown = format_date(date.fromisoformat(iso), "medium", locale=_LOCALES[self.language])
        return Markup('<time datetime="{}">{}</time>').format(iso, shown)

    def moment(self, ms: int) -> Markup:
        """A time (Unix milliseconds) to the second, in UTC and saying so, as a ``<time>``."""
        at = datetime.fromtimestamp(ms / 1000, UTC)
        shown = format_datetime(at, "medium", tzinfo=UTC, locale=_LOCALES[self.language])
        return _time(at, f"{shown} UTC")


@lru_cache(maxsize=len(Language))
def tongue(language: Language) -> Tongue:
    """A language with all its sentences, read once."""
    sentences: dict[str, str] = {}
    for path in sorted((LOCALES / language).glob("*.po")):
        for key, text in read(path).items():
            sentences.setdefault(key, text)
    return Tongue(language, sentences)


def read(path: Path) -> dict[str, str]:
    """The translated sentences of one file; a plural is kept under its singular."""
    with path.open("rb") as file:
        catalogue = read_po(file)
    found: dict[str, str] = {}
    for message in catalogue:
        key = message.id[0] if isinstance(message.id, tuple | list) else message.id
        text = message.string[0] if isinstance(message.string, tuple | list) else message.string
        if key and text and not message.fuzzy:
            found[key] = text
    return found


def negotiated(accepted: str) -> Language:
    """The language that an ``Accept-Language`` header likes best; English if it likes none."""
    weighted = [_weight(part) for part in accepted.split(",")[:_MAX_ACCEPTED]]
    wanted = [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]
    found = negotiate_locale(wanted, list(_ANSWERS), sep="-")
    if found is None:  # negotiate_locale knows zh-CN, but not zh-Hans-CN
        found = next((tag.split("-")[0] for tag in wanted if tag.split("-")[0] in _ANSWERS), "en")
    return _ANSWERS[found]


def parsed(name: str) -> Language | None:
    """The language of a name that somebody sent; None for any other."""
    return Language(name) if name in list(Language) else None


def _weight(part: str) -> tuple[float, str]:
    tag, _, quality = part.strip().lower().partition(";q=")
    try:
        return (float(quality) if quality else 1.0), tag
    except ValueError:
        return 0.0, tag


def _filled(text: str, values: Mapping[str, object]) -> str:
    if not values:
        return text
    if any(hasattr(value, "__html__") for value in values.values()):
        return escape(text).format(**values)
    return text.format(**values)


def _time(at: datetime, shown: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.strftime("%Y-%m-%dT%H:%M:%SZ"), shown)
