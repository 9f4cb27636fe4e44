"""Explanations in English."""

from collections.abc import Sequence
from typing import Final

# By the codes of client/recommender/moment.py: weekdays, parts of the day, seasons, the store.
_CONTEXTS: Final = (
    "on Mondays",
    "on Tuesdays",
    "on Wednesdays",
    "on Thursdays",
    "on Fridays",
    "on Saturdays",
    "on Sundays",
    "at night",
    "in the morning",
    "at midday",
    "in the afternoon",
    "in the evening",
    "in winter",
    "in spring",
    "in summer",
    "in autumn",
    "in this store",
)


class English:
    """See ``wording.Wording``."""

    def habit(self, times: int, window: int) -> str:
        """In how many of her last baskets it was."""
        if times == 0:
            return "you used to buy it"
        if window == 1:
            return "you bought it in your last basket"
        return f"you bought it in {times} of your last {window} baskets"

    def rhythm(self, gap: int, since: int, *, speaks_for: bool) -> str:
        """How many days lie between her purchases of it, and how many since the last."""
        often = "you buy it about every day" if gap <= 1 else f"you buy it about every {gap} days"
        but = "" if speaks_for else "but "
        return f"{often}, {but}last {_days(since)} ago" if since else f"{often}, {but}last today"

    def due(self, *, speaks_for: bool) -> str:
        """It is due by her own rhythm, or not."""
        return "by your own rhythm it is due" if speaks_for else "by your own rhythm it is not due"

    def popular(self, *, bought: bool) -> str:
        """Others buy it."""
        return (
            "it is popular with other shoppers at present"
            if bought
            else "it is popular with other shoppers"
        )

    def paired(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """Who buys these often (or seldom) buys it."""
        if not speaks_for:
            return "people who buy what you buy seldom buy it"
        if not names:
            return "it is often bought by people who buy what you buy"
        return f"it is often bought by people who buy {_listed(names)}, as you do"

    def liked(self, category: str, *, bought: bool, speaks_for: bool) -> str:
        """It is of a category that she buys much (or little) of."""
        of = f" ({category})" if category else ""
        if not speaks_for:
            return f"you seldom buy from its category{of}"
        return f"it is {'of' if bought else 'new to you in'} a category you like{of}"

    def content(self, names: Sequence[str], *, speaks_for: bool) -> str:
        """It resembles these."""
        if not speaks_for:
            return "it resembles little of what you buy"
        return (
            f"it resembles {_listed(names)}, which you buy"
            if names
            else "it resembles what you buy"
        )

    def context(self, code: int, times: int, *, speaks_for: bool) -> str:
        """How often she bought it at such a time or place."""
        when = _CONTEXTS[code] if 0 <= code < len(_CONTEXTS) else "at such times"
        if not speaks_for:
            return f"you seldom buy it {when}"
        if not times:  # a weight below 0 turned it round
            return f"you never bought it {when} so far, which counts for it here"
        return f"you often buy it {when} ({times} so far)"

    def against(self, clause: str) -> str:
        """A fact that speaks against the item."""
        return f"{clause}, which counts against it here"

    def discovery(self) -> str:
        """It is there to be found."""
        return "it is here so that you find something new"

    def gentle(self, *, speaks_for: bool) -> str:
        """Nothing is named."""
        return "it fits what you let be used" if speaks_for else "something speaks against it"

    def fits(self) -> str:
        """Nothing speaks for it alone."""
        return "it fits what you buy"

    def sentence(self, clauses: Sequence[str]) -> str:
        """One sentence."""
        text = ", and ".join(clauses)
        return f"{text[0].upper()}{text[1:]}."

    def without(self, names: Sequence[str], *, own: bool) -> str:
        """The condition."""
        return (
            "without your own purchases of it"
            if own
            else f"without your purchases of {_listed(names)}"
        )

    def conditional(self, condition: str, outcome: str) -> str:
        """One sentence."""
        return f"{condition[0].upper()}{condition[1:]}, {outcome}."

    def would_stand(self, place: int, *, listed: bool) -> str:
        """Where it would stand then."""
        if listed:
            return f"it would still be listed, at place {place:,}"
        return f"it would not be listed; it would stand at place {place:,}"

    def would_be_gone(self) -> str:
        """Not at all."""
        return "it would not be recommended at all"

    def undecided(self) -> str:
        """None sets it back."""
        return "none of your purchases that could matter most sets it back when it is left out"

    def stands(self, place: int) -> str:
        """Beyond the end."""
        return f"it is not on your list at present; it stands at place {place:,}"

    def nowhere(self) -> str:
        """Not recommended."""
        return "it is not on your list: more speaks against it than for it"

    def unnamed(self) -> str:
        """Something better not named."""
        return "something else you buy"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
