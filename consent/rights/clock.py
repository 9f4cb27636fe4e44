"""When a request must be answered: one clock for each law, by the days of the controller's place.

============ =============================== =========================== =======================
law          confirm receipt by              answer by                   extended once to
============ =============================== =========================== =======================
GDPR         (nothing is set)                one month                   three months in all
CCPA         10 business days, but for an    45 calendar days            90 calendar days in all
             opt-out or a limit
CCPA, for an (nothing is set)                15 business days            never
opt-out or
a limit
============ =============================== =========================== =======================

Every period is counted from the day on which the request arrived, which is not counted itself,
and ends with that last day. Months are calendar months: the period ends on the same date, or on
the month's last day where it has no such date, and one that would end on a Saturday, a Sunday or
a public holiday ends with the next working day.

Where a law leaves room the earlier date counts. A calendar-day period of the CCPA is not moved off
a weekend. A member state that is not configured has no public holidays, only weekends. Whoever
lives "elsewhere" gets the earlier date of both laws.

Sources: GDPR art. 12(3); Regulation (EEC, Euratom) No 1182/71 art. 3(1), (2)(c) and (4); EDPB
Guidelines 01/2022 on the right of access, section 5.3; Cal. Civ. Code §1798.130(a)(2); 11 CCR
§7021, §7026(f), §7027(g).
"""

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from consent.rights.request import RequestError, RequestKind
from crypto.errors import InvalidInputError

GDPR_MONTHS: Final = 1
GDPR_MONTHS_EXTENDED: Final = 3
CCPA_DAYS: Final = 45
CCPA_DAYS_EXTENDED: Final = 90
CCPA_RECEIPT_DAYS: Final = 10
CCPA_OPT_OUT_DAYS: Final = 15
# The European Union, and with it Iceland, Liechtenstein and Norway.
_EEA: Final = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO"
)
MEMBER_STATES: Final = frozenset(_EEA.split())
_SATURDAY: Final = 5
_OPT_OUTS: Final = frozenset({RequestKind.OPT_OUT, RequestKind.LIMIT})
# The CCPA knows no such request; where somebody in California makes one, the GDPR's month counts.
_GDPR_ONLY: Final = frozenset(
    {RequestKind.RESTRICTION, RequestKind.LIFT_RESTRICTION, RequestKind.OBJECTION}
)


class Residence(StrEnum):
    """Where she says she lives. No address is asked for."""

    EEA = "eea"
    CALIFORNIA = "california"
    ELSEWHERE = "elsewhere"


class Law(StrEnum):
    """A law with a clock of its own."""

    GDPR = "gdpr"
    CCPA = "ccpa"


