"""How fast and how large sealed sums are, beside the CKKS parameters that NVFLARE ships.

Both run in one process on one thread of vectors of the same length, so the ratios mean something
on any machine. The comparison flatters CKKS: there one key opens every client's vector, and its
decrypted sums leak that key (Li, Micciancio 2021).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import tenseal as ts

from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import padded
from crypto.sums.interface import HOLDERS, THRESHOLD
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import context_hash
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import RoundedUpdate

_CONTEXT: Final = "00" * 32
_ResultT = TypeVar("_ResultT")
_CKKS: Final = "ckks-8192-60-40-40"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds and bytes of one scheme; times per million values of one client's vector."""

    scheme: str
    step: str
    seconds_per_million_values: float
    bytes_per_value: float | None = None
    bytes_per_value_per_key_holder: float | None = None


def bench_sums(*, dimension: int, clients: int) -> Iterator[dict[str, Any]]:
    """One JSON object a step: seal, add and open of share sum, then of CKKS, then the ratios.

    Raises:
        ValueError: the sealed sum differs from the plain one (it never may).
    """
    size = padded(dimension)
    ours = list(_share_sum(size, clients))
    theirs = list(_ckks(size, clients))
    shared = {"dim": dimension, "clients": clients}
    for timing in (*ours, *theirs):
        yield shared | {key: value for key, value in vars(timing).items() if value is not None}
    yield shared | {
        "ratio": f"{_CKKS} / share-sum",
        **{
            f"{mine.step}_seconds": round(
                other.seconds_per_million_values / mine.seconds_per_million_values, 2
            )
            for mine, other in zip(ours, theirs, strict=True)
        },
        "bytes": round((theirs[0].bytes_per_value or 0) / (ours[0].bytes_per_value or 1), 2),
    }


def _share_sum(size: int, clients: int) -> Iterator[Timing]:
    holders = [OpeningKey.generate() for _ in range(HOLDERS)]
    keys = [holder.public for holder in holders]
    scheme = ShareSum(
        context=_CONTEXT,
        dimension=size,
        public_keys=keys,
        key_hashes=[context_hash(key) for key in keys],
    )
    rng = SecureRandom()
    plan = PrivacyPlan.fitted(
        dimension=size,
        clipping_norm=1.0,
        noise_multiplier=4.0,
        min_clients=clients,
        max_clients=clients,
        max_shoppers=clients,
        max_colluders=0,
        delta=1e-5,
    )
    # Noise alone fills the fields as wide as a real vector would.
    empty = RoundedUpdate(np.zeros(size, dtype=np.int64), 0.0)
    noised = [add_noise([empty], plan=plan, rng=rng) for _ in range(clients)]
    vectors = [update.values for update in noised]
    sealed, seconds = _timed(lambda: [scheme.seal(update, rng=rng) for update in noised])
    per_holder = len(sealed[0].shares[0]) / size
    yield Timing(
        scheme=scheme.scheme,
        step="seal",
        seconds_per_million_values=_per_million(seconds, size, clients),
        bytes_per_value=HOLDERS * per_holder,
        bytes_per_value_per_key_holder=per_holder,
    )
    total, seconds = _timed(lambda: scheme.add(sealed))
    yield Timing(
        scheme=scheme.scheme,
        step="add",
        seconds_per_million_values=_per_million(seconds, size, clients),
    )

    def open_sum() -> Any:
        parts = [
            holders[k].open_share(total.shares[k], holder=k + 1, context=_CONTEXT, dimension=size)
            for k in range(THRESHOLD)
        ]
        return scheme.combine(parts)

    opened, seconds = _timed(open_sum)
    if not np.array_equal(opened, np.sum(vectors, axis=0)):
        raise ValueError("The sealed sum differs from the plain sum.")
    yield Timing(
        scheme=scheme.scheme,
        step="open",
        seconds_per_million_values=_per_million(seconds, size, 1),
    )


def _ckks(size: int, clients: int) -> Iterator[Timing]:
    context = ts.context(
        ts.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=[60, 40, 40]
    )
    context.global_scale = 2**40
    slots = 4096
    vectors = [np.random.default_rng(k).normal(size=size) for k in range(clients)]

    def seal(vector: np.ndarray[Any, Any]) -> list[bytes]:
        chunks = [vector[start : start + slots] for start in range(0, size, slots)]
        return [ts.ckks_vector(context, chunk).serialize() for chunk in chunks]

    sealed, seconds = _timed(lambda: [seal(vector) for vector in vectors])
    yield Timing(
        scheme=_CKKS,
        step="seal",
        seconds_per_million_values=_per_million(seconds, size, clients),
        bytes_per_value=sum(map(len, sealed[0])) / size,
    )

    def add() -> list[Any]:
        totals: list[Any] = [ts.ckks_vector_from(context, chunk) for chunk in sealed[0]]
        for other in sealed[1:]:
            for position, chunk in enumerate(other):
                totals[position] += ts.ckks_vector_from(context, chunk)
        return totals

    totals, seconds = _timed(add)
    yield Timing(
        scheme=_CKKS, step="add", seconds_per_million_values=_per_million(seconds, size, clients)
    )
    opened, seconds = _timed(lambda: np.concatenate([chunk.decrypt() for chunk in totals]))
    error = float(np.abs(opened - np.sum(vectors, axis=0)).max())
    if error > 1e-3:
        raise ValueError(
            f"The CKKS baseline is off by {error}; it does not measure what it should."
        )
    yield Timing(
        scheme=_CKKS, step="open", seconds_per_million_values=_per_million(seconds, size, 1)
    )


def _timed(work: Callable[[], _ResultT]) -> tuple[_ResultT, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _per_million(seconds: float, size: int, clients: int) -> float:
    return round(seconds / (size * clients) * 1e6, 4)
