"""The device's conversion is dp-accounting's, over many curves; and it needs nothing else."""

import math
import subprocess
import sys

import numpy as np
import pytest
from dp_accounting.rdp import rdp_privacy_accountant as known
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.dp.accounting import (
    ORDERS,
    GaussianRelease,
    Release,
    SampledRelease,
    SkellamRelease,
    epsilon,
)
from crypto.dp.conversion import device_epsilon, least_epsilon

DELTAS = [1e-3, 1e-5, 1e-6, 1e-9, 1e-12]


def agrees(rdp: np.ndarray, delta: float) -> None:
    expected, _ = known.compute_epsilon(ORDERS, rdp, delta)
    assert least_epsilon(ORDERS, rdp, delta=delta) == pytest.approx(expected, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("delta", DELTAS)
def test_gaussian_curves(delta: float) -> None:
    for noise in np.geomspace(0.05, 3000.0, 60):
        agrees(np.array(ORDERS) / (2 * noise**2), delta)


@pytest.mark.parametrize("delta", DELTAS)
def test_odd_curves(delta: float) -> None:
    """Convex or not, flat, tiny (ε = 0 there), partly infinite."""
    choice = np.random.default_rng(5)
    for size in np.geomspace(1e-26, 1e4, 60):
        agrees(size * choice.uniform(size=len(ORDERS)), delta)
        agrees(np.sort(size * choice.uniform(size=len(ORDERS))), delta)
        agrees(np.full(len(ORDERS), size), delta)
        some = np.sort(size * choice.uniform(size=len(ORDERS)))
        some[choice.integers(1, len(ORDERS)) :] = math.inf
        agrees(some, delta)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["skellam", "gaussian", "sampled"]),
            st.floats(0.3, 30.0),
            st.floats(0.01, 0.9),
            st.integers(1, 40),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(DELTAS),
)
def test_compositions(parts: list[tuple[str, float, float, int]], delta: float) -> None:
    releases: list[Release] = []
    for kind, noise, rate, count in parts:
        base: SkellamRelease | GaussianRelease = SkellamRelease(
            variance=noise**2 * 1.1e6, squared_l2=1.1e6, l1=2.5e5
        )
        if kind == "gaussian":
            base = GaussianRelease(variance=noise**2, squared_l2=1.0, excess=1e-13)
        made = SampledRelease(base=base, rate=rate) if kind == "sampled" else base
        releases += [made] * count
    expected = epsilon(releases, delta=delta)
    assert device_epsilon(releases, delta=delta) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_least_over_the_orders_by_hand() -> None:
    # Canonne, Kamath, Steinke's Proposition 12, term by term, at the only order that is finite.
    rdp = np.full(len(ORDERS), math.inf)
    rdp[ORDERS.index(20)] = 0.5
    expected = 0.5 + math.log(19 / 20) - math.log(20e-6) / 19
    assert least_epsilon(ORDERS, rdp, delta=1e-6) == pytest.approx(expected, rel=1e-12)


def test_edges() -> None:
    assert device_epsilon([], delta=1e-6) == 0.0
    silent = SkellamRelease(variance=0.0, squared_l2=1.0, l1=1.0)
    assert device_epsilon([silent], delta=1e-6) == math.inf
    broken = np.full(len(ORDERS), 0.1)
    broken[3] = math.nan
    assert least_epsilon(ORDERS, broken, delta=1e-6) == math.inf
    for delta in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="0 < delta"):
            least_epsilon(ORDERS, np.zeros(len(ORDERS)), delta=delta)


def test_neither_dp_accounting_nor_scipy_is_loaded() -> None:
    program = (
        "import sys; from crypto.dp.accounting import SkellamRelease;"
        "from crypto.dp.budget import admit;"
        "r = SkellamRelease(variance=4e6, squared_l2=1.1e6, l1=2.5e5);"
        "admit([r], [r], cap=9.0, delta=1e-6);"
        "print(sorted(n for n in sys.modules if n.split('.')[0] in ('dp_accounting', 'scipy')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
