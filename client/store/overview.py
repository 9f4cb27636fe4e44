"""What a store can say of itself: whom it stands for, what it keeps, what it took part in."""

from dataclasses import dataclass
from typing import Any

from client.events import EventStore
from client.holds import Holds
from client.home import ClientHome
from client.register import joined_rounds, most_spent


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A store at this moment.

    Attributes:
        shoppers: whom it stands for; ``held`` of them told it to use nothing of theirs.
        with_lines: of how many it keeps purchases, ``lines`` in all.
        waiting: of how many nothing was taken in yet, though it may be.
        until: up to which moment everything is here of whoever of the others is behind most (Unix
            seconds, exclusive); None where nothing was taken in of anybody who may be used.
        rounds: every joined round: task, round and the ε that it was charged with.
        spent: what all rounds together cost the shopper who took part most, as ε at ``delta``;
            infinite where a round had no noise.
        cap: what they may cost anyone of them.
    """

    shoppers: int
    held: int
    with_lines: int
    lines: int
    waiting: int
    until: int | None
    rounds: tuple[tuple[str, str, float | None], ...]
    spent: float
    cap: float | None
    delta: float

    def to_json(self) -> dict[str, Any]:
        """All fields; an infinite ε is null."""
        rounds = [{"task": t, "round": r, "epsilon": e} for t, r, e in self.rounds]
        spent = self.spent if self.spent < float("inf") else None
        return {**vars(self), "rounds": rounds, "spent": spent}


def overview(home: ClientHome) -> Overview:
    """Look at a store's home; nobody is asked.

    Raises:
        ConsentError: what shoppers told the store can't be read.
    """
    holds = Holds.load(home)
    lines, with_lines, marks = 0, 0, dict[str, int]()
    if home.events.exists():
        with EventStore.open(home.events) as store:
            lines, with_lines = store.count(), len(store.shoppers())
            marks = store.taken_until()
    delta = home.trust.delta
    usable = [name for name in home.shoppers if holds.refusal(name) is None]
    reached = [marks[name] for name in usable if name in marks]
    return Overview(
        shoppers=len(home.shoppers),
        held=len(home.shoppers) - len(usable),
        with_lines=with_lines,
        lines=lines,
        waiting=len(usable) - len(reached),
        until=min(reached, default=None),
        rounds=tuple(joined_rounds(home.register)),
        spent=most_spent(home.register, delta=delta),
        cap=home.trust.epsilon_cap,
        delta=delta,
    )
