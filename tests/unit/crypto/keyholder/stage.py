"""Key holders with real keys and requests that they would answer, to be spoilt one by one."""

import atexit
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.keyholder.home import KeyHolder, Pins, create, load
from crypto.keyholder.peers import Peer, set_peers
from crypto.manifest import Manifest, context_of
from crypto.opening import OpenRequest
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import SealedSum
from tests.unit.crypto.samples import SENDER, commit, generator, manifest, noised, plan, signer

POPULATION = "test-federation"


def pins(**changes: Any) -> Pins:
    fields: dict[str, Any] = {
        "coordinator": signer("coordinator").public_key(),
        "consent": signer("consent").public_key(),
        "population": POPULATION,
        "n_floor": 3,
        "z_floor": 0.3,
    }
    return Pins(**(fields | changes))


def make_holders(folder: Path, **changes: Any) -> tuple[KeyHolder, ...]:
    """Three key holders that know each other; their keys are the same all through a test run."""
    homes = [folder / f"holder-{number}" for number in (1, 2, 3)]
    for template, home in zip(_templates(), homes, strict=True):
        shutil.copytree(template, home, dirs_exist_ok=True)
        settings = {"holder": int(home.name[-1]), **pins(**changes).to_json()}
        (home / "keyholder.json").write_text(json.dumps(settings))
    return tuple(load(home) for home in homes)


@lru_cache
def _templates() -> tuple[Path, ...]:
    root = Path(_folder().name)
    made = tuple(create(root / f"{number}", number=number, pins=pins()) for number in (1, 2, 3))
    introduce(made)
    return tuple(holder.home for holder in made)


@lru_cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return folder


def introduce(holders: tuple[KeyHolder, ...]) -> None:
    """Tell every key holder who the others are."""
    everybody = [Peer(number=h.number, identity=h.identity.public_key()) for h in holders]
    for holder in holders:
        set_peers(holder.home, [peer for peer in everybody if peer.number != holder.number])


@dataclass(frozen=True)
class Round:
    """A round as it reaches the key holders, with the sum that they should open."""

    manifest: Manifest
    commit: Commit
    total: SealedSum
    expected: list[int]

    def request(
        self,
        number: int,
        *,
        coordinator: str = "coordinator",
        consent: str = "consent",
        share: bytes | None = None,
    ) -> OpenRequest:
        return OpenRequest(
            manifest=self.manifest.sign(signer(coordinator)),
            commit=self.commit.sign(signer(consent)),
            share=self.total.shares[number - 1] if share is None else share,
        )


def make_round(
    holders: tuple[KeyHolder, ...],
    *,
    clients: int = 4,
    shoppers: int = 1,
    private: PrivacyPlan | None = None,
    manifest_changes: dict[str, Any] | None = None,
    commit_changes: dict[str, Any] | None = None,
    label: str = "round",
) -> Round:
    """A round of ``clients`` clients whose list and sum agree, with fields changed at will."""
    made = private or plan()
    document = manifest(
        **{"plan": made, "key_hashes": tuple(h.key_hash for h in holders)}
        | (manifest_changes or {})
    )
    context = context_of(document.sign(signer("coordinator")))
    listed = replace(commit(context, clients=clients), **(commit_changes or {}))
    listed = replace(
        listed, uploads=tuple(replace(entry, shoppers=shoppers) for entry in listed.uploads)
    )
    scheme = ShareSum(
        context=context,
        dimension=made.dimension,
        public_keys=[holder.public for holder in holders],
        key_hashes=[holder.key_hash for holder in holders],
    )
    values = np.arange(made.padded_dimension) - 3
    rng = generator(label)
    total = scheme.add(scheme.seal(noised(values), sender=SENDER, rng=rng) for _ in range(clients))
    return Round(
        manifest=document, commit=listed, total=total, expected=(clients * values).tolist()
    )
