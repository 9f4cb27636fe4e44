"""Foreign files as rows of text: CSV and JSON by the standard library, Parquet by pyarrow.

All give the same text for the same data, so that everything after them is one path.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.importers.json_tables import JSON_SUFFIXES, json_header, json_rows
from crypto.errors import FedcartError, InvalidInputError

Progress = Callable[[int, int], None]
"""Called now and then with how much is done and how much there is (bytes or rows)."""

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
_BATCH_ROWS = 65_536
_PROGRESS_LINES = 8_192


@dataclass(frozen=True, kw_only=True)
class Table:
    """A header and its rows; each row with its line in the file (Parquet, JSON: its number)."""

    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def open_table(
    path: Path, wanted: Iterable[str], *, delimiter: str | None, progress: Progress
) -> Table:
    """Open a file by its suffix.

    Args:
        path: of a CSV, JSON or Parquet file.
        wanted: column names that will be used; other columns of Parquet and JSON aren't read.
        delimiter: of a CSV file; None for a comma, or a tab where the suffix is .tsv.
        progress: told how far reading is.

    Raises:
        InvalidInputError: no such file, another suffix, or not what the suffix says.
        FedcartError: a Parquet file, but pyarrow is not installed.
    """
    if not path.is_file():
        raise InvalidInputError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise InvalidInputError(f"{path.name} is empty: it has not even a header.")
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        return _parquet(path, set(wanted), progress)
    if suffix in CSV_SUFFIXES:
        return _csv(path, delimiter or ("\t" if suffix == ".tsv" else ","), progress)
    if suffix in JSON_SUFFIXES:
        header = json_header(path)
        return Table(header=header, rows=json_rows(path, header, set(wanted), progress))
    known = (*CSV_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES)
    raise InvalidInputError(
        f"{path.name} ends in none of {', '.join(known)}: convert it to CSV, JSON or Parquet."
    )


def _csv(path: Path, delimiter: str, progress: Progress) -> Table:
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise InvalidInputError(f"A delimiter is one character such as ';', not {delimiter!r}.")
    rows = _csv_rows(path, delimiter, progress)
    _, header = next(rows, (0, []))
    if not header:
        raise InvalidInputError(f"{path.name} is empty: it has not even a header.")
    return Table(header=tuple(name.strip() for name in header), rows=rows)


def _csv_rows(path: Path, delimiter: str, progress: Progress) -> Iterator[tuple[int, list[str]]]:
    """Rows that aren't blank, with the line that each begins on."""
    reader = csv.reader(_lines(path, progress), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInputError(
            f"{path.name}, line {begin}: not well-formed CSV ({error}); look for an unclosed quote."
        ) from error


def _lines(path: Path, progress: Progress) -> Iterator[str]:
    """Decoded lines, each checked alone so that an error can name its line."""
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield _decoded(line, number, path.name)
            done += len(line)
            if number % _PROGRESS_LINES == 0:
                progress(done, total)
    progress(total, total)


def _decoded(line: bytes, number: int, file: str) -> str:
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInputError(f"{file} is UTF-16; save it as UTF-8.")
    if b"\0" in line:
        raise InvalidInputError(f"{file}, line {number}: has a NUL byte, so this is not CSV text.")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{file}, line {number}: byte 0x{line[error.start]:02x} at position {error.start + 1} "
            "is not UTF-8; save the file as UTF-8."
        ) from error


def _parquet(path: Path, wanted: set[str], progress: Progress) -> Table:
    try:
        import pyarrow as pa  # noqa: PLC0415 - a device that imports CSV needs no pyarrow
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise FedcartError(
            "Reading Parquet needs pyarrow: pip install 'fedcart[store]', or convert to CSV."
        ) from None
    try:
        schema = pq.read_schema(path)
    except pa.ArrowException as error:
        raise InvalidInputError(f"{path.name} is not a Parquet file ({error}).") from error
    read = [name for name in schema.names if name in wanted]
    return Table(header=tuple(schema.names), rows=_parquet_rows(path, read, schema.names, progress))


def _parquet_rows(
    path: Path, read: list[str], names: list[str], progress: Progress
) -> Iterator[tuple[int, list[str]]]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    done = 0
    try:
        with pq.ParquetFile(path) as file:
            total = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=read):
                unread = [""] * len(batch)
                columns = [_texts(batch, n, path.name) if n in read else unread for n in names]
                rows = map(list, zip(*columns, strict=True))
                yield from enumerate(rows, start=done + 1)
                done += len(batch)
                progress(done, total)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path.name} is a damaged Parquet file ({error}).") from error


def _texts(batch: Any, name: str, file: str) -> list[str]:
    """A Parquet column as the text that CSV would have; empty for null and NaN."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    column = batch.column(name)
    try:
        if pa.types.is_timestamp(column.type):
            column = pc.local_timestamp(column) if column.type.tz else column
            column = column.cast(pa.timestamp("s"), safe=False)
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        return list(pc.fill_null(column.cast(pa.string()), "").to_pylist())
    except pa.ArrowException as error:
        raise InvalidInputError(
            f"{file}: column {name!r} of type {column.type} can't be read as text ({error})."
        ) from error
