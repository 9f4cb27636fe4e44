"""A record for people and machines to read: sections of rows, as JSON, as CSV and as a page.

Sentences are written in English and stand in other languages in ``words``; a test fails for one
that is missing there.
"""

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from consent.notice import Language
from consent.service.inventory.words import ZH

Say = Callable[[str], str]
_STYLE: Final = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:start;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid #8886;overflow-wrap:anywhere}.wide{overflow-x:auto}"
)
# The one style is allowed by its hash; everything else is refused.
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_TEMPLATES = Environment(
    loader=PackageLoader("consent.service.inventory"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What a spreadsheet would run as a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, a table with one row a thing, and a remark."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A record in one language; all text is said in it already."""

    title: str
    lead: str
    language: Language
    sections: Sequence[Section] = field(default_factory=list)

    def html(self) -> str:
        """The record as a page: one file, no script, nothing loaded from anywhere."""
        page = _TEMPLATES.get_template("document.html")
        return page.render(document=self, style=_STYLE)

    def csv(self) -> str:
        """The record as one table: section, then the cells of each row.

        Guarantee: no cell begins as a formula of a spreadsheet would.
        """
        out = io.StringIO()
        lines = csv.writer(out)
        for section in self.sections:
            lines.writerow(["", *_safe(section.columns)])
            for row in section.rows:
                lines.writerow(_safe([section.heading, *row]))
        return out.getvalue()


def speaker(language: Language) -> Say:
    """What says an English sentence in a language."""
    return ZH.__getitem__ if language is Language.ZH else str


def _safe(cells: Iterable[str]) -> list[str]:
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
