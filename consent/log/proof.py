"""Checking proofs of the log without the log: what a shopper or an auditor runs.

Source: RFC 9162, sections 2.1.3.2 (inclusion) and 2.1.4.2 (consistency).
"""

import hmac
from collections.abc import Sequence

from consent.log.tree import node_hash


def included(leaf: bytes, index: int, *, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf hash is at ``index`` in the tree of ``size`` leaves with this root.

    Guarantee: False for every path that is too short, too long or altered.
    """
    if not 0 <= index < size:
        return False
    result, node, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hmac.compare_digest(result, root)


def consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the tree of ``first`` leaves is the beginning of the tree of ``second`` leaves.

    An empty tree begins every tree and trees of equal size are equal: both with an empty path.
    Guarantee: False for every path that is too short, too long or altered.
    """
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        return not path and (first == 0 or hmac.compare_digest(first_root, second_root))
    # A first tree that is complete is itself the node that its proof starts from.
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not nodes:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    agree = hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)
    return last == 0 and agree
