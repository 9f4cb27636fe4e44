"""Clients with real homes before a real consent service, both on a temporary folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.events import EventStore
from client.home import ClientHome, ClientKind, Trust
from consent.ages import AgeBand
from consent.events import Events
from consent.tasks.catalogue import Catalogue
from consent.tasks.popularity import PopularityTask
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.sealing import secure_sum
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import PartSum, SealedSum, SealedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord
from server.rounds import PlannedRound, release
from tests.unit.consent.harness import GIVE, NOTICE, Stage
from tests.unit.crypto.samples import (
    cards,
    commit,
    invitation,
    key_hashes,
    manifest,
    opening_keys,
    piece_part,
    plan,
    round_keys,
    signer,
)

ITEMS = tuple(f"item-{k:02d}" for k in range(12))
CATALOGUE = Catalogue(
    name="test",
    level="item",
    items=ITEMS,
    categories=("",) * 12,
    departments=("",) * 12,
    products={},
)


def purchases(shopper: str, *items: str) -> Events:
    """One basket of these items."""

    def text(values: list[str]) -> Any:
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column

    count = len(items)
    return Events(
        shopper=text([shopper] * count),
        time=np.arange(count, dtype=np.int64) + 1_700_000_000,
        basket=text(["basket-1"] * count),
        item=text(list(items)),
        quantity=np.ones(count),
        price=np.full(count, np.nan),
        store=text(["store-1"] * count),
    )


def make_trust(folder: Path, **changes: Any) -> Trust:
    catalogue = folder / "catalogue.json"
    catalogue.write_bytes(CATALOGUE.to_bytes())
    files = []
    for card in cards():
        files.append(folder / f"{card.number}.card")
        files[-1].write_bytes(card.to_bytes())
    fields: dict[str, Any] = {
        "population": "test-federation",
        "consent_url": "http://consent.test",
        "consent_key": signer("consent").public_key(),
        "coordinator_key": signer("coordinator").public_key(),
        "cards": tuple(str(file) for file in files),
        "holders": tuple(card.identity for card in cards()),
        "catalogue": str(catalogue),
        "n_floor": 3,
        "z_floor": 0.3,
        "schemes": tuple(Scheme),
    }
    return Trust(**(fields | changes))


def make_manifest(**changes: Any) -> Manifest:
    """A round of the key holders in ``samples``, of a share sum unless its plan says else."""
    made: PrivacyPlan = changes.get("plan") or plan()
    keys = tuple(record.hash for record in round_keys()) if made.scheme.votes else key_hashes()
    fields: dict[str, Any] = {"plan": made, "key_hashes": keys, "catalogue": CATALOGUE.hash}
    return manifest(**(fields | changes))


def quiet_manifest(scheme: Scheme = Scheme.SHARE_SUM, **changes: Any) -> Manifest:
    """A round without noise, so that tests can read what was contributed."""
    return make_manifest(plan=without_noise(plan(scheme=scheme)), epsilon=None, **changes)


def sign(made: Manifest, name: str = "coordinator") -> SignedRecord:
    return made.sign(signer(name))


def invite(made: Manifest, name: str = "coordinator") -> Invitation:
    """The round's invitation, with round keys and accepts where its scheme has them."""
    return invitation(made, name)


def parts_of(made: Manifest, total: SealedSum, sealed: SealedUpdate, who: bytes) -> list[PartSum]:
    """What all three key holders open of one client's sealed update."""
    holders = range(1, HOLDERS + 1)
    if made.scheme.votes:
        return [piece_part([sealed], k, made.plan, senders=[who]) for k in holders]
    return [
        opening_keys()[k - 1].open_share(
            total.shares[k - 1],
            holder=k,
            context=total.context,
            dimension=made.plan.dimension,
        )
        for k in holders
    ]


def opened(header: SignedRecord, sealed: SealedUpdate, made: Manifest) -> Any:
    """What one client's upload holds, opened by all key holders as no deployment would."""
    record = sign(made)
    keys = round_keys() if made.scheme.votes else ()
    scheme = secure_sum(made, context_of(record), cards=cards(), round_keys=keys)
    total = scheme.add([sealed])
    parts = parts_of(made, total, sealed, Upload.parse(header).sender)
    planned = PlannedRound(task=TASK, manifest=made, record=record)
    return release(scheme.combine(total, parts), planned, commit(total.context)).values


@dataclass
class Party:
    """A client with its home, and its shoppers' tokens at the consent service by name."""

    home: ClientHome
    tokens: dict[str, str] = field(default_factory=dict)


def make_client(stage: Stage, folder: Path, *shoppers: str, **trust: Any) -> Party:
    """A client whose shoppers each bought item-00 and one more item, and agreed to train."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = Ed25519PrivateKey.generate()
    kind = ClientKind.DEVICE if len(shoppers) == 1 else ClientKind.STORE
    token = stage.store_token(folder.name) if kind is ClientKind.STORE else None
    registered = {
        name: stage.client.register(
            GIVE,
            notice_version=NOTICE,
            client=identity.public_key(),
            kind=kind,
            age_band=AgeBand.ADULT,
            store_token=token,
        )
        for name in shoppers
    }
    pinned = make_trust(folder, consent_key=stage.service_key, **trust)
    home = ClientHome.create(
        folder / "home",
        kind=kind,
        identity=identity,
        shoppers={name: found.shopper for name, found in registered.items()},
        trust=pinned,
    )
    with EventStore.create(home.events) as store:
        for number, name in enumerate(shoppers, start=1):
            store.append(purchases(name, "item-00", ITEMS[number]))
    return Party(home=home, tokens={name: found.token for name, found in registered.items()})


TASK = PopularityTask(items=12)
