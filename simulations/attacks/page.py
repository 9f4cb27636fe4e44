"""The audit as one self-contained HTML file: no network, no script, in the look of the report."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from simulations.attacks.finding import Finding
from simulations.attacks.registry import Family
from simulations.attacks.statistics import CONFIDENCE, Interval
from simulations.attacks.suite import Audit
from simulations.report import words
from simulations.report.html import environment, write_whole

PAGE = "audit.html"
_LARGE = 1000
# Whole numbers that came out of arithmetic.
_HAIR = 1e-9


def render(audit: Audit, out: Path) -> Path:
    """Write the page to ``out`` and return it; it appears whole or not at all.

    Raises:
        FedcartError: ``out`` can't be written.
    """
    return write_whole(out, to_html(audit), what="audit")


def to_html(audit: Audit) -> str:
    """The page as text, ending in a newline."""
    findings = [each for group in audit.findings.values() for each in group]
    return (
        _environment()
        .get_template("audit.html")
        .render(
            audit=audit,
            families=families(audit.findings),
            failures=[each for each in findings if not each.passed],
            headline=headline(audit),
            facts=facts(audit),
            confidence=f"{100 * CONFIDENCE:g}{words.PERCENT}",
        )
    )


def families(findings: Mapping[Family, tuple[Finding, ...]]) -> list[dict[str, Any]]:
    """What the template shows of each family."""
    return [
        {"id": family.name.lower().replace("_", "-"), "name": str(family), "findings": group}
        for family, group in findings.items()
    ]


def headline(audit: Audit) -> tuple[str, ...]:
    """The audit in a few sentences."""
    findings = [each for group in audit.findings.values() for each in group]
    claims = [each for each in findings if not each.documented]
    limits = [each for each in findings if each.documented]
    standing = f"{sum(each.holds for each in claims)} of {words.plural(len(claims), 'attack')}"
    succeed = f"{sum(each.holds for each in limits)} of {words.plural(len(limits), 'attack')}"
    fired = sum(each.control.fired for each in findings)
    spent, delta = words.bound(audit.run.epsilon), words.delta(audit.run.delta)
    return (
        (
            f"{standing} stay within what is claimed. {succeed} on share sum succeed, "
            "as the threat model says they do."
        ),
        f"{fired} of {len(findings)} positive controls fired.",
        f"The run claims {spent} (δ = {delta}) for everything shared, per shopper.",
    )


def facts(audit: Audit) -> tuple[tuple[str, str, bool], ...]:
    """Value, text and whether it alarms, for the top of the page."""
    findings = [each for group in audit.findings.values() for each in group]
    broken = sum(not each.holds for each in findings)
    silent = sum(not each.control.fired for each in findings)
    return (
        (str(broken), "claims broken", broken > 0),
        (str(silent), "controls that did not fire", silent > 0),
        (words.seconds(audit.seconds), "for the whole audit", False),
    )


def shown(value: float | None) -> str:
    """A figure: whole numbers as such, others with three digits; a dash for none."""
    if value is None:
        return "–"
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value - round(value)) < _HAIR else f"{value:.3f}"


def between(interval: Interval) -> str:
    """An interval, or "exact" where nothing was sampled."""
    if interval.exact:
        return "exact"
    return f"{shown(interval.low)} to {shown(interval.high)}"


def verdict(finding: Finding) -> str:
    """The verdict in a word or two."""
    if finding.documented:
        return "succeeds, as documented" if finding.holds else "NO LONGER SUCCEEDS"
    return "holds" if finding.holds else "BROKEN"


@cache
def _environment() -> jinja2.Environment:
    made = environment("simulations.attacks")
    made.globals |= {"shown": shown, "between": between, "verdict": verdict}
    return made
