"""Taking purchases into a store's silo, step by step: every line once, whenever it is repeated.

Only lines of shoppers whom the store stands for are kept, and of nobody who told it to stop,
restrict or erase. For each shopper the silo knows up to which moment her lines are here; an import
adds what is later, in one transaction with the new moment. What tills post late counts as long as
it arrives within the settling time; earlier lines are never read again, so what was corrected or
erased here stays so.

One import runs at a time. An erasure may come meanwhile: it holds the shopper before it deletes, so
an import that has just added her lines finds the hold and deletes them itself.
"""

import datetime as dt
import fcntl
import time as clocks
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from client.events import EventStore
from client.holds import Holds
from client.home import ClientHome
from client.importers.columns import Columns
from client.importers.lines import Lines
from client.importers.problems import Problems
from client.importers.tables import Table
from client.importers.times import DAY_SECONDS, Clock, time_parser
from client.importers.visits import name_baskets, ranks
from client.store.till import Window
from consent.events import Events, StringArray
from crypto.errors import FedcartError, InvalidInputError

SETTLE_S: Final = 3_600
# A shop's clock may be ahead of the world's by its zone. What is later than that is a mistake, and
# one such line would have every later one taken for known.
_AHEAD_S: Final = DAY_SECONDS
_MOST_MOMENTS: Final = 300_000
# Opens the purchases, as text, of a window.
Opener = Callable[[Window], AbstractContextManager[Table]]


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What an import came to, in lines.

    Attributes:
        added: new here, of ``shoppers`` shoppers.
        known: from a time up to which her lines were taken in before.
        waiting: too young: they are taken in once the settling time is over.
        strangers: of nobody whom the store stands for; not kept.
        held: of shoppers of whom nothing may be used; not kept.
        ignored: whose item stands for none, as stated.
        unlisted: of ``added``, whose item the retailer's list doesn't name; nothing uses them.
        skipped: bad lines left out, and ``problems``: what was wrong with the first of them.
        until: up to which moment everything is here now (Unix seconds, exclusive).
    """

    added: int
    shoppers: int
    known: int
    waiting: int
    strangers: int
    held: int
    ignored: int
    unlisted: int
    skipped: int
    until: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {**vars(self), "problems": list(self.problems)}


def take_in(  # one parameter a choice of the operator
    home: ClientHome,
    source: Opener,
    columns: Columns,
    *,
    name: str,
    settle: int = SETTLE_S,
    skip_bad: bool = False,
    dry_run: bool = False,
    clock: Callable[[], float] = clocks.time,
) -> Arrived:
    """Add what is new; an import that fails or is cut off changes nothing.

    Args:
        home: the store's.
        source: where lines come from.
        columns: which column plays which part; times are those of the shop's clock.
        name: of the source, in messages.
        settle: seconds before the latest line of the source from which lines wait for the next
            import, for tills that post late; 0 takes everything.
        skip_bad: leave bad lines out and count them, instead of failing.
        dry_run: read and count, but keep nothing.
        clock: gives Unix seconds; lines of members more than a day after it are bad.

    Raises:
        InvalidInputError: the store stands for nobody, there is no column of times, or the source
            or some lines are not what they must be.
        ConsentError: what shoppers told the store can't be read.
        FedcartError: another import runs, or the disk refused.
    """
    if columns.time is None or columns.clock is not Clock.WALL:
        raise InvalidInputError("A store imports by time: name a column of dates or Unix seconds.")
    if not home.shoppers:
        raise InvalidInputError(f"{home.path} stands for nobody yet: fedcart store enrol.")
    with _alone(home):
        marks = _marks(home.events)
        sieve = _Sieve(
            home=home,
            holds=Holds.load(home),
            columns=columns,
            marks=marks,
            problems=Problems(name, skip=skip_bad),
            end=int(clock()) + _AHEAD_S,
        )
        lines = Lines(columns)
        with source(sieve.window) as table:
            lines.read(sieve.sift(table, name), table.header, sieve.problems)
        sieve.problems.raise_if_any()
        until = max(sieve.latest + 1 - settle, 0)
        events = _events(lines)
        settled = events.take(events.time < until)
        if not dry_run:
            reached = {each: max(until, marks.get(each, 0)) for each in sieve.usable}
            _keep(home, settled, reached)
    listed = home.trust.load_catalogue().indices(settled.item)
    problems = sieve.problems
    return Arrived(
        added=len(settled),
        shoppers=len(set(settled.shopper)),
        known=sieve.known,
        waiting=len(events) - len(settled),
        strangers=sieve.strangers,
        held=sieve.held,
        ignored=lines.ignored,
        unlisted=int(np.sum(listed < 0)),
        skipped=problems.lines,
        until=until,
        problems=problems.first(),
    )


@dataclass(kw_only=True)
class _Sieve:
    """Lets through lines of shoppers who may be kept, from the moment they are not here yet.

    Lines from ``end`` (Unix seconds) on are mistakes: they move nobody's mark.
    """

    home: ClientHome
    holds: Holds
    columns: Columns
    marks: Mapping[str, int]
    problems: Problems
    end: int
    latest: int = 0
    known: int = 0
    strangers: int = 0
    held: int = 0
    _moments: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.usable = frozenset(n for n in self.home.shoppers if self.holds.refusal(n) is None)

    @property
    def window(self) -> Window:
        reached = [self.marks[name] for name in self.usable if name in self.marks]
        newcomers = tuple(sorted(self.usable - self.marks.keys()))
        return Window(since=min(reached, default=None), newcomers=newcomers)

    def sift(self, table: Table, name: str) -> Iterator[tuple[int, list[str]]]:
        places = self.columns.locate(table.header, file=name)
        who, when = places["shopper"], places["time"]
        parse, width = time_parser(self.columns.time_format), len(table.header)
        for line, row in table.rows:
            if len(row) != width:
                yield line, row
                continue
            moment = self._moment(row[when], parse)
            later = moment is not None and moment >= self.end
            if not later:
                self.latest = max(self.latest, moment or 0)
            if not self._wanted(row[who].strip(), moment):
                continue
            if later:
                expected = f"a time before {_day(self.end)}: is the till's clock right?"
                self.problems.value(line, self.columns.time or "", row[when], expected)
            else:
                yield line, row

    def _wanted(self, shopper: str, moment: int | None) -> bool:
        """Whether a line goes on; one whose time can't be read does, to be reported."""
        if shopper not in self.home.shoppers:
            self.strangers += 1
        elif shopper not in self.usable:
            self.held += 1
        elif moment is not None and moment < self.marks.get(shopper, 0):
            self.known += 1
        else:
            return True
        return False

    def _moment(self, text: str, parse: Callable[[str], int]) -> int | None:
        known = self._moments.get(text)
        if known is None:
            try:
                known = parse(text)
            except ValueError:
                return None
            if len(self._moments) < _MOST_MOMENTS:
                self._moments[text] = known
        return known


