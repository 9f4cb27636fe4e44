"""Text files as rows: CSV by the standard library, and plain fields between any delimiter."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from client.importers.text_form import TextForm
from crypto.errors import InvalidInputError

Rows = Iterator[tuple[int, list[str]]]

_PROGRESS_LINES = 8_192
_LONGEST_FIELD = 131_072  # as the csv module has it


def text_table(
    path: Path, form: TextForm, progress: Callable[[int, int], None]
) -> tuple[tuple[str, ...], Rows]:
    """Header and rows of a text file, each row with the line that it begins on.

    Raises:
        InvalidInputError: no line at all; while the rows are read, also text of another encoding,
            NUL bytes and unclosed quotes.
    """
    lines = _lines(path, form.encoding, progress)
    split = _quoted_rows if form.quoted(path) else _plain_rows
    rows = split(lines, form.between(path), path.name)
    line, first = next(rows, (0, []))
    if not first:
        raise InvalidInputError(f"{path.name} is empty: it has not even a header.")
    if form.header:
        return tuple(name.strip() for name in first), rows
    return tuple(str(number) for number in range(1, len(first) + 1)), _with(line, first, rows)


def _with(line: int, first: list[str], rows: Rows) -> Rows:
    yield line, first
    yield from rows


def _quoted_rows(lines: Iterator[str], delimiter: str, file: str) -> Rows:
    """Rows that aren't blank, with the line that each begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInputError(
            f"{file}, line {begin}: not well-formed CSV ({error}); look for an unclosed quote."
        ) from error


def _plain_rows(lines: Iterator[str], delimiter: str, file: str) -> Rows:
    """A row a line, cut at every delimiter."""
    for number, text in enumerate(lines, start=1):
        line = text.rstrip("\r\n")
        if len(line) > _LONGEST_FIELD:
            raise InvalidInputError(
                f"{file}, line {number}: {len(line):,} characters; a line has at most "
                f"{_LONGEST_FIELD:,}."
            )
        if line.strip():
            yield number, line.split(delimiter)


def _lines(path: Path, encoding: str, progress: Callable[[int, int], None]) -> Iterator[str]:
    """Decoded lines, each checked alone so that an error can name its line."""
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _decoded(line, number, path.name, encoding)
            done += len(line)
            if number % _PROGRESS_LINES == 0:
                progress(done, total)
    progress(total, total)


def _decoded(line: bytes, number: int, file: str, encoding: str) -> str:
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")) and encoding == "utf-8":
        raise InvalidInputError(f"{file} is UTF-16; save it as UTF-8.")
    if b"\0" in line:
        raise InvalidInputError(f"{file}, line {number}: has a NUL byte, so this is not CSV text.")
    try:
        return line.decode("utf-8-sig" if number == 1 and encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{file}, line {number}: byte 0x{line[error.start]:02x} at position {error.start + 1} "
            f"is not {encoding.upper()}; save the file as UTF-8 or name its encoding, such as "
            "latin-1."
        ) from error
