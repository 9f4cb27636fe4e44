"""Banded noise: its sensitivity by brute force, its entries measured, its plans' limits."""

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.rdp import RdpAccountant

import crypto.dp.correlated
from crypto.dp.accounting import ORDERS, GaussianRelease, epsilon
from crypto.dp.correlated import coefficients, entry_centre, growth, may_take_part, squared_norm
from crypto.dp.noise import holder_noise
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.dp.plan_terms import Sampling
from crypto.dp.smoothing import MAX_EXCESS, banded_excess
from crypto.dp.widths import NoiseSet
from crypto.errors import PlanError
from crypto.sums.schemes import Scheme
from tests.unit.crypto import samples
from tests.unit.crypto.samples import generator

AVAILABLE = (1, 2, 3, 4, 6, 8, 12, 16)
Matrix = npt.NDArray[np.float64]


def plan(**changes: Any) -> PrivacyPlan:
    fields = {"scheme": Scheme.COMPACT_SUM, "rounds": 6, "bands": 3, "separation": 3}
    return samples.plan(**fields | changes)


def matrix(bands: int, rounds: int) -> Matrix:
    strategy = coefficients(bands)
    found = np.zeros((rounds, rounds))
    for lag in range(min(bands, rounds)):
        found += strategy[lag] * np.eye(rounds, k=-lag)
    return found


def patterns(rounds: int, separation: int) -> Iterator[tuple[int, ...]]:
    """Every set of rounds that ``may_take_part`` lets one shopper take part in, one by one."""
    for chosen in itertools.product((False, True), repeat=rounds):
        previous: int | None = None
        for number in itertools.compress(range(rounds), chosen):
            if not may_take_part(separation=separation, number=number, previous=previous):
                break
            previous = number
        else:
            yield tuple(itertools.compress(range(rounds), chosen))


class TestSensitivity:
    @pytest.mark.parametrize(
        ("bands", "separation"), [(2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (1, 1), (1, 3)]
    )
    def test_charges_cover_every_allowed_pattern_after_every_round(
        self, bands: int, separation: int
    ) -> None:
        """Signs and sizes within the bound, over all patterns: |C x|² against what was charged."""
        rounds = 8
        made = plan(bands=bands, separation=separation, rounds=rounds)
        strategy, worst = matrix(bands, rounds), np.zeros(rounds)
        for pattern in patterns(rounds, separation):
            for signs in itertools.product((1.0, -1.0, 0.5), repeat=min(len(pattern), 4)):
                vectors = np.zeros(rounds)
                vectors[list(pattern)[: len(signs)]] = signs
                vectors[list(pattern)[len(signs) :]] = 1.0
                worst = np.maximum(worst, np.cumsum(np.square(strategy @ vectors)))
        charged = np.cumsum([len(made.charges(number)) for number in range(rounds)])
        assert (worst <= charged * squared_norm(bands) * (1 + 1e-12)).all()
        # And not by much: after a whole run the worst pattern uses all but cut-off columns.
        assert worst[-1] > (charged[-1] - 1) * squared_norm(bands)
        assert len(made.releases()) == charged[-1] == math.ceil(rounds / separation)

    def test_closer_participations_would_cost_more(self) -> None:
        """The separation matters: taking part in every round beats what is charged."""
        strategy = matrix(3, 6)
        every = float(np.square(strategy @ np.ones(6)).sum())
        assert every > 2 * squared_norm(3)
        assert (0, 1) not in set(patterns(6, 3))
        assert (0, 3) in set(patterns(6, 3))

    def test_separation_counts_rounds(self) -> None:
        assert may_take_part(separation=4, number=0, previous=None)
        assert may_take_part(separation=4, number=4, previous=0)
        assert not may_take_part(separation=4, number=3, previous=0)
        assert not may_take_part(separation=4, number=2, previous=9)
        assert not may_take_part(separation=1, number=2, previous=2)

    def test_epsilon_is_a_gaussians(self) -> None:
        made = plan(noise_multiplier=2.0)
        accountant = RdpAccountant(list(ORDERS))
        accountant.compose(GaussianDpEvent(2.0 / math.sqrt(2 * squared_norm(3))))
        assert made.epsilon() == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-9)
        shopper = epsilon([made.release], delta=1e-6)
        assert shopper == made.round_epsilon() < made.epsilon()
        assert isinstance(made.release, GaussianRelease)
        assert made.release.squared_l2 == squared_norm(3) * made.squared_sensitivity

    def test_rounds_outside_the_run(self) -> None:
        for number in (-1, 6):
            with pytest.raises(PlanError, match=f"round {number} < rounds=6: plan the next"):
                plan().charges(number)

    def test_skipping_numbers_evades_no_charge(self) -> None:
        made = plan(rounds=12)
        for visited in itertools.chain.from_iterable(
            itertools.combinations(range(12), size) for size in (1, 2, 5, 12)
        ):
            charged = [
                len(made.charges(number, after=last))
                for last, number in itertools.pairwise((-1, *visited))
            ]
            for count, number in zip(itertools.accumulate(charged), visited, strict=True):
                assert count == math.ceil((number + 1) / 3)
        for number, after in ((3, 3), (2, 5), (0, -2)):
            with pytest.raises(PlanError, match=f"Expected {after} < round {number}"):
                made.charges(number, after=after)


