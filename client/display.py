"""What the device's commands show to a person, as tables."""

from typing import Final

from rich.table import Table

from client.choices import Status
from client.intake import Intake
from client.shelf import Shelf, Suggestion
from consent.answers import Consents
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from crypto.dp.bound import told

_RESTRICTED: Final = "Your data is restricted: it is kept, and nothing is used.\n"


def shelf_table(shelf: Shelf) -> Table:
    """The list with its reasons."""
    table = Table(title="For you, made on this device")
    table.add_column("#", justify="right")
    table.add_column("Item")
    table.add_column("Why")
    for place, each in enumerate(shelf.suggestions, start=1):
        table.add_row(str(place), each.item, each.reason)
    for each in shelf.zone:
        table.add_row("new", each.item, each.reason)
    return table


def explanation_table(suggestion: Suggestion) -> Table:
    """The parts of one item's score, strongest first."""
    why = suggestion.explanation
    table = Table(title=f"{suggestion.item}: why", caption=why.headline)
    table.add_column("Because")
    table.add_column("Points", justify="right")
    table.add_column("Share", justify="right")
    for each in why.strongest:
        table.add_row(each.sentence, f"{each.value:+.4f}", f"{each.share:.0%}")
    table.add_row("Score", f"{why.score:.4f}", "100%", style="bold")
    return table


def choices_table(consents: Consents) -> Table:
    """The matrix: a row a purpose, its categories by what she said about them."""
    table = Table(
        title="Your choices",
        caption=_RESTRICTED * consents.restricted
        + "What is not listed was never decided, and permits nothing.\nKinds of data: "
        + ", ".join(Category),
    )
    table.add_column("Purpose", no_wrap=True)
    table.add_column("You agreed to")
    table.add_column("You did not, or no longer")
    for purpose in Purpose:
        states = [(each, consents.cells.get(Cell(purpose, each))) for each in Category]
        given = [each for each, state in states if state in LIVE_STATES]
        others = [
            f"{each} ({state})"
            for each, state in states
            if state is not None and state not in LIVE_STATES | {ConsentState.UNKNOWN}
        ]
        table.add_row(purpose, ", ".join(given) or "-", ", ".join(others) or "-")
    return table


def status_table(status: Status) -> Table:
    """The joined rounds."""
    table = Table(title="Rounds that this device joined")
    table.add_column("Task")
    table.add_column("Round")
    table.add_column("ε charged", justify="right")
    for task, round_id, epsilon in status.rounds:
        table.add_row(task, round_id, "none (no noise)" if epsilon is None else told(epsilon))
    return table


def spent_line(status: Status) -> str:
    """What all rounds together have cost her, and what they may."""
    if status.spent is None:
        return "All rounds together: one had no noise, so nothing bounds what they say about you."
    cap = "you set no limit" if status.cap is None else f"you allow {status.cap:g}"
    return f"All rounds together: ε = {told(status.spent)} at δ = {status.delta:g}; {cap}."


def intake_lines(intake: Intake) -> list[str]:
    """An import in a few words."""
    told = [f"{intake.lines:,} lines in {intake.baskets:,} baskets are on this device."]
    if intake.replaced:
        told.append(f"They replaced {intake.replaced:,} lines of before.")
    if intake.unlisted:
        told.append(f"{intake.unlisted:,} lines are of items that the retailer's list lacks.")
    if intake.skipped:
        told.append(f"{intake.skipped:,} bad lines were left out.")
    return told
