"""How a text file is written: what stands between its fields, in which encoding, with a header?

Nothing is found out by trying. What isn't said follows from the file's suffix alone: by the table
below, UTF-8, a header in the first line.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from crypto.errors import InvalidInputError

TAB = "\t"
# Well-known suffixes; any other may be read where the delimiter is stated.
DELIMITERS = {
    ".csv": ",",
    ".txt": ",",
    ".tsv": TAB,
    ".data": TAB,
    ".rating": TAB,
    ".item": "|",
    ".user": "|",
    ".dat": "::",
}
# Only in these does a quote mean anything; elsewhere it is a character like any other.
QUOTED = (".csv", ".tsv", ".txt")
_MOST_CHARACTERS = 8
_FOR_NAMES = frozenset({"idna", "punycode"})  # encode names of hosts, not text
_WORDS = {"tab": TAB, "\\t": TAB, "space": " "}


@dataclass(frozen=True, kw_only=True)
class TextForm:
    """What a reader states about a text file.

    Attributes:
        delimiter: between fields, 1 to 8 characters; None for what the suffix says. "tab" and
            "space" are those characters.
        encoding: as Python names it; a byte order mark of UTF-8 is dropped.
        header: whether the first line names the columns. Without one they are named by number,
            from 1.

    Raises:
        InvalidInputError: a delimiter or an encoding that can't be.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True

    def __post_init__(self) -> None:
        mark = self.delimiter
        if mark is not None:
            mark = _WORDS.get(mark, mark)
            if not 0 < len(mark) <= _MOST_CHARACTERS or set(mark) & set('"\r\n\0'):
                raise InvalidInputError(
                    f"A delimiter is 1 to {_MOST_CHARACTERS} characters such as ';' or '::', "
                    f"without quotes or line breaks, not {mark!r}."
                )
            object.__setattr__(self, "delimiter", mark)
        object.__setattr__(self, "encoding", _known(self.encoding))

    def between(self, path: Path) -> str:
        """What stands between the fields of a file."""
        return self.delimiter or DELIMITERS[path.suffix.lower()]

    def quoted(self, path: Path) -> bool:
        """Whether a field may stand in quotes, with delimiters and line breaks inside."""
        return len(self.between(path)) == 1 and path.suffix.lower() in QUOTED


def _known(encoding: str) -> str:
    """The encoding's plain name, if it writes ASCII as ASCII: lines and fields must be found."""
    plain = bytes([10, 13, *range(32, 127)])
    try:
        name = codecs.lookup(encoding).name
        known = name not in _FOR_NAMES and plain.decode(name) == plain.decode("ascii")
    except (LookupError, ValueError):
        known = False
    if not known:
        raise InvalidInputError(
            f"Unknown encoding {encoding!r}: name one such as utf-8, latin-1, cp1252, big5 or "
            "gb18030; save a file in UTF-16 as UTF-8."
        )
    return name
