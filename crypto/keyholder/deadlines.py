"""Until when a key holder does what, in seconds; one place, so that docs and tests read them."""

from typing import Final

# The coordinator hands over what arrived in the last moments.
INGEST_GRACE_S: Final = 120
# A round key is made at most this long before its round closes.
MAX_ROUND_S: Final = 7 * 86_400
# Rounds whose secret exists at the same time.
MAX_OPEN_ROUNDS: Final = 64
