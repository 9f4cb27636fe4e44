"""What the device's commands show to a person, as tables."""

from typing import Final

from rich.table import Table

from client.choices import Status
from client.intake import Intake
from client.outcomes import LEAST_LISTS, WINDOW_DAYS, Drawing, Outcome
from client.shelf import Shelf, Suggestion
from consent.answers import Consents
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from crypto.dp.bound import told

_DRAWINGS: Final = {
    Drawing.AS_NOW: "as it is drawn now",
    Drawing.BEST_MORE: "had the best been drawn more often",
    Drawing.ALL_ALIKE: "had all candidates been drawn alike",
}
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
    table.add_row("Score", f"{why.score:.4f}", "100%" if why.score > 0 else "-100%", style="bold")
    return table


def outcome_lines(came: Outcome) -> list[str]:
    """What came of her zones in a few words."""
    first = (
        f"Of {came.shown:,} new things in {came.lists:,} lists that are over, you bought "
        f"{came.bought:,} before the next day's list and within {WINDOW_DAYS} days."
    )
    told = [first]
    if came.open:
        told.append(
            f"{came.open:,} lists are not over: your purchases on this device don't reach far "
            "enough yet."
        )
    if not any(came.estimates.values()):
        told.append(
            "That is too little to say what other ways of drawing would have brought; it takes "
            f"at least {LEAST_LISTS} lists."
        )
    return told


def outcome_table(came: Outcome) -> Table:
    """Purchases of a hundred things shown, by way of drawing, each with its 95 % interval."""
    table = Table(title="Bought of 100 new things shown", caption="Worked out on this device.")
    table.add_column("Drawing")
    table.add_column("Estimate", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, made in came.estimates.items():
        if made is None:
            table.add_row(_DRAWINGS[name], "-", "too little to say")
        else:
            ends = f"{100 * made.low:.1f} to {100 * made.high:.1f}"
            table.add_row(_DRAWINGS[name], f"{100 * made.mean:.1f}", ends)
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
