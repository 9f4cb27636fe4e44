"""A shopper's list, made on her device from released artefacts and her own purchases."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.events import EventStore
from client.gateway import Gateway
from client.holds import Holds
from client.home import ClientHome
from client.recommender.explain import reason
from client.recommender.recommend import recommend
from client.recommender.scores import Model
from consent.admit import ConsentedEvents
from consent.client import ConsentClient
from consent.purpose import Category
from consent.tasks.artefact import Artefact, decode_artefact
from consent.tasks.names import TaskName
from crypto.errors import ConsentError, InvalidInputError, WireError
from crypto.manifest import Manifest
from crypto.wire import SignedRecord


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One item of the list, and why it is there."""

    item: str
    category: str
    score: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The list, best first.

    Attributes:
        used: the categories of her data that it was made from, as she granted them.
        artefacts: the released artefacts that went in.
    """

    suggestions: tuple[Suggestion, ...]
    used: tuple[Category, ...]
    artefacts: tuple[TaskName, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "recommendations": [asdict(each) for each in self.suggestions],
            "used": list(self.used),
            "artefacts": list(self.artefacts),
        }


def make_shelf(home: ClientHome, releases: Path, http: httpx.Client, *, count: int) -> Shelf:
    """Recommend, if she agrees to it at this moment.

    Raises:
        ConsentError: she doesn't, or the consent service can't say; her purchases are not read.
        InvalidInputError: no usable artefact in ``releases``, or no purchases on this device.
    """
    events = _personal_events(home, http)
    catalogue = home.trust.load_catalogue()
    artefacts = newest(releases, home.trust.coordinator_key)
    model = Model.of(catalogue, artefacts)
    return Shelf(
        suggestions=tuple(
            Suggestion(
                item=catalogue.items[each.item],
                category=catalogue.categories[each.item],
                score=each.score,
                reason=reason(each, catalogue),
            )
            for each in recommend(model, events, count=count)
        ),
        used=tuple(sorted(events.categories)),
        artefacts=tuple(artefact.task for artefact in artefacts),
    )


def _personal_events(home: ClientHome, http: httpx.Client) -> ConsentedEvents:
    shopper, token = home.shopper, home.token
    if not home.events.exists():
        raise InvalidInputError(
            f"There are no purchases in {home.path}; import some: fedcart device import."
        )
    consent = ConsentClient(http, service_key=home.trust.consent_key)
    try:
        with EventStore.open(home.events) as store:
            return Gateway(store, consent, home.trust.load_catalogue(), Holds.load(home)).personal(
                shopper, identifier=home.shoppers[shopper], token=token
            )
    except ConsentError as error:
        raise ConsentError(f"Nothing is recommended without consent. {error}") from error


def newest(folder: Path, coordinator: Ed25519PublicKey) -> tuple[Artefact, ...]:
    """The newest released artefact of each task anywhere in a folder.

    A release is as old as its signed manifest says, or its file where none lies beside it.

    Raises:
        InvalidInputError: there is none, one is malformed, or a manifest is not the coordinator's.
    """
    files = sorted(_artefact_files(folder), key=lambda file: _opened_at(file, coordinator))
    if not files:
        raise InvalidInputError(f"There is no artefact.json in {folder} or the folders in it.")
    found = {artefact.task: artefact for artefact in map(_decode, files)}
    return tuple(found[task] for task in TaskName if task in found)


def _artefact_files(folder: Path) -> Iterator[Path]:
    """Every artefact.json, but for those of unfinished releases (hidden folders)."""
    for file in sorted(folder.rglob("artefact.json")):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _opened_at(file: Path, coordinator: Ed25519PublicKey) -> float:
    manifest = file.with_name("manifest.json")
    if not manifest.is_file():
        return file.stat().st_mtime
    try:
        record = SignedRecord.from_bytes(manifest.read_bytes())
        return float(Manifest.verify(record, coordinator).opens)
    except WireError as error:
        raise InvalidInputError(
            f"{manifest} is not of this device's federation: {error}"
        ) from error


def _decode(file: Path) -> Artefact:
    try:
        return decode_artefact(file.read_bytes())
    except WireError as error:
        raise InvalidInputError(f"{file} is no released artefact: {error}") from error