def test_two_rounds_by_summation() -> None:
    """The joint distribution of two rounds' sums, two holders' integers summed out, in many digits.

    A shopper adds 1 in the first round: the divergence is at most the Gaussian's with ‖c‖².
    """
    share, reach, second = 1.0, 9, coefficients(2)[1]
    span = range(-reach, reach + 1)

    def masses(centre: float) -> dict[int, float]:
        weights = {k: math.exp(-((k - centre) ** 2) / (2 * share)) for k in range(-25, 26)}
        total = math.fsum(weights.values())
        return {k: w / total for k, w in weights.items()}

    table = {k: masses(-second * k) for k in span}

    def joint(shift: int) -> Matrix:
        found = np.zeros((2 * reach + 3, 2 * reach + 1))
        for one, other in itertools.product(span, span):
            if abs(one + other + shift) > reach:
                continue
            first = table[0][one] * table[0][other]
            both = np.convolve(list(table[one].values()), list(table[other].values()))
            middle = len(both) // 2
            row = both[middle - reach : middle + reach + 1]
            found[one + other + shift + reach] += first * row
        return found

    here, there = joint(0), joint(1)
    for alpha in (2, 3):
        for p, q in ((here, there), (there, here)):
            inside = (p > 1e-60) & (q > 1e-60)
            total = float(np.sum(p[inside] ** alpha * q[inside] ** (1.0 - alpha)))
            bound = alpha * squared_norm(2) / (2 * 2 * share)
            bound += banded_excess(variance=2 * share, rounds=2, dimension=1)
            # What lies outside the window can only add a little: the window holds nearly all.
            assert math.log(total) / (alpha - 1) <= bound
            assert math.log(total) / (alpha - 1) > 0.9 * alpha * squared_norm(2) / (4 * share)


class TestEntries:
    @pytest.mark.parametrize("bands", [2, 4])
    def test_filtered_they_are_independent_noise_of_the_plans_variance(self, bands: int) -> None:
        made = plan(
            dimension=2**13, bands=bands, separation=bands, rounds=10, noise_multiplier=0.01
        )
        entries: list[npt.NDArray[np.int64]] = []
        for number in range(10):
            past = entries[max(0, number - bands + 1) :]
            entry = holder_noise(
                plan=made, rng=generator(f"entry {number}"), number=number, past=past
            )
            assert entry.values.dtype == np.int64
            assert entry.shoppers == 0
            entries.append(entry.values)
        stacked = np.stack(entries).astype(np.float64)
        white = matrix(bands, 10) @ stacked
        covariance = white @ white.T / stacked.shape[1] / made.holder_variance
        deviation = 5 * math.sqrt(2 / stacked.shape[1])
        assert np.abs(covariance - np.eye(10)).max() < deviation
        # The entries themselves are larger and hang together, which is what makes sums smaller.
        last = float(np.square(stacked[-1]).mean()) / made.holder_variance
        assert last == pytest.approx(growth(bands, 10), rel=deviation)
        prefix = float(np.square(stacked.sum(axis=0)).mean())
        assert prefix < 0.75 * 10 * made.holder_variance * squared_norm(bands)

    def test_the_plan_allows_for_their_size(self) -> None:
        made, plain = plan(), plan(bands=1, separation=1)
        holders = 3 * made.holder_variance
        assert made.noise_stddev(5, number=0) == pytest.approx(plain.noise_stddev(5))
        for number in (0, 3, 5):
            variance = 5 * made.client_variance + holders * growth(3, number + 1)
            assert made.noise_stddev(5, number=number) == pytest.approx(math.sqrt(variance) / 1024)
        assert made.noise_stddev(5) == made.noise_stddev(5, number=5)
        assert made.largest_sum > plain.largest_sum

    def test_missing_or_foreign_history_is_refused(self) -> None:
        made, rng = plan(), generator()
        one = np.ones(16, np.int64)
        for number, past in ((0, [one]), (1, []), (2, [one]), (5, [one] * 3), (1, [one[:3]])):
            with pytest.raises(ValueError, match=f"Round {number} needs"):
                holder_noise(plan=made, rng=rng, number=number, past=past)
        with pytest.raises(ValueError, match="needs 0 earlier entries"):
            holder_noise(plan=plan(bands=1, separation=1), rng=rng, number=7, past=[one])
        holder_noise(plan=made, rng=rng, number=7, past=[one, one])

    def test_the_centre_weighs_the_newest_first(self) -> None:
        _, one, two = coefficients(3)
        old, new = np.array([3, 0]), np.array([0, -5])
        assert entry_centre(3, [old, new]) == pytest.approx([-two * 3, one * 5])
        assert entry_centre(3, [new]) == pytest.approx([0, one * 5])
        for past in ([], [old] * 3):
            with pytest.raises(ValueError, match="1 to 2 earlier"):
                entry_centre(3, past)

    def test_none_without_privacy(self) -> None:
        entry = holder_noise(plan=without_noise(plan()), rng=generator())
        assert not entry.values.any()


