"""How fast and how large sealed sums are, beside the CKKS parameters that NVFLARE ships.

All run in one process, of vectors of the same length, and are measured in processor time, so the
ratios mean something on any machine. The comparison flatters CKKS: there one key opens every
client's vector, and its decrypted sums leak that key (Li, Micciancio 2021).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import tenseal as ts

from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.rotation import padded
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import HOLDERS, THRESHOLD, Scheme
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import context_hash
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import RoundedUpdate
from simulations.bench.voted_round import measure_round, timed

_CONTEXT: Final = "00" * 32
_CKKS: Final = "ckks-8192-60-40-40"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one scheme costs. Processor seconds on one thread, per million values.

    Attributes:
        bytes_per_value: what a client sends, all key holders together, per value.
        seal: a client's; ``add``: per client; ``open``: of one sum.
        holder_ms: a key holder's milliseconds per client, None where it only opens a sum.
    """

    scheme: str
    noise: str | None = None
    bytes_per_value: float
    seal: float
    add: float
    open: float
    holder_ms: float | None = None


def bench_sums(*, dimension: int, clients: int) -> Iterator[dict[str, Any]]:
    """One JSON object a scheme, then each one's ratio to CKKS (above 1: better than CKKS).

    Raises:
        ValueError: a sealed sum differs from the plain one (it never may).
    """
    shared = {"dim": dimension, "clients": clients}
    found = []
    for noise in NoiseSet:
        found.append(_compact(noise, dimension, clients))
        yield shared | vars(found[-1])
    for measure in (_share_sum, _ckks):
        found.append(measure(padded(dimension), clients))
        yield shared | {key: value for key, value in vars(found[-1]).items() if value is not None}
    *ours, theirs = found
    for mine in ours:
        name = f"{mine.scheme} {mine.noise}" if mine.noise else mine.scheme
        ratios = {
            step: round(getattr(theirs, step) / max(getattr(mine, step), 1e-9), 2)
            for step in ("bytes_per_value", "seal", "add", "open")
        }
        yield shared | {"ratio": f"{_CKKS} / {name}", **ratios}


def _compact(noise: NoiseSet, dimension: int, clients: int) -> Timing:
    with tempfile.TemporaryDirectory() as folder:
        found = measure_round(
            Path(folder),
            scheme=Scheme.COMPACT_SUM,
            noise=noise,
            dimension=dimension,
            clients=clients,
        )
    return Timing(
        scheme=found.scheme,
        noise=noise,
        bytes_per_value=found.bytes_per_value,
        seal=found.seal,
        add=found.add,
        open=found.open,
        holder_ms=found.holder_ms,
    )


def _share_sum(size: int, clients: int) -> Timing:
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
        scheme=Scheme.SHARE_SUM,
    )
    # Noise alone fills the fields as wide as a real vector would.
    empty = RoundedUpdate(np.zeros(size, dtype=np.int64), 0.0)
    plain = np.zeros(size, dtype=np.int64)
    sealed, seal_seconds = [], 0.0
    for _ in range(clients):
        update = add_noise([empty], plan=plan, rng=rng)
        plain += update.values
        made, seconds = timed(partial(scheme.seal, update, sender=bytes(32), rng=rng))
        sealed.append(made)
        seal_seconds += seconds
    total, add_seconds = timed(lambda: scheme.add(sealed))

    def open_sum() -> Any:
        parts = [
            holders[k].open_share(total.shares[k], holder=k + 1, context=_CONTEXT, dimension=size)
            for k in range(THRESHOLD)
        ]
        return scheme.combine(total, parts)

    opened, open_seconds = timed(open_sum)
    if not np.array_equal(opened, plain):
        raise ValueError("The sealed sum differs from the plain sum.")
    return Timing(
        scheme=scheme.scheme,
        bytes_per_value=round(sealed[0].length / size, 4),
        seal=_per_million(seal_seconds, size, clients),
        add=_per_million(add_seconds, size, clients),
        open=_per_million(open_seconds, size, 1),
    )


def _ckks(size: int, clients: int) -> Timing:
    context = ts.context(
        ts.SCHEME_TYPE.CKKS, poly_modulus_degree=8192, coeff_mod_bit_sizes=[60, 40, 40]
    )
    context.global_scale = 2**40
    slots = 4096
    plain = np.zeros(size)
    sealed: list[list[bytes]] = []
    seal_seconds = 0.0

    def seal(vector: np.ndarray[Any, Any]) -> list[bytes]:
        chunks = [vector[start : start + slots] for start in range(0, size, slots)]
        return [ts.ckks_vector(context, chunk).serialize() for chunk in chunks]

    for number in range(clients):
        vector = np.random.default_rng(number).normal(size=size)
        plain += vector
        made, seconds = timed(partial(seal, vector))
        sealed.append(made)
        seal_seconds += seconds

    def add() -> list[Any]:
        totals: list[Any] = [ts.ckks_vector_from(context, chunk) for chunk in sealed[0]]
        for other in sealed[1:]:
            for position, chunk in enumerate(other):
                totals[position] += ts.ckks_vector_from(context, chunk)
        return totals

    totals, add_seconds = timed(add)
    opened, open_seconds = timed(lambda: np.concatenate([chunk.decrypt() for chunk in totals]))
    error = float(np.abs(opened - plain).max())
    if error > 1e-3:
        raise ValueError(
            f"The CKKS baseline is off by {error}; it does not measure what it should."
        )
    return Timing(
        scheme=_CKKS,
        bytes_per_value=round(sum(map(len, sealed[0])) / size, 4),
        seal=_per_million(seal_seconds, size, clients),
        add=_per_million(add_seconds, size, clients),
        open=_per_million(open_seconds, size, 1),
    )


def bench_limits() -> Iterator[dict[str, Any]]:
    """The two ends: one client of 5 million values in a process of its own, a thousand clients.

    Raises:
        ValueError: a sealed sum differs from the plain one.
    """
    command = [sys.executable, "-m", "simulations.bench.one_client", str(5_000_000)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    yield json.loads(told.stdout)
    with tempfile.TemporaryDirectory() as folder:
        found = measure_round(
            Path(folder),
            scheme=Scheme.COMPACT_SUM,
            noise=NoiseSet.SKELLAM,
            dimension=10_000,
            clients=1000,
        )
    yield vars(found)


def _per_million(seconds: float, size: int, clients: int) -> float:
    return round(seconds / (size * clients) * 1e6, 5)
