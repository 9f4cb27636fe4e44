"""Noise of clients and key holders: who adds how much, measured, and what is refused."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2

from crypto.dp.clipping import clip
from crypto.dp.noise import add_centred_noise, add_noise, holder_noise
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.dp.rotation import Rotation
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import Scheme
from crypto.update import ClippedUpdate, RawUpdate, RoundedUpdate
from tests.unit.crypto import samples
from tests.unit.crypto.samples import generator

WIDE = 2**14
SET_B: dict[str, Any] = {"noise": NoiseSet.CENTRED_GAUSSIAN, "experimental": True, "scale": 16}


def plan(**changes: Any) -> PrivacyPlan:
    return samples.plan(**{"scheme": Scheme.COMPACT_SUM, "dimension": WIDE} | changes)


def within(noise: npt.NDArray[Any], variance: float) -> None:
    """A two-sided 99.99 % interval for the variance of so many near-Gaussian samples."""
    low, high = (float(chi2.ppf(q, noise.size)) / noise.size for q in (5e-5, 1 - 5e-5))
    assert low * variance < float(np.mean(noise.astype(np.float64) ** 2)) < high * variance
    assert abs(float(noise.mean())) < 4.5 * math.sqrt(variance / noise.size)


def clipped(values: npt.NDArray[np.float64], norm: float = 1.0) -> ClippedUpdate:
    return clip(RawUpdate(values), clipping_norm=norm)


class TestKeyHolders:
    @pytest.mark.parametrize("changes", [{"noise_multiplier": 0.8}, SET_B])
    @pytest.mark.parametrize("scheme", [Scheme.COMPACT_SUM, Scheme.PIECE_SUM])
    def test_two_of_them_reach_the_accounted_variance(
        self, changes: dict[str, Any], scheme: Scheme
    ) -> None:
        made, rng = plan(**changes, scheme=scheme), generator("holders")
        entries = [holder_noise(plan=made, rng=rng) for _ in range(3)]
        assert all(entry.shoppers == 0 for entry in entries)
        for entry in entries:
            assert entry.values.shape == (made.padded_dimension,)
            within(entry.values, made.variance / 2)
        within(entries[0].values + entries[2].values, made.variance)
        # One alone does not: the interval would tell.
        with pytest.raises(AssertionError):
            within(entries[0].values, made.variance)

    def test_a_whole_release_has_the_stated_stddev(self) -> None:
        for made in (plan(client_noise=0.5), plan(**SET_B)):
            rng, zero = generator("whole"), RoundedUpdate(np.zeros(WIDE, np.int64), 0.0)
            flat, rotation = clipped(np.zeros(WIDE)), Rotation("context", WIDE)
            total = sum(holder_noise(plan=made, rng=rng).values for _ in range(3))
            for _ in range(5):
                if made.noise is NoiseSet.SKELLAM:
                    total = total + add_noise([zero], plan=made, rng=rng).values
                else:
                    total = (
                        total
                        + add_centred_noise([flat], plan=made, rotation=rotation, rng=rng).values
                    )
            expected = (made.noise_stddev(5) * made.scale / made.clipping_norm) ** 2
            within(np.asarray(total), expected)
            assert expected > 1.5 * made.variance

    def test_none_without_privacy(self) -> None:
        for made in (without_noise(plan()), without_noise(plan(**SET_B))):
            assert not holder_noise(plan=made, rng=generator()).values.any()

    def test_none_in_a_share_sum(self) -> None:
        with pytest.raises(ValueError, match="In a share-sum key holders add no noise"):
            holder_noise(plan=plan(scheme=Scheme.SHARE_SUM), rng=generator())


class TestCentred:
    ROTATION = Rotation("context", WIDE)

    def test_is_centred_at_the_rotated_sum(self) -> None:
        made = plan(**SET_B, client_noise=0.0, max_shoppers=8)
        shoppers = [np.zeros(WIDE), np.full(WIDE, WIDE**-0.5)]
        shoppers[0][3] = -1.0
        result = add_centred_noise(
            iter([clipped(s) for s in shoppers]),
            plan=made,
            rotation=self.ROTATION,
            rng=generator("centred"),
        )
        centre = self.ROTATION.forward(shoppers[0] + shoppers[1]) * 16
        assert result.shoppers == 2
        assert result.values.dtype == np.int64
        within(result.values - centre, 2.56)
        # Rounding to the nearest integer would be far narrower, and is not what happens.
        with pytest.raises(AssertionError):
            within(np.rint(centre) - centre, 2.56)

    def test_adds_the_clients_share_once(self) -> None:
        made = plan(**SET_B, client_noise=2.0)
        zero = [clipped(np.zeros(WIDE))] * 5
        found = add_centred_noise(zero, plan=made, rotation=self.ROTATION, rng=generator("b"))
        assert made.client_variance == pytest.approx(2 * 256 / 3)
        within(found.values, made.client_variance)

    def test_without_privacy_it_still_rounds_without_bias(self) -> None:
        made = without_noise(plan(**SET_B))
        values = np.zeros(WIDE)
        values[5] = 1.0
        total = sum(
            self.ROTATION.backward(
                add_centred_noise(
                    [clipped(values)], plan=made, rotation=self.ROTATION, rng=generator(str(n))
                ).values.astype(np.float64)
            )[5]
            / 16
            for n in range(40)
        )
        assert total / 40 == pytest.approx(1.0, abs=5 * math.sqrt(2.56 / 40) / 16)

    def test_scales_by_the_clipping_norm(self) -> None:
        made = plan(**SET_B, client_noise=0.0, clipping_norm=250.0)
        values = np.zeros(WIDE)
        values[7] = 250.0
        found = add_centred_noise(
            [clipped(values, 250.0)], plan=made, rotation=self.ROTATION, rng=generator("norm")
        )
        back = self.ROTATION.backward(found.values.astype(np.float64))
        assert back[7] == pytest.approx(16.0, abs=8.0)
        assert back[7] > 4.5 * np.sqrt(2.56)

    def test_refusals(self) -> None:
        made, rng = plan(**SET_B), generator()
        with pytest.raises(ValueError, match="at least one consenting shopper"):
            add_centred_noise([], plan=made, rotation=self.ROTATION, rng=rng)
        with pytest.raises(ValueError, match="larger bound"):
            add_centred_noise(
                [clipped(np.zeros(WIDE), 1.001)], plan=made, rotation=self.ROTATION, rng=rng
            )
        with pytest.raises(ValueError, match=f"has 3 values, the plan {WIDE}"):
            add_centred_noise([clipped(np.zeros(3))], plan=made, rotation=self.ROTATION, rng=rng)
        with pytest.raises(ValueError, match="rotation of 3 values"):
            add_centred_noise(
                [clipped(np.zeros(WIDE))], plan=made, rotation=Rotation("c", 3), rng=rng
            )

    def test_each_set_has_its_own_arrow(self) -> None:
        zero = RoundedUpdate(np.zeros(WIDE, np.int64), 0.0)
        with pytest.raises(ValueError, match="set-b: use add_centred_noise"):
            add_noise([zero], plan=plan(**SET_B), rng=generator())
        with pytest.raises(ValueError, match="set-a: use add_noise"):
            add_centred_noise(
                [clipped(np.zeros(WIDE))], plan=plan(), rotation=self.ROTATION, rng=generator()
            )
