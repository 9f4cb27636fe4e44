"""The schemes by name, and how many key holders there are; light to import."""

from enum import StrEnum
from typing import Final

HOLDERS: Final = 3
THRESHOLD: Final = 2


class Scheme(StrEnum):
    """The schemes that exist: the default, the layer under it, and the library-only reference."""

    COMPACT_SUM = "compact-sum"
    PIECE_SUM = "piece-sum"
    SHARE_SUM = "share-sum"

    @property
    def votes(self) -> bool:
        """Whether key holders check each upload, add noise of their own and vote on one list."""
        return self is not Scheme.SHARE_SUM
