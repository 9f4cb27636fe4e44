"""Commitments to pieces: what makes a client answer for what it sealed.

A commitment binds a piece to its round, its number and its sender: two key holders that hold the
same piece check it against the same 32 bytes, and nobody can repeat another's commitments under a
key of its own. It hides the piece because every piece has 32 uniform bytes.
"""

from typing import Final

from crypto.errors import SealError
from crypto.wire import digest

SENDER_BYTES: Final = 32


def commitment(context: str, number: int, sender: bytes, piece: bytes) -> str:
    """Hex H("com", context, number as u8, sender, piece).

    Args:
        context: the manifest hash, hex.
        number: which piece, 1 to 3.
        sender: the 32 raw bytes of the Ed25519 key that signs the upload's header.
        piece: the piece's bytes.

    Raises:
        SealError: a sender of another length.
    """
    if len(sender) != SENDER_BYTES:
        raise SealError(f"A sender is named by the {SENDER_BYTES} raw bytes of its public key.")
    return digest("com", context.encode(), bytes([number]), sender, piece).hex()
