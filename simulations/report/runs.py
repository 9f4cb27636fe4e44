"""Reading run folders; what is missing or foreign fails with the file and the field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from crypto.errors import InvalidInputError
from simulations.report.record import Household, Metrics, Record

METRICS, HOUSEHOLD = "metrics.json", "household.json"
_SHOWN_PROBLEMS = 3

Parsed = TypeVar("Parsed", bound=Record)


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