def laws(residence: Residence, kind: RequestKind) -> frozenset[Law]:
    """The laws whose clocks run for a request; of several, the earlier date counts."""
    if residence is Residence.EEA or kind in _GDPR_ONLY:
        return frozenset({Law.GDPR})
    if residence is Residence.CALIFORNIA:
        return frozenset({Law.CCPA})
    return frozenset(Law)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The controller's place: her time zone, and the member state whose public holidays count.

    Attributes:
        zone: the name of an IANA time zone.
        member_state: the ISO 3166 code of a state of the EEA; empty if there is none.
    """

    zone: str = "UTC"
    member_state: str = ""
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.member_state and self.member_state not in MEMBER_STATES:
            raise InvalidInputError(
                f"Expected member_state={self.member_state[:8]!r} as the code of a state of the "
                "EEA, such as DE."
            )
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InvalidInputError(
                f"Expected zone={self.zone[:32]!r} as the name of a time zone, such as "
                "Europe/Berlin."
            ) from error

    def day(self, at: int) -> date:
        """The day that it is here at a time in Unix milliseconds."""
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zone).date()

    def end(self, day: date) -> int:
        """When a day is over here, Unix milliseconds."""
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=self._zone)
        return round(midnight.timestamp() * 1000)

    def is_working_day(self, day: date) -> bool:
        """Neither weekend nor a public holiday of the member state."""
        if day.weekday() >= _SATURDAY:
            return False
        if not self.member_state:
            return True
        return day not in holidays.country_holidays(self.member_state, years=day.year)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The days of one request. All of them are days of the controller's place, the last included.

    Attributes:
        started: the day on which it arrived.
        acknowledge_by: by when its receipt is confirmed; None where no law sets a day.
        due: by when it is answered.
        longest: by when it is answered if it was extended; None where no law allows that.
        extended_until: ``longest`` once it was extended.
        reason: why it was, as she was told.
    """

    started: date
    acknowledge_by: date | None
    due: date
    longest: date | None
    extended_until: date | None = None
    reason: str = ""

    @property
    def ends(self) -> date:
        """The last day on which the answer is in time."""
        return self.extended_until or self.due

    def extended(self, today: date, reason: str) -> "Clock":
        """The clock after its one extension, of which she is told in the first period.

        Raises:
            RequestError: no extension is allowed, it was used, the first period is over, or there
                is no reason.
        """
        if self.longest is None:
            raise RequestError("A request of this kind can't be extended.")
        if self.extended_until is not None:
            raise RequestError("This request was extended before; a second time is not allowed.")
        if today > self.due:
            raise RequestError(
                f"An extension is told to her by {self.due}, which is over; answer the request."
            )
        if not reason.strip():
            raise RequestError("An extension has a reason, which she is told.")
        return Clock(
            started=self.started,
            acknowledge_by=self.acknowledge_by,
            due=self.due,
            longest=self.longest,
            extended_until=self.longest,
            reason=reason,
        )


def start(kind: RequestKind, residence: Residence, received: int, place: Calendar) -> Clock:
    """The clock of a request that arrived at ``received`` (Unix milliseconds).

    Guarantee: no date is later than any of the applicable laws allows.
    """
    day = place.day(received)
    clocks = [_CLOCKS[law](kind, day, place) for law in sorted(laws(residence, kind))]
    longest = [clock.longest for clock in clocks]
    return Clock(
        started=day,
        acknowledge_by=min(
            (clock.acknowledge_by for clock in clocks if clock.acknowledge_by), default=None
        ),
        due=min(clock.due for clock in clocks),
        longest=None if None in longest else min(end for end in longest if end),
    )


def after_months(day: date, months: int, place: Calendar) -> date:
    """The last day of a period of calendar months from an event (Reg. 1182/71 art. 3)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    end = date(year, month + 1, min(day.day, last))
    while not place.is_working_day(end):
        end += timedelta(days=1)
    return end


def after_business_days(day: date, count: int) -> date:
    """The last of some business days after an event: no weekends, no holidays of California."""
    end = day
    while count:
        end += timedelta(days=1)
        if end.weekday() < _SATURDAY and end not in holidays.country_holidays(
            "US", subdiv="CA", years=end.year
        ):
            count -= 1
    return end


def _gdpr(_kind: RequestKind, day: date, place: Calendar) -> Clock:
    return Clock(
        started=day,
        acknowledge_by=None,
        due=after_months(day, GDPR_MONTHS, place),
        longest=after_months(day, GDPR_MONTHS_EXTENDED, place),
    )


def _ccpa(kind: RequestKind, day: date, _place: Calendar) -> Clock:
    if kind in _OPT_OUTS:
        return Clock(
            started=day,
            acknowledge_by=None,
            due=after_business_days(day, CCPA_OPT_OUT_DAYS),
            longest=None,
        )
    return Clock(
        started=day,
        acknowledge_by=after_business_days(day, CCPA_RECEIPT_DAYS),
        due=day + timedelta(days=CCPA_DAYS),
        longest=day + timedelta(days=CCPA_DAYS_EXTENDED),
    )


_CLOCKS: Final = {Law.GDPR: _gdpr, Law.CCPA: _ccpa}
