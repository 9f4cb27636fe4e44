"""The figures of the impact assessment: counts over every shopper, made beside the requests.

Counting reads every cell and every event there is: seconds, where a million shoppers have a
history. So a job counts once an hour and stores what it found, and whoever reads the assessment
gets the stored figures, with the time at which they were true.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from consent.purpose import Purpose
from consent.service.context import Context
from consent.service.inventory.repository import FigureRepository

EVERY_MS: Final = 60 * 60 * 1000
_SHOPPERS: Final = "shoppers"
_WITHDRAWALS: Final = "withdrawals"
_GIVING: Final = {purpose: f"giving {purpose}" for purpose in Purpose}
_ALL: Final = frozenset({_SHOPPERS, _WITHDRAWALS, *_GIVING.values()})


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counts of one moment, exact: round them before anybody is shown one.

    Attributes:
        counted_at: that moment, in Unix milliseconds.
        shoppers: how many shoppers there were.
        giving: how many of them said yes to something of each purpose.
        withdrawals: how many cells had ever been withdrawn.
    """

    counted_at: int
    shoppers: int
    giving: dict[Purpose, int]
    withdrawals: int


def stored(session: Session) -> Figures | None:
    """The figures as they were counted last; None before the first time."""
    counted_at, counts = FigureRepository(session).stored()
    if not counts.keys() >= _ALL:
        return None  # also where an earlier version knew fewer purposes
    return Figures(
        counted_at=counted_at,
        shoppers=counts[_SHOPPERS],
        giving={purpose: counts[name] for purpose, name in _GIVING.items()},
        withdrawals=counts[_WITHDRAWALS],
    )


def renew(context: Context) -> Figures:
    """Count anew and store the result.

    The write lock is held while a few numbers are stored, not while everything is counted. Several
    processes may count at once: the one that stores last wins, with its own time.
    """
    now = context.now_ms()
    with context.database.reading() as session:
        counting = FigureRepository(session)
        giving = counting.giving(now=now)
        found = Figures(
            counted_at=now,
            shoppers=counting.shoppers(),
            giving={purpose: giving.get(purpose, 0) for purpose in Purpose},
            withdrawals=counting.withdrawals(),
        )
    counts = {name: found.giving[purpose] for purpose, name in _GIVING.items()}
    counts |= {_SHOPPERS: found.shoppers, _WITHDRAWALS: found.withdrawals}
    with context.database.writing() as session:
        FigureRepository(session).store(counts, counted_at=now)
    return found


def renew_if_due(context: Context) -> None:
    """Count anew if that is an hour ago, or the clock says that it is still to come."""
    with context.database.reading() as session:
        known = stored(session)
    if known is None or not 0 <= context.now_ms() - known.counted_at < EVERY_MS:
        renew(context)
