"""A population on disk: a directory of events.parquet, catalogue.json and dataset.json."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from client.importers.times import Clock
from consent.events import Events, StringArray
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from crypto.wire import canonical, digest, parse_object
from simulations.population.arrow import texts
from simulations.population.directory import new_directory
from simulations.population.population import Population

VERSION = 1
EVENTS, CATALOGUE, DATASET = "events.parquet", "catalogue.json", "dataset.json"
FILES = frozenset({EVENTS, CATALOGUE, DATASET})
_TEXT = ("shopper", "basket", "item", "store")
_TYPES = {
    "shopper": pa.string(),
    "time": pa.int64(),
    "basket": pa.string(),
    "item": pa.string(),
    "quantity": pa.float64(),
    "price": pa.float64(),
    "store": pa.string(),
}


def population_hash(population: Population) -> str:
    """Hex SHA-256 of events, catalogue and attributes: the same for the same data from any file.

    Name, note, clock, clients and groups don't enter it.
    """
    events = population.events
    text = chain.from_iterable(_text_fields(getattr(events, name)) for name in _TEXT)
    numbers = (events.time.astype("<i8"), events.quantity.astype("<f8"), events.price.astype("<f8"))
    content = population.catalogue
    catalogue = [canonical([content.items, content.categories, content.departments])]
    catalogue.append(canonical(dict(content.products)))
    if content.attributes:
        catalogue.append(canonical(dict(content.attributes)))
    return digest("dataset", *text, *(part.tobytes() for part in numbers), *catalogue).hex()


def _text_fields(column: StringArray) -> tuple[bytes, bytes]:
    """Lengths and characters: together they leave no doubt where a text ends."""
    lengths = np.fromiter(map(len, column), np.int64, len(column))
    return lengths.astype("<i8").tobytes(), "".join(column).encode()


def save_population(
    population: Population,
    directory: Path,
    *,
    columns: Mapping[str, str] | None = None,
    force: bool = False,
) -> str:
    """Write a population as a directory, whole or not at all.

    Args:
        population: what to write.
        directory: made by this call; missing parents are made too.
        columns: the foreign file's column of each part, for the record.
        force: replace an older data set there.

    Returns:
        The population's hash.

    Raises:
        InvalidInputError: the directory is not empty and may not be replaced.
        OSError: the disk refused; nothing is left behind.
    """
    value = population_hash(population)
    with new_directory(directory, force=force, owned=FILES) as folder:
        _write_events(population.events, folder / EVENTS)
        (folder / CATALOGUE).write_bytes(population.catalogue.to_bytes())
        (folder / DATASET).write_bytes(canonical(_record(population, value, columns or {})))
    return value


def _write_events(events: Events, path: Path) -> None:
    arrays = {name: pa.array(getattr(events, name), kind) for name, kind in _TYPES.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")


def _record(population: Population, value: str, columns: Mapping[str, str]) -> dict[str, Any]:
    events = population.events
    return {
        "version": VERSION,
        "name": population.name,
        "note": population.note,
        "hash": value,
        "clock": str(population.clock),
        "columns": dict(columns),
        "counts": {
            "shoppers": len(population.shoppers),
            "items": len(population.catalogue),
            "baskets": len(set(events.basket)),
            "lines": len(events),
        },
        "stores": {store: list(shoppers) for store, shoppers in population.stores.items()},
        "groups": {shopper: dict(labels) for shopper, labels in population.groups.items()},
    }


def load_population(directory: Path) -> Population:
    """Read what ``save_population`` wrote.

    Raises:
        InvalidInputError: not a data set, of an unknown version, damaged or altered.
    """
    missing = sorted(name for name in FILES if not (directory / name).is_file())
    if missing:
        raise InvalidInputError(
            f"{directory} is not a data set: it has no {', '.join(missing)}. "
            "Make one with: fedcart data import."
        )
    record = parse_object((directory / DATASET).read_bytes(), what=DATASET)
    if record.get("version") != VERSION:
        raise InvalidInputError(
            f"{directory} is a data set of version {record.get('version')!r}; this release reads "
            f"version {VERSION}. Import the purchases anew."
        )
    catalogue = Catalogue.from_bytes((directory / CATALOGUE).read_bytes())
    events = _read_events(directory / EVENTS)
    population = _population(record, catalogue, events)
    if population_hash(population) != record.get("hash"):
        raise InvalidInputError(
            f"{directory}: the files don't have the hash in {DATASET}; they were altered or are "
            "damaged. Import the purchases anew."
        )
    return population


def _read_events(path: Path) -> Events:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path} is not a readable Parquet file ({error}).") from error
    types = {column.name: column.type for column in table.schema}
    if types != _TYPES or any(column.null_count for column in table.columns):
        raise InvalidInputError(f"{path}: expected the columns {', '.join(_TYPES)} without nulls.")
    return Events(
        shopper=texts(table["shopper"]),
        time=_numbers(table["time"]),
        basket=texts(table["basket"]),
        item=texts(table["item"]),
        quantity=_numbers(table["quantity"]),
        price=_numbers(table["price"]),
        store=texts(table["store"]),
    )


def _numbers(column: Any) -> Any:
    return column.to_numpy().copy()


def _population(record: dict[str, Any], catalogue: Catalogue, events: Events) -> Population:
    shoppers = set(events.shopper)
    stores = _members(record.get("stores"))
    inside = [shopper for members in stores.values() for shopper in members]
    if len(set(inside)) != len(inside) or not shoppers.issuperset(inside):
        raise InvalidInputError(f"{DATASET}: a shopper of a store is unknown or in two stores.")
    return Population(
        name=str(record.get("name")),
        note=str(record.get("note")),
        catalogue=catalogue,
        events=events,
        stores=stores,
        devices=tuple(sorted(shoppers.difference(inside))),
        groups=_labels(record.get("groups")),
        clock=_clock(record.get("clock", Clock.WALL)),
    )


def _clock(value: object) -> Clock:
    """What the times are worth; a record that doesn't say is older than the question."""
    try:
        return Clock(str(value))
    except ValueError:
        raise InvalidInputError(
            f"{DATASET}: 'clock' is {value!r}; expected one of {', '.join(Clock)}."
        ) from None


def _members(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not all(isinstance(part, list) for part in value.values()):
        raise InvalidInputError(f"{DATASET}: 'stores' maps stores to lists of shoppers.")
    return {store: tuple(map(str, shoppers)) for store, shoppers in value.items()}


def _labels(value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise InvalidInputError(f"{DATASET}: 'groups' maps shoppers to their labels.")
    return {shopper: {k: str(v) for k, v in labels.items()} for shopper, labels in value.items()}
