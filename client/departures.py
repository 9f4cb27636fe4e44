"""What left this device: every round it joined, from its own register and what was published.

The register says which rounds were joined and what each was charged with. What a round asked for
(when, how many numbers) stands in its signed manifest; how many bytes that took and how many others
were in the sum, in the record beside it. Both lie with the released artefacts: of a round that was
not released, or whose folder is not here, only the register speaks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.home import ClientHome
from client.outbox import waiting_bytes
from client.register import charged_contexts, joined_contexts, joined_rounds
from client.releases import artefact_files, read_manifest
from crypto.errors import InvalidInputError
from crypto.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One round that this device joined; None for what is not known here.

    Attributes:
        sent: whether anything left for it: without consent, or beyond her cap, nothing did.
        epsilon: what it was charged with; None where the round had no noise.
        opened: when the round opened, Unix seconds.
        values: how many numbers its sealed vector has.
        sealed_bytes: how many bytes that took, all key holders together.
        others: how many other shoppers are in the sum.
        released: whether its result was published, as far as this device knows.
        waiting: whether what was sealed for it still lies in the outbox.
    """

    task: str
    round_id: str
    sent: bool
    epsilon: float | None
    opened: int | None
    values: int | None
    sealed_bytes: int | None
    others: int | None
    released: bool
    waiting: bool

    def to_json(self) -> dict[str, Any]:
        """All of it, with names as the API has them."""
        fields = dict(vars(self))
        return {"task": fields.pop("task"), "round": fields.pop("round_id"), **fields}


@dataclass(frozen=True, kw_only=True)
class _Published:
    manifest: Manifest
    sealed_bytes: int | None
    shoppers: int | None


def departures(home: ClientHome, releases: Path | None) -> tuple[Departure, ...]:
    """Every round that this device joined, newest first."""
    published = {} if releases is None else _published(releases, home.trust.coordinator_key)
    contexts = joined_contexts(home.register)
    charged = charged_contexts(home.register, home.shopper)
    return tuple(
        _departure(
            row,
            published.get(row[:2]),
            sent=contexts[row[:2]] in charged,
            waiting=waiting_bytes(home.outbox, contexts[row[:2]]),
        )
        for row in reversed(joined_rounds(home.register))
    )


def _departure(
    row: tuple[str, str, float | None],
    published: _Published | None,
    *,
    sent: bool,
    waiting: int | None,
) -> Departure:
    task, round_id, epsilon = row
    manifest = None if published is None else published.manifest
    shoppers = None if published is None else published.shoppers
    return Departure(
        task=task,
        round_id=round_id,
        sent=sent,
        epsilon=epsilon,
        opened=None if manifest is None else manifest.opens,
        values=None if manifest is None else manifest.plan.dimension,
        sealed_bytes=waiting if published is None else published.sealed_bytes,
        others=None if shoppers is None else shoppers - 1,
        released=published is not None,
        waiting=waiting is not None,
    )


def _published(
    releases: Path, coordinator: Ed25519PublicKey
) -> Mapping[tuple[str, str], _Published]:
    found = {}
    for file in artefact_files(releases):
        try:
            manifest = read_manifest(file.with_name("manifest.json"), coordinator)
        except (InvalidInputError, OSError):
            continue  # not of this federation, or an artefact that came alone
        record = _record(file.with_name("record.json"))
        found[manifest.task, manifest.round_id] = _Published(
            manifest=manifest,
            sealed_bytes=_count(record, "sealed_bytes_per_client"),
            shoppers=_count(record, "shoppers"),
        )
    return found


def _record(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _count(record: Mapping[str, Any], key: str) -> int | None:
    value = record.get(key)
    return value if type(value) is int and value > 0 else None
