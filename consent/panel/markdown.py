"""The Markdown of notices as HTML: headings, paragraphs, lists, bold words and code.

Guarantee: every character of the text is escaped first, so a text can bring no markup of its own.
"""

import re
from typing import Final

from markupsafe import Markup, escape

_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_CODE: Final = re.compile(r"`(.+?)`")
_HEADING: Final = re.compile(r"(#{1,4}) (.+)")


def html(text: str, *, below: int = 0) -> Markup:
    """A text as HTML, its headings lowered by some levels."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return Markup("\n").join(_block(block, below) for block in blocks if block)


def without_title(text: str) -> tuple[str, str]:
    """The first heading of a text, and what follows it."""
    first, _, rest = text.strip().partition("\n")
    found = _HEADING.fullmatch(first.strip())
    return (found[2], rest) if found else ("", text)


def _block(block: str, below: int) -> Markup:
    if (found := _HEADING.fullmatch(block)) is not None:
        tag = f"h{min(len(found[1]) + below, 6)}"
        return Markup("<{0}>{1}</{0}>").format(tag, _inline(found[2]))
    lines = block.splitlines()
    if all(line.startswith("- ") for line in lines):
        items = Markup("").join(Markup("<li>{}</li>").format(_inline(line[2:])) for line in lines)
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(_inline(" ".join(line.strip() for line in lines)))


def _inline(text: str) -> Markup:
    escaped = str(escape(text))
    bold = _BOLD.sub(r"<strong>\1</strong>", escaped)
    return Markup(_CODE.sub(r"<code>\1</code>", bold))  # noqa: S704 - escaped above
