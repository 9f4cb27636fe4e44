"""fedcart's purposes and categories under the keys of fideslang, which governance tools know.

The keys are those of the default taxonomy of fideslang 3.1 (Apache-2.0, https://ethyca.github.io/
fideslang/): data uses for purposes, data categories for categories. The package itself can't be
installed beside this project's pins and nothing of it is needed but its words. Where fideslang has
no word as narrow as ours, the alias is the next wider one, and its use is marked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consent.purpose import Category, Purpose

TAXONOMY: Final = "fideslang 3.1"


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A key of the taxonomy; ``wider`` where it also covers more than ours."""

    key: str
    wider: bool = False


USES: Final[Mapping[Purpose, Alias]] = MappingProxyType(
    {
        Purpose.PERSONALISE: Alias(key="personalize.content.profiling"),
        Purpose.TRAIN: Alias(key="train_ai_system"),
        Purpose.FAIRNESS: Alias(key="functional.service.improve", wider=True),
        Purpose.MEASUREMENT: Alias(key="analytics.reporting"),
        Purpose.STOCK: Alias(key="operations", wider=True),
        Purpose.VALUE_SHARING: Alias(key="finance", wider=True),
        Purpose.RESEARCH: Alias(key="analytics", wider=True),
    }
)
CATEGORIES: Final[Mapping[Category, Alias]] = MappingProxyType(
    {
        Category.PURCHASES: Alias(key="user.behavior.purchase_history"),
        Category.BROWSING: Alias(key="user.behavior.browsing_history"),
        Category.LOCATION: Alias(key="user.location.imprecise"),
        Category.TIME_CONTEXT: Alias(key="user.behavior", wider=True),
        Category.DEVICE: Alias(key="user.device"),
        Category.DEMOGRAPHICS: Alias(key="user.demographic.age_range"),
        Category.SENSITIVE: Alias(key="user.behavior.purchase_history", wider=True),
    }
)


def use_of(purpose: Purpose) -> str:
    """The taxonomy's data use of a purpose."""
    return USES[purpose].key


def category_of(category: Category) -> str:
    """The taxonomy's data category of a category."""
    return CATEGORIES[category].key
