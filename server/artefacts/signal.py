"""Will an item-item sum say anything? Decided from public numbers, before any budget is spent.

Each direction that shoppers share adds in proportion to their number; the noise doesn't. Of a
direction with true eigenvalue θ, the noisy sum shows something beyond the noise edge e = σ√(2M)
only if θ > e/2 (the threshold of Baik, Ben Arous and Péché for spiked Wigner matrices). So the
expected number of directions follows from how many shoppers take part and how θ falls off in data
of this kind, and a sum that would keep too few is better not asked for: its budget makes the
popularity tasks sharper.
"""

from dataclasses import dataclass

import numpy as np

from crypto.errors import InvalidInputError
from server.artefacts.wigner import noise_edge

# θ / number of shoppers for the leading directions of the noise-free sum, by list length M.
# Measured on Complete Journey (public; 2,467 households, product types, all baskets) with
# ``python -m simulations.evaluation.spectrum``.
REFERENCE: dict[int, tuple[float, ...]] = {
    256: (
        *(0.0407, 0.0191, 0.0159, 0.0120, 0.0101, 0.0096, 0.0086, 0.0071, 0.0061, 0.0055, 0.0049),
        *(0.0044, 0.0042, 0.0038, 0.0036, 0.0032, 0.0030, 0.0028, 0.0027, 0.0026, 0.0024, 0.0023),
    ),
    512: (
        *(0.0348, 0.0166, 0.0120, 0.0102, 0.0094, 0.0081, 0.0071, 0.0064, 0.0055, 0.0049, 0.0045),
        *(0.0040, 0.0038, 0.0038, 0.0033, 0.0030, 0.0028, 0.0027, 0.0026, 0.0025, 0.0024, 0.0023),
    ),
    1024: (
        *(0.0280, 0.0134, 0.0094, 0.0083, 0.0077, 0.0065, 0.0059, 0.0055, 0.0047, 0.0041, 0.0041),
        *(0.0035, 0.0032, 0.0031, 0.0028, 0.0026, 0.0025, 0.0024, 0.0024, 0.0023, 0.0022, 0.0022),
    ),
}
# The same inside the public subspace of MOST_DIRECTIONS categories and departments: what they share
# shows under noise only as wide as they are many.
DESCRIBED = (
    *(0.0113, 0.0075, 0.0047, 0.0039, 0.0029, 0.0027, 0.0023, 0.0019, 0.0015, 0.0014, 0.0012),
    *(0.0012, 0.0010, 0.0009, 0.0008, 0.0007, 0.0007, 0.0006, 0.0006, 0.0005, 0.0005, 0.0004),
)
# On validation three directions found more new items at no cost elsewhere, and one found no more
# than the noise's seed moves (docs/decisions/0005).
LEAST_DIRECTIONS = 2


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the item-item task is worth its budget.

    Attributes:
        worthwhile: whether to run it.
        directions: how many directions are expected to show beyond the noise.
        edge: where the noise's spectrum ends, in shoppers.
        reason: the decision in words, with its numbers.
    """

    worthwhile: bool
    directions: int
    edge: float
    reason: str


def item_item_verdict(
    *,
    shoppers: int,
    listed: int,
    noise_stddev: float,
    described: int = 0,
    least: int = LEAST_DIRECTIONS,
) -> Verdict:
    """Decide from public numbers whether an item-item sum can clear its noise edge.

    Args:
        shoppers: how many are expected to take part.
        listed: M, the length of the item list.
        noise_stddev: of the noise in each value of the sum, for contributions of norm at most 1.
        described: how many public directions the item list spans (``subspace.described_values``);
            0 where it says nothing of its items.
        least: how many directions make it worthwhile.

    Raises:
        InvalidInputError: a count below 1, or a noise that is negative or not finite.
    """
    if shoppers < 1 or listed < 2 or least < 1 or described < 0:
        raise InvalidInputError(
            f"Expected shoppers={shoppers} >= 1, listed={listed} >= 2, described={described} >= 0 "
            f"and least={least} >= 1."
        )
    if not 0 <= noise_stddev < np.inf:
        raise InvalidInputError(f"Expected noise_stddev={noise_stddev} to be finite and >= 0.")
    size = min(REFERENCE, key=lambda known: abs(np.log(known / listed)))
    edge = noise_edge(noise_stddev, listed)
    directions = sum(share * shoppers > edge / 2 for share in REFERENCE[size])
    if described:
        quiet = noise_edge(noise_stddev, described)
        inside = sum(share * shoppers > quiet / 2 for share in DESCRIBED[:described])
        directions = max(directions, inside)
    worthwhile = directions >= least
    strongest = REFERENCE[size][0] * shoppers
    reason = (
        f"Item-item is {'on' if worthwhile else 'off'}: with {shoppers:,} shoppers and noise "
        f"{noise_stddev:.3g} on {listed} listed items, {_directions(directions)} expected to rise "
        f"above the noise (strength above {edge / 2:.3g}; the strongest has about {strongest:.3g})"
        f", and at least {least} are needed."
    )
    if not worthwhile:
        reason += " Its share of the privacy budget goes to the popularity tasks instead."
    return Verdict(worthwhile=worthwhile, directions=directions, edge=edge, reason=reason)


def _directions(count: int) -> str:
    most = max(len(shares) for shares in REFERENCE.values())
    if count == 1:
        return "1 direction is"
    return f"{count}{' or more' if count >= most else ''} directions are"
