"""The types of a run's record: ``metrics.json``, and ``household.json`` where there is one.

Parsing is the only way in: fields that the report shows are there, of their type and finite.
Unknown fields are ignored, so that runs of a later version still render.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FEDCART = "fedcart"

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Values = Mapping[str, float | tuple[float, float]]


class Record(BaseModel):
    """Frozen, strict about types, and without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Dataset(Record):
    """Whose purchases, and how they were divided into clients."""

    name: str
    note: str = ""
    shoppers: Count
    items: Count
    interactions: Count
    clients: Count
    stores: Count
    devices: Count
    evaluated: Count


class Privacy(Record):
    """The promise over all releases; ``epsilon`` None means that there is none."""

    epsilon: Amount | None
    delta: Amount | None
    unit: str
    adjacency: str
    accountant: str
    noise_multiplier: Amount
    clipping_norm: Amount
    min_cohort: Count
    max_colluders: Count
    rounds: Count
    budget: Amount | None = None


class Cost(Record):
    """Time, bytes and memory of the whole run."""

    seconds: Amount
    seconds_by_phase: dict[str, Amount] = {}
    clients_per_second: Amount
    bytes_up_per_client: Count
    bytes_per_value: Amount
    peak_rss_mb: Amount


class Funnel(Record):
    """What shoppers chose, and what was made of it."""

    asked: Count
    granted: Count
    refused: Count
    personalising: Count | None = None
    withdrawn_before_commit: Count
    aggregated_after_withdrawal: Count
    collecting_points: Count | None = None
    points_issued: Count | None = None
    diary_entries: Count | None = None
    withdrew: Count | None = None
    purged_at_client: Count | None = None


class Task(Record):
    """One shared sum."""

    epsilon: Amount | None
    sealing: str
    scheme: str
    dim: Count
    noise_multiplier: Amount
    noise_stddev: Amount
    clients: Count
    shoppers: Count
    seconds: Amount
    seconds_by_phase: dict[str, Amount] = {}
    bytes_up_per_client: Count
    bytes_per_value: Amount
    declined: dict[str, Count] = {}
    resealed: Count = 0
    dropped_at_commit: Count = 0
    opened_by: tuple[int, ...] = ()


class Machine(Record):
    """Where it ran, if the run wrote it down."""

    platform: str = ""
    cores: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A mean over shoppers with its 95 % interval."""

    value: float
    low: float
    high: float


class Metrics(Record):
    """``metrics.json``."""

    fedcart: str
    scenario: str
    seed: int
    dataset: Dataset
    privacy: Privacy
    quality: dict[str, dict[str, dict[str, float | tuple[float, float]]]]
    cost: Cost
    consent: Funnel
    tasks: dict[str, Task]
    left_out: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    overrides: list[str] = []
    machine: Machine | None = None
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _intervals(self) -> Self:
        for protocol, models in self.quality.items():
            for model, values in models.items():
                for name in values:
                    _check_figure(values, name, f"quality.{protocol}.{model}")
        return self

    @property
    def protocol(self) -> str | None:
        """The protocol that the headline quotes: the first, if anything was evaluated."""
        return next(iter(self.quality), None)

    def figure(self, model: str, metric: str, protocol: str | None = None) -> Figure | None:
        """A model's metric under a protocol (the first by default), if it was measured."""
        models = self.quality.get(protocol or self.protocol or "", {})
        return figure(models.get(model, {}), metric)


def figure(values: Values, metric: str) -> Figure | None:
    """One metric out of a model's values."""
    value, interval = values.get(metric), values.get(f"{metric}_ci")
    if not isinstance(value, float) or not isinstance(interval, tuple):
        return None
    return Figure(value=value, low=interval[0], high=interval[1])


class Left(Record):
    """One vector that left the device."""

    task: str
    values: Count
    sealed_bytes: Count
    others: Count
    epsilon: Amount | None
    clipping_norm: Amount
    opened_by: tuple[int, ...]


class Favourite(Record):
    """An item and in how many of her baskets it was."""

    item: str
    baskets: Count


class Stayed(Record):
    """What never left the device."""

    lines: Count
    baskets: Count
    first: str
    last: str
    stores: Count = 0
    favourites: tuple[Favourite, ...]


class Decision(Record):
    """Her answer for one purpose and category."""

    purpose: str
    category: str
    decision: str


class Part(Record):
    """An addend of a score."""

    kind: str
    value: float


class Recommended(Record):
    """One line of her list."""

    item: str
    category: str = ""
    score: float
    reason: str
    parts: tuple[Part, ...]


class Household(Record):
    """``household.json``: one household's own page."""

    shopper: str
    choices: tuple[Decision, ...]
    left: tuple[Left, ...]
    stayed: Stayed
    recommendations: tuple[Recommended, ...]


def _check_figure(values: Values, name: str, place: str) -> None:
    """Every metric has an interval, and every interval its metric and its ends in order."""
    value = values[name]
    metric = name.removesuffix("_ci")
    if not isinstance(value, tuple):
        if name.endswith("_ci") or not isinstance(values.get(f"{name}_ci"), tuple):
            raise ValueError(f"{place} has no interval {metric}_ci")
    elif not name.endswith("_ci") or isinstance(values.get(metric), tuple) or metric not in values:
        raise ValueError(f"{place} has no number {metric}")
    elif not (math.isfinite(value[0]) and value[0] <= value[1]):
        raise ValueError(f"{place}.{name}: the ends {value[0]} and {value[1]} are out of order")
