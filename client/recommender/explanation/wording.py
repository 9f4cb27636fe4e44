"""What a language must be able to say about a part of a score.

A clause has no capital letter and no full stop: ``Wording.sentence`` joins clauses and adds them.
Clauses are about "it", the item that is explained, and "you", whose list it is.
"""

from collections.abc import Sequence
from typing import Protocol


class Wording(Protocol):
    """One language; ``names`` may be empty where nothing may be named."""

    def habit(self, times: int, window: int) -> str:
        """In how many of her last baskets it was."""

    def rhythm(self, gap: int, since: int, *, speaks_for: bool) -> str:
        """How many days lie between her purchases of it, and how many since the last."""

    def due(self, *, speaks_for: bool) -> str:
        """It is due by her own rhythm, or not, where no days are known."""

    def popular(self, *, bought: bool) -> str:
        """Others buy it: lately where she has bought it, in all where she has not."""

    def paired(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """Who buys these, which she buys, often (or seldom) buys it."""

    def liked(self, category: str, *, bought: bool, speaks_for: bool) -> str:
        """It is of a category that she buys much (or little) of, and new to her or not."""

    def content(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """It resembles (or does not resemble) these, which she buys."""

    def context(self, code: int, times: int, *, speaks_for: bool) -> str:
        """How often she bought it at such a time or place; ``client/recommender/moment.py``."""

    def against(self, clause: str) -> str:
        """A fact that speaks against the item, as experience with many shoppers has it."""

    def discovery(self) -> str:
        """It is on the list so that she finds something new."""

    def gentle(self, *, speaks_for: bool) -> str:
        """It is of a sensitive class: nothing about it or beside it is named."""

    def fits(self) -> str:
        """Nothing speaks for it alone."""

    def sentence(self, clauses: Sequence[str]) -> str:
        """One sentence of one or more clauses."""

    def without(self, names: Sequence[str], *, own: bool) -> str:
        """The condition of a counterfactual; ``own`` where the purchases are of the item itself."""

    def conditional(self, condition: str, outcome: str) -> str:
        """One sentence of a condition and what would follow from it."""

    def would_stand(self, place: int, *, listed: bool) -> str:
        """Where it would stand then, on the list or beyond its end."""

    def would_be_gone(self) -> str:
        """It would not be recommended at all."""

    def undecided(self) -> str:
        """None of her purchases that could matter sets it back when it is left out."""

    def stands(self, place: int) -> str:
        """It is beyond the end of the list, at this place."""

    def nowhere(self) -> str:
        """It is not recommended: what speaks against it outweighs the rest."""

    def unnamed(self) -> str:
        """Something of hers that is better not named."""
