"""The grants of an upload as bytes whose length tells as little as possible.

Each token stands in a slot of ``SLOT_BYTES`` (u16 length ‖ token ‖ zeros), and the slots are padded
with empty ones to a power of two: a device's list is always as long as another's, a store's tells
its number of shoppers to within a factor of two. (The signed header states that number, because the
commit counts shoppers; the coordinator learns it, the wire does not show it.)
"""

from collections.abc import Sequence
from typing import Final

from crypto.errors import WireError
from crypto.wire import digest

SLOT_BYTES: Final = 1536
MAX_GRANTS: Final = 100_000
_HEADER: Final = 2


def pack_grants(tokens: Sequence[str]) -> bytes:
    """The list as bytes; empty for none (a key holder's own entry carries no grant).

    Raises:
        WireError: a token that does not fit its slot or is not ASCII, or too many.
    """
    if len(tokens) > MAX_GRANTS:
        raise WireError(f"An upload carries at most {MAX_GRANTS} grants, not {len(tokens)}.")
    slots = [_slot(token) for token in tokens]
    empty = bytes(SLOT_BYTES)
    return b"".join(slots + [empty] * (_padded(len(slots)) - len(slots)))


def unpack_grants(data: bytes, count: int) -> tuple[str, ...]:
    """The ``count`` tokens of a list.

    Raises:
        WireError: another length than so many grants have, or a malformed slot.
    """
    if not 0 <= count <= MAX_GRANTS or len(data) != _padded(count) * SLOT_BYTES:
        raise WireError("A list of grants has another length than its number of grants.")
    if any(data[count * SLOT_BYTES :]):
        raise WireError("The padding of a list of grants is not zero.")
    starts = range(0, count * SLOT_BYTES, SLOT_BYTES)
    return tuple(_token(data[start : start + SLOT_BYTES]) for start in starts)


def grants_hash(data: bytes) -> str:
    """Hex hash of the packed list, as an upload's header names it."""
    return digest("grants", data).hex()


def _padded(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0


def _slot(token: str) -> bytes:
    if not token.isascii() or not 0 < len(token) <= SLOT_BYTES - _HEADER:
        raise WireError(
            f"A grant has 1 to {SLOT_BYTES - _HEADER} ASCII characters, this one {len(token)}."
        )
    return (len(token).to_bytes(_HEADER, "little") + token.encode()).ljust(SLOT_BYTES, b"\x00")


def _token(slot: bytes) -> str:
    size = int.from_bytes(slot[:_HEADER], "little")
    token, padding = slot[_HEADER : _HEADER + size], slot[_HEADER + size :]
    if not 0 < size <= SLOT_BYTES - _HEADER or any(padding) or not token.isascii():
        raise WireError("A slot of a list of grants is malformed.")
    return token.decode("ascii")
