"""The plan: what contradicts itself can't be made, and what it promises holds."""

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, skellam

from crypto.dp.accounting import GaussianRelease, SkellamRelease
from crypto.dp.clipping import clip
from crypto.dp.noise import add_noise
from crypto.dp.plan import PrivacyPlan, calibrate, without_noise
from crypto.dp.plan_terms import SCALES
from crypto.dp.rotation import Rotation
from crypto.dp.rounding import round_update
from crypto.dp.widths import NoiseSet
from crypto.errors import PlanError, WireError
from crypto.sums.schemes import Scheme
from crypto.update import RawUpdate, RoundedUpdate
from crypto.wire import canonical
from tests.unit.crypto import samples
from tests.unit.crypto.samples import generator


def plan(**changes: Any) -> PrivacyPlan:
    return samples.plan(**{"scheme": Scheme.COMPACT_SUM} | changes)


SHARED: dict[str, Any] = {"scheme": Scheme.SHARE_SUM}
SET_B: dict[str, Any] = {
    "noise": NoiseSet.CENTRED_GAUSSIAN,
    "experimental": True,
    "dimension": 1024,
    "scale": 16,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimension": 0}, "dimension=0"),
        ({"dimension": 2**24 + 1}, "dimension"),
        ({"clipping_norm": 0.0}, "clipping_norm=0.0"),
        ({"clipping_norm": math.inf}, "clipping_norm=inf"),
        ({"clipping_norm": math.nan}, "clipping_norm=nan"),
        ({"clipping_norm": 1e-300}, "clipping_norm=1e-300"),
        ({"noise_multiplier": -0.1}, "noise_multiplier=-0.1"),
        ({"noise_multiplier": math.nan}, "noise_multiplier=nan"),
        ({"noise_multiplier": math.inf}, "noise_multiplier=inf"),
        ({"max_colluders": -1}, "max_colluders=-1"),
        ({"max_colluders": 3} | SHARED, "min_clients=4 > max_colluders"),
        ({"min_clients": 2, "max_colluders": 1} | SHARED, "at least two honest"),
        ({"min_clients": 1, "max_colluders": 0} | SHARED, "at least two honest"),
        ({"max_colluders": 4}, "min_clients=4 > max_colluders=4"),
        ({"min_clients": 1, "max_colluders": 0}, "min_clients=1 >= 2"),
        ({"max_clients": 3}, "min_clients=4 <= max_clients=3"),
        ({"max_shoppers": 7}, "max_shoppers=7"),
        ({"delta": 0.0}, "delta=0.0"),
        ({"delta": 1.0}, "delta=1.0"),
        ({"delta": math.nan}, "delta=nan"),
        ({"rounds": 0}, "rounds=0"),
        ({"scale": 1000}, "scale=1000"),
        ({"client_noise": -0.1}, "0 <= client_noise=-0.1"),
        ({"client_noise": math.nan}, "client_noise=nan"),
        ({"client_noise": math.inf}, "client_noise=inf"),
        ({"client_noise": 0.99} | SHARED, "client_noise=0.99 >= 1: in a share-sum"),
        ({"noise": NoiseSet.CENTRED_GAUSSIAN, "scale": 16}, "experimental=True for noise=set-b"),
        (SET_B | {"scale": 0}, "1 <= scale=0"),
        (SET_B | {"scale": 2000}, "scale=2000 <= 1024"),
        (SET_B | SHARED, "Share sum carries set-a alone"),
        ({"max_clients": 10_001, "max_shoppers": 10_001, "scale": 128}, "max_clients=10001"),
    ],
)
def test_contradictions(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan(**changes)


def test_the_good_plan_is_good() -> None:
    assert plan().private
    assert plan().scheme is Scheme.COMPACT_SUM
    assert plan(min_clients=3, **SHARED).min_clients == 3
    assert plan(min_clients=2, max_colluders=1).min_clients == 2
    assert plan(client_noise=0.0).client_variance == 0.0
    assert not plan(**SHARED, noise_multiplier=0.0, client_noise=0.0).private


class TestNoiseShares:
    @pytest.mark.parametrize("scheme", Scheme)
    def test_any_honest_minimum_reaches_its_share_of_the_variance(self, scheme: Scheme) -> None:
        for clients, colluders in ((4, 0), (4, 1), (10, 8), (100, 33)):
            made = plan(
                min_clients=clients,
                max_clients=200,
                max_shoppers=200,
                max_colluders=colluders,
                scale=128,
                scheme=scheme,
                client_noise=1.5,
            )
            honest = clients - colluders
            assert honest * made.client_variance == pytest.approx(1.5 * made.variance, rel=1e-12)
            assert made.variance == pytest.approx(made.squared_sensitivity)

    def test_two_honest_key_holders_guarantee_the_accounted_variance(self) -> None:
        for scheme in (Scheme.COMPACT_SUM, Scheme.PIECE_SUM):
            made = plan(scheme=scheme, noise_multiplier=0.7)
            assert 2 * made.holder_variance == pytest.approx(made.variance, rel=1e-12)
            assert isinstance(made.release, SkellamRelease)
            assert made.release.variance == made.variance
        assert plan(**SHARED).holder_variance == 0.0

    def test_variance_is_z_squared_times_sensitivity_squared(self) -> None:
        for noise in (0.5, 2.0):
            made = plan(noise_multiplier=noise)
            assert made.variance / noise**2 == pytest.approx(made.squared_sensitivity)
        sensitivity = min((1024 + 4) ** 2, 1024**2 + 16 / 4 + 1024 + 4 / 2)
        assert plan().squared_sensitivity == pytest.approx(sensitivity)

    @pytest.mark.parametrize("scheme", Scheme)
    def test_the_releases_say_what_the_noise_is(self, scheme: Scheme) -> None:
        made = plan(rounds=3, scheme=scheme)
        guaranteed = 2 * made.holder_variance or 3 * made.client_variance
        releases = made.releases()
        assert len(releases) == 3
        for release in releases:
            assert isinstance(release, SkellamRelease)
            assert release.variance == pytest.approx(guaranteed)
            assert release.squared_l2 == made.squared_sensitivity
            assert release.l1 <= math.sqrt(16 * release.squared_l2) * (1 + 1e-12)
            assert release.l1 <= release.squared_l2

    def test_stddev_in_the_units_of_the_contribution(self) -> None:
        shared = plan(clipping_norm=3.0, **SHARED)
        expected = math.sqrt(6 * shared.client_variance) * 3.0 / 1024
        assert shared.noise_stddev(6) == pytest.approx(expected)
        voted = plan(clipping_norm=3.0, client_noise=0.25)
        entries = 6 * voted.client_variance + 3 * voted.holder_variance
        assert voted.noise_stddev(6) == pytest.approx(math.sqrt(entries) * 3.0 / 1024)
        # 1.5 μ from key holders, and each client a third of a quarter of μ on top.
        assert entries == pytest.approx((1.5 + 6 / 3 * 0.25) * voted.variance)

    def test_set_b_has_no_inflation_and_a_floor(self) -> None:
        made = plan(**SET_B)
        assert made.squared_sensitivity == 256.0
        assert made.variance == 256.0
        assert made.client_variance == pytest.approx(256 / 3)
        assert plan(**SET_B, client_noise=0.0).client_variance == 2.56
        assert without_noise(made).client_variance == 2.56
        narrow = plan(**SET_B, client_noise=0.0).release
        assert isinstance(narrow, GaussianRelease)
        assert narrow.variance == narrow.squared_l2 == 256.0
        assert 0 < narrow.excess < 1e-12

    def test_set_b_refuses_noise_too_narrow_for_integers(self) -> None:
        plan(**SET_B | {"scale": 6}, client_noise=1.0)
        with pytest.raises(PlanError, match=r"noise_multiplier=1 at scale=2 .* at most 1e-12"):
            plan(**SET_B | {"scale": 2})
        with pytest.raises(PlanError, match=r"noise_multiplier=0.1 at scale=16"):
            plan(**SET_B, noise_multiplier=0.1)
        assert not plan(**SET_B, noise_multiplier=0.0).private


class TestFields:
    def test_a_plan_that_could_wrap_is_refused(self) -> None:
        with pytest.raises(PlanError, match="20-bit field holds ±524287: lower scale=1024"):
            plan(dimension=64, max_clients=1000, max_shoppers=100_000, **SHARED)
        with pytest.raises(PlanError, match="21-bit field holds ±1048575: lower scale=1024"):
            plan(dimension=64, max_clients=100, max_shoppers=100_000)
        with pytest.raises(PlanError, match="18-bit field holds ±131071: lower scale=1024"):
            plan(dimension=64, max_clients=10_000, max_shoppers=10_000)
        with pytest.raises(PlanError, match="10-bit field holds ±511: lower scale=500"):
            plan(**SET_B | {"scale": 500})
        plan(dimension=64, max_clients=1000, max_shoppers=100_000, scheme=Scheme.PIECE_SUM)

    def test_fitted_lowers_the_scale_as_little_as_needed(self) -> None:
        scales = []
        for shoppers in (8, 200, 400, 900, 1500):
            fields = {
                k: v
                for k, v in vars(plan(max_shoppers=shoppers, scale=128, **SHARED)).items()
                if k != "scale"
            }
            made = PrivacyPlan.fitted(**fields)
            scales.append(made.scale)
            assert made.largest_sum < 2**19
            if made.scale != SCALES[0]:
                with pytest.raises(PlanError, match="field holds"):
                    plan(max_shoppers=shoppers, scale=2 * made.scale, **SHARED)
        assert scales == sorted(scales, reverse=True)
        assert len(set(scales)) >= 3

    def test_set_b_is_fitted_in_finer_steps(self) -> None:
        given = SET_B | {"dimension": 4096, "max_clients": 100, "client_noise": 0.0}
        fields = {k: v for k, v in vars(plan(**given, max_shoppers=100)).items() if k != "scale"}
        scales = [
            PrivacyPlan.fitted(**fields | {"max_shoppers": shoppers}).scale
            for shoppers in (100, 150, 200, 250)
        ]
        assert len(set(scales)) == 4
        assert scales == sorted(scales, reverse=True)

    def test_fitted_gives_up_where_nothing_fits(self) -> None:
        fields = {k: v for k, v in vars(plan()).items() if k != "scale"}
        with pytest.raises(PlanError, match="scale=128"):
            PrivacyPlan.fitted(**fields | {"max_shoppers": 10**7})
        with pytest.raises(PlanError, match="delta"):
            PrivacyPlan.fitted(**fields | {"delta": 2.0})

    @pytest.mark.parametrize("dimension", [30, 500, 4000])
    def test_worst_aligned_sums_stay_inside(self, dimension: int) -> None:
        """Every shopper alike, all mass on one item: the bound holds over many rotations."""
        made = PrivacyPlan.fitted(
            dimension=dimension,
            clipping_norm=1.0,
            noise_multiplier=2.0,
            min_clients=10,
            max_clients=40,
            max_shoppers=60,
            max_colluders=2,
            delta=1e-6,
            scheme=Scheme.SHARE_SUM,
        )
        unit = np.zeros(dimension)
        spread = np.full(dimension, dimension**-0.5)
        unit[0] = 1.0
        worst = 0.0
        for number in range(40):
            rotation = Rotation(f"context {number}", dimension)
            turned = rotation.forward(np.stack([unit, spread])) * made.scale * made.max_shoppers
            worst = max(worst, float(np.abs(turned).max()) + made.max_shoppers)
        noise = generator("alignment")
        clip_unit = clip(RawUpdate(spread), clipping_norm=1.0)
        rotation = Rotation("context 0", dimension)
        rounded = round_update(clip_unit, rotation=rotation, scale=made.scale, rng=noise)
        total = sum(
            add_noise([rounded], plan=made, rng=noise).values for _ in range(made.max_clients)
        )
        assert worst < made.largest_sum < 2**19
        assert np.abs(np.asarray(total)).max() < made.largest_sum
        # The bound is of the right order, so that it costs little: a factor, not orders.
        assert made.largest_sum < 60 * max(worst, float(np.abs(np.asarray(total)).max()))

    def test_the_tail_bound_is_a_true_tail_bound(self) -> None:
        """Bernstein's bound on the noise against the exact Skellam tail."""
        made = plan(dimension=2, max_clients=8, max_shoppers=8, noise_multiplier=0.02, scale=128)
        noise = made.client_variance * made.max_clients + 3 * made.holder_variance
        nats = math.log(4 * 2 / 2.0**-40)
        tail = made.largest_sum - math.sqrt(2 * nats * ((8 * 128) ** 2 / 2 + 8 / 4))
        assert 2 * 2 * skellam.sf(tail, noise / 2, noise / 2) <= 2.0**-40


class TestNoise:
    def test_sums_a_clients_shoppers_and_adds_noise_once(self) -> None:
        quiet = without_noise(plan())
        one = RoundedUpdate(np.arange(16), 1240.0)
        other = RoundedUpdate(np.full(16, -2), 64.0)
        result = add_noise(iter([one, other, one]), plan=quiet, rng=generator())
        assert result.values.tolist() == [2 * k - 2 for k in range(16)]
        assert result.shoppers == 3

    def test_noise_of_one_client_has_the_clients_variance(self) -> None:
        made = plan(dimension=2**14, noise_multiplier=0.7)
        zero = RoundedUpdate(np.zeros(2**14, np.int64), 0.0)
        noise = add_noise([zero] * 5, plan=made, rng=generator("one client")).values
        self.within(noise, made.client_variance)

    def test_a_cohort_has_at_least_the_accounted_variance(self) -> None:
        made = plan(dimension=2**14, min_clients=6, max_clients=8, max_colluders=2)
        zero, rng = RoundedUpdate(np.zeros(2**14, np.int64), 0.0), generator("cohort")
        shares = [add_noise([zero], plan=made, rng=rng).values for _ in range(8)]
        honest = np.sum(shares[:4], axis=0)
        self.within(honest, made.variance)
        self.within(np.sum(shares[:6], axis=0), made.variance * 6 / 4)
        everyone = np.sum(shares, axis=0)
        self.within(everyone, made.variance * 2)
        assert everyone.var() > made.variance

    @staticmethod
    def within(noise: np.ndarray, variance: float) -> None:
        """A two-sided 99.99 % interval for the variance of so many near-Gaussian samples."""
        low, high = (float(chi2.ppf(q, noise.size)) / noise.size for q in (5e-5, 1 - 5e-5))
        assert low * variance < float(np.mean(noise.astype(np.float64) ** 2)) < high * variance

    def test_nobody_contributes_nothing(self) -> None:
        with pytest.raises(ValueError, match="at least one consenting shopper"):
            add_noise([], plan=plan(), rng=generator())

    def test_a_larger_bound_than_accounted(self) -> None:
        zeros = np.zeros(16, np.int64)
        allowed = plan().squared_sensitivity
        add_noise([RoundedUpdate(zeros, allowed)], plan=plan(), rng=generator())
        with pytest.raises(ValueError, match="larger bound"):
            add_noise([RoundedUpdate(zeros, allowed * 1.001)], plan=plan(), rng=generator())

    @pytest.mark.parametrize("size", [1, 8, 32])
    def test_another_length_is_not_spread_over_all_coordinates(self, size: int) -> None:
        update = RoundedUpdate(np.ones(size, np.int64), 32.0)
        with pytest.raises(ValueError, match=f"has {size} values, the plan 16"):
            add_noise([update], plan=plan(), rng=generator())


WEIGHTS = {"a": 0.2, "b": 0.3, "c": 0.5}


class TestCalibrate:
    def plans(self) -> dict[str, PrivacyPlan]:
        return {
            "a": plan(dimension=100),
            "b": plan(dimension=3000),
            "c": plan(dimension=60_000, rounds=2),
        }

    @pytest.mark.parametrize("target", [0.5, 3.0, 8.0])
    def test_hits_the_target_from_below(self, target: float) -> None:
        chosen = calibrate(self.plans(), weights=WEIGHTS, target_epsilon=target)
        # Composed by hand: Theorem 3.5 at every order, then Canonne, Kamath, Steinke 2020.
        best = math.inf
        for alpha in range(2, 300):
            total = 0.0
            for made in chosen.values():
                mu, squared = made.variance, made.squared_sensitivity
                l1 = min(squared, math.sqrt(made.padded_dimension * squared))
                extra = min(((2 * alpha - 1) * squared + 6 * l1) / (4 * mu**2), 1.5 * l1 / mu)
                total += made.rounds * (alpha * squared / (2 * mu) + extra)
            best = min(
                best,
                total + math.log1p(-1 / alpha) - math.log(made.delta * alpha) / (alpha - 1),
            )
        assert target * 0.995 < best <= target * (1 + 2e-3)
        assert all(made.rounds == self.plans()[name].rounds for name, made in chosen.items())

    def test_splits_by_weights(self) -> None:
        chosen = calibrate(self.plans(), weights=WEIGHTS, target_epsilon=2.0)
        by_divergence = {name: made.noise_multiplier**-2 for name, made in chosen.items()}
        total = sum(by_divergence.values())
        for name, weight in WEIGHTS.items():
            assert by_divergence[name] / total == pytest.approx(weight, rel=1e-9)
        scaled = {name: 7 * weight for name, weight in WEIGHTS.items()}
        again = calibrate(self.plans(), weights=scaled, target_epsilon=2.0)
        assert again["a"].noise_multiplier == pytest.approx(chosen["a"].noise_multiplier)

    @pytest.mark.parametrize("target", [0.0, -1.0, math.inf, math.nan])
    def test_targets(self, target: float) -> None:
        with pytest.raises(PlanError, match="epsilon"):
            calibrate(self.plans(), weights=WEIGHTS, target_epsilon=target)

    @pytest.mark.parametrize("weights", [{}, {"a": 1.0}, {"a": 0.0, "b": 1.0, "c": 1.0}])
    def test_weights(self, weights: dict[str, float]) -> None:
        with pytest.raises((PlanError, ValueError)):
            calibrate(self.plans(), weights=weights, target_epsilon=1.0)

    def test_one_delta(self) -> None:
        plans = self.plans() | {"a": plan(delta=1e-7)}
        with pytest.raises(PlanError, match="one delta"):
            calibrate(plans, weights=WEIGHTS, target_epsilon=1.0)


class TestJson:
    def test_round_trip(self) -> None:
        long = plan(rounds=7, scale=256, clipping_norm=2.5, scheme=Scheme.SHARE_SUM)
        for made in (plan(), without_noise(plan()), long, plan(**SET_B, client_noise=0.5)):
            assert PrivacyPlan.from_json(json.loads(canonical(made.to_json()))) == made

    def test_fields_are_exact(self) -> None:
        good = plan().to_json()
        for bad in (
            good | {"extra": 1},
            {k: v for k, v in good.items() if k != "delta"},
            good | {"adjacency": "add-remove"},
            good | {"sampling": "poisson"},
            good | {"privacy_unit": "store"},
            good | {"scale": 1024.0},
            good | {"scheme": "bfv-sum"},
            good | {"noise": "set-c"},
            good | {"noise": "set-b"},
            good | {"experimental": 1},
            good | {"experimental": None},
            good | {"client_noise": "1"},
            good | {"sampling_rate": 0.5},
            good | {"bands": 0},
            good | {"min_clients": True},
            good | {"delta": 0},
            good | {"noise_multiplier": -1},
            good | {"max_shoppers": 2**40},
        ):
            with pytest.raises(WireError):
                PrivacyPlan.from_json(bad)


def test_without_noise_says_so() -> None:
    silent = without_noise(plan())
    assert not silent.private
    assert silent.epsilon() == math.inf
    assert silent.noise_stddev(100) == 0.0
    assert silent.client_variance == 0.0
