"""What a shopper is told when she sets up her device: the notice that her decisions refer to.

These are the short words of that notice; the consent service publishes all of it. A change of them
is a change of the notice, so it comes with a new version.
"""

from typing import Final

VERSION: Final = "2026-11"
PERSONALISE: Final = (
    "Let this device read your purchases to recommend items to you. Nothing leaves it for this."
)
TRAIN: Final = (
    "Let noisy, sealed sums of your purchases train the models that all shoppers share. "
    "Only sums over many shoppers are ever opened."
)
AGE_BAND: Final = (
    "Her age band, never a date of birth. Without one nothing may leave the device; a minor's yes "
    "may wait for her guardian's."
)
