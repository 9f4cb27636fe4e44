"""Federated training: any division into stores gives the same model, with the planned noise."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from client.store.neural.model import NextBasket, weights_of
from crypto.errors import InvalidInputError
from simulations.neural.training import Run, answer, train
from tests.unit.client.store.neural.shoppers import SHAPE, rows


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(*sizes: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    made, silos, start = rows(12), [], 0
    for size in sizes:
        silos.append(made.take(slice(start, start + size)))
        start += size
    model = NextBasket(SHAPE)
    run = Run(rounds=5, clipping_norm=0.5, noise_multiplier=noise, step=3.0)
    train(model, silos, run, planned=12, rng=np.random.default_rng(seed))
    return weights_of(model)


def test_stores_train_the_model_of_one_site() -> None:
    whole = trained(12)
    np.testing.assert_allclose(trained(5, 7), whole, atol=1e-5)
    np.testing.assert_allclose(trained(*[1] * 12), whole, atol=1e-5)
    assert np.abs(whole - weights_of(NextBasket(SHAPE))).max() > 0.1


def test_the_noise_of_a_round_is_the_planned_one_however_many_stores() -> None:
    model, silo = NextBasket(SHAPE), rows(2)
    quiet = Run(rounds=1, clipping_norm=0.5, noise_multiplier=0.0)
    loud = Run(rounds=1, clipping_norm=0.5, noise_multiplier=4.0)
    rng = np.random.default_rng(7)
    plain = answer(model, silo, quiet, silos=1, rng=rng)
    draws = []
    for _ in range(40):
        parts = [answer(model, silo, loud, silos=4, rng=rng) - plain for _ in range(4)]
        draws.append(np.sum(parts, axis=0))
    values = np.ravel(draws)
    scaled = float(np.sum(values**2) / (4.0 * 0.5) ** 2)
    low, high = (float(chi2.ppf(tail, values.size)) for tail in (1e-6, 1 - 1e-6))
    assert low < scaled < high


def test_a_private_coin_leaves_each_shopper_out_by_herself() -> None:
    model, silo = NextBasket(SHAPE), rows(400)
    everyone = Run(rounds=1, clipping_norm=1e-3, noise_multiplier=0.0)
    run = Run(rounds=1, clipping_norm=1e-3, noise_multiplier=0.0, rate=0.25)
    rng = np.random.default_rng(3)
    whole = answer(model, silo, everyone, silos=1, rng=rng)
    shares = [
        float(answer(model, silo, run, silos=1, rng=rng) @ whole / (whole @ whole))
        for _ in range(20)
    ]
    assert np.mean(shares) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 400 / 20))
    assert np.std(shares) > 0.005  # how many take part is not fixed


@pytest.mark.parametrize(
    "wrong",
    [{"rounds": 0}, {"clipping_norm": 0.0}, {"rate": 0.0}, {"rate": 1.1}, {"noise_multiplier": -1}],
)
def test_a_run_makes_sense(wrong: dict[str, float]) -> None:
    fields = {"rounds": 1, "clipping_norm": 1.0, "noise_multiplier": 1.0}
    with pytest.raises(InvalidInputError, match="Expected"):
        Run(**(fields | wrong))  # type: ignore[arg-type]


def canary_scores(noise: float, *, seed: int) -> tuple[float, float]:
    """How far a training with, and one without, a canary has moved along her own first gradient."""
    others, canary = rows(6), rows(1, seed=99)
    direction = answer(
        NextBasket(SHAPE),
        canary,
        Run(rounds=1, clipping_norm=0.5, noise_multiplier=0.0),
        silos=1,
        rng=np.random.default_rng(0),
    )
    begin = weights_of(NextBasket(SHAPE))
    scores = []
    for silos in ([others, canary], [others, canary.take(slice(0, 0))]):
        model = NextBasket(SHAPE)
        run = Run(rounds=3, clipping_norm=0.5, noise_multiplier=noise, step=1.0)
        train(model, silos, run, planned=7, rng=np.random.default_rng([seed, len(silos[1])]))
        scores.append(float((begin - weights_of(model)) @ direction))
    return scores[0], scores[1]


def test_whether_a_canary_was_there_shows_without_noise_and_not_with_it() -> None:
    inside, outside = np.array([canary_scores(0.0, seed=s) for s in range(2)]).T
    assert inside.min() > outside.max()  # the control: the attack works where nothing hides her
    inside, outside = np.array([canary_scores(40.0, seed=s) for s in range(40)]).T
    wins = float(np.mean(inside[:, None] > outside[None, :]))
    # ε of these three rounds is below 0.2: an AUC of more than .55 would be chance at 40 draws.
    assert abs(wins - 0.5) < 0.05 + 3 * np.sqrt(1 / 12 * (1 / 40 + 1 / 40))
