"""How long the service keeps what, why, and when the time begins: the retention schedule.

Every class of records has a default, a source, and bounds within which an operator may set her own
period. ``KEPT`` names what no clock ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from crypto.errors import InvalidInputError
from crypto.wire import get_int

DAY_MS: Final = 24 * 60 * 60 * 1000


class RecordClass(StrEnum):
    """What the retention job removes, by the records' own words."""

    ERASED_CONSENT = "consent-events-after-erasure"
    ERASED_LIST = "list-of-the-erased"
    SESSIONS = "expired-sessions"
    CODES_TO_CONNECT = "pairing-guardian-and-setup-codes"
    CHALLENGES = "sign-in-challenges"
    IDEMPOTENCY = "idempotency-answers"
    RATE_LIMITS = "rate-limit-counts"
    GRANTS = "uncommitted-grants"
    REFUSALS = "refusals"
    CODES = "expired-discount-codes"
    WEBHOOKS = "webhook-deliveries"
    REQUESTS = "closed-requests"
    INSTRUCTIONS = "details-of-instructions"
    AUDIT = "audit-entries"
    RUNS = "retention-runs"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How long one class is kept.

    Attributes:
        days: the default period.
        low: the shortest period that an operator may set, in days.
        high: the longest.
        begins: when the period begins.
        ground: why it is kept that long.
        source: where that comes from.
    """

    days: int
    low: int
    high: int
    begins: str
    ground: str
    source: str


_MINIMISE: Final = "GDPR art. 5(1)(e)"
SCHEDULE: Final[Mapping[RecordClass, Rule]] = {
    RecordClass.ERASED_CONSENT: Rule(
        days=1096,
        low=0,
        high=3653,
        begins="the erasure",
        ground="to show that consent was given and ended, while claims can be made",
        source="GDPR art. 7(1), 17(3)(e)",
    ),
    RecordClass.ERASED_LIST: Rule(
        days=0,
        low=0,
        high=0,
        begins="the end of the last backup that holds anybody of the same month's list",
        ground="to erase again whom a restored backup brings back: opaque id, time and tier",
        source="GDPR art. 17(1), 5(2)",
    ),
    RecordClass.SESSIONS: Rule(
        days=7,
        low=0,
        high=90,
        begins="the end of the session",
        ground="to look into misuse that was noticed late",
        source="GDPR art. 32, 5(1)(e)",
    ),
    RecordClass.CODES_TO_CONNECT: Rule(
        days=1,
        low=0,
        high=30,
        begins="the end of the code",
        ground="none once it is used or has expired",
        source=_MINIMISE,
    ),
    RecordClass.CHALLENGES: Rule(
        days=1,
        low=0,
        high=7,
        begins="the end of the challenge",
        ground="none once it is used or has expired",
        source=_MINIMISE,
    ),
    RecordClass.IDEMPOTENCY: Rule(
        days=0,
        low=0,
        high=7,
        begins="the end of the key, a day after the request",
        ground="a caller who lost the answer may ask again for a day",
        source=_MINIMISE,
    ),
    RecordClass.RATE_LIMITS: Rule(
        days=1,
        low=1,
        high=7,
        begins="the attempt",
        ground="to slow down guessing",
        source="GDPR art. 32, 5(1)(e)",
    ),
    RecordClass.GRANTS: Rule(
        days=30,
        low=1,
        high=365,
        begins="the end of the grant",
        ground="to explain a round that failed; grants in a round's list stay with the list",
        source=_MINIMISE,
    ),
    RecordClass.REFUSALS: Rule(
        days=30,
        low=1,
        high=365,
        begins="the round's list, or its policy where it got no list",
        ground="counts of why shoppers were left out of a round",
        source=_MINIMISE,
    ),
    RecordClass.CODES: Rule(
        days=0,
        low=0,
        high=30,
        begins="the end of the code",
        ground="the points of an unused code go back to the shopper",
        source="EDPB Guidelines 05/2020, 46-48: no detriment",
    ),
    RecordClass.WEBHOOKS: Rule(
        days=30,
        low=1,
        high=365,
        begins="the delivery, or when it was given up",
        ground="to send an event once more, and to look into failures",
        source=_MINIMISE,
    ),
    RecordClass.REQUESTS: Rule(
        days=1096,
        low=731,
        high=3653,
        begins="the close of the request",
        ground="to show that it was answered, and when",
        source="11 CCR §7101(a): 24 months; GDPR art. 5(2)",
    ),
    RecordClass.INSTRUCTIONS: Rule(
        days=0,
        low=0,
        high=0,
        begins="the end of the instruction",
        ground="none once a device has reported or its time is over; that there was one stays",
        source=_MINIMISE,
    ),
    RecordClass.AUDIT: Rule(
        days=1096,
        low=365,
        high=3653,
        begins="the act",
        ground="to show who did what while claims can be made",
        source="GDPR art. 5(2), 32(1)",
    ),
    RecordClass.RUNS: Rule(
        days=1096,
        low=365,
        high=3653,
        begins="the run",
        ground="to show that this schedule was kept",
        source="GDPR art. 5(2)",
    ),
}


# What is kept until something else ends it: the kind of records, and until when.
KEPT: Final[Mapping[str, str]] = {
    "accounts, consent, its history and its receipts": "until the shopper has it erased",
    "points and the diary": "until the shopper has them erased",
    "grants in a round's list": "until the shopper has them erased",
    "the log of hashes": "as long as the service; an erased shopper's hashes open to no key",
    "notices, task policies, lists of rounds and releases": "as long as the service",
}


@dataclass(frozen=True)
class Retention:
    """One service's periods in days: the schedule, with what its operator set."""

    own: Mapping[RecordClass, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record_class, days in self.own.items():
            rule = SCHEDULE[record_class]
            if not rule.low <= days <= rule.high:
                raise InvalidInputError(
                    f"Expected {record_class}={days} days within {rule.low}..{rule.high}."
                )

    def days(self, record_class: RecordClass) -> int:
        """The period of a class."""
        return self.own.get(record_class, SCHEDULE[record_class].days)

    def before(self, record_class: RecordClass, now: int) -> int:
        """Records of a class whose period began before this time are removed at ``now``."""
        return now - self.days(record_class) * DAY_MS

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse ``{class: days}``; a class that is missing has its default.

        Raises:
            InvalidInputError: an unknown class, or a period out of its bounds.
        """
        if not isinstance(value, dict) or not value.keys() <= set(RecordClass):
            raise InvalidInputError(
                f"The retention periods name unknown classes; there are {', '.join(RecordClass)}."
            )
        return cls(
            {
                RecordClass(name): get_int(
                    value,
                    name,
                    low=SCHEDULE[RecordClass(name)].low,
                    high=SCHEDULE[RecordClass(name)].high,
                )
                for name in value
            }
        )
