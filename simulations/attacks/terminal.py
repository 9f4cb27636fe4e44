"""The end of an audit in a terminal: one line an attack."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulations.attacks.page import between, headline, shown, verdict
from simulations.attacks.suite import Audit

_BAD = "bold red"


def summary(audit: Audit) -> RenderableType:
    """Every attack with figure, bound, verdict and control; red where something is wrong."""
    table = Table(title=f"Attacks on run {audit.run.scenario.name}", title_justify="left")
    table.add_column("attack")
    for title in ("found", "interval", "permitted"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    table.add_column("control")
    for group in audit.findings.values():
        for found in group:
            fired = "fired" if found.control.fired else "DID NOT FIRE"
            table.add_row(
                Text(found.name),
                shown(found.figure),
                between(found.interval),
                shown(found.bound),
                Text(verdict(found), style="" if found.holds else _BAD),
                Text(
                    f"{fired}: {shown(found.control.figure)}",
                    style="" if found.control.fired else _BAD,
                ),
            )
        table.add_section()
    unequal = [
        Text(f"{each.scheme}: a sealed sum differs from the plain one.", style=_BAD)
        for each in audit.equalities
        if not each.equal
    ]
    return Group(*unequal, table, *(Text(sentence) for sentence in headline(audit)))
