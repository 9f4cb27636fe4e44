"""What a client was told not to use: the gateway's own second line, besides asking the service.

Guarantee: fails closed. If the journal can't be read, nothing may be used.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Self

from client.home import ClientHome
from client.journal import Journal
from consent.purpose import Category, Cell, Purpose
from crypto.errors import ConsentError, FedcartError

# Scopes that hold everything of a shopper; the others are cells.
STOPPED: Final = "all:stop"
RESTRICTED: Final = "all:restrict"
OBJECTED: Final = "all:object"
ERASED: Final = "all:erase"
_WHY: Final = {
    ERASED: "her data was erased here",
    RESTRICTED: "her data is restricted",
    OBJECTED: "she objected to its use",
    STOPPED: "this client no longer stands for her",
}


def scope_of(cell: Cell) -> str:
    """The scope of one cell."""
    return f"{cell.purpose}/{cell.category}"


@dataclass(frozen=True, kw_only=True)
class Holds:
    """The held scopes of each shopper, by her name in the event store."""

    scopes: Mapping[str, Set[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, home: ClientHome) -> Self:
        """The holds of a client as they are on disk.

        Raises:
            ConsentError: they can't be read; then nothing may be used.
        """
        if not home.journal.exists():
            return cls()
        try:
            with Journal(home.journal) as journal:
                held = journal.holds()
        except FedcartError as error:
            raise ConsentError(f"Nothing is used while nobody knows what may be. {error}") from None
        return cls(scopes={name: held.get(ident, set()) for name, ident in home.shoppers.items()})

    def refusal(self, shopper: str) -> str | None:
        """Why nothing of a shopper may be used, in words; None where something may."""
        held = self.scopes.get(shopper, set())
        return next((why for scope, why in _WHY.items() if scope in held), None)

    def erased(self, shopper: str) -> bool:
        """Whether a shopper's data was erased here."""
        return ERASED in self.scopes.get(shopper, set())

    def check(self, shopper: str) -> None:
        """Refuse a shopper of whom nothing may be used.

        Raises:
            ConsentError: the message says why.
        """
        why = self.refusal(shopper)
        if why is not None:
            raise ConsentError(f"Nothing is used: {why}.")

    def usable(
        self, shopper: str, purpose: Purpose, categories: Set[Category]
    ) -> frozenset[Category]:
        """Those of some categories that may be used for a purpose."""
        if self.refusal(shopper) is not None:
            return frozenset()
        held = self.scopes.get(shopper, set())
        return frozenset(each for each in categories if scope_of(Cell(purpose, each)) not in held)


NO_HOLDS: Final = Holds()
