"""The log against the plain definitions of RFC 9162, and proofs that must fail."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.log import tree
from consent.log.proof import consistent, included
from crypto.errors import InvalidInputError
from tests.unit.consent.log import slow

# The leaf inputs and roots of the reference log that Certificate Transparency software is
# commonly tested with: sizes 0 to 8.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
FEW = settings(max_examples=60, deadline=None)


class Store:
    """Stored nodes, and how many of them were read."""

    def __init__(self) -> None:
        self.size, self.nodes, self.read = 0, dict[int, bytes](), 0

    def fetch(self, positions: Collection[int]) -> dict[int, bytes]:
        self.read += len(positions)
        return {position: self.nodes[position] for position in positions}

    def append(self, leaves: list[bytes]) -> None:
        peaks = self.fetch(tree.needed([tree.Span(0, self.size)]))
        made = tree.grow(self.size, peaks, [tree.leaf_hash(leaf) for leaf in leaves])
        assert not made.keys() & self.nodes.keys()
        self.nodes |= made
        self.size += len(leaves)


def numbered(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


def filled(leaves: list[bytes]) -> Store:
    store = Store()
    store.append(leaves)
    return store


def test_roots_of_known_trees() -> None:
    store = Store()
    for size, expected in enumerate(ROOTS):
        assert tree.root(size, store.fetch).hex() == expected
        if size < len(LEAVES):
            store.append([LEAVES[size]])
    assert [slow.mth(LEAVES[:size]).hex() for size in range(9)] == ROOTS


@FEW
@given(batches=st.lists(st.integers(0, 40), max_size=8))
def test_batches_make_the_same_tree(batches: list[int]) -> None:
    store, leaves = Store(), numbered(sum(batches))
    for count in batches:
        store.append(leaves[store.size : store.size + count])
    assert store.nodes == filled(leaves).nodes
    assert tree.root(store.size, store.fetch) == slow.mth(leaves)


def test_every_root_and_proof_of_small_trees() -> None:
    leaves = numbered(33)
    store = filled(leaves)
    for size in range(1, 34):
        part = leaves[:size]
        root = slow.mth(part)
        assert tree.root(size, store.fetch) == root
        paths = tree.inclusion(range(size), size, store.fetch)
        for index, path in enumerate(paths):
            assert path == slow.path(index, part)
            leaf = tree.leaf_hash(part[index])
            assert included(leaf, index, size=size, path=path, root=root)
        for first in range(1, size + 1):
            proof = tree.consistency(first, size, store.fetch)
            assert proof == slow.proof(first, part)
            assert consistent(first, slow.mth(leaves[:first]), size, root, proof)


@FEW
@given(size=st.integers(1, 600), data=st.data())
def test_large_trees_agree_with_the_definition(size: int, data: st.DataObject) -> None:
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    leaves = numbered(size)
    store = filled(leaves)
    assert tree.root(size, store.fetch) == slow.mth(leaves)
    assert tree.inclusion([index], size, store.fetch) == [slow.path(index, leaves)]
    assert tree.consistency(first, size, store.fetch) == slow.proof(first, leaves)


@FEW
@given(size=st.integers(1, 70), data=st.data())
def test_any_flipped_bit_breaks_an_inclusion_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = numbered(size)
    store = filled(leaves)
    root, (path,) = slow.mth(leaves), tree.inclusion([index], size, store.fetch)
    parts = [tree.leaf_hash(leaves[index]), root, *path]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    leaf, root, *path = parts
    assert not included(leaf, index, size=size, path=path, root=root)


@FEW
@given(second=st.integers(2, 70), data=st.data())
def test_any_flipped_bit_breaks_a_consistency_proof(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second - 1))
    leaves = numbered(second)
    path = tree.consistency(first, second, filled(leaves).fetch)
    parts = [slow.mth(leaves[:first]), slow.mth(leaves), *path]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    assert not consistent(first, parts[0], second, parts[1], parts[2:])


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("size", range(1, 18))
def test_other_places_sizes_and_lengths_are_refused(size: int) -> None:
    leaves = numbered(size)
    store, root = filled(leaves), slow.mth(leaves)
    for index, path in enumerate(tree.inclusion(range(size), size, store.fetch)):
        leaf = tree.leaf_hash(leaves[index])
        assert not included(leaf, index, size=size, path=[*path, bytes(32)], root=root)
        assert not (path and included(leaf, index, size=size, path=path[:-1], root=root))
        assert not included(leaf, index - size, size=size, path=path, root=root)
        for other in set(range(size + 2)) - {index}:
            assert not included(leaf, other, size=size, path=path, root=root)
    for first in range(1, size):
        path, old = tree.consistency(first, size, store.fetch), slow.mth(leaves[:first])
        assert not consistent(first, old, size, root, [*path, bytes(32)])
        assert not consistent(first, old, size, root, path[:-1])
        assert not consistent(size, root, first, old, path)
        assert not consistent(first, root, size, root, path)
        assert not consistent(first + 1, old, size, root, path)


def test_a_rewritten_history_is_not_consistent() -> None:
    before, after = numbered(11), [*numbered(4), b"forged", *numbered(20)[5:]]
    path = tree.consistency(11, 20, filled(after).fetch)
    assert not consistent(11, slow.mth(before), 20, slow.mth(after), path)


def test_the_edges() -> None:
    store = filled(numbered(3))
    root = tree.root(3, store.fetch)
    assert consistent(0, tree.EMPTY_ROOT, 3, root, [])
    assert consistent(3, root, 3, root, [])
    assert not consistent(3, root, 3, tree.EMPTY_ROOT, [])
    assert not consistent(0, tree.EMPTY_ROOT, 3, root, [root])
    assert not consistent(2, root, 3, root, [])
    for first, second in ((0, 3), (4, 3), (-1, 3)):
        with pytest.raises(InvalidInputError):
            tree.consistency(first, second, store.fetch)
    for index in (-1, 3):
        with pytest.raises(InvalidInputError):
            tree.inclusion([index], 3, store.fetch)


def test_a_leaf_never_passes_for_a_node() -> None:
    left, right = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    assert tree.leaf_hash(left + right) != tree.node_hash(left, right)


def test_proofs_read_few_nodes() -> None:
    size = 100_003
    store = Store()
    store.append([b"%d" % number for number in range(size)])
    store.read = 0
    (path,) = tree.inclusion([77_777], size, store.fetch)
    assert len(path) <= 17
    assert store.read < 40
    tree.consistency(54_321, size, store.fetch)
    tree.root(size, store.fetch)
    assert store.read < 120
    assert len(store.nodes) < 2 * size
