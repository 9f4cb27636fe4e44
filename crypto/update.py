"""The life of an update, a type per protection state.

    RawUpdate --clip--> ClippedUpdate --round_update--> RoundedUpdate      (one shopper)
    RoundedUpdate... --add_noise--> NoisedUpdate                           (one client)
    NoisedUpdate --seal--> SealedUpdate --add--> SealedSum --combine--> ReleasedSum

Each arrow is one function, and its signature is the proof: nothing that seals accepts an update
without noise, and nothing that leaves a client accepts an unsealed one (tests/typing).
"""

from dataclasses import InitVar, dataclass
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Held by crypto.dp.noise alone (a test reads the imports): whoever has it vouches for the noise.
NOISE_DOOR: Final = object()


class _StaysHome:
    """Refuses to be pickled and shows no values."""

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"A {name} must not leave the client: clip, noise and seal it first.")


@dataclass(frozen=True, repr=False)
class RawUpdate(_StaysHome):
    """One shopper's contribution as computed; any float64 values, shape (dim,), NaN included."""

    values: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or self.values.dtype != np.float64:
            raise TypeError("A RawUpdate holds a float64 vector.")

    def __repr__(self) -> str:
        return f"RawUpdate(dim={self.values.size})"


@dataclass(frozen=True, repr=False)
class ClippedUpdate(_StaysHome):
    """One shopper's vector of bounded norm.

    Guarantee: values are finite and their L2 norm is at most ``clipping_norm``; one that is not
    cannot be constructed.
    """

    values: FloatArray
    clipping_norm: float

    def __post_init__(self) -> None:
        norm = float(np.linalg.norm(self.values))
        if not norm <= self.clipping_norm < np.inf:
            raise ValueError(
                f"Expected an L2 norm <= {self.clipping_norm}, got {norm}; make a ClippedUpdate "
                "with crypto.dp.clipping.clip."
            )
        self.values.flags.writeable = False

    def __repr__(self) -> str:
        return f"ClippedUpdate(dim={self.values.size}, clipping_norm={self.clipping_norm})"


@dataclass(frozen=True, repr=False)
class RoundedUpdate(_StaysHome):
    """One shopper's vector, rotated, scaled and rounded to integers; int64, shape (padded dim,).

    Guarantee: its squared L2 norm is at most ``squared_bound``, by construction.
    """

    values: IntArray
    squared_bound: float

    def __post_init__(self) -> None:
        squared = float(np.dot(self.values.astype(np.float64), self.values.astype(np.float64)))
        if not squared <= self.squared_bound:
            raise ValueError(f"Expected a squared norm <= {self.squared_bound}, got {squared}.")
        self.values.flags.writeable = False

    def __repr__(self) -> str:
        return f"RoundedUpdate(dim={self.values.size})"


@dataclass(frozen=True, repr=False)
class NoisedUpdate(_StaysHome):
    """One client's integer sum with its share of the noise; int64, shape (padded dim,).

    Not yet fit to leave: a single client's share of noise protects nobody by itself.
    """

    values: IntArray
    shoppers: int
    door: InitVar[object]

    def __post_init__(self, door: object) -> None:
        if door is not NOISE_DOOR:
            raise TypeError("A NoisedUpdate is made by crypto.dp.noise.add_noise alone.")
        self.values.flags.writeable = False

    def __repr__(self) -> str:
        return f"NoisedUpdate(dim={self.values.size}, shoppers={self.shoppers})"


@dataclass(frozen=True, kw_only=True)
class SealedUpdate:
    """One client's sealed vector: opaque bytes of a length that depends on the plan alone.

    Attributes:
        shares: ``shares[k]`` is for key holder ``k + 1``.
        body: what the coordinator adds by itself; empty where key holders open all there is.
        commitments: hex commitments to the pieces inside the shares; none in share sum.
    """

    scheme: str
    context: str
    shares: tuple[bytes, ...]
    body: bytes = b""
    commitments: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Bytes in all, commitments aside."""
        return len(self.body) + sum(map(len, self.shares))


@dataclass(frozen=True, kw_only=True)
class SealedSum:
    """The homomorphic sum of sealed vectors; ``shares[k]`` is for key holder ``k + 1``.

    ``shares`` is empty where key holders add their shares themselves; ``body`` is the sum of
    bodies, empty where there are none.
    """

    scheme: str
    context: str
    shares: tuple[bytes, ...]
    count: int
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class PartSum:
    """What one key holder opened: its share of the sum, int64 below the scheme's modulus.

    Shape (slots,) in share sum; in piece sum and compact sum (2 · piece length,), the sums of its
    two pieces by number. A single part sum is uniformly random and says nothing about the sum.
    """

    holder: int
    context: str
    values: IntArray


@dataclass(frozen=True, kw_only=True)
class ReleasedSum:
    """The noisy sum, in real units: the only numbers about shoppers that anyone else sees.

    Attributes:
        values: float64, shape (dim,): sum over shoppers plus noise.
        noise_stddev: float, of the noise in each coordinate, in the same units.
        clients: how many clients are in the sum.
        shoppers: how many shoppers are in the sum.
    """

    values: FloatArray
    noise_stddev: float
    clients: int
    shoppers: int
