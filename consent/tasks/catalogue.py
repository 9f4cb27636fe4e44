"""The retailer's public item list: what the indices of every shared vector mean.

Items are ordered as the retailer publishes them; the hash names the list in every manifest, so no
two parties can mean different items by one index. Nothing in it comes from shoppers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from consent.events import StringArray
from crypto.errors import InvalidInputError
from crypto.wire import canonical, parse_object

MAX_ITEMS = 10_000_000
FIELDS = dict.fromkeys(("name", "level", "items", "categories", "departments", "products")).keys()

Attributes = Mapping[str, tuple[tuple[str, ...], ...]]

# The attribute that says which items are of a sensitive class, and the values that say no.
SENSITIVE = "sensitive"
NOT_SENSITIVE = frozenset({"", "0", "0.0", "no", "n", "false", "none", "否", "不", "无"})


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Items at the level that is recommended, with their public content.

    Attributes:
        name: of the data set or retailer.
        level: what an item is, e.g. "product type".
        items: ids, unique; an item's index is its position.
        categories: one per item; empty where unknown.
        departments: one per item; empty where unknown.
        products: finest id (as tills and event stores write it) to item index; empty when the
            items themselves are the finest level.
        attributes: what else is publicly known: attribute to the values of each item, in the
            items' order; none, one or several an item. Any value of ``SENSITIVE`` but those of
            ``NOT_SENSITIVE`` puts an item into a sensitive class.
    """

    name: str
    level: str
    items: tuple[str, ...]
    categories: tuple[str, ...]
    departments: tuple[str, ...]
    products: Mapping[str, int]
    attributes: Attributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < len(self.items) <= MAX_ITEMS:
            raise InvalidInputError(
                f"A catalogue has 1 to {MAX_ITEMS} items, not {len(self.items)}."
            )
        if len(set(self.items)) != len(self.items):
            raise InvalidInputError("A catalogue names an item twice; item ids are unique.")
        if not len(self.items) == len(self.categories) == len(self.departments):
            raise InvalidInputError("A catalogue has one category and one department an item.")
        if any(not 0 <= index < len(self.items) for index in self.products.values()):
            raise InvalidInputError("A product of the catalogue belongs to no item of it.")
        for name, values in self.attributes.items():
            if name != SENSITIVE and name.strip().casefold() == SENSITIVE:
                # Read as any other attribute, it would let through all that it says to withhold.
                raise InvalidInputError(f"Attribute {name!r} is not read: write it {SENSITIVE!r}.")
            if len(values) != len(self.items):
                raise InvalidInputError(
                    f"Attribute {name!r} has {len(values)} entries for {len(self.items)} items."
                )
        object.__setattr__(self, "products", MappingProxyType(dict(self.products)))
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def _lookup(self) -> dict[str, int]:
        return dict(self.products) or {item: i for i, item in enumerate(self.items)}

    def indices(self, item: StringArray) -> npt.NDArray[np.int64]:
        """Index of each finest id, shape like ``item``; -1 where the catalogue has none."""
        lookup = self._lookup
        return np.fromiter((lookup.get(name, -1) for name in item), np.int64, len(item))

    @cached_property
    def sensitive(self) -> npt.NDArray[np.bool_]:
        """Which items are of a sensitive class, shape (items,); read-only."""
        values = self.attributes.get(SENSITIVE, ((),) * len(self.items))
        found = np.array([any(map(is_sensitive, each)) for each in values], dtype=bool)
        found.flags.writeable = False
        return found

    @cached_property
    def sensitive_products(self) -> frozenset[str]:
        """The finest ids, as event stores write them, of all items of a sensitive class."""
        if not self.sensitive.any():
            return frozenset()
        return frozenset(name for name, item in self._lookup.items() if self.sensitive[item])

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the canonical JSON: the name of this list in manifests."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Canonical JSON; a list without attributes has no field for them."""
        body = {
            "name": self.name,
            "level": self.level,
            "items": self.items,
            "categories": self.categories,
            "departments": self.departments,
            "products": dict(self.products),
        }
        if self.attributes:
            body["attributes"] = dict(self.attributes)
        return canonical(body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse what ``to_bytes`` writes.

        Raises:
            InvalidInputError: not a catalogue; the message says which field is wrong.
        """
        value = parse_object(data, what="catalogue")
        if value.keys() - {"attributes"} != FIELDS:
            raise InvalidInputError(
                f"A catalogue has {', '.join(FIELDS)}, and attributes if there are any."
            )
        return cls(
            name=str(value["name"]),
            level=str(value["level"]),
            items=_texts(value, "items"),
            categories=_texts(value, "categories"),
            departments=_texts(value, "departments"),
            products=_products(value["products"]),
            attributes=_attributes(value.get("attributes", {})),
        )


def is_sensitive(value: str) -> bool:
    """Whether a value of the attribute ``SENSITIVE`` puts an item into a sensitive class."""
    return value.strip().casefold() not in NOT_SENSITIVE


def _texts(value: dict[str, Any], key: str) -> tuple[str, ...]:
    texts = value[key]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidInputError(f"Field {key!r} of a catalogue is a list of strings.")
    return tuple(texts)


def _products(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not all(type(index) is int for index in value.values()):
        raise InvalidInputError("Field 'products' of a catalogue maps product ids to item indices.")
    return value


def _attributes(value: object) -> dict[str, tuple[tuple[str, ...], ...]]:
    if not isinstance(value, dict) or not all(
        isinstance(items, list) and all(isinstance(values, list) for values in items)
        for items in value.values()
    ):
        raise InvalidInputError(
            "Field 'attributes' of a catalogue maps names to a list of values an item."
        )
    return {
        name: tuple(tuple(map(str, values)) for values in items) for name, items in value.items()
    }
