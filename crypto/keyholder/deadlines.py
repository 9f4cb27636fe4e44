"""Until when a key holder does what, in seconds; one place, so that docs and tests read them."""

from typing import Final

# The coordinator hands over what arrived in the last moments.
INGEST_GRACE_S: Final = 120
# Between a round's closing and its deadline lie list, votes and release, and perhaps a person who
# starts a coordinator or a key holder again. What is not released by then never is.
VOTING_GRACE_S: Final = 3600
# A round key is made at most this long before its round closes.
MAX_ROUND_S: Final = 7 * 86_400
# Rounds whose secret exists at the same time.
MAX_OPEN_ROUNDS: Final = 64


def deadline(closes: int) -> int:
    """When a round that closes then is aborted, unless it was released."""
    return closes + VOTING_GRACE_S
