"""Checking receipts and tree heads offline: what ``fedcart consent verify`` runs.

Needs files and the service's public key, which was pinned when the shopper's device was set up;
asks nobody. Every check is told in plain words, whether it holds or not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent.log.head import MAX_SIZE, TreeHead
from consent.log.leaf import LoggedEvent
from consent.log.proof import consistent, included
from consent.receipt import Receipt, moment, parse_path
from crypto.errors import InvalidInputError, WireError
from crypto.wire import SignedRecord, get_int, parse_object


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: whether it holds, and what it means."""

    holds: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class ConsistencyProof:
    """The claim that the log of ``first`` leaves begins the log of ``second``, with its proof."""

    first: int
    second: int
    path: tuple[bytes, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse the answer of ``/v1/log/consistency``.

        Raises:
            WireError: another form.
        """
        value = parse_object(data, what="consistency proof")
        if value.keys() != {"first", "second", "path"}:
            raise WireError("A consistency proof has exactly the fields first, second and path.")
        return cls(
            first=get_int(value, "first", low=0, high=MAX_SIZE),
            second=get_int(value, "second", low=0, high=MAX_SIZE),
            path=parse_path(value["path"]),
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is checked together: a receipt, other heads of the same log, and what ties them."""

    receipt: Receipt
    heads: Sequence[SignedRecord] = field(default_factory=tuple)
    proofs: Sequence[ConsistencyProof] = field(default_factory=tuple)


def verify(evidence: Evidence, key: Ed25519PublicKey) -> list[Check]:
    """Every check of the evidence, in order; it ends at the first signature that does not hold.

    Guarantee: if all hold, ``key`` signed the receipt, its events stand in the log that the
    receipt's head names, and every other head is of the same log, which only grew between them.

    Raises:
        InvalidInputError: no consistency proof was given that ties two heads of different size.
    """
    checks: list[Check] = []
    try:
        _, events = evidence.receipt.verified(key)
        own = TreeHead.verify(evidence.receipt.log.head, key)
        others = [TreeHead.verify(record, key) for record in evidence.heads]
    except WireError as error:
        return [Check(holds=False, text=f"{error} Nothing else was checked.")]
    checks.append(
        Check(holds=True, text="The service signed this receipt, and nothing is altered.")
    )
    checks += _recorded(events, evidence.receipt, own)
    checks.append(
        Check(holds=True, text=f"The service signed {1 + len(others)} tree heads that were given.")
    )
    checks += _tied(sorted([own, *others], key=lambda head: head.size), evidence.proofs)
    return checks


def _recorded(events: Sequence[LoggedEvent], receipt: Receipt, head: TreeHead) -> Iterator[Check]:
    leaves, key = receipt.log.leaves, receipt.log.key
    complete = len(leaves) == len(events) == len({leaf.index for leaf in leaves})
    yield Check(
        holds=complete,
        text=f"The receipt places each of its {len(events)} events in the log once.",
    )
    for event, leaf in zip(events, leaves, strict=False):
        holds = included(
            event.leaf(key), leaf.index, size=head.size, path=leaf.path, root=head.root
        )
        what = f"{event.purpose} / {event.category}: {event.state} since {moment(event.time)}"
        yield Check(
            holds=holds,
            text=f"{what} is entry {leaf.index} of the log of {head.size} entries, signed "
            f"{moment(head.time)}.",
        )


def _tied(heads: Sequence[TreeHead], proofs: Sequence[ConsistencyProof]) -> Iterator[Check]:
    by_sizes = {(proof.first, proof.second): proof.path for proof in proofs}
    for old, new in pairwise(heads):
        sizes = (old.size, new.size)
        if sizes not in by_sizes and old.size not in (0, new.size):
            raise InvalidInputError(
                "To tie these heads together, add --consistency with the answer of "
                f"/v1/log/consistency?first={old.size}&second={new.size}."
            )
        path = by_sizes.get(sizes, ())
        yield Check(
            holds=consistent(old.size, old.root, new.size, new.root, path),
            text=f"The log only grew from {old.size} to {new.size} entries: nothing before was "
            "changed or removed.",
        )
