"""The single exit, end to end: what is released is the bounded sum plus the planned noise."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from client.protect import protect
from consent.tasks.popularity import PopularityTask
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.dp.widths import NoiseSet
from crypto.errors import SealError
from crypto.manifest import Manifest, context_of
from crypto.sealing import secure_sum
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import Scheme
from crypto.sums.sizes import sealed_sizes
from crypto.update import RawUpdate, ReleasedSum, SealedUpdate
from server.rounds import PlannedRound, release
from tests.unit.crypto.samples import (
    SENDER,
    cards,
    commit,
    generator,
    key_hashes,
    manifest,
    opening_keys,
    piece_part,
    plan,
    round_keys,
    signer,
)

Vectors = Sequence[np.ndarray]
VOTED = [Scheme.PIECE_SUM, Scheme.COMPACT_SUM]
SCHEMES = pytest.mark.parametrize("scheme", Scheme)


def round_of(made: PrivacyPlan) -> tuple[Manifest, SecureSum, PlannedRound]:
    keys = tuple(record.hash for record in round_keys()) if made.scheme.votes else key_hashes()
    document = manifest(plan=made, key_hashes=keys)
    record = document.sign(signer("coordinator"))
    scheme = secure_sum(
        document,
        context_of(record),
        cards=cards(),
        round_keys=round_keys() if made.scheme.votes else (),
    )
    task = PopularityTask(items=made.dimension)
    return document, scheme, PlannedRound(task=task, manifest=document, record=record)


def released(cohort: Sequence[Vectors], made: PrivacyPlan, *, label: str = "cohort") -> ReleasedSum:
    """Clients' shoppers' vectors through protect, add, two key holders, combine and release."""
    _, scheme, planned = round_of(made)
    rng = generator(label)
    sealed = [
        protect(
            map(RawUpdate, shoppers),
            plan=made,
            context=planned.context,
            scheme=scheme,
            sender=SENDER,
            rng=rng,
        )
        for shoppers in cohort
    ]
    total = scheme.add(iter(sealed))
    if made.scheme.votes:
        parts = [piece_part(sealed, holder, made) for holder in (1, 3)]
    else:
        parts = [
            opening_keys()[holder - 1].open_share(
                total.shares[holder - 1],
                holder=holder,
                context=planned.context,
                dimension=made.dimension,
            )
            for holder in (1, 3)
        ]
    listed = commit(planned.context, clients=len(cohort))
    return release(scheme.combine(total, parts), planned, listed)


def unit_vectors(count: int, dimension: int) -> list[np.ndarray]:
    values = np.random.default_rng(7).normal(size=(count, dimension))
    return list(values / np.linalg.norm(values, axis=1, keepdims=True) * 0.9)


def set_b(scheme: Scheme, **changes: Any) -> PrivacyPlan:
    fields: dict[str, Any] = {
        "dimension": 4096,
        "clipping_norm": 1.0,
        "noise_multiplier": 2.0,
        "min_clients": 4,
        "max_clients": 20,
        "max_shoppers": 40,
        "max_colluders": 1,
        "delta": 1e-6,
        "scheme": scheme,
        "noise": NoiseSet.CENTRED_GAUSSIAN,
        "experimental": True,
    }
    return PrivacyPlan.fitted(**(fields | changes))


@SCHEMES
def test_without_noise_it_is_the_sum(scheme: Scheme) -> None:
    vectors = unit_vectors(9, 30)
    cohort = [vectors[:4], vectors[4:5], vectors[5:]]
    made = without_noise(plan(dimension=30, min_clients=3, scheme=scheme))
    found = released(cohort, made)
    # Only rounding is left: nine vectors, at most one unit of 1 / 1024 a coordinate each, rotated.
    assert np.abs(found.values - np.sum(vectors, axis=0)).max() < 9 * math.sqrt(32) / 1024
    assert np.abs(found.values - np.sum(vectors, axis=0)).std() < 4 * 1.5 / 1024
    assert (found.clients, found.noise_stddev) == (3, 0.0)


@SCHEMES
def test_every_shopper_of_a_store_is_clipped_by_herself(scheme: Scheme) -> None:
    spend = np.zeros(12)
    spend[3] = 1e9
    frugal = np.zeros(12)
    frugal[5] = 0.5
    broken = np.full(12, np.nan)
    cohort = [[spend, frugal, broken], [frugal], [frugal], [-spend]]
    found = released(cohort, without_noise(plan(scheme=scheme))).values
    expected = np.zeros(12)
    expected[5] = 1.5
    assert np.abs(found - expected).max() < 0.02


@SCHEMES
def test_units_follow_the_clipping_norm(scheme: Scheme) -> None:
    vectors = [np.eye(12)[k] * 5.0 for k in range(4)]
    made = without_noise(plan(clipping_norm=10.0, scheme=scheme))
    found = released([[v] for v in vectors], made).values
    assert np.abs(found - np.sum(vectors, axis=0)).max() < 0.2


def spread_of(noise: np.ndarray) -> tuple[float, float]:
    """What an empirical standard deviation of so many normal values lies within, over its truth."""
    low, high = np.sqrt(chi2.ppf([5e-5, 1 - 5e-5], noise.size) / noise.size)
    return low * 0.9999, high * 1.0001


@SCHEMES
@pytest.mark.parametrize("clients", [4, 7])
def test_noise_through_the_whole_path_has_the_planned_stddev(scheme: Scheme, clients: int) -> None:
    """Empirical noise of clients alone, against their share of what the plan adds."""
    made = plan(dimension=4096, noise_multiplier=0.8, scheme=scheme)
    vectors = unit_vectors(clients, 4096)
    found = released([[v] for v in vectors], made, label=f"noise {clients} {scheme}")
    noise = found.values - np.sum(vectors, axis=0)
    # Re-derived: z Δ₂ from s = 1024 and d = 4096, shares for n_min - c = 3, back to units of C.
    sensitivity = math.sqrt(min((1024 + 64) ** 2, 1024**2 + 1024 + 1024 + 32))
    accounted = 0.8 * sensitivity / 1024
    by_clients = accounted * math.sqrt(clients / 3)
    # Key holders' entries, half of what is accounted each, come on top where there are any.
    by_holders = accounted * math.sqrt(3 / 2) if scheme.votes else 0.0
    assert found.noise_stddev == pytest.approx(math.hypot(by_clients, by_holders))
    rounding = clients / 4 / 1024**2
    low, high = spread_of(noise)
    measured = math.sqrt(float(np.mean(noise**2)) - rounding / 2)
    assert low * by_clients < measured < high * by_clients
    assert measured > accounted
    assert abs(noise.mean()) < 5 * by_clients / math.sqrt(noise.size)


class TestSetB:
    @pytest.mark.parametrize("scheme", VOTED)
    def test_noise_has_the_planned_stddev_and_no_bias(self, scheme: Scheme) -> None:
        made = set_b(scheme)
        clients = 6
        vectors = unit_vectors(clients, 4096)
        found = released([[v] for v in vectors], made, label=f"set b {scheme}")
        noise = found.values - np.sum(vectors, axis=0)
        # Re-derived: Δ₂ is the scale, n_min - c = 3; no rounding is left over.
        by_clients = 2.0 * math.sqrt(clients / 3)
        low, high = spread_of(noise)
        assert low * by_clients < math.sqrt(float(np.mean(noise**2))) < high * by_clients
        assert abs(noise.mean()) < 5 * by_clients / math.sqrt(noise.size)
        assert found.noise_stddev == pytest.approx(math.hypot(by_clients, 2.0 * math.sqrt(1.5)))

    @pytest.mark.parametrize("scheme", VOTED)
    def test_shoppers_are_clipped_by_themselves(self, scheme: Scheme) -> None:
        """Many small clients drown the noise of one; the spender's vector is gone, not scaled."""
        made = set_b(scheme, dimension=16, noise_multiplier=0.0, min_clients=2, max_colluders=0)
        spend, frugal = np.zeros(16), np.zeros(16)
        spend[3], frugal[5] = 1e9, 0.5
        cohort = [[spend, frugal], [-spend, frugal]]
        runs = [released(cohort, made, label=f"{k} {scheme}").values for k in range(60)]
        expected = np.zeros(16)
        expected[5] = 1.0
        error = np.mean(runs, axis=0) - expected
        # Two clients' discrete Gaussians of at least σ = 1.6, in units of the scale.
        stddev = math.sqrt(2 * made.client_variance) / made.scale / math.sqrt(len(runs))
        assert np.abs(error).max() < 5 * stddev

    def test_is_half_as_long(self) -> None:
        whole, half = (
            plan(dimension=65_536, scheme=Scheme.COMPACT_SUM),
            set_b(Scheme.COMPACT_SUM, dimension=65_536),
        )
        assert sealed_sizes(half).body * 2 == sealed_sizes(whole).body


