"""Until when a round may still come to a release; key holders and coordinator reckon alike."""

from typing import Final

# Between a round's closing and its deadline lie list, votes and release, and perhaps a person who
# starts a coordinator or a key holder again. What is not released by then never is.
VOTING_GRACE_S: Final = 3600


def deadline(closes: int) -> int:
    """When a round that closes then is aborted, unless it was released."""
    return closes + VOTING_GRACE_S
