"""Shamir shares: any two of three recover, a third is checked, one is noise."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from crypto.errors import SealError
from crypto.sums.share_sum.parameters import PLAIN_MODULUS as P
from crypto.sums.share_sum.shamir import recover, share
from tests.unit.crypto.samples import generator


def secrets(count: int) -> np.ndarray:
    values = np.array([0, 1, P - 1, P // 2, 2**40, 2**40 - 1], dtype=np.int64)
    return np.concatenate([values, generator("secrets").below(P, count - values.size)])


def test_shares_lie_on_a_line_through_the_secret() -> None:
    secret = secrets(50)
    first, second, third = (part.astype(object) for part in share(secret, generator()))
    assert ((2 * first - second - secret) % P == 0).all()
    assert ((3 * first - third - 2 * secret.astype(object)) % P == 0).all()
    for part in (first, second, third):
        assert ((part >= 0) & (part < P)).all()


@pytest.mark.parametrize("holders", [*combinations((1, 2, 3), 2), (1, 2, 3), (3, 1)])
def test_two_or_three_recover(holders: tuple[int, ...]) -> None:
    secret = secrets(200)
    parts = share(secret, generator())
    assert np.array_equal(recover({k: parts[k - 1] for k in holders}), secret)


def test_sums_of_shares_recover_the_sum() -> None:
    rng = generator("sums")
    many = [secrets(64) for _ in range(20)]
    shared = [share(secret, rng) for secret in many]
    totals = {
        k + 1: np.sum([parts[k].astype(object) for parts in shared], axis=0) % P for k in range(3)
    }
    expected = np.sum([secret.astype(object) for secret in many], axis=0) % P
    for pair in combinations((1, 2, 3), 2):
        found = recover({k: totals[k].astype(np.int64) for k in pair})
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("liar", [1, 2, 3])
@pytest.mark.parametrize("shift", [1, P - 1, P // 2])
def test_a_contradiction_is_noticed(liar: int, shift: int) -> None:
    parts = dict(enumerate(share(secrets(40), generator()), start=1))
    parts[liar] = parts[liar].copy()
    parts[liar][17] = (parts[liar][17] + shift) % P
    with pytest.raises(SealError, match="contradict"):
        recover(parts)


@pytest.mark.parametrize("holders", [(), (1,), (0, 1), (1, 4), (2, 3, 4)])
def test_too_few_or_unknown(holders: tuple[int, ...]) -> None:
    parts = share(secrets(6), generator())
    with pytest.raises(SealError, match="key holders"):
        recover({k: parts[min(k, 2)] for k in holders})


@pytest.mark.parametrize("holder", [1, 2, 3])
@pytest.mark.parametrize("secret", [0, 1, P - 1])
def test_one_share_is_uniform_whatever_the_secret(holder: int, secret: int) -> None:
    rng = generator(f"uniform {holder} {secret}")
    values = share(np.full(40_000, secret, dtype=np.int64), rng)[holder - 1]
    assert chisquare(np.bincount(values * 16 // P, minlength=16)).pvalue > 1e-4
    assert chisquare(np.bincount(values % 16, minlength=16)).pvalue > 1e-4


def test_one_share_is_independent_of_the_secret() -> None:
    secret = generator("which").below(2, 40_000) * (P - 1)
    for values in share(secret, generator("independent")):
        table = np.histogram2d(secret > 0, values, bins=(2, 16))[0]
        assert chi2_contingency(table).pvalue > 1e-4


def test_two_shares_are_not() -> None:
    """The test above can fail: the difference of two shares is the slope and tells the secret."""
    secret = generator("which").below(2, 20_000) * (P // 2)
    first, second, _ = share(secret, generator())
    told = (2 * first - second) % P
    assert chi2_contingency(np.histogram2d(secret > 0, told, bins=(2, 2))[0]).pvalue < 1e-9
