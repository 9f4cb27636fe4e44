"""Foreign files as rows of text: CSV and other text, JSON, Parquet.

All give the same text for the same data, so that everything after them is one path.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from client.importers.json_tables import JSON_SUFFIXES, json_header, json_rows
from client.importers.parquet_tables import parquet_table
from client.importers.text_form import DELIMITERS, TextForm
from client.importers.text_tables import text_table
from crypto.errors import InvalidInputError

Progress = Callable[[int, int], None]
"""Called now and then with how much is done and how much there is (bytes or rows)."""

PARQUET_SUFFIXES = (".parquet", ".pq")
ARCHIVES = (".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".tgz")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A header and its rows; each row with its line in the file (Parquet, JSON: its number)."""

    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def open_table(path: Path, wanted: Iterable[str], *, form: TextForm, progress: Progress) -> Table:
    """Open a file by its suffix; one with another suffix is text if the delimiter is stated.

    Args:
        path: of a text, JSON or Parquet file.
        wanted: column names that will be used; other columns of Parquet and JSON aren't read.
        form: how a text file is written.
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
    if suffix in (*PARQUET_SUFFIXES, *JSON_SUFFIXES):
        _plain_only(path, form)
        if suffix in PARQUET_SUFFIXES:
            header, rows = parquet_table(path, set(wanted), progress)
        else:
            header = json_header(path)
            rows = json_rows(path, header, set(wanted), progress)
    elif suffix in DELIMITERS or form.delimiter is not None:
        header, rows = text_table(path, form, progress)
    elif suffix in ARCHIVES:
        raise InvalidInputError(f"{path.name} is an archive: unpack it first.")
    else:
        known = (*DELIMITERS, *JSON_SUFFIXES, *PARQUET_SUFFIXES)
        raise InvalidInputError(
            f"{path.name} ends in none of {', '.join(known)}: if it is text, say with --delimiter "
            "what stands between its fields; else convert it to CSV, JSON or Parquet."
        )
    return Table(header=header, rows=rows)


def _plain_only(path: Path, form: TextForm) -> None:
    if form != TextForm(encoding=form.encoding):
        raise InvalidInputError(
            f"{path.name} is JSON or Parquet, which name their values: a delimiter or a missing "
            "header belongs to a text file."
        )
