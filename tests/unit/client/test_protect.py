"""The single exit, end to end: what is released is the bounded sum plus the planned noise."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from client.protect import protect
from consent.tasks.task import PopularityTask
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.errors import SealError
from crypto.manifest import context_of
from crypto.update import RawUpdate, ReleasedSum, SealedUpdate
from server.rounds import PlannedRound, release
from tests.unit.crypto.samples import (
    commit,
    generator,
    key_hashes,
    manifest,
    opening_keys,
    plan,
    share_sum,
    signer,
)


def released(
    cohort: list[list[np.ndarray]], made: PrivacyPlan, *, label: str = "cohort"
) -> ReleasedSum:
    """Clients' shoppers' vectors through protect, add, two key holders, combine and release."""
    document = manifest(plan=made, key_hashes=key_hashes())
    record = document.sign(signer("coordinator"))
    planned = PlannedRound(task=PopularityTask(items=12), manifest=document, record=record)
    context = context_of(record)
    scheme = share_sum(made.dimension, context=context)
    rng = generator(label)
    total = scheme.add(
        protect(map(RawUpdate, shoppers), plan=made, context=context, scheme=scheme, rng=rng)
        for shoppers in cohort
    )
    parts = [
        opening_keys()[k].open_share(
            total.shares[k], holder=k + 1, context=context, dimension=made.dimension
        )
        for k in (0, 2)
    ]
    listed = commit(context, clients=len(cohort))
    return release(scheme.combine(parts), planned, listed)


def unit_vectors(count: int, dimension: int) -> list[np.ndarray]:
    values = np.random.default_rng(7).normal(size=(count, dimension))
    return list(values / np.linalg.norm(values, axis=1, keepdims=True) * 0.9)


def test_without_noise_it_is_the_sum() -> None:
    vectors = unit_vectors(9, 30)
    cohort = [vectors[:4], vectors[4:5], vectors[5:]]
    made = without_noise(plan(dimension=30, min_clients=3))
    found = released(cohort, made)
    # Only rounding is left: nine vectors, at most one unit of 1 / 1024 a coordinate each, rotated.
    assert np.abs(found.values - np.sum(vectors, axis=0)).max() < 9 * math.sqrt(32) / 1024
    assert np.abs(found.values - np.sum(vectors, axis=0)).std() < 4 * 1.5 / 1024
    assert (found.clients, found.noise_stddev) == (3, 0.0)


def test_every_shopper_of_a_store_is_clipped_by_herself() -> None:
    spend = np.zeros(12)
    spend[3] = 1e9
    frugal = np.zeros(12)
    frugal[5] = 0.5
    broken = np.full(12, np.nan)
    cohort = [[spend, frugal, broken], [frugal], [frugal], [-spend]]
    found = released(cohort, without_noise(plan())).values
    expected = np.zeros(12)
    expected[5] = 1.5
    assert np.abs(found - expected).max() < 0.02


def test_units_follow_the_clipping_norm() -> None:
    vectors = [np.eye(12)[k] * 5.0 for k in range(4)]
    made = without_noise(plan(clipping_norm=10.0))
    found = released([[v] for v in vectors], made).values
    assert np.abs(found - np.sum(vectors, axis=0)).max() < 0.2


@pytest.mark.parametrize("clients", [4, 7])
def test_noise_through_the_whole_path_has_the_stated_stddev(clients: int) -> None:
    """Empirical noise of the release against ``noise_stddev`` and against the accounted minimum."""
    made = plan(dimension=4096, noise_multiplier=0.8)
    vectors = unit_vectors(clients, 4096)
    found = released([[v] for v in vectors], made, label=f"noise {clients}")
    noise = found.values - np.sum(vectors, axis=0)
    # Re-derived: z Δ₂ from s = 1024 and d = 4096, shares for n_min - c = 3, back to units of C.
    sensitivity = math.sqrt(min((1024 + 64) ** 2, 1024**2 + 1024 + 1024 + 32))
    accounted = 0.8 * sensitivity / 1024
    stated = accounted * math.sqrt(clients / 3)
    assert found.noise_stddev == pytest.approx(stated)
    rounding = clients / 4 / 1024**2
    low, high = np.sqrt(chi2.ppf([5e-5, 1 - 5e-5], noise.size) / noise.size)
    measured = math.sqrt(float(np.mean(noise**2)) - rounding / 2)
    assert low * 0.9999 * stated < measured < high * 1.0001 * stated
    assert measured > accounted
    assert abs(noise.mean()) < 5 * stated / math.sqrt(noise.size)


class TestRefusals:
    def sealed(self, contributions: list[np.ndarray], made: PrivacyPlan) -> SealedUpdate:
        return protect(
            map(RawUpdate, contributions),
            plan=made,
            context="c0ffee",
            scheme=share_sum(12),
            rng=generator(),
        )

    def test_nobody(self) -> None:
        with pytest.raises(ValueError, match="at least one consenting shopper"):
            self.sealed([], plan())

    @pytest.mark.parametrize("size", [0, 1, 11, 13, 16])
    def test_another_length(self, size: int) -> None:
        with pytest.raises(ValueError, match=f"{size} values, the plan 12"):
            self.sealed([np.zeros(12), np.zeros(size)], plan())

    def test_a_plan_of_another_length_than_the_scheme(self) -> None:
        with pytest.raises(SealError, match="another length"):
            self.sealed([np.zeros(40)], plan(dimension=40))

    def test_lengths_say_nothing_about_the_history(self) -> None:
        one, many = np.zeros(12), np.ones(12)
        lengths = {
            tuple(map(len, self.sealed(shoppers, plan()).shares))
            for shoppers in ([one], [many], [many] * 9)
        }
        assert len(lengths) == 1


def test_a_release_states_what_is_in_it() -> None:
    document = manifest(plan=plan())
    record = document.sign(signer("coordinator"))
    planned = PlannedRound(task=PopularityTask(items=12), manifest=document, record=record)
    entries = commit(planned.context, clients=5)
    doubled = replace(entries, uploads=tuple(replace(e, shoppers=2) for e in entries.uploads))
    found = release(np.zeros(16, np.int64), planned, doubled)
    assert (found.clients, found.shoppers) == (5, 10)
    assert found.noise_stddev == planned.plan.noise_stddev(5)
