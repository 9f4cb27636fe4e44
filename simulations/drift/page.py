"""The drift study as one self-contained page: no network, no script."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from simulations.drift.curves import charts
from simulations.drift.measures import TITLES, UNITS
from simulations.drift.policies import Policy
from simulations.report import words
from simulations.report.chart import Key
from simulations.report.html import environment, write_whole

PAGE: Final = "drift.html"
RECORD: Final = "drift.json"
# What stands at the top of the page, where it rose and where it fell.
SPOKEN: Final[Mapping[str, tuple[str, str]]] = {
    "variety": (
        "more different items bought by a shopper in four weeks",
        "fewer different items bought by a shopper in four weeks",
    ),
    "coverage": (
        "more of the shelf in some list, as a share",
        "less of the shelf in some list, as a share",
    ),
    "satisfaction": ("more satisfaction, of at most 1", "less satisfaction, of at most 1"),
}


def write(record: Mapping[str, Any], folder: Path) -> Path:
    """Write page and record into a folder, made if missing; returns the page.

    Raises:
        FedcartError: the folder can't be written to.
    """
    body = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_whole(folder / RECORD, body, what="study")
    return write_whole(folder / PAGE, to_html(record), what="study")


def to_html(record: Mapping[str, Any]) -> str:
    """The page as text."""
    options, differences = record["options"], record["differences"]
    rows = [
        (title, UNITS[name], [_told(differences[policy].get(name)) for policy in _others()])
        for name, title in TITLES.items()
    ]
    return (
        environment("simulations.drift")
        .get_template("drift.html")
        .render(
            record=record,
            options=options,
            headline=headline(record),
            charts=charts(record),
            legend=[
                Key("line", f"curve s{number}", policy)
                for number, policy in enumerate(Policy, start=1)
            ],
            others=_others(),
            comparisons=sum(map(len, differences.values())),
            rows=rows,
        )
    )


def headline(record: Mapping[str, Any]) -> list[str]:
    """What each policy changed, in words, in the measures that a shop would ask for first."""
    options = record["options"]
    where = (
        f"Against a list of the best items only, over the last {options['last']} weeks of "
        f"{options['seeds']} towns, with 95{words.PERCENT} intervals. Made-up shoppers show "
        "directions, not sizes."
    )
    found = [where]
    for policy, table in record["differences"].items():
        told = [_spoken(name, table[name]) for name in SPOKEN if name in table]
        found.append(f"{policy[:1].upper()}{policy[1:]}: {'; '.join(told)}.")
    return found


def _spoken(name: str, found: Sequence[float]) -> str:
    mean, low, high = found
    title = TITLES[name]
    if low <= 0 <= high:
        return f"no clear difference in {title[:1].lower()}{title[1:]}"
    digits = _digits((high - low) / 2)
    near, far = sorted((abs(low), abs(high)))
    side = SPOKEN[name][mean < 0]
    return f"{abs(mean):.{digits}f} {side} ({near:.{digits}f} to {far:.{digits}f})"


def sentences(record: Mapping[str, Any]) -> list[str]:
    """The differences that are clear of chance, a line each, for a terminal."""
    found = []
    for policy, table in record["differences"].items():
        for name, figures in table.items():
            mean, ends, clear = _told(figures)
            if clear:
                found.append(f"{policy}: {TITLES[name]} {mean} ({ends}), {UNITS[name]}")
    return found


def _others() -> list[Policy]:
    return [policy for policy in Policy if policy is not Policy.BEST]


def _told(found: list[float] | None) -> tuple[str, str, bool]:
    """Mean, interval, and whether it is clear of 0; a dash where a policy has no such measure."""
    if found is None:
        return "–", "", False
    _, low, high = found
    digits = _digits((high - low) / 2)
    told = [f"{value:+.{digits}f}" for value in found]
    return told[0], f"{told[1]} to {told[2]}", low > 0 or high < 0


def _digits(half: float) -> int:
    """Decimals that show half an interval to two digits or so, at least two and at most four."""
    return 2 if half <= 0 else min(max(2, round(1 - math.log10(half))), 4)
