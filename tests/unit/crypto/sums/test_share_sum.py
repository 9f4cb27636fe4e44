"""Share sum alone: pinned contexts, ciphertext frames, its limit of additions, its size."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import tenseal as ts

from crypto.errors import SealError
from crypto.sums.share_sum import ciphertext, scheme
from crypto.sums.share_sum.context import load_public
from crypto.sums.share_sum.open import OpeningKey
from crypto.sums.share_sum.parameters import (
    CIPHERTEXT_BYTES,
    COEFF_MODULUS_BITS,
    MAX_ADDITIONS,
    PLAIN_MODULUS,
    POLY_MODULUS_DEGREE,
    SLOTS,
    context_hash,
)
from crypto.sums.share_sum.scheme import ShareSum
from tests.unit.crypto.samples import (
    SENDER,
    generator,
    key_hashes,
    noised,
    opening_keys,
    public_contexts,
    share_sum,
)


class TestContexts:
    def test_the_pinned_one_opens_nothing(self) -> None:
        context = load_public(public_contexts()[0], key_hashes()[0])
        assert not context.is_private()
        vector = ts.bfv_vector(context, [1, 2, 3])
        with pytest.raises(ValueError, match="secret_key"):
            vector.decrypt()

    def test_another_hash(self) -> None:
        with pytest.raises(SealError, match="pinned"):
            load_public(public_contexts()[0], key_hashes()[1])

    def test_altered_bytes(self) -> None:
        data = bytearray(public_contexts()[0])
        data[1000] ^= 1
        with pytest.raises(SealError, match="pinned"):
            load_public(bytes(data), key_hashes()[0])

    def test_a_context_with_a_secret_key_even_if_pinned(self) -> None:
        secret = opening_keys()[0].to_bytes()
        with pytest.raises(SealError):
            load_public(secret, context_hash(secret))

    def test_a_small_secret_context(self) -> None:
        small = ts.context(ts.SCHEME_TYPE.BFV, 2048, 12289, [27, 27]).serialize(
            save_public_key=True,
            save_secret_key=True,
            save_galois_keys=False,
            save_relin_keys=False,
        )
        with pytest.raises(SealError, match="carries a secret key"):
            load_public(small, context_hash(small))

    def test_no_context_at_all(self) -> None:
        for data in (b"", b"nonsense" * 100):
            with pytest.raises(SealError):
                load_public(data, context_hash(data))

    def test_a_public_context_is_no_opening_key(self) -> None:
        with pytest.raises(SealError, match="no secret key"):
            OpeningKey.from_bytes(public_contexts()[0])

    @pytest.mark.parametrize("count", [0, 2, 4])
    def test_three_key_holders(self, count: int) -> None:
        contexts, hashes = [*public_contexts(), public_contexts()[0]], [*key_hashes(), "x"]
        with pytest.raises(SealError, match="3 key holders"):
            ShareSum(
                context="c", dimension=2, public_keys=contexts[:count], key_hashes=hashes[:count]
            )

    def test_three_different_ones(self) -> None:
        with pytest.raises(SealError, match="same key"):
            ShareSum(
                context="c",
                dimension=2,
                public_keys=[public_contexts()[0]] * 3,
                key_hashes=[key_hashes()[0]] * 3,
            )

    def test_parameters_are_a_standard_128_bit_set(self) -> None:
        # HomomorphicEncryption.org standard, table 1: n = 4096 allows log q = 109 (ternary).
        assert (POLY_MODULUS_DEGREE, sum(COEFF_MODULUS_BITS)) == (4096, 109)
        assert PLAIN_MODULUS % (2 * POLY_MODULUS_DEGREE) == 1


class TestCiphertexts:
    def encrypted(self, values: list[int]) -> ts.BFVVector:
        return ts.bfv_vector(load_public(public_contexts()[0], key_hashes()[0]), values)

    def opened(self, share: bytes) -> None:
        opening_keys()[0].open_share(share, holder=1, context="c", dimension=2)

    def test_frames_have_one_length(self) -> None:
        share = ciphertext.encode([self.encrypted([0] * SLOTS), self.encrypted([1] * SLOTS)])
        assert len(share) == 2 * CIPHERTEXT_BYTES

    def test_shorter_vectors_are_refused_on_both_sides(self) -> None:
        short = ciphertext.encode([self.encrypted([5, -7])])
        good = share_sum(2).seal(noised([1, 2]), sender=SENDER, rng=generator())
        with pytest.raises(SealError, match="malformed"):
            share_sum(2).add([good, replace(good, shares=(short, *good.shares[1:]))])
        with pytest.raises(SealError, match="malformed"):
            self.opened(short)

    def test_malformed_frames(self) -> None:
        good = ciphertext.encode([self.encrypted([3] * SLOTS)])
        size = int.from_bytes(good[:4], "little")
        self.opened(good)
        bad = {
            "empty": b"",
            "zeros": bytes(CIPHERTEXT_BYTES),
            "no data": (0).to_bytes(4, "little") + good[4:],
            "too long": (CIPHERTEXT_BYTES - 3).to_bytes(4, "little") + good[4:],
            "huge": b"\xff" * 4 + good[4:],
            "cut": (size - 1).to_bytes(4, "little") + good[4 : size + 3],
            "padding": good[:-1] + b"\x01",
            "trailing": good + b"\x00",
            "twice": good * 2,
            "garbage": good[:4]
            + (bytes(range(256)) * 242)[:size]
            + bytes(CIPHERTEXT_BYTES - 4 - size),
        }
        for name, share in bad.items():
            with pytest.raises(SealError):
                self.opened(share.ljust(CIPHERTEXT_BYTES, b"\x00") if name == "cut" else share)

    def test_damaged_bytes_are_refused_or_open_to_something_else(self) -> None:
        """BFV authenticates nothing: signatures do. But nothing else than a SealError escapes."""
        good = ciphertext.encode([self.encrypted([3] * SLOTS)])
        rng = np.random.default_rng(5)
        for _ in range(30):
            data = bytearray(good)
            for position in rng.integers(0, int.from_bytes(good[:4], "little"), 3):
                data[position] ^= int(rng.integers(1, 256))
            with suppress(SealError):
                self.opened(bytes(data))


class TestLimits:
    def test_at_most_a_thousand_additions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MAX_ADDITIONS == 1000
        monkeypatch.setattr(scheme, "MAX_ADDITIONS", 3)
        summing = share_sum(2)
        sealed = [
            summing.seal(noised([1, 2]), sender=SENDER, rng=generator(str(k))) for k in range(4)
        ]
        assert summing.add(sealed[:3]).count == 3
        with pytest.raises(SealError, match="at most 3 clients"):
            summing.add(sealed)

    def test_a_thousand_additions_still_decrypt(self) -> None:
        """Fresh encryptions of uniform residues, as shares are; noise grows with their number."""
        context = load_public(public_contexts()[0], key_hashes()[0])
        rng = generator("thousand")
        pool = [rng.below(PLAIN_MODULUS, SLOTS) for _ in range(8)]
        total, expected = ts.bfv_vector(context, pool[0]), pool[0].astype(object)
        for number in range(1, MAX_ADDITIONS):
            values = pool[number % 8]
            total += ts.bfv_vector(context, values)
            expected = expected + values
        part = opening_keys()[0].open_share(
            ciphertext.encode([total]), holder=1, context="c", dimension=8192
        )
        assert part.values.tolist() == (expected % PLAIN_MODULUS).tolist()

    @pytest.mark.parametrize("dimension", [8192, 10_000, 131_072])
    def test_at_most_eight_bytes_a_padded_value_for_each_key_holder(self, dimension: int) -> None:
        padded = 1 << (dimension - 1).bit_length()
        count = -(-padded // (2 * SLOTS))
        assert count * CIPHERTEXT_BYTES / padded <= 8.0

    def test_real_shares_have_that_size(self) -> None:
        sealed = share_sum(8192).seal(noised(np.zeros(8192)), sender=SENDER, rng=generator())
        assert [len(share) / 8192 for share in sealed.shares] == [CIPHERTEXT_BYTES / 8192] * 3
        assert CIPHERTEXT_BYTES / 8192 <= 8.0
