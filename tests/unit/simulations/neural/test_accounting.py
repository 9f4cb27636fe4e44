"""ε of a whole run: three accountants, and formulas derived here."""

import math

import pytest
from scipy.stats import norm

from simulations.neural.accounting import by_opacus, by_ours, by_pld, multiplier

DELTA = 1e-5


def exact_delta(epsilon: float, noise: float, rounds: int) -> float:
    """δ of ``rounds`` Gaussian mechanisms: one of μ = √rounds / noise (Dong, Roth, Su 2022)."""
    mu = math.sqrt(rounds) / noise
    return float(
        norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
    )


@pytest.mark.parametrize("budget", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("rounds", [1, 20])
def test_the_multiplier_spends_the_budget_over_all_rounds(budget: float, rounds: int) -> None:
    noise = multiplier(budget, rounds=rounds, delta=DELTA)
    assert exact_delta(budget, noise, rounds) == pytest.approx(DELTA, rel=1e-6)
    terms = {"rounds": rounds, "rate": 1.0, "delta": DELTA}
    tight = by_pld(noise, **terms)  # type: ignore[arg-type]
    assert tight == pytest.approx(budget, rel=5e-3)
    for accountant in (by_ours, by_opacus):
        told = accountant(noise, **terms)  # type: ignore[arg-type]
        assert tight <= told < 1.15 * tight


def test_each_round_costs() -> None:
    spent = [by_ours(5.0, rounds=rounds, rate=1.0, delta=DELTA) for rounds in (1, 10, 100)]
    assert spent == sorted(spent)
    assert spent[0] < spent[1] / 2 < spent[2] / 4


def test_a_private_coin_amplifies_and_accountants_agree() -> None:
    terms = {"rounds": 50, "rate": 0.1, "delta": DELTA}
    tight, ours = by_pld(2.0, **terms), by_ours(2.0, **terms)  # type: ignore[arg-type]
    assert tight <= ours == pytest.approx(by_opacus(2.0, **terms), rel=0.02)  # type: ignore[arg-type]
    assert ours < by_ours(2.0, rounds=50, rate=1.0, delta=DELTA) / 3


def test_no_budget_means_no_noise() -> None:
    assert multiplier(None, rounds=3, delta=DELTA) == 0.0
    assert by_ours(0.0, rounds=3, rate=1.0, delta=DELTA) == math.inf
