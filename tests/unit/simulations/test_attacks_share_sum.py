"""Share sum's documented limits: the attacks succeed, and say so if one day they don't."""

import struct

import numpy as np
import pytest
import tenseal as ts

from crypto.dp.random import SecureRandom
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import PLAIN_MODULUS, SLOTS
from simulations.attacks import bfv_slots
from simulations.attacks.bfv_bytes import DATA_MODULUS, Ciphertext
from simulations.attacks.chosen_ciphertext import MULTIPLES, recover_keys, steal
from simulations.attacks.correlated import FACTOR, repeat
from simulations.attacks.share_lab import ShareLab, altered, ciphertexts, share_plan
from tests.unit.simulations.attack_runs import a_plan, a_setting

RNG = np.random.default_rng(9)
SLOT_VALUES = RNG.integers(0, PLAIN_MODULUS, SLOTS)


@pytest.fixture(scope="module")
def key() -> OpeningKey:
    return OpeningKey.generate()


@pytest.fixture(scope="module")
def sealed(key: OpeningKey) -> bytes:
    data: bytes = ts.bfv_vector(key.context, SLOT_VALUES).serialize()
    return data


def opened(key: OpeningKey, data: bytes) -> np.ndarray:
    return np.asarray(ts.bfv_vector_from(key.context, data).decrypt()) % PLAIN_MODULUS


def test_parsed_and_written_again_it_is_the_same_ciphertext(key: OpeningKey, sealed: bytes) -> None:
    parsed = Ciphertext.parse(sealed)
    assert int(parsed.polynomials.max()) < DATA_MODULUS
    again = parsed.to_bytes()
    assert (Ciphertext.parse(again).polynomials == parsed.polynomials).all()
    assert (opened(key, again) == SLOT_VALUES).all()


@pytest.mark.parametrize("cut", [0, 4, 8, 10, 16])
def test_other_bytes_are_not_parsed(sealed: bytes, cut: int) -> None:
    spoilt = bytearray(sealed)
    spoilt[cut] ^= 0xFF
    with pytest.raises((ValueError, OSError, struct.error)):
        Ciphertext.parse(bytes(spoilt))


def test_a_multiple_of_a_ciphertext_opens_to_the_multiple(key: OpeningKey, sealed: bytes) -> None:
    tripled = Ciphertext.parse(sealed).times(3).to_bytes()
    assert (opened(key, tripled) == 3 * SLOT_VALUES % PLAIN_MODULUS).all()


def test_slots_and_polynomials_are_inverse_and_linear() -> None:
    one = bfv_slots.to_polynomial(SLOT_VALUES)
    assert (bfv_slots.to_slots(one) == SLOT_VALUES).all()
    constant = np.zeros(SLOTS, dtype=np.int64)
    constant[0] = 7
    assert (bfv_slots.to_slots(constant) == 7).all()


def test_the_key_that_comes_out_decrypts_by_our_own_arithmetic(
    key: OpeningKey, sealed: bytes
) -> None:
    parsed = Ciphertext.parse(sealed)
    mixed = opened(key, parsed.plus_key(1).to_bytes())
    found = bfv_slots.to_polynomial((mixed - SLOT_VALUES) % PLAIN_MODULUS)
    secret = np.where(found > PLAIN_MODULUS // 2, found - PLAIN_MODULUS, found)
    assert set(np.unique(secret)) == {-1, 0, 1}
    assert (bfv_slots.decrypt(parsed, secret) == SLOT_VALUES).all()
    wrong = np.roll(secret, 1)
    assert (bfv_slots.decrypt(parsed, wrong) != SLOT_VALUES).mean() > 0.99


def test_one_round_gives_all_three_keys() -> None:
    lab = ShareLab(plan=share_plan(a_plan(dimension=60)), rng=SecureRandom())
    noised = [lab.pipeline.client([np.eye(SLOTS)[k]]) for k in range(3)]
    sent = [lab.scheme.seal(each, sender=bytes(32), rng=lab.rng) for each in noised]
    sent[-1] = altered(sent[-1], lambda k, each: each.plus_key(MULTIPLES[k - 1]))
    keys = recover_keys(lab.open(sent, lab.scheme.add(sent)))
    for number, (found, share) in enumerate(zip(keys, sent[0].shares, strict=True), start=1):
        (ciphertext,) = ciphertexts(share)
        theirs = lab.holders[number - 1].open_share(
            share, holder=number, context="a0" * 32, dimension=SLOTS
        )
        assert (bfv_slots.decrypt(ciphertext, found) == theirs.values).all()


def test_chosen_ciphertext_succeeds_and_its_control_finds_nothing() -> None:
    found = steal(a_setting(), a_plan())
    assert found.passed
    assert found.documented
    assert found.figure == 1.0


def test_chosen_ciphertext_would_tell_if_it_no_longer_succeeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Ciphertext, "plus_key", lambda self, multiple: self)
    assert not steal(a_setting(), a_plan()).holds


def test_correlated_ciphertext_succeeds_and_its_control_weighs_once() -> None:
    found = repeat(a_setting(), a_plan())
    assert found.passed
    assert found.figure == pytest.approx(FACTOR + 1)
    assert found.control.figure == pytest.approx(1)


def test_correlated_ciphertext_would_tell_if_it_no_longer_succeeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Ciphertext, "times", lambda self, factor: self)
    assert not repeat(a_setting(), a_plan()).holds
