"""Which of a shopper's purchases a ranker foretells, and what lay before them.

The ranker learns from her last lists, each foretold from what lay before it. What it weighs must
not have been made from those lists: a released item-item model that has seen them foretells them
far better than it foretells anything else, and would be trusted too much. So item-item is summed
from what lay before (``untold``), and both agree here on what a list is.
"""

from client.contributions.history import History, IndexArray

# How many lines a list foretells where baskets are no visits.
LINES = 3
# What hardly anybody buys in one visit: from so many items on a basket may be a day of ratings.
MANY = 20


def of_lines(history: History) -> bool:
    """Whether her lists foretell lines instead of baskets.

    Where one basket of many items holds most of what she has, it is no visit but a whole day, as
    in a file of ratings; then her last few lines are foretold from those before them.
    """
    largest = int(history.sizes.max(initial=0))
    return history.line is not None and largest >= MANY and 2 * largest > history.item.size


def list_of(history: History, age: int) -> tuple[History, IndexArray]:
    """What lay before one of her lists, and the items of the list; ``age`` 0 is the latest."""
    if of_lines(history):
        since = history.since
        wanted = (since >= age * LINES) & (since < (age + 1) * LINES)
        return history.without_lines((age + 1) * LINES), history.item[wanted]
    return history.without_latest(age + 1), history.item[history.age == age]


def untold(history: History, lists: int) -> History:
    """Her history without her last so many lists.

    Of whom nothing would be left, nothing can be foretold either, so all of hers stays.
    """
    if not lists:
        return history
    before, _ = list_of(history, lists - 1)
    return before if before.item.size else history
