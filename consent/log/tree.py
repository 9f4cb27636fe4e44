"""The Merkle tree of RFC 9162 over stored nodes: appending, roots and proofs.

A node is the hash of a *complete* subtree: 2^level leaves that start at a multiple of 2^level. Such
a node never changes once its last leaf is there, so it is computed once and stored for ever; every
other hash is folded from stored ones when it is needed. An append computes two nodes a leaf on
average; a root or a proof reads O(log² n) stored nodes, some dozens for a million leaves.

Nodes are named by their in-order position, one integer: leaf i is 2i, and the node at (level,
index) is (2·index + 1)·2^level − 1.
Source: RFC 9162, sections 2.1.1 to 2.1.4; in-order positions as in RFC 9420, appendix C.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from crypto.errors import InvalidInputError

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
Nodes = Mapping[int, bytes]
# Looks up stored nodes by position; every position that is asked for must be in the answer.
Fetch = Callable[[Collection[int]], Nodes]


class Span(NamedTuple):
    """Leaves ``start`` to ``end`` − 1; a span of a tree, so ``start`` fits the span's own size."""

    start: int
    end: int


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def position(level: int, index: int) -> int:
    """The in-order position of the complete subtree at (level, index)."""
    return (((index << 1) | 1) << level) - 1


def split(size: int) -> int:
    """The largest power of two below ``size``, which is at least 2: where a tree is halved."""
    return 1 << (size - 1).bit_length() - 1


def grow(size: int, peaks: Nodes, leaves: Sequence[bytes]) -> dict[int, bytes]:
    """All nodes that appending leaf hashes to a tree of ``size`` leaves completes.

    Args:
        size: leaves before.
        peaks: the nodes at ``needed([Span(0, size)])``.
        leaves: leaf hashes, 32 bytes each.
    """
    made: dict[int, bytes] = {}
    for index, leaf in enumerate(leaves, start=size):
        node, level = leaf, 0
        made[position(0, index)] = node
        while index >> level & 1:
            left = position(level, (index >> level) - 1)
            node = node_hash(made[left] if left in made else peaks[left], node)
            level += 1
            made[position(level, index >> level)] = node
    return made


def root(size: int, fetch: Fetch) -> bytes:
    """The Merkle tree hash of the first ``size`` leaves."""
    return _hashes([Span(0, size)], fetch)[0]


def inclusion(indexes: Sequence[int], size: int, fetch: Fetch) -> list[list[bytes]]:
    """The inclusion proofs of some leaves in the tree of ``size`` leaves, in one look-up.

    Raises:
        InvalidInputError: a leaf that this tree does not have.
    """
    for index in indexes:
        if not 0 <= index < size:
            raise InvalidInputError(f"Leaf {index} is not in a tree of {size} leaves.")
    paths = [_siblings(index, size) for index in indexes]
    spans = list(dict.fromkeys(span for path in paths for span in path))
    found = dict(zip(spans, _hashes(spans, fetch), strict=True))
    return [[found[span] for span in path] for path in paths]


def consistency(first: int, second: int, fetch: Fetch) -> list[bytes]:
    """The proof that the tree of ``first`` leaves is a prefix of the tree of ``second``.

    Raises:
        InvalidInputError: not 0 < first <= second.
    """
    if not 0 < first <= second:
        raise InvalidInputError(f"Expected 0 < first={first} <= second={second}.")
    return _hashes(_consistency_spans(first, Span(0, second), known=True), fetch)


def needed(spans: Collection[Span]) -> list[int]:
    """The positions of the stored nodes from which the hashes of these spans are folded."""
    return list(dict.fromkeys(node for span in spans for node in _complete(span)))


def _hashes(spans: Sequence[Span], fetch: Fetch) -> list[bytes]:
    positions = needed(spans)
    nodes = fetch(positions) if positions else {}
    return [_fold(span, nodes) for span in spans]


def _fold(span: Span, nodes: Nodes) -> bytes:
    """The hash of a span: its complete subtrees, folded from the right."""
    parts = [nodes[node] for node in _complete(span)]
    if not parts:
        return EMPTY_ROOT
    result = parts.pop()
    while parts:
        result = node_hash(parts.pop(), result)
    return result


def _complete(span: Span) -> list[int]:
    """The complete subtrees that make up a span, from left to right, largest first."""
    found, start = [], span.start
    while start < span.end:
        level = (span.end - start).bit_length() - 1
        found.append(position(level, start >> level))
        start += 1 << level
    return found


def _siblings(index: int, size: int) -> list[Span]:
    """PATH of RFC 9162, section 2.1.3.1, from the leaf upwards, as spans instead of hashes."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return path[::-1]


def _consistency_spans(first: int, span: Span, *, known: bool) -> list[Span]:
    """SUBPROOF of RFC 9162, section 2.1.4.1, as spans; ``first`` counts from the span's start."""
    size = span.end - span.start
    if first == size:
        return [] if known else [span]
    middle = span.start + split(size)
    if span.start + first <= middle:
        left = Span(span.start, middle)
        return [*_consistency_spans(first, left, known=known), Span(middle, span.end)]
    right = _consistency_spans(span.start + first - middle, Span(middle, span.end), known=False)
    return [*right, Span(span.start, middle)]
