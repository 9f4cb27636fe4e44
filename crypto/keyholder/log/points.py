"""The points at which a key holder has written something down and may crash.

Whatever a step promises is on disk before the step goes on; tests crash a key holder at each of
these points and start it again.
"""

from collections.abc import Callable
from enum import StrEnum


class PersistPoint(StrEnum):
    """What has just reached the disk, in the order of a round."""

    ROUND_SECRET = "round-secret"  # noqa: S105 - the name of a step
    ROUND_KEY = "round-key"
    ACCEPT = "accept"
    NOISE = "noise"
    ENTRY_BYTES = "entry-bytes"
    ENTRY = "entry"
    ENVELOPES = "envelopes"
    ACKNOWLEDGEMENTS = "acknowledgements"
    VOTE = "vote"
    ANSWER = "answer"
    SHARE_CHARGE = "share-charge"
    SHARE_REGISTER = "share-register"
    ABORTED = "aborted"
    STOPPED = "stopped"
    SECRET_ERASED = "secret-erased"  # noqa: S105 - the name of a step
    FOLDER_ERASED = "folder-erased"


Reached = Callable[[PersistPoint], None]


def go_on(_point: PersistPoint) -> None:
    """What happens at a point outside of tests: nothing."""
