"""Lists that a store hands in: a row a shopper, named as the till names her.

A list has exactly the columns that it is for, so that nothing else about a shopper comes in by
mistake. Every row is looked at before anything is written, and each that can't be is refused with
its reason.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.importers.columns import check_header, explain_missing, listed
from client.importers.problems import MAX_SHOWN
from client.importers.tables import open_table
from client.importers.text_form import TextForm
from client.importers.values import parse_id
from consent.rights.archive import guarded
from crypto.errors import InvalidInputError
from crypto.secret_file import write_secret

NAME: Final = "name"
_SHOWN_LINES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row: whom it is about, and what it says, by column, without the spaces around it."""

    line: int
    name: str
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A row that can't be taken, and why not."""

    line: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.name!r}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class MembersList:
    """A list as it was read: the rows that are of its form, and those that are not."""

    entries: tuple[Entry, ...]
    refused: tuple[Refused, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.entries) + len(self.refused)


def read_list(
    file: Path, *, needed: Collection[str], also: Collection[str] = (), form: TextForm
) -> MembersList:
    """Read a list with a column ``name`` and others.

    Args:
        file: text, JSON or Parquet.
        needed: columns that it must have beside the name.
        also: columns that it may have.
        form: how a text file is written.

    Raises:
        InvalidInputError: the file can't be read, lacks a column or has another, or has no rows.
    """
    known = (NAME, *needed, *also)
    table = open_table(file, known, form=form, progress=_silent)
    _check(table.header, (NAME, *needed), known, file=file.name)
    entries, refused = list[Entry](), list[Refused]()
    for line, row in table.rows:
        values = dict(zip(table.header, (cell.strip() for cell in row), strict=False))
        name = values.pop(NAME, "")
        why = _malformed(name, len(row), len(table.header))
        if why is None:
            entries.append(Entry(line=line, name=name, values=values))
        else:
            refused.append(Refused(line=line, name=name, reason=why))
    if not entries and not refused:
        raise InvalidInputError(f"{file.name} has a header and no rows; expected a row a shopper.")
    return MembersList(entries=tuple(entries), refused=tuple(refused))


def twice(entries: Iterable[Entry], key: Callable[[Entry], str], *, what: str) -> dict[int, str]:
    """Rows that share what only one row may have: line to reason. None of them is the right one."""
    lines = defaultdict[str, list[int]](list)
    for entry in entries:
        lines[key(entry)].append(entry.line)
    return {
        line: f"{what} stands in {_told(where)}"
        for where in lines.values()
        if len(where) > 1
        for line in where
    }


def refusal(refused: Collection[Refused], *, rows: int, file: str) -> InvalidInputError:
    """What to tell whoever handed in a list with rows that can't be taken: nothing was."""
    first = sorted(refused, key=lambda each: each.line)[:MAX_SHOWN]
    said = (
        f"{file}: {len(refused):,} of {rows:,} rows can't be taken; nothing was changed. Mend "
        "them, or leave them out with --skip-bad."
    )
    rest = len(refused) - len(first)
    more = f"\n  and {rest:,} more; --refused FILE writes all of them" if rest else ""
    return InvalidInputError("\n".join([said, *(f"  {each}" for each in first)]) + more)


def check_new(path: Path) -> None:
    """Refuse a file for refused rows that is there already, before anything is done.

    Raises:
        InvalidInputError: it is, or its folder is not.
    """
    if path.exists():
        raise InvalidInputError(f"{path} exists; name a new file for the refused rows.")
    if not path.parent.is_dir():
        raise InvalidInputError(f"The folder {path.parent} does not exist: make it.")


def write_refused(path: Path, refused: Iterable[Refused]) -> None:
    """Write the refused rows as CSV, by line; only its owner may read it, for it names shoppers.

    Raises:
        InvalidInputError: the file exists.
        OSError: the disk refused.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("line", NAME, "reason"))
    for each in sorted(refused, key=lambda each: each.line):
        writer.writerow((each.line, guarded(each.name), guarded(each.reason)))
    write_secret(path, text.getvalue().encode())


def _check(
    header: tuple[str, ...], needed: Collection[str], known: Collection[str], *, file: str
) -> None:
    check_header(header, known, file=file)
    missing = [column for column in needed if column not in header]
    if missing:
        raise InvalidInputError(explain_missing(missing, header, file=file))
    others = [column for column in header if column not in known]
    if others:
        raise InvalidInputError(
            f"{file}: unknown column {listed(others)}. Such a list may have {listed(list(known))} "
            "and nothing else about a shopper: take the rest out."
        )
    if len(header) < 2:
        raise InvalidInputError(
            f"{file} has no column but {NAME!r}; it may have {listed(list(known)[1:])}."
        )


def _malformed(name: str, fields: int, expected: int) -> str | None:
    if fields != expected:
        return f"it has {fields} fields; expected {expected}, as in the header"
    try:
        parse_id(name)
    except ValueError as error:
        return f"a shopper's name at the till is {error}"
    return None


def _told(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    rest = len(lines) - _SHOWN_LINES
    return f"lines {shown} and {rest} more" if rest > 0 else f"lines {shown}"


def _silent(_done: int, _total: int) -> None:
    """A list is read in an instant."""
