"""What this device has shown its shopper and when, with the probabilities of what was drawn.

It is what repeat fatigue and ``client/outcomes`` read. It stays on the device: nothing sends it, a
stop or an erasure deletes it, and an export holds it. Whatever is older than ``KEEP_DAYS`` is
dropped as soon as a newer list is written.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from client.home import ClientHome
from client.recommender.discovery import Shown, Slot
from consent.admit import ConsentedEvents
from consent.purpose import Purpose
from consent.tasks.catalogue import Catalogue
from crypto.errors import ConsentError, InvalidInputError, WireError
from crypto.secret_file import read_secret, write_secret
from crypto.wire import get_float, get_int, get_str, parse_object

KEEP_DAYS: Final = 180
MOST_LISTS: Final = 1000
# A list that is made again within this time is the same one, looked at again.
SAME_SECONDS: Final = 3600
_DAY_SECONDS: Final = 86_400
_FILE: Final = "impressions.json"
_LATEST: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class Impression:
    """One item as it was shown.

    Attributes:
        item: its id in the item list.
        slot, propensity, rank, candidates: as in ``Shown``.
    """

    item: str
    slot: Slot
    propensity: float
    rank: int
    candidates: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read one; WireError where it is none."""
        if not isinstance(value, dict):
            raise WireError("Expected an object.")
        slot = get_str(value, "slot")
        if slot not in set(Slot):
            raise WireError(f"Unknown slot {slot!r}.")
        return cls(
            item=get_str(value, "item", max_length=4096),
            slot=Slot(slot),
            propensity=get_float(value, "propensity", low=0.0, high=1.0),
            rank=get_int(value, "rank", low=0, high=_LATEST),
            candidates=get_int(value, "candidates", low=0, high=_LATEST),
        )


@dataclass(frozen=True, kw_only=True)
class Showing:
    """One list with its zone.

    Attributes:
        time: when, in seconds as the device's purchases count them.
        items: in the order in which they stood.
    """

    time: int
    items: tuple[Impression, ...]

    def to_json(self) -> dict[str, Any]:
        """Both fields."""
        return {"time": self.time, "items": [asdict(each) for each in self.items]}

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read one; WireError where it is none."""
        if not isinstance(value, dict) or not isinstance(value.get("items"), list):
            raise WireError("Expected a time and items.")
        return cls(
            time=get_int(value, "time", low=0, high=_LATEST),
            items=tuple(map(Impression.parse, value["items"])),
        )


def remember(
    home: ClientHome,
    identifier: str,
    events: ConsentedEvents,
    shown: Sequence[Shown],
    *,
    catalogue: Catalogue,
    at: int,
) -> None:
    """Note what was shown; an empty list is not noted.

    A list within ``SAME_SECONDS`` after the last one replaces it, so that reloading a page wears
    nothing out.

    Args:
        home: the device.
        identifier: the shopper's id.
        events: the consented events that the list was made from.
        shown: the list and its zone.
        catalogue: names the items.
        at: when, in seconds.

    Raises:
        ConsentError: the events were not granted for personalising; nothing is written.
        InvalidInputError: what is there is damaged.
    """
    if events.purpose is not Purpose.PERSONALISE:
        raise ConsentError(
            f"What is shown is noted for {Purpose.PERSONALISE} alone, not for {events.purpose}."
        )
    if not shown:
        return
    made = Showing(time=at, items=tuple(_impression(each, catalogue) for each in shown))
    oldest = at - KEEP_DAYS * _DAY_SECONDS
    kept = [each for each in read_impressions(home, identifier) if each.time >= oldest]
    if kept and 0 <= at - kept[-1].time < SAME_SECONDS:
        kept.pop()
    _write(_path(home, identifier), [*kept, made][-MOST_LISTS:])


def read_impressions(home: ClientHome, identifier: str) -> tuple[Showing, ...]:
    """All that is kept of a shopper, oldest first.

    Raises:
        InvalidInputError: the file is damaged.
    """
    path = _path(home, identifier)
    if not path.exists():
        return ()
    try:
        return _parse(read_secret(path), what=str(path))
    except WireError as error:
        raise InvalidInputError(
            f"{path} is damaged: {error} Delete it; only what was shown is forgotten."
        ) from error


def _parse(data: bytes, *, what: str) -> tuple[Showing, ...]:
    lists = parse_object(data, what=what).get("lists")
    if not isinstance(lists, list):
        raise WireError("Expected lists.")
    return tuple(map(Showing.parse, lists))


def _impression(shown: Shown, catalogue: Catalogue) -> Impression:
    return Impression(
        item=catalogue.items[shown.recommendation.item],
        slot=shown.slot,
        propensity=shown.propensity,
        rank=shown.rank,
        candidates=shown.candidates,
    )


def _path(home: ClientHome, identifier: str) -> Path:
    """Under ``derived``, which erasures and stops empty: it was made from her purchases."""
    return home.derived / identifier / _FILE


def _write(path: Path, lists: Sequence[Showing]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own: a page and a command may note at once, and the later one stays.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.draft")
    body = json.dumps({"lists": [each.to_json() for each in lists]}, ensure_ascii=False)
    try:
        write_secret(draft, body.encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