def _events(lines: Lines) -> Events:
    size = len(lines)
    shoppers, items = lines.values("shopper") or [], lines.values("item") or []
    time = np.array(lines.values("time") or [], dtype=np.int64)
    # A given id stays as it is: a visit may come in two imports, and ids count within a shopper.
    baskets = lines.values("basket") or name_baskets(shoppers, time, None, Clock.WALL)
    quantity, price = lines.values("quantity"), lines.values("price")
    events = Events(
        shopper=_texts(shoppers),
        time=time,
        basket=_texts(baskets),
        item=_texts(items),
        quantity=np.ones(size) if quantity is None else _numbers(quantity),
        price=np.full(size, np.nan) if price is None else _numbers(price),
        store=_texts(lines.values("store") or [""] * size),
    )
    return events.take(np.lexsort((events.time, ranks(shoppers))))


def _texts(values: list[str]) -> StringArray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _numbers(values: list[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _marks(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    with EventStore.open(path) as store:
        return store.taken_until()


def _keep(home: ClientHome, events: Events, until: Mapping[str, int]) -> None:
    if not home.events.exists():
        EventStore.create(home.events).close()
    with EventStore.open(home.events) as store:
        store.append(events, until=until)
        holds = Holds.load(home)  # as they are after the lines came in
        erased = [name for name in store.shoppers() if holds.erased(name)]
        for name in erased:
            store.forget(name)
        if erased:
            store.compact()


@contextmanager
def _alone(home: ClientHome) -> Iterator[None]:
    """No other import of this store runs meanwhile: it would add the same lines once more.

    Raises:
        FedcartError: one does.
    """
    with (home.path / ".import.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FedcartError(
                f"Another import into {home.path} is running; this one can be repeated after it."
            ) from None
        yield


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
