"""Names of tasks and kinds of data, as the page says them within a sentence."""

from collections.abc import Mapping
from typing import Final

from babel.numbers import format_decimal

from client.outcomes import Drawing
from client.recommender.openness import Breadth
from consent.panel.language import Tongue, mark
from consent.purpose import Category

_TASKS: Final[Mapping[str, str]] = {
    "popularity": mark("popular products"),
    "recent-popularity": mark("products popular lately"),
    "item-item": mark("products that go together"),
    "ranker": mark("what makes a good list"),
    "factors": mark("tastes that many share"),
    "federated-evaluation": mark("quality of recommendations"),
    "group-fairness": mark("fairness between groups"),
}
_CATEGORIES: Final[Mapping[Category, str]] = {
    Category.PURCHASES: mark("purchases"),
    Category.BROWSING: mark("what you looked at"),
    Category.LOCATION: mark("store"),
    Category.TIME_CONTEXT: mark("time of day"),
    Category.DEVICE: mark("kind of device"),
    Category.DEMOGRAPHICS: mark("age, household and income bands"),
    Category.SENSITIVE: mark("sensitive product classes"),
}


def task_name(tongue: Tongue, task: str) -> str:
    """What a task is about; its own name where there are no words for it."""
    return tongue.say(_TASKS.get(task, task))


def category_name(tongue: Tongue, category: Category) -> str:
    """A kind of data."""
    return tongue.say(_CATEGORIES[category])


# What the list of groups asks (``consent/tasks/groups.py``); a list of an operator's own that has
# other words is shown in those.
_GROUPS: Final[Mapping[str, str]] = {
    "age": mark("Age"),
    "household-size": mark("People in my household"),
    "income": mark("Income, among the households of my country"),
    "lowest-fifth": mark("lowest fifth"),
    "second-fifth": mark("second fifth"),
    "middle-fifth": mark("middle fifth"),
    "fourth-fifth": mark("fourth fifth"),
    "top-fifth": mark("top fifth"),
}


def group_name(tongue: Tongue, name: str) -> str:
    """An attribute or a group that she may state."""
    return tongue.say(_GROUPS.get(name, name))


_BREADTHS: Final[Mapping[Breadth, str]] = {
    Breadth.NONE: mark("nothing new"),
    Breadth.LESS: mark("less than I usually try"),
    Breadth.AS_I_SHOP: mark("as much as I usually try"),
    Breadth.MORE: mark("more"),
    Breadth.MUCH_MORE: mark("much more"),
}


def breadth_name(tongue: Tongue, breadth: Breadth) -> str:
    """A place of her slider."""
    return tongue.say(_BREADTHS[breadth])


_DRAWINGS: Final[Mapping[Drawing, str]] = {
    Drawing.AS_NOW: mark("as it is drawn now"),
    Drawing.BEST_MORE: mark("had the best been drawn more often"),
    Drawing.ALL_ALIKE: mark("had all candidates been drawn alike"),
}


def drawing_name(tongue: Tongue, drawing: Drawing) -> str:
    """A way of drawing the zone."""
    return tongue.say(_DRAWINGS[drawing])


def money(tongue: Tongue, paid: float) -> str:
    """What was paid, with two decimals at least; of which currency is not known here."""
    locale = tongue.tag.replace("-", "_")
    return str(format_decimal(paid, format="#,##0.00##", locale=locale))
