"""What a client pins about privacy unless its shopper or store says else; light to import."""

from typing import Final

from crypto.sums.schemes import Scheme

# It joins no round with a smaller minimum cohort, or with a smaller noise multiplier.
N_FLOOR: Final = 20
Z_FLOOR: Final = 0.3
# What all rounds together may cost one shopper, at this delta.
EPSILON_CAP: Final = 10.0
DELTA: Final = 1e-5
# The secure sums that it joins. Share sum rests on an honest coordinator: it is for members of an
# alliance under contract, who say so.
SCHEMES: Final = (Scheme.COMPACT_SUM, Scheme.PIECE_SUM)
