"""A shopper's copy of what a client has about her: one zip file that stays with the client."""

import csv
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from client.breadth import read_breadth
from client.events import EventStore
from client.home import ClientHome
from client.impressions import read_impressions
from client.register import joined_rounds
from client.statements import read_statements
from consent.events import Events
from consent.receipt import moment
from consent.rights.archive import guarded

_COLUMNS: Final = ("time", "basket", "item", "quantity", "price", "store")
_CUT_OFF: Final = ".draft-"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content is the same file


def export_path(home: ClientHome, name: str) -> Path:
    """Where the export of this name lies."""
    return home.exports / f"{name}.zip"


def write_export(home: ClientHome, shopper: str, name: str, *, at: int, held: list[str]) -> int:
    """Write everything that a client has about a shopper, wholly or not at all.

    The file is only its owner's. One that is there already is left as it is.

    Args:
        home: the client.
        shopper: her name in the event store.
        name: of the export.
        at: when it is made, Unix milliseconds.
        held: what the client was told not to use.

    Returns:
        How many purchase lines are in it.

    Raises:
        OSError: the disk refused.
    """
    path = export_path(home, name)
    if path.exists():
        with zipfile.ZipFile(path) as made:
            return int(json.loads(made.read("manifest.json"))["lines"])
    events = _events(home, shopper)
    home.exports.mkdir(mode=0o700, exist_ok=True)
    with _draft(home, home.shoppers[shopper]) as (draft, file):
        _write(file, _files(home, shopper, events, held), _about(home, shopper, events, at))
        file.flush()
        os.fsync(file.fileno())
        draft.rename(path)
    return len(events)


def exports_of(home: ClientHome, identifier: str) -> list[Path]:
    """Every export of a shopper, those that were cut off too."""
    whole = home.exports.glob(f"{identifier}-*.zip")
    return [*whole, *home.exports.glob(f"{_CUT_OFF}{identifier}-*")]


@contextmanager
def _draft(home: ClientHome, identifier: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A file that only its owner reads and that says whose data it is; gone if the block fails."""
    prefix = f"{_CUT_OFF}{identifier}-"
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=home.exports)  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield draft, file
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _events(home: ClientHome, shopper: str) -> Events:
    if not home.events.exists():
        return Events.empty()
    with EventStore.open(home.events) as store:
        return store.of(shopper)


def _files(home: ClientHome, shopper: str, events: Events, held: list[str]) -> dict[str, bytes]:
    rounds = [
        {"task": task, "round": round_id, "epsilon": epsilon}
        for task, round_id, epsilon in joined_rounds(home.register)
    ]
    lines = _lines(events)
    identifier = home.shoppers[shopper]
    stated = read_statements(home, identifier)
    shown = [each.to_json() for each in read_impressions(home, identifier)]
    return {
        "statements.json": _json({} if stated is None else stated.to_json()),
        "shown.json": _json({"discovery": read_breadth(home, identifier), "lists": shown}),
        "purchases.json": _json(lines),
        "purchases.csv": _csv(lines),
        "rounds.json": _json(rounds),
        "not-to-be-used.json": _json(held),
        "client.json": _json(
            {
                "client": home.client_id,
                "kind": home.kind,
                "shopper": identifier,
                "federation": home.trust.population,
                "consent_service": home.trust.consent_url,
            }
        ),
    }


def _about(home: ClientHome, shopper: str, events: Events, at: int) -> dict[str, Any]:
    return {
        "format": "fedcart client export 1",
        "made_at": moment(at),
        "shopper": home.shoppers[shopper],
        "lines": len(events),
        "times": "Unix seconds; the shop's local time read as UTC",
        "not_here": "Choices, receipts, the diary and points are at the consent service.",
    }


def _lines(events: Events) -> list[dict[str, Any]]:
    columns = [getattr(events, name).tolist() for name in _COLUMNS]
    lines = [dict(zip(_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]
    for line in lines:
        line["price"] = None if np.isnan(line["price"]) else line["price"]
    return lines


def _write(file: BinaryIO, files: Mapping[str, bytes], about: dict[str, Any]) -> None:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in {"manifest.json": _json({**about, "sha256": hashes}), **files}.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            made.writestr(entry, data)


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _csv(lines: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for line in lines:
        texts = {name: guarded(value) for name, value in line.items() if isinstance(value, str)}
        writer.writerow({**line, **texts})
    return text.getvalue().encode()
