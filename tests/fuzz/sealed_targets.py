"""Sealed bytes: envelopes, round keys, and TenSEAL's ciphertexts and contexts."""

from crypto.errors import SealError
from crypto.sums.pieces.envelope import RoundPublicKey, seal_envelope
from crypto.sums.pieces.open import open_envelope
from crypto.sums.share_sum import ciphertext
from crypto.sums.share_sum.context import load_public
from crypto.sums.share_sum.parameters import context_hash
from tests.fuzz.target import Target
from tests.unit.crypto.samples import (
    SENDER,
    generator,
    noised,
    opening_keys,
    public_contexts,
    share_sum,
)
from tests.vectors.keys import round_secret, sender
from tests.vectors.stored import long, stored

_SUM = stored("piece-sum")
_UPLOAD = _SUM["uploads"][0]
_FIRST, _SECOND, _THIRD = _UPLOAD["commitments"]
_PIECES = [bytes(32), bytes(32), bytes(64)]
_OPENING = opening_keys()[0]
_PUBLIC = public_contexts()[0]
_PINNED = context_hash(_PUBLIC)
_SHARE = share_sum(12).seal(noised([0] * 16), sender=SENDER, rng=generator("fuzz")).shares[0]


def _envelope(data: bytes) -> object:
    held = open_envelope(
        data,
        holder=2,
        context=_SUM["context"],
        secret=round_secret(2),
        record_hash=_SUM["key_hashes"][1],
        sender=sender("client-1"),
        length=_SUM["length"],
        commitments=(_FIRST, _SECOND, _THIRD),
    )
    return held.expanded(_SUM["length"])


def _round_key(data: bytes) -> object:
    """A key that a malicious key holder signed: clients seal to it, or refuse."""
    key = RoundPublicKey(data, "ab" * 32)
    return seal_envelope(_PIECES, holder=1, context="c", key=key, sender=SENDER)


def _ciphertext(data: bytes) -> object:
    """As a key holder opens a share of share sum."""
    return _OPENING.open_share(data, holder=1, context="c", dimension=12)


def _packed_ciphertext(data: bytes) -> object:
    """The ciphertext alone, framed as it must be; added, as the coordinator does it."""
    frame = len(data).to_bytes(4, "little") + data
    (vector,) = ciphertext.decode(frame.ljust(61_952, b"\x00"), 1, _OPENING.context)
    return vector.add(vector)


def _context(data: bytes) -> object:
    """A context loads only under the pinned hash."""
    return load_public(data, _PINNED)


_SIZE = int.from_bytes(_SHARE[:4], "little")
_REFUSED = (SealError,)
# X25519 points of low order: whoever uses one knows the shared key.
_LOW_ORDER = (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f")
_KEY = round_secret(1).public
_ENVELOPE = long(_UPLOAD["envelopes_b64"][1])
TARGETS = (
    Target(
        "envelope",
        _envelope,
        (_ENVELOPE,),
        _REFUSED,
        tuple(_ENVELOPE[:1088] + point + _ENVELOPE[1120:] for point in _LOW_ORDER),
    ),
    Target(
        "round-key",
        _round_key,
        (_KEY,),
        _REFUSED,
        (*(_KEY[:1184] + point for point in _LOW_ORDER), b"\xff" * 1184 + _KEY[1184:]),
    ),
    Target("ciphertext", _ciphertext, (_SHARE,), _REFUSED),
    Target("packed-ciphertext", _packed_ciphertext, (_SHARE[4 : 4 + _SIZE],), _REFUSED),
    Target("context", _context, (_PUBLIC,), _REFUSED),
)
