"""How parts are sealed and noised, in plain words: what protects a shopper, and where it ends."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from consent.panel.language import mark
from crypto.sums.schemes import Scheme


class Sealing(NamedTuple):
    """A secure sum in words.

    Attributes:
        name: what it is called where it is only named.
        protects: who can't open a single part.
        limit: who could, and what follows from it.
    """

    name: str
    protects: str
    limit: str


_VOTED: Final = mark(
    "Each part is sealed to three key holders. Every one of them checks each part, adds noise of "
    "its own and agrees to one sum, once. None of these can open a single part: whoever runs the "
    "calculation, even if they lie; others who take part; any one key holder."
)
_TWO: Final = mark(
    "Two key holders who broke the rules together could open single parts. That is why they should "
    "be independent of each other."
)
SEALINGS: Final[Mapping[Scheme, Sealing]] = {
    Scheme.COMPACT_SUM: Sealing(mark("compact sum"), _VOTED, _TWO),
    Scheme.PIECE_SUM: Sealing(mark("piece sum"), _VOTED, _TWO),
    Scheme.SHARE_SUM: Sealing(
        mark("share sum"),
        mark(
            "Each part is sealed to three key holders, who are partners under contract. Two of "
            "them open the sum together, and no single part, as long as everybody keeps to the "
            "rules."
        ),
        mark(
            "Somebody who takes part and works together with whoever runs the calculation could "
            "break this seal and read single parts. That is why only devices and stores that "
            "were paired with the alliance take part."
        ),
    ),
}
OPEN_TO_ALL: Final = mark("Devices outside the alliance may take part too.")
EXPERIMENTAL: Final = mark(
    "Its noise is of a new kind that nobody outside the project has reviewed yet. Only devices "
    "that were set up for experiments take part."
)
COIN: Final = mark(
    "In each round a private coin on your device decides whether your part counts or an empty one "
    "goes in its place. Nobody else learns which."
)


def noise_words(scheme: Scheme, client_noise: float) -> str:
    """Who adds the noise of a round, and what it is for."""
    if not scheme.votes:
        return mark(
            "Noise is added before anything leaves a device, so that a result says little about "
            "any one shopper. How little is bounded before the round starts, whatever the data is."
        )
    if client_noise > 0:
        return mark(
            "The key holders add noise before the sum is opened, and every device adds some of "
            "its own, so that a result says little about any one shopper. How little is bounded "
            "before the round starts, whatever the data is."
        )
    return mark(
        "The key holders add noise before the sum is opened, so that a result says little about "
        "any one shopper. How little is bounded before the round starts, whatever the data is."
    )
