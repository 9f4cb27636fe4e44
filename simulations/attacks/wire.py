"""The wire: do the bytes of an upload betray how much a shopper bought, or what?"""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.contributions.history import FloatArray
from simulations.attacks.finding import Control, Finding
from simulations.attacks.labs import lab_of
from simulations.attacks.messages import Client, make_grant, signed
from simulations.attacks.parties import NOW
from simulations.attacks.pipeline import CONTEXT, Lab
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import exactly

UintArray = npt.NDArray[np.uint64]
# Items of the made-up shoppers; real ones are added.
SIZES = (1, 2, 10, 100, 500)
REAL = 12
# Shorter ids occur by chance in as many random bytes.
LEAST_ID = 6


def wire(setting: Setting) -> Finding:
    """Compare the uploads of shoppers who bought little and much, byte by byte."""
    run, rng = setting.run, setting.chance
    items = run.popularity.plan.dimension
    table = dict(run.contributions(run.popularity.task))
    chosen = rng.choice(sorted(table), size=min(REAL, len(table)), replace=False)
    shoppers = {str(name): table[name] for name in chosen}
    shoppers |= {f"shopper with {size} items": bought(size, items, rng) for size in SIZES}
    ids = [*run.training.catalogue.items, *run.training.catalogue.products, *table]
    return spy(setting, lab_of(setting), shoppers, ids)


def bought(size: int, items: int, rng: np.random.Generator) -> FloatArray:
    """The contribution of a shopper who bought so many items equally often."""
    vector = np.zeros(items)
    some = rng.choice(items, size=min(size, items), replace=False)
    vector[some] = 1 / np.sqrt(some.size)
    return vector


def spy(
    setting: Setting, lab: Lab, shoppers: Mapping[str, FloatArray], ids: Sequence[str]
) -> Finding:
    """The finding for the given shoppers' vectors under a lab's scheme."""
    names = [name.encode() for name in ids if len(name.encode()) >= LEAST_ID]
    sealed = [upload(setting, lab, vector) for vector in shoppers.values()]
    plain = [unsealed(name, vector, ids) for name, vector in shoppers.items()]
    lengths, bare = [len(each) for each in sealed], [len(each) for each in plain]
    spread, bare_spread = max(lengths) - min(lengths), max(bare) - min(bare)
    found, bare_found = _mentions(sealed, names), _mentions(plain, names)
    return Finding(
        name="wire",
        adversary="Whoever reads every byte between a client and the coordinator.",
        action=f"Compares the lengths of {len(shoppers)} uploads, of shoppers with one item and "
        "with hundreds, and looks for ids of items and shoppers in them.",
        claim="An upload is as long as any other of its round and names nobody and nothing.",
        measure="bytes between the shortest and the longest upload",
        figure=float(spread),
        interval=exactly(float(spread)),
        bound=0.0,
        permitted="none, and no id in any",
        holds=spread == 0 and found == 0,
        control=Control(
            name="the same vectors as sparse JSON",
            figure=float(bare_spread),
            interval=exactly(float(bare_spread)),
            fired=bare_spread > 0 and bare_found > 0,
        ),
        note="Header, grant, envelopes and body of a client of one shopper. A store's list of "
        "grants is padded to a power of two, so its length tells its number of shoppers within a "
        "factor of two; the header states it to the coordinator, who counts shoppers.",
        details={
            "bytes of an upload": f"{lengths[0]:,}",
            "ids looked for": f"{len(names):,}",
            "ids found": f"{found}; in sparse JSON {bare_found:,}",
            "scheme": str(lab.plan.scheme),
        },
    )


def upload(setting: Setting, lab: Lab, vector: FloatArray) -> bytes:
    """Everything that a client of one shopper sends."""
    client = Client()
    noised = setting.pipeline(lab.plan).client([vector])
    sealed = lab.scheme.seal(noised, sender=client.sender, rng=setting.secure)
    token = make_grant(client, setting.secure.bytes(16).hex(), context=CONTEXT, now=NOW)
    sent = signed(client, sealed, (token.sign(Ed25519PrivateKey.generate()),))
    return b"".join([sent.header.to_bytes(), sent.grants, sealed.body, *sealed.shares])


def unsealed(name: str, vector: FloatArray, ids: Sequence[str]) -> bytes:
    """The control's encoding: who she is and what she bought."""
    bought_items = {ids[item]: float(vector[item]) for item in np.flatnonzero(vector).tolist()}
    return json.dumps({"shopper": name, "items": bought_items}).encode()


def _mentions(uploads: Sequence[bytes], names: Sequence[bytes]) -> int:
    """How many of the names are in each upload, all uploads together."""
    beginnings = [int.from_bytes(name[:LEAST_ID], "little") for name in names]
    prefixes = np.unique(np.array(beginnings, dtype=np.uint64))
    return sum(_mentioned(data, names, prefixes) for data in uploads)


def _mentioned(data: bytes, names: Sequence[bytes], prefixes: UintArray) -> int:
    # A hundred thousand names in a hundred thousand places: their beginnings first, all at once.
    values = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    places = max(values.size - LEAST_ID + 1, 0)
    beginnings = np.zeros(places, dtype=np.uint64)
    for offset in range(LEAST_ID):
        beginnings |= values[offset : offset + places] << np.uint64(8 * offset)
    seen = set(beginnings[np.isin(beginnings, prefixes)].tolist())
    if not seen:
        return 0
    likely = [name for name in names if int.from_bytes(name[:LEAST_ID], "little") in seen]
    return sum(name in data for name in likely)
