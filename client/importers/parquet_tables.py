"""Parquet as rows of text: the text that CSV would have for the same values."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crypto.errors import FedcartError, InvalidInputError

Rows = Iterator[tuple[int, list[str]]]

_BATCH_ROWS = 65_536


def parquet_table(
    path: Path, wanted: set[str], progress: Callable[[int, int], None]
) -> tuple[tuple[str, ...], Rows]:
    """Header and rows of a Parquet file, each row with its number; unwanted columns are empty.

    Raises:
        InvalidInputError: not a Parquet file; while the rows are read, also damage and columns
            that have no text.
        FedcartError: pyarrow is not installed.
    """
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
    return tuple(schema.names), _rows(path, read, schema.names, progress)


def _rows(
    path: Path, read: list[str], names: list[str], progress: Callable[[int, int], None]
) -> Rows:
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
    """A column as the text that CSV would have; empty for null and NaN."""
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
