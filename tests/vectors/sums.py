"""Vectors of piece sum and compact sum by themselves: seal, part sums, combine."""

import numpy as np
import numpy.typing as npt

from crypto.dp.rotation import padded
from crypto.dp.widths import NoiseSet, layout_of
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.open import sum_pieces
from crypto.sums.pieces.packing import pack
from crypto.sums.pieces.scheme import PieceSum
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import PartSum, SealedUpdate
from tests.vectors.document import Document, packed, sha256, small
from tests.vectors.keys import stream
from tests.vectors.sealing import Place, in_pieces, invented, seal, shared

Words = npt.NDArray[np.uint32]
_SENDERS = ("client-1", "client-2")
_CLIENTS = 100


def piece_sum(stored: Document) -> Document:
    """Two short vectors, split, sealed, added and combined."""
    dimension = 5
    layout = layout_of(Scheme.PIECE_SUM, NoiseSet.SKELLAM, _CLIENTS)
    length = piece_length(Scheme.PIECE_SUM, padded(dimension), layout)
    place = invented("of the vectors of piece sum", length)
    scheme = PieceSum(context=place.context, dimension=dimension, layout=layout, keys=place.keys)
    values = [np.arange(8) * 1_000_003 - 5, np.arange(8) * -7]
    made = [
        seal(scheme, each, name, place, _stored(stored, number))
        for number, (name, each) in enumerate(zip(_SENDERS, values, strict=True))
    ]
    total = scheme.add(made)
    parts = part_sums(made, _SENDERS, place)
    return {
        **_about(place, dimension),
        "uploads": [
            {
                "values": each.tolist(),
                "words": pack(each, layout).tolist(),
                **in_pieces(sealed, name, place),
            }
            for name, each, sealed in zip(_SENDERS, values, made, strict=True)
        ],
        "part_sums": [{"holder": part.holder, "words": part.values.tolist()} for part in parts],
        "sum": scheme.combine(total, parts).tolist(),
    }


def compact_sum(noise: NoiseSet, dimension: int, stored: Document) -> Document:
    """Two masked vectors with secret and error told, added and opened."""
    layout = layout_of(Scheme.COMPACT_SUM, noise, _CLIENTS)
    size = padded(dimension)
    place = invented(f"of the vectors of compact sum, {noise}", 2048)
    scheme = CompactSum(context=place.context, dimension=dimension, layout=layout, keys=place.keys)
    values = [stream(f"{noise} {name}").below(200, size) - 100 for name in _SENDERS]
    made = [
        seal(scheme, each, name, place, _stored(stored, number))
        for number, (name, each) in enumerate(zip(_SENDERS, values, strict=True))
    ]
    total = scheme.add(made)
    parts = part_sums(made, _SENDERS, place)
    return {
        **_about(place, dimension),
        "noise": str(noise),
        "max_clients": _CLIENTS,
        "fields": layout.fields,
        "field_bits": layout.field_bits,
        "guard_bits": layout.guard_bits,
        "blocks": len(made[0].body) // 8192,
        "uploads": [
            {
                "values_i8_b64": small(each),
                **masked(sealed, pack(each, layout), shared(sealed, name, place), place.context),
                **in_pieces(sealed, name, place),
            }
            for name, each, sealed in zip(_SENDERS, values, made, strict=True)
        ],
        "sum_of_bodies_sha256": sha256(total.body),
        "part_sums": [
            {"holder": part.holder, "words_sha256": sha256(part.values.astype("<u4").tobytes())}
            for part in parts
        ],
        "sum": scheme.combine(total, parts).tolist(),
    }


def masked(sealed: SealedUpdate, words: Words, secret: Words, context: str) -> Document:
    """Body, secret and error of a compact sum; the error is what the body has beyond them."""
    short = secret.view(np.int32).astype(np.int64)
    body = np.frombuffer(sealed.body, dtype="<u4").reshape(-1, 2048)
    error = body - Factor(short).times(multipliers(context, 0, len(body)))
    flat = error.reshape(-1)
    flat[: words.size] -= words
    return {
        "secret_i8_b64": small(short),
        "error_i8_b64": small(flat.view(np.int32)),
        "body_b64": packed(sealed.body),
    }


def part_sums(made: list[SealedUpdate], names: tuple[str, ...], place: Place) -> list[PartSum]:
    """What each key holder adds."""
    return [
        sum_pieces(
            [place.opened(sealed, holder, name) for sealed, name in zip(made, names, strict=True)],
            holder=holder,
            context=place.context,
            length=place.length,
        )
        for holder in range(1, HOLDERS + 1)
    ]


def _about(place: Place, dimension: int) -> Document:
    return {
        "context": place.context,
        "key_hashes": list(place.key_hashes),
        "dimension": dimension,
        "length": place.length,
    }


def _stored(stored: Document, number: int) -> list[str]:
    uploads = stored.get("uploads", [])
    found: list[str] = uploads[number]["envelopes_b64"] if number < len(uploads) else []
    return found
