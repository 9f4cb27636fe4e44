"""Who may agree alone: age bands, and what the law of a place asks of a minor's consent.

A shopper states a band, never a date of birth. Bands are wider than the ages in the laws, so a band
may decide alone only where even the youngest in it may.

=============  =========================  =======================  ============================
band           personalise on the device  leaves the device        points; sensitive categories
=============  =========================  =======================  ============================
not stated     alone                      not before it is stated  not before it is stated
under 13       with a guardian            with a guardian          never
13-15          by the law of the place    by the law of the place  never
16-17          by the law of the place    by the law of the place  points only; never sensitive
adult          alone                      alone                    alone
=============  =========================  =======================  ============================

Where a guardian is needed, a minor's *yes* waits for the guardian's; her *no* never waits.
Sources: GDPR art. 8(1) with the member states' laws that lower its 16 years; COPPA (under 13);
California Civ. Code §1798.120(c) (under 13 the parent, 13 to 15 her own opt-in); PIPL art. 31
(under 14); UK Data Protection Act 2018 s. 9; India DPDP Act 2023 s. 9 (under 18).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from consent.purpose import Category, Cell, Purpose

_DAY_MS: Final = 24 * 60 * 60 * 1000
# An older answer is not taken right after another, so that nobody tries ages until one fits.
RAISE_AFTER_DAYS: Final = 30


class AgeBand(StrEnum):
    """What a shopper says of her age."""

    NOT_STATED = "not-stated"
    UNDER_13 = "under-13"
    TEEN = "13-15"
    OLDER_TEEN = "16-17"
    ADULT = "adult"


class Capacity(StrEnum):
    """How somebody's *yes* to a cell counts."""

    ALONE = "alone"
    WITH_GUARDIAN = "with-guardian"
    STATE_FIRST = "state-first"
    NEVER = "never"


_YOUNGEST: Final[Mapping[AgeBand, int]] = MappingProxyType(
    {AgeBand.UNDER_13: 0, AgeBand.TEEN: 13, AgeBand.OLDER_TEEN: 16, AgeBand.ADULT: 18}
)
MINORS: Final = frozenset({AgeBand.UNDER_13, AgeBand.TEEN, AgeBand.OLDER_TEEN})
_NO_POINTS: Final = frozenset({AgeBand.UNDER_13, AgeBand.TEEN})

# The age from which one may consent alone, by ISO 3166-1 code.
CONSENT_AGE: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(("BE", "DK", "EE", "FI", "IS", "LV", "MT", "NO", "PT", "SE"), 13),
        **dict.fromkeys(("AT", "BG", "CY", "ES", "IT", "LT"), 14),
        **dict.fromkeys(("CZ", "FR", "GR", "SI"), 15),
        **dict.fromkeys(("DE", "HR", "HU", "IE", "LI", "LU", "NL", "PL", "RO", "SK"), 16),
        "CN": 14,
        "GB": 13,
        "IN": 18,
        "US": 13,
    }
)
GDPR_DEFAULT: Final = 16
# Where the place is not known, the highest of the table: nobody is taken for older than she is.
UNKNOWN_PLACE: Final = max(CONSENT_AGE.values())


def consent_age(place: str) -> int:
    """The age from which one may consent alone at a place.

    Args:
        place: an ISO 3166-1 code, with or without a region (``US-CA``); ``EU`` is the default of
            the GDPR. Anything else is an unknown place.
    """
    country = place.partition("-")[0].strip().upper()
    return GDPR_DEFAULT if country == "EU" else CONSENT_AGE.get(country, UNKNOWN_PLACE)


def bound(band: AgeBand, place: str) -> bool:
    """Whether a guardian's grant is needed; False where nothing was stated."""
    return band in MINORS and _YOUNGEST[band] < consent_age(place)


def capacity(band: AgeBand, cell: Cell, place: str) -> Capacity:
    """How a *yes* to a cell counts from somebody of this band."""
    if band is AgeBand.NOT_STATED:
        stays = cell.purpose is Purpose.PERSONALISE and cell.category is not Category.SENSITIVE
        return Capacity.ALONE if stays else Capacity.STATE_FIRST
    if band in MINORS and cell.category is Category.SENSITIVE:
        return Capacity.NEVER
    if band in _NO_POINTS and cell.purpose is Purpose.VALUE_SHARING:
        return Capacity.NEVER
    return Capacity.WITH_GUARDIAN if bound(band, place) else Capacity.ALONE


def may_state(before: AgeBand, stated_at: int, after: AgeBand, now: int) -> bool:
    """Whether another band can be stated now (Unix milliseconds).

    A younger one can always be. An older one only ``RAISE_AFTER_DAYS`` after the last statement:
    a child who was refused something can't answer again until it works.
    """
    if AgeBand.NOT_STATED in (before, after):
        return before is AgeBand.NOT_STATED
    if _YOUNGEST[after] <= _YOUNGEST[before]:
        return True
    return now - stated_at >= RAISE_AFTER_DAYS * _DAY_MS
