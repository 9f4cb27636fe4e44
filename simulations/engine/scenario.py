"""Scenarios: what a run simulates, read from TOML and checked key by key.

An unknown key names the nearest known one; ``--set section.key=value`` overrides a key.
"""

import difflib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from crypto.errors import InvalidInputError
from crypto.sums.schemes import Scheme


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which population. ``source``: "complete-journey", "synthetic", or an imported folder."""

    source: str = "complete-journey"
    level: str = "type"
    assortment: str = "listed"
    shoppers: int = 120  # synthetic only
    items: int = 60  # synthetic only
    stores: int = 3  # synthetic only


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """The budget. ``epsilon`` covers everything shared in total; ``enabled = false`` is research.

    ``min_clients`` 0 takes ``min_share`` of the clients that agree; ``colluders`` is the share of
    the minimum cohort that may leave its noise out. ``scheme`` is how sums are sealed:
    "compact-sum", "piece-sum" or "share-sum"; ``experimental`` takes Set B; ``client_noise`` is the
    second line of noise (see ``PrivacyPlan``).
    """

    enabled: bool = True
    epsilon: float = 2.0
    delta: float = 1e-5
    min_clients: int = 0
    min_share: float = 0.85
    colluders: float = 0.02
    scheme: str = "compact-sum"
    experimental: bool = False
    client_noise: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """Shares of the budget; 0 leaves a task out. ``force_item_item`` overrides the signal test.

    ``ranker`` covers all of its ``ranker_rounds``, ``factors`` all of its ``factors_rounds``.
    ``evaluation`` and ``fairness`` measure, on devices, what the tasks before them released.
    """

    popularity: float = 0.15
    recent_popularity: float = 0.30
    item_item: float = 0.55
    factors: float = 0.0
    factors_rounds: int = 2
    ranker: float = 0.0
    ranker_rounds: int = 1
    recent_baskets: int = 3
    item_item_items: int = 512
    force_item_item: bool = False
    evaluation: float = 0.0
    fairness: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What shoppers choose, as shares of all shoppers.

    ``refuse``: nothing at all; ``personal_only``: recommendations on the device, no training;
    ``withdraw``: of those who train, withdraw between selection and commit of some round;
    ``time_context``, ``location``: of those who train, also grant these categories;
    ``value_sharing``: of those who train, opt in to points; ``measurement``: let noisy counts
    measure quality; ``fairness``: agree to audits and state the groups that the data name.
    """

    refuse: float = 0.06
    personal_only: float = 0.06
    withdraw: float = 0.01
    time_context: float = 0.7
    location: float = 0.5
    value_sharing: float = 0.6
    measurement: float = 0.0
    fairness: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Clients:
    """``dropout``: share of clients whose answer never arrives."""

    dropout: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How it runs: ``services`` "processes" or "embedded"; ``workers`` client processes."""

    services: str = "processes"
    workers: int = 2
    keep_homes: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Next-basket evaluation; ``bootstrap`` resamples for the 95 % intervals."""

    enabled: bool = True
    bootstrap: int = 1000


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run, whole."""

    name: str
    seed: int = 1
    data: Data = field(default_factory=Data)
    privacy: Privacy = field(default_factory=Privacy)
    tasks: Tasks = field(default_factory=Tasks)
    consent: Consent = field(default_factory=Consent)
    clients: Clients = field(default_factory=Clients)
    engine: Engine = field(default_factory=Engine)
    evaluation: Evaluation = field(default_factory=Evaluation)

    def __post_init__(self) -> None:
        shares = {
            "privacy.min_share": self.privacy.min_share,
            "privacy.colluders": self.privacy.colluders,
            "clients.dropout": self.clients.dropout,
            **{f"consent.{f.name}": getattr(self.consent, f.name) for f in fields(Consent)},
        }
        for key, value in shares.items():
            if not 0.0 <= value <= 1.0:
                raise InvalidInputError(f"{key} = {value}: expected a share from 0 to 1.")
        if self.consent.refuse + self.consent.personal_only > 1.0:
            raise InvalidInputError("consent.refuse and consent.personal_only exceed 1 together.")
        if self.engine.services not in ("processes", "embedded"):
            raise InvalidInputError(
                f'engine.services = {self.engine.services!r}: expected "processes" or "embedded".'
            )
        if self.engine.services == "embedded" and self.engine.workers:
            raise InvalidInputError("Embedded services need engine.workers = 0.")
        if self.privacy.scheme not in list(Scheme):
            raise InvalidInputError(
                f"privacy.scheme = {self.privacy.scheme!r}: expected one of {', '.join(Scheme)}."
            )
        if self.privacy.enabled and not self.privacy.epsilon > 0:
            raise InvalidInputError(
                f"privacy.epsilon = {self.privacy.epsilon}: expected > 0 (or set "
                "privacy.enabled = false)."
            )

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> Self:
        """Read a scenario file and apply ``key=value`` overrides.

        Raises:
            InvalidInputError: no such file, not TOML, an unknown key or a value of another type.
        """
        if not path.is_file():
            raise InvalidInputError(f"No scenario at {path}. {_hint()}")
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{path}: not TOML: {error}") from error
        tree.setdefault("name", path.stem)
        for override in overrides:
            _apply(tree, override)
        scenario: Self = _build(cls, tree, "")
        return scenario

    def changes(self, base: "Scenario") -> list[str]:
        """The ``--set`` values that turn ``base`` into this scenario, names aside."""
        mine, theirs = _flat(asdict(self)), _flat(asdict(base))
        return [
            f"{key}={json.dumps(value)}"
            for key, value in mine.items()
            if key != "name" and theirs[key] != value
        ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def shipped(name: str) -> Path:
    """The path of a scenario that comes with fedcart, by name (``demo``)."""
    return Path(str(resources.files("simulations").joinpath("scenarios", f"{name}.toml")))


def _hint() -> str:
    folder = shipped("demo").parent
    names = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
    return f"Shipped scenarios: {names}; or name a file."


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise InvalidInputError(f"--set {override!r}: expected section.key=value.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise InvalidInputError(f"--set {override!r}: {section!r} is no section.")
    tree[last] = value


def _build(kind: Any, tree: dict[str, Any], prefix: str) -> Any:
    hints = get_type_hints(kind)
    for key in tree:
        if key not in hints:
            raise InvalidInputError(_unknown(f"{prefix}{key}", prefix, list(hints)))
    values = {key: _value(hints[key], value, f"{prefix}{key}") for key, value in tree.items()}
    return kind(**values)


def _unknown(key: str, prefix: str, known: list[str]) -> str:
    everywhere = {name: f"{prefix}{name}" for name in known}
    if not prefix:
        hints = get_type_hints(Scenario)
        everywhere |= {
            name: f"{section}.{name}"
            for section, kind in hints.items()
            if is_dataclass(kind)
            for name in get_type_hints(kind)
        }
    near = difflib.get_close_matches(key.rsplit(".", 1)[-1], everywhere, n=1, cutoff=0.5)
    guess = f" Did you mean {everywhere[near[0]]!r}?" if near else f" Known: {', '.join(known)}."
    return f"Unknown key {key!r}.{guess}"


def _value(kind: Any, value: Any, key: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise InvalidInputError(f"{key!r} is a section; set its keys, as in {key}.… = value.")
        return _build(kind, value, f"{key}.")
    allowed = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    if float in allowed and type(value) is int:
        return float(value)
    if type(value) not in allowed:
        names = " or ".join(each.__name__ for each in allowed)
        raise InvalidInputError(f"{key} = {value!r}: expected {names}.")
    return value