def sealed_by(contributions: Vectors, made: PrivacyPlan, scheme: SecureSum) -> SealedUpdate:
    return protect(
        map(RawUpdate, contributions),
        plan=made,
        context="c0ffee",
        scheme=scheme,
        sender=SENDER,
        rng=generator(),
    )


@SCHEMES
class TestRefusals:
    def test_nobody(self, scheme: Scheme) -> None:
        made = plan(scheme=scheme)
        with pytest.raises(ValueError, match="at least one consenting shopper"):
            sealed_by([], made, round_of(made)[1])

    @pytest.mark.parametrize("size", [0, 1, 11, 13, 16])
    def test_another_length(self, scheme: Scheme, size: int) -> None:
        made = plan(scheme=scheme)
        with pytest.raises(ValueError, match=f"{size} values, the plan 12"):
            sealed_by([np.zeros(12), np.zeros(size)], made, round_of(made)[1])

    def test_a_plan_of_another_length_than_the_scheme(self, scheme: Scheme) -> None:
        longer = plan(dimension=40, scheme=scheme)
        with pytest.raises(SealError, match="another length"):
            sealed_by([np.zeros(40)], longer, round_of(plan(scheme=scheme))[1])

    def test_lengths_say_nothing_about_the_history(self, scheme: Scheme) -> None:
        made = plan(scheme=scheme)
        one, many = np.zeros(12), np.ones(12)
        lengths = set()
        for shoppers in ([one], [many], [many] * 9):
            sealed = sealed_by(shoppers, made, round_of(made)[1])
            lengths.add((len(sealed.body), *map(len, sealed.shares)))
        sizes = sealed_sizes(made)
        assert lengths == {(sizes.body, *sizes.shares)}


def test_nobody_in_set_b() -> None:
    made = set_b(Scheme.COMPACT_SUM)
    with pytest.raises(ValueError, match="at least one consenting shopper"):
        sealed_by([], made, round_of(made)[1])


def test_a_release_states_what_is_in_it() -> None:
    document = manifest(plan=plan())
    record = document.sign(signer("coordinator"))
    planned = PlannedRound(task=PopularityTask(items=12), manifest=document, record=record)
    entries = commit(planned.context, clients=5)
    doubled = replace(entries, uploads=tuple(replace(e, shoppers=2) for e in entries.uploads))
    found = release(np.zeros(16, np.int64), planned, doubled)
    assert (found.clients, found.shoppers) == (5, 10)
    assert found.noise_stddev == planned.plan.noise_stddev(5)
