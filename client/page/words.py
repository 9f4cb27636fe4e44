"""Names of tasks and kinds of data, as the page says them within a sentence."""

from collections.abc import Mapping
from typing import Final

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
    Category.TIME_CONTEXT: mark("hour and situation"),
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
