"""Taking a shopper's purchases into her device: one file, hers alone, wholly or not at all."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from client.events import EventStore
from client.home import ClientHome
from client.importers.columns import Columns
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.text_form import TextForm
from client.importers.times import Clock
from consent.events import Events
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What an import came to.

    Attributes:
        lines: how many there are now, over ``baskets`` baskets.
        unlisted: lines whose item the retailer's list doesn't name; no task or list uses them.
        replaced: lines of an earlier import that these took the place of.
        skipped: bad lines left out, and ``problems``: what was wrong with the first of them.
    """

    lines: int
    baskets: int
    unlisted: int
    replaced: int
    skipped: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {**vars(self), "problems": list(self.problems)}


def import_purchases(
    home: ClientHome,
    file: Path,
    columns: Columns,
    *,
    form: TextForm | None = None,
    skip_bad: bool = False,
) -> Intake:
    """Replace what the device knows by the lines of a file; an import that fails changes nothing.

    Raises:
        InvalidInputError: the file is not what it must be, holds several shoppers or times that
            are no dates, or the device was forgotten.
        FedcartError: the disk refused.
    """
    shopper, _ = home.shopper, home.token
    if columns.clock is not Clock.WALL:
        raise InvalidInputError(
            "A device keeps dates: rhythms and seasons are read from them, and a day or visit "
            f"number ({columns.time_format or 'no time'}) has none."
        )
    source = Source(files=(file,), form=form or TextForm())
    found = read_purchases(source, columns, skip_bad=skip_bad)
    events = _owned(found, shopper, file)
    replaced = _keep(home.events, events)
    listed = home.trust.load_catalogue().indices(events.item)
    return Intake(
        lines=len(events),
        baskets=len(set(events.basket)),
        unlisted=int(np.sum(listed < 0)),
        replaced=replaced,
        skipped=found.skipped,
        problems=found.problems,
    )


def _owned(found: Purchases, shopper: str, file: Path) -> Events:
    """The lines under the device's own name for its shopper, if they are one shopper's."""
    events = found.events
    owners = len(set(events.shopper))
    if owners != 1:
        raise InvalidInputError(
            f"{file.name} holds {owners} shoppers; a device stands for one. Give it the lines of "
            "its own shopper only; nothing was imported."
        )
    return replace(events, shopper=np.full(len(events), shopper, dtype=object))


def _keep(path: Path, events: Events) -> int:
    """Replace the store's lines, or make the store; returns how many lines were replaced."""
    if path.exists():
        with EventStore.open(path) as store:
            return store.replace(events)
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        with EventStore.create(draft) as store:
            store.append(events)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return 0
