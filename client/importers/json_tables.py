"""JSON as rows of text: objects, one a line or in a list, and maps of shoppers to lists.

A column is the path of names to a value, as in ``basket.items.id``. Where the path runs through a
list, every entry becomes a row of its own with the same other values: a basket with five items is
five lines. A list of lists or of objects numbers its entries in a column ``PATH.position``, from 0.

In a map such as ``{"c1": [["milk", "tea"], ["milk"]]}`` the columns are ``key`` (c1), ``position``
(0, 1, … within the key's list) and, for plain entries, ``value``. In a map of maps to lists, such
as ``{"c1": {"2024-03-01": ["milk"]}}``, they are ``key``, ``inner`` and ``value``; a map of other
objects is a list of them, each with its ``key``.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from crypto.errors import InvalidInputError

Row = dict[str, str]
LINE_SUFFIXES = (".jsonl", ".ndjson")
JSON_SUFFIXES = (*LINE_SUFFIXES, ".json")
KEY, INNER, POSITION, VALUE = "key", "inner", "position", "value"
_HEADER_RECORDS = 1_000
_MOST_ROWS = 100_000
_PROGRESS_RECORDS = 8_192


def json_header(path: Path) -> tuple[str, ...]:
    """The columns that the first records have, in the order in which they turn up."""
    found: dict[str, None] = {}
    for _, record in islice(_records(path), _HEADER_RECORDS):
        for name in _paths(record, ""):
            found.setdefault(name)
    return tuple(found)


def json_rows(
    path: Path, header: tuple[str, ...], wanted: set[str], progress: Callable[[int, int], None]
) -> Iterator[tuple[int, list[str]]]:
    """Rows in the order of ``header`` with the record they come from, 1 the first.

    Columns that aren't wanted are empty, and so is a name that a record lacks.
    """
    done = 0
    for number, record in _records(path):
        rows = _rows(record, "", wanted)
        if len(rows) > _MOST_ROWS:
            raise InvalidInputError(
                f"{path.name}, record {number}: makes {len(rows):,} lines; a record is one line or "
                "one basket, and has one list among the columns that are used."
            )
        for row in rows:
            yield number, [row.get(name, "") for name in header]
        done = number
        if number % _PROGRESS_RECORDS == 0:
            progress(number, number + 1)
    progress(max(done, 1), max(done, 1))


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a file, numbered from 1; in a file of lines the number is the line's."""
    if path.suffix.lower() in LINE_SUFFIXES:
        yield from _line_records(path)
        return
    whole = _parsed(_text(path.read_bytes(), path.name, None), path.name, None)
    if isinstance(whole, dict):
        yield from enumerate(_map_records(whole, path.name), start=1)
    elif isinstance(whole, list) and all(isinstance(record, dict) for record in whole):
        yield from enumerate(whole, start=1)
    else:
        raise InvalidInputError(
            f"{path.name} holds neither a list of objects nor a map of shoppers to lists."
        )


def _line_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = _text(line, path.name, number).strip()
            if not text:
                continue
            record = _parsed(text, path.name, number)
            if not isinstance(record, dict):
                raise InvalidInputError(
                    f"{path.name}, line {number}: holds {text[:40]!r}, not an object with named "
                    "values."
                )
            yield number, record


def _map_records(whole: dict[str, Any], file: str) -> Iterator[dict[str, Any]]:
    if whole and all(isinstance(entries, dict) for entries in whole.values()):
        yield from _object_records(whole)
        return
    for key, entries in whole.items():
        if not isinstance(entries, list):
            raise InvalidInputError(
                f"{file}: {key!r} maps to {str(entries)[:40]!r}; a map has a list for each key, or "
                "an object for each."
            )
        for position, entry in enumerate(entries):
            record = entry if isinstance(entry, dict) else {VALUE: entry}
            yield {KEY: key, POSITION: position, **record}


def _object_records(whole: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Objects of a map: each a record with its key, or a record for each list inside."""
    plain = all(isinstance(part, list) for parts in whole.values() for part in parts.values())
    for key, parts in whole.items():
        if plain:
            yield from ({KEY: key, INNER: inner, VALUE: part} for inner, part in parts.items())
        else:
            yield {KEY: key, **parts}


def _text(data: bytes, file: str, line: int | None) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{_place(file, line)}: not UTF-8 ({error.reason}).") from error


def _parsed(text: str, file: str, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{_place(file, line)}: not JSON ({error}).") from error


def _place(file: str, line: int | None) -> str:
    return file if line is None else f"{file}, line {line}"


def _paths(value: Any, prefix: str) -> Iterable[str]:
    """The columns of a value: the paths to whatever is neither a list nor an object."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _paths(part, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list):
        if prefix and _numbers(value):
            yield f"{prefix}.{POSITION}"
        for part in value:
            yield from _paths(part, prefix)
    elif prefix:
        yield prefix


def _numbers(value: list[Any]) -> bool:
    """Whether a list's entries are numbered: lists or objects, not plain values."""
    return any(isinstance(part, list | dict) for part in value)


def _rows(value: Any, prefix: str, wanted: set[str]) -> list[Row]:
    """Every combination of the lists' entries, for the wanted columns below a path."""
    if isinstance(value, list):
        place = f"{prefix}.{POSITION}"
        if place not in wanted or not _numbers(value):
            return [row for part in value for row in _rows(part, prefix, wanted)]
        return [
            {place: str(number)} | row
            for number, part in enumerate(value)
            for row in _rows(part, prefix, wanted)
        ]
    if not isinstance(value, dict):
        return [{prefix: _cell(value)}]
    rows: list[Row] = [{}]
    for name, part in value.items():
        path = f"{prefix}.{name}" if prefix else name
        if any(column == path or column.startswith(f"{path}.") for column in wanted):
            rows = [row | more for row in rows for more in _rows(part, path, wanted)]
    return rows


def _cell(value: Any) -> str:
    """A plain value as CSV would have it; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
