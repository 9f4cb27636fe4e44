"""What a run folder says, parsed: ``metrics.json`` and, where there is one, ``household.json``.

Parsing is the only way in: fields that the report shows are there, of their type and finite, or
loading fails with the file and the field. Unknown fields are ignored, so that runs of a later
version still render.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from crypto.errors import InvalidInputError

FEDCART = "fedcart"
METRICS, HOUSEHOLD = "metrics.json", "household.json"
_SHOWN_PROBLEMS = 3

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Values = Mapping[str, float | tuple[float, float]]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Dataset(_Record):
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


class Privacy(_Record):
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


class Cost(_Record):
    """Time, bytes and memory of the whole run."""

    seconds: Amount
    seconds_by_phase: dict[str, Amount] = {}
    clients_per_second: Amount
    bytes_up_per_client: Count
    bytes_per_value: Amount
    peak_rss_mb: Amount


class Funnel(_Record):
    """What shoppers chose, and what was made of it."""

    asked: Count
    granted: Count
    refused: Count
    personalising: Count | None = None
    withdrawn_before_commit: Count
    aggregated_after_withdrawal: Count


class Task(_Record):
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


class Machine(_Record):
    """Where it ran, if the run wrote it down."""

    platform: str = ""
    cores: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A mean over shoppers with its 95 % interval."""

    value: float
    low: float
    high: float


class Metrics(_Record):
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


class Left(_Record):
    """One vector that left the device."""

    task: str
    values: Count
    sealed_bytes: Count
    others: Count
    epsilon: Amount | None
    clipping_norm: Amount
    opened_by: tuple[int, ...]


class Favourite(_Record):
    """An item and in how many of her baskets it was."""

    item: str
    baskets: Count


class Stayed(_Record):
    """What never left the device."""

    lines: Count
    baskets: Count
    first: str
    last: str
    stores: Count = 0
    favourites: tuple[Favourite, ...]


class Decision(_Record):
    """Her answer for one purpose and category."""

    purpose: str
    category: str
    decision: str


class Part(_Record):
    """An addend of a score."""

    kind: str
    value: float


class Recommended(_Record):
    """One line of her list."""

    item: str
    category: str = ""
    score: float
    reason: str
    parts: tuple[Part, ...]


class Household(_Record):
    """``household.json``: one household's own page."""

    shopper: str
    choices: tuple[Decision, ...]
    left: tuple[Left, ...]
    stayed: Stayed
    recommendations: tuple[Recommended, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run's folder, parsed."""

    folder: Path
    metrics: Metrics
    household: Household | None


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        InvalidInputError: there is no ``metrics.json``, or a file is not what a run writes.
    """
    path = folder / METRICS
    if not path.is_file():
        raise InvalidInputError(
            f"No {METRICS} in {folder}: give the folder that 'fedcart simulate' or 'fedcart demo' "
            "wrote."
        )
    household = folder / HOUSEHOLD
    return Run(
        folder=folder,
        metrics=_parse(Metrics, path, _read(path)),
        household=_household(household) if household.is_file() else None,
    )


def parse_metrics(value: Mapping[str, Any]) -> Metrics:
    """The record of a run that was just made, from memory.

    Raises:
        InvalidInputError: it is not what a run writes.
    """
    try:
        return Metrics.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise InvalidInputError(_complaint("This", error)) from None


def _household(path: Path) -> Household | None:
    content = _read(path)
    return None if content.strip() == b"null" else _parse(Household, path, content)


Parsed = TypeVar("Parsed", bound=_Record)


def _parse(kind: type[Parsed], path: Path, content: bytes) -> Parsed:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise InvalidInputError(_complaint(str(path), error)) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"Can't read {path}: {error.strerror}.") from error


def _complaint(source: str, error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    told = "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}"
        for each in found[:_SHOWN_PROBLEMS]
    )
    more = f"; and {len(found) - _SHOWN_PROBLEMS} more" if len(found) > _SHOWN_PROBLEMS else ""
    return f"{source} is not the record of a run: {told}{more}. Run the scenario again."


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
