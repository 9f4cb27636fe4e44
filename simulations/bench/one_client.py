"""One client that seals a very long vector, alone in its process: time and peak memory.

Run as ``python -m simulations.bench.one_client DIMENSION``; prints one JSON object.
"""

import json
import sys
from pathlib import Path

import numpy as np

from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sealing import pieced_sum
from crypto.sums.pieces.envelope import RoundPublicKey
from crypto.sums.pieces.open import RoundSecret
from crypto.sums.schemes import HOLDERS
from crypto.update import RoundedUpdate
from simulations.bench.voted_round import timed


def main(dimension: int) -> None:
    """Seal one noised vector of ``dimension`` values and print what it took."""
    plan = PrivacyPlan.fitted(
        dimension=dimension,
        clipping_norm=1.0,
        noise_multiplier=4.0,
        min_clients=100,
        max_clients=200,
        max_shoppers=200,
        max_colluders=0,
        delta=1e-6,
    )
    keys = [
        RoundPublicKey(raw=RoundSecret.generate().public, record_hash=f"{number:064x}")
        for number in range(1, HOLDERS + 1)
    ]
    summing = pieced_sum(plan, "00" * 32, keys)
    rng = SecureRandom()
    empty = RoundedUpdate(np.zeros(plan.padded_dimension, dtype=np.int64), 0.0)
    update = add_noise([empty], plan=plan, rng=rng)
    sealed, seconds = timed(lambda: summing.seal(update, sender=bytes(32), rng=rng))
    line = {
        "scheme": plan.scheme,
        "clients": 1,
        "dim": dimension,
        "seal": round(seconds / plan.padded_dimension * 1e6, 4),
        "sealed_bytes": sealed.length,
        "peak_rss_mb": _peak_rss_mb(),
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _peak_rss_mb() -> float:
    """Of this process alone; getrusage would count what its parent had when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return round(int(line.split()[1]) / 1024, 1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
