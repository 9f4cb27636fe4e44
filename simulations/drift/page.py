"""The drift study as one self-contained page: no network, no script."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from simulations.drift.curves import charts
from simulations.drift.measures import TITLES
from simulations.drift.policies import Policy
from simulations.report.html import environment, write_whole

PAGE: Final = "drift.html"
RECORD: Final = "drift.json"


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
    options = record["options"]
    rows = [
        (title, [_told(record["differences"][policy].get(name)) for policy in _others()])
        for name, title in TITLES.items()
    ]
    return (
        environment("simulations.drift")
        .get_template("drift.html")
        .render(
            record=record,
            options=options,
            charts=charts(record, TITLES),
            policies=list(Policy),
            others=_others(),
            rows=rows,
        )
    )


def sentences(record: Mapping[str, Any]) -> list[str]:
    """The differences that are clear of chance, a line each, for a terminal."""
    found = []
    for policy, table in record["differences"].items():
        for name, (mean, low, high) in table.items():
            if low > 0 or high < 0:
                found.append(f"{policy}: {TITLES[name]} {mean:+.3f} ({low:+.3f} to {high:+.3f})")
    return found


def _others() -> list[Policy]:
    return [policy for policy in Policy if policy is not Policy.BEST]


def _told(found: list[float] | None) -> tuple[str, str, bool]:
    """Mean, interval, and whether it is clear of 0; blanks where a policy has no such measure."""
    if found is None:
        return "", "", False
    mean, low, high = found
    return f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}", low > 0 or high < 0