class TestCoefficients:
    def test_the_file_says_where_it_comes_from(self) -> None:
        document = json.loads(
            Path(crypto.dp.correlated.__file__).with_name("banded.json").read_text()
        )
        assert document["versions"]["jax_privacy"] == "2.0.0"
        assert Path(document["source"]).exists()

    @pytest.mark.parametrize("bands", AVAILABLE)
    def test_norm_and_inverse_in_many_digits(self, bands: int) -> None:
        strategy = coefficients(bands)
        assert len(strategy) == bands
        assert strategy[0] == 1.0
        assert all(0 < value < 1 for value in strategy[1:])
        with mpmath.workdps(40):
            exact = [mpmath.mpf(value) for value in strategy]
            inverse: list[mpmath.mpf] = []
            for t in range(64):
                past = sum(
                    (exact[k] * inverse[t - k] for k in range(1, min(t, bands - 1) + 1)),
                    mpmath.mpf(0),
                )
                inverse.append((1 if t == 0 else 0) - past)
            norm = float(mpmath.fsum(value**2 for value in exact))
            for rounds in (1, 2, 64):
                known = float(mpmath.fsum(value**2 for value in inverse[:rounds]))
                assert growth(bands, rounds) == pytest.approx(known, rel=1e-12)
        assert squared_norm(bands) == pytest.approx(norm, rel=1e-14)

    def test_more_bands_leave_less_noise_in_sums(self) -> None:
        """Mean squared error of 64 prefix sums at equal privacy: what the file is optimised for."""
        errors = []
        for bands in AVAILABLE:
            noising = np.linalg.inv(matrix(bands, 64))
            prefix = np.tril(np.ones((64, 64))) @ noising
            errors.append(float(np.square(prefix).sum() / 64) * squared_norm(bands))
        assert errors[0] == pytest.approx(32.5)
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 5.6

    def test_others_do_not_exist(self) -> None:
        for bands in (0, 5, 17, -1):
            with pytest.raises(PlanError, match=f"bands={bands} among"):
                coefficients(bands)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": 5, "separation": 5}, "bands=5 among"),
        ({"separation": 2}, "separation=2 >= bands=3"),
        ({"separation": 0, "bands": 1}, "separation=0 >= 1"),
        ({"scheme": Scheme.SHARE_SUM}, "bands=3 == 1 for share-sum"),
        (
            {"noise": NoiseSet.CENTRED_GAUSSIAN, "experimental": True, "scale": 16},
            "bands=3 == 1 for compact-sum and set-b",
        ),
        (
            {"sampling": Sampling.HIDDEN_POISSON, "sampling_rate": 0.5},
            "separation=3 == 1 with hidden-poisson",
        ),
        ({"noise_multiplier": 1e-3}, "noise_multiplier=0.001 to be larger"),
    ],
)
def test_contradictions(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan(**changes)


def test_narrow_noise_is_refused_by_its_excess() -> None:
    made = plan()
    assert banded_excess(variance=made.variance, rounds=6, dimension=16) == 0.0
    assert banded_excess(variance=1.0, rounds=6, dimension=16) > MAX_EXCESS
    assert PrivacyPlan.from_json(made.to_json()) == made
