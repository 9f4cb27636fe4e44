"""Which cells of the matrix a shopper is asked about, and what each of them means.

Not every purpose has a use for every category, so only cells that make sense are offered; a cell
that was decided elsewhere is shown as well, so that whatever was given can be withdrawn here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consent.incentive import OPT_IN
from consent.panel.language import mark
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from consent.service.notices.schemas import NoticeSummary
from consent.service.shoppers.schemas import CellState

OFFERED: Final[Mapping[Category, Sequence[Purpose]]] = {
    Category.PURCHASES: (
        Purpose.PERSONALISE,
        Purpose.TRAIN,
        Purpose.FAIRNESS,
        Purpose.MEASUREMENT,
        Purpose.STOCK,
        Purpose.RESEARCH,
        Purpose.VALUE_SHARING,
    ),
    Category.BROWSING: (
        Purpose.PERSONALISE,
        Purpose.TRAIN,
        Purpose.MEASUREMENT,
        Purpose.RESEARCH,
    ),
    Category.LOCATION: (Purpose.PERSONALISE, Purpose.TRAIN, Purpose.STOCK),
    Category.TIME_CONTEXT: (Purpose.PERSONALISE, Purpose.TRAIN, Purpose.STOCK),
    Category.DEVICE: (Purpose.PERSONALISE, Purpose.FAIRNESS, Purpose.MEASUREMENT),
    Category.DEMOGRAPHICS: (
        Purpose.PERSONALISE,
        Purpose.TRAIN,
        Purpose.FAIRNESS,
        Purpose.RESEARCH,
    ),
    Category.SENSITIVE: (Purpose.PERSONALISE, Purpose.TRAIN),
}
# What a category is, and an example of what is in it.
ABOUT: Final[Mapping[Category, tuple[str, str]]] = {
    Category.PURCHASES: (
        mark("What you bought: item, basket, quantity, price and day."),
        mark("Oat milk, 2 cartons, 3.58 together, on 3 March"),
    ),
    Category.BROWSING: (
        mark("What you looked at in the shop's app or on its website."),
        mark("Looked at a coffee grinder, did not buy it"),
    ),
    Category.LOCATION: (
        mark("Which store you bought in. Never where you are."),
        mark("The store at the market square"),
    ),
    Category.TIME_CONTEXT: (
        mark("The hour and the situation of a purchase."),
        mark("Tuesday, shortly after six in the evening"),
    ),
    Category.DEVICE: (
        mark("The kind of device that you use."),
        mark("A phone with Android"),
    ),
    Category.DEMOGRAPHICS: (
        mark("Bands of age, household size and income, if you state any. Never a date of birth."),
        mark("35 to 44"),
    ),
    Category.SENSITIVE: (
        mark("Products that can point to health, religion or sex life. They are kept apart."),
        mark("Test strips for blood sugar"),
    ),
}
# What a purpose does with the data that it is asked beside.
USES: Final[Mapping[Purpose, str]] = {
    Purpose.PERSONALISE: mark("Your device reads it to suggest items to you. Nothing leaves it."),
    Purpose.TRAIN: mark(
        "Sealed, noisy sums over many shoppers improve recommendations for everybody."
    ),
    Purpose.FAIRNESS: mark(
        "Noisy sums over groups show whether recommendations work worse for some of them."
    ),
    Purpose.MEASUREMENT: mark("Noisy counts show whether recommendations are used and useful."),
    Purpose.STOCK: mark("Noisy sums help stores to have what people buy."),
    Purpose.VALUE_SHARING: mark(
        "You collect the same points as everybody else for each round that you are part of."
    ),
    Purpose.RESEARCH: mark("Noisy sums are used in published studies about shopping."),
}
# Epochs that a form may name.
MAX_EPOCH: Final = 2**31
# Decided cells that stay as they are when she says no once more.
WAITING: Final = frozenset({ConsentState.REQUESTED, ConsentState.REQUEST_DEFERRED})
ALREADY_NO: Final = frozenset({ConsentState.REFUSED, ConsentState.WITHDRAWN})


@dataclass(frozen=True)
class Ask:
    """One question: may this data be used for this?"""

    state: CellState

    @property
    def cell(self) -> Cell:
        """The cell that it decides."""
        return Cell(self.state.purpose, self.state.category)

    @property
    def name(self) -> str:
        """How a form names it."""
        return name(self.cell)

    @property
    def answer(self) -> str:
        """Where it stands: yes, no, wait for a guardian, or open while nothing holds."""
        if self.state.state in LIVE_STATES:
            return "yes"
        if self.state.state in WAITING:
            return "wait"
        return "no" if self.state.state in ALREADY_NO else "open"


@dataclass(frozen=True)
class Section:
    """A category with all that it can be used for."""

    category: Category
    asks: Sequence[Ask]

    @property
    def together(self) -> Sequence[Ask]:
        """What may be answered at once: points are an opt-in of their own, always apart."""
        return [ask for ask in self.asks if ask.cell != OPT_IN]

    def count(self, answer: str) -> int:
        """How many of its questions stand at an answer."""
        return sum(ask.answer == answer for ask in self.asks)


def sections(cells: Iterable[CellState], notice: NoticeSummary) -> list[Section]:
    """Every category that the notice covers, with its questions in a fixed order."""
    states = {Cell(state.purpose, state.category): state for state in cells}
    found = []
    for category, purposes in OFFERED.items():
        asks = [
            Ask(states[Cell(purpose, category)])
            for purpose in (*purposes, *(each for each in Purpose if each not in purposes))
            if _shown(states[Cell(purpose, category)], notice, offered=purpose in purposes)
        ]
        if asks:
            found.append(Section(category, asks))
    return found


def _shown(state: CellState, notice: NoticeSummary, *, offered: bool) -> bool:
    covered = state.purpose in notice.purposes and state.category in notice.categories
    return (offered and covered) or state.state is not ConsentState.UNKNOWN


def name(cell: Cell) -> str:
    """How a form names a cell."""
    return f"{cell.purpose}.{cell.category}"


def parsed(text: str) -> Cell | None:
    """The cell that a form names; None for anything else."""
    purpose, _, category = text.partition(".")
    if purpose in list(Purpose) and category in list(Category):
        return Cell(Purpose(purpose), Category(category))
    return None
