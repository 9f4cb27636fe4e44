"""Vectors of what makes a vector ready to be sealed: rotation, rounding, packing, and a_b."""

import numpy as np

from crypto.dp.accounting import SkellamRelease, epsilon
from crypto.dp.rotation import Rotation, padded
from crypto.dp.rounding import l1_bound, round_update, squared_l2_bound
from crypto.dp.widths import FieldLayout, NoiseSet, layout_of
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.pieces.packing import pack, unpack
from crypto.sums.schemes import Scheme
from crypto.update import ClippedUpdate
from crypto.wire import digest
from tests.vectors.document import Document, sha256
from tests.vectors.keys import seed, stream

CONTEXT = digest("manifest", b"of the vectors of numbers").hex()
_ROUNDED = ((1024.0, 2), (1024.0, 16), (1024.0, 131072), (128.0, 1 << 24), (1.0, 4096))


def rotation() -> Document:
    """Signs from H("rot", context), then Walsh-Hadamard divided by the root of the length."""
    cases = []
    for dimension in (1, 2, 5, 12):
        values = np.linspace(-1.0, 2.0, dimension)
        rotation = Rotation(CONTEXT, dimension)
        cases.append(
            {
                "dimension": dimension,
                "padded": padded(dimension),
                "signs": rotation._signs.astype(int).tolist(),
                "values": values.tolist(),
                "rotated": rotation.forward(values).tolist(),
            }
        )
    key = digest("rot", CONTEXT.encode())
    return {"context": CONTEXT, "key": key.hex(), "cases": cases}


def rounding() -> Document:
    """Bounds of conditional rounding, verdicts on drawn vectors, and one rounding."""
    clipped = ClippedUpdate(np.linspace(-0.5, 0.5, 5), 2.0)
    shown = round_update(clipped, rotation=Rotation(CONTEXT, 5), scale=1024, rng=stream("rounding"))
    return {
        "bounds": [
            {
                "scale": scale,
                "dimension": dimension,
                "squared_l2": squared_l2_bound(scale, dimension),
                "l1": l1_bound(scale, dimension),
            }
            for scale, dimension in _ROUNDED
        ],
        "verdicts": [
            {
                "scale": 4.0,
                "drawn": drawn,
                "kept": sum(v * v for v in drawn) <= squared_l2_bound(4.0, 4),
            }
            for drawn in ([4, 1, 0, 0], [3, 3, 2, 1], [4, 2, 1, 1], [4, 2, 2, 0], [-4, -2, -1, -2])
        ],
        "example": {
            "context": CONTEXT,
            "stream": seed("rounding").hex(),
            "clipping_norm": 2.0,
            "scale": 1024,
            "values": clipped.values.tolist(),
            "rounded": shown.values.tolist(),
        },
    }


def epsilons() -> Document:
    """ε of set A by plan, to six digits: one round, and several together."""
    cases = []
    for dimension, noise, delta, rounds in (
        (12, 1.0, 1e-6, 1),
        (1000, 0.5, 1e-6, 1),
        (100_000, 2.0, 1e-5, 1),
        (100_000, 2.0, 1e-5, 20),
        (5_000_000, 8.0, 1e-9, 3),
        (12, 1e6, 1e-3, 1),
    ):
        squared = squared_l2_bound(1024, padded(dimension))
        release = SkellamRelease(
            variance=noise**2 * squared,
            squared_l2=squared,
            l1=l1_bound(1024, padded(dimension)),
        )
        cases.append(
            {
                "dimension": dimension,
                "scale": 1024,
                "noise_multiplier": noise,
                "delta": delta,
                "rounds": rounds,
                "epsilon": float(f"{epsilon([release] * rounds, delta=delta):.6g}"),
            }
        )
    return {"cases": cases}


def packing() -> Document:
    """Values to words, and sums of words (with errors below the guard bits) back to sums."""
    layouts = [
        ("compact-sum", layout_of(Scheme.COMPACT_SUM, noise, clients), noise, clients)
        for noise in NoiseSet
        for clients in (100, 1_000, 10_000)
    ] + [("piece-sum", layout_of(Scheme.PIECE_SUM, n, 100), n, 100) for n in NoiseSet]
    return {
        "cases": [
            {"scheme": scheme, "noise": str(noise), "max_clients": clients, **_packed(layout)}
            for scheme, layout, noise, clients in layouts
        ]
    }


def _packed(layout: FieldLayout) -> Document:
    limit = layout.limit
    size = 8
    vectors = [
        np.array([0, 1, -1, limit // 2, -(limit // 2), 100, -100, 7]),
        np.array([-1, -1, -1, limit // 2, -(limit // 2), 27, 100, -8]),
    ]
    largest = max(0, (1 << layout.guard_bits) // 2 - 1)
    words = [pack(vector, layout) for vector in vectors]
    signs = np.resize([1, -1, 0], words[0].size)
    errors = largest * signs
    total = words[0] + words[1] + errors.astype(np.int64).astype(np.uint32)
    return {
        "fields": layout.fields,
        "field_bits": layout.field_bits,
        "guard_bits": layout.guard_bits,
        "values": [vector.tolist() for vector in vectors],
        "words": [each.tolist() for each in words],
        "error": errors.tolist(),
        "sum_of_words": total.tolist(),
        "sum": unpack(total, layout, size).tolist(),
    }


def mask() -> Document:
    """a_b from the context: AES-256-CTR, 2048 words a block, counter b · 2**64."""
    cases = []
    for block in (0, 1, 2, 1000):
        (words,) = multipliers(CONTEXT, block, 1)
        cases.append(
            {
                "block": block,
                "counter": (block << 64).to_bytes(16, "big").hex(),
                "first": words[:8].tolist(),
                "last": words[-2:].tolist(),
                "sha256": sha256(words.astype("<u4").tobytes()),
            }
        )
    return {"context": CONTEXT, "key": digest("a", CONTEXT.encode()).hex(), "cases": cases}
