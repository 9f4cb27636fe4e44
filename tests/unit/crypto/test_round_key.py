"""Round keys: of one key holder, for one round, named by the manifest, good while it is open."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from crypto.errors import SealError, WireError
from crypto.round_key import PUBLIC_BYTES, RoundKey, RoundKeyRequest
from crypto.sealing import round_public_keys, secure_sum
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.pieces.scheme import PieceSum
from crypto.sums.schemes import Scheme
from crypto.sums.share_sum.scheme import ShareSum
from crypto.wire import SignedRecord, b64
from tests.unit.crypto.messages import REQUEST, good
from tests.unit.crypto.samples import (
    NOW,
    cards,
    holder_key,
    identities,
    key_hashes,
    manifest,
    plan,
    round_key,
    round_keys,
    round_secrets,
    signer,
    voted_manifest,
)

COORDINATOR = signer("coordinator")


class TestRequest:
    def test_round_trip(self) -> None:
        assert RoundKeyRequest.verify(REQUEST.sign(COORDINATOR), COORDINATOR.public_key()) == (
            REQUEST
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": 2},
            {"version": "1"},
            {"opens": -1},
            {"closes": 2**53 + 1},
            {"opens": NOW, "closes": NOW},
            {"opens": NOW + 1, "closes": NOW},
            {"task": 1},
            {"round": "r" * 257},
            {"population": "\ud800"},
        ],
    )
    def test_refusals(self, changes: dict[str, Any]) -> None:
        message = good("request")
        with pytest.raises(WireError):
            message.parsed(_escaped(changes))


class TestKey:
    def test_round_trip(self) -> None:
        for number in (1, 2, 3):
            key, made = holder_key(number), round_key(number)
            assert len(made.public) == PUBLIC_BYTES
            assert RoundKey.verify(made.sign(key), key.public_key()) == made

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": 0},
            {"holder": 0},
            {"holder": 4},
            {"holder": True},
            {"key": b64(bytes(PUBLIC_BYTES - 1))},
            {"key": b64(bytes(PUBLIC_BYTES + 1))},
            {"key": b64(bytes(PUBLIC_BYTES)) + "="},
            {"key": ""},
            {"not_before": NOW, "not_after": NOW},
            {"not_before": NOW + 1, "not_after": NOW},
            {"not_after": 2**60},
        ],
    )
    def test_refusals(self, changes: dict[str, Any]) -> None:
        message = good("round-key")
        message.parsed(message.signed())
        with pytest.raises(WireError):
            message.parsed(message.signed(**changes))


def _escaped(changes: dict[str, Any]) -> SignedRecord:
    """A request with changed fields; JSON escapes may spell what UTF-8 can't."""
    message = good("request")
    return message.signed_bytes(json.dumps(message.body | changes).encode())


class TestKeysOfARound:
    def found(self, records: Sequence[SignedRecord], **changes: Any) -> object:
        """The checked keys of a round whose manifest names exactly these records."""
        hashes = tuple(record.hash for record in records)
        return round_public_keys(
            voted_manifest(**({"key_hashes": hashes} | changes)), records, identities()
        )

    def test_good_ones(self) -> None:
        keys = round_public_keys(voted_manifest(), round_keys(), identities())
        assert [key.raw for key in keys] == [secret.public for secret in round_secrets()]
        assert [key.record_hash for key in keys] == [record.hash for record in round_keys()]

    @pytest.mark.parametrize(
        "changes",
        [
            {"population": "another-federation"},
            {"task": "item-item"},
            {"round_id": "round-2"},
        ],
    )
    def test_for_another_round(self, changes: dict[str, Any]) -> None:
        """Signed by the right key holder and named by the manifest, but not for this round."""
        with pytest.raises(WireError, match="for another round"):
            self.found(round_keys(**changes))

    def test_of_another_holder(self) -> None:
        one, two, three = round_keys()
        with pytest.raises(WireError, match="signature"):
            self.found((two, one, three))
        renumbered = round_key(2, public=round_secrets()[0].public).sign(holder_key(1))
        with pytest.raises(WireError, match="another key holder's"):
            self.found((renumbered, two, three))
        foreign = round_key(1).sign(signer("mallory"))
        with pytest.raises(WireError, match="signature"):
            self.found((foreign, two, three))

    def test_that_the_manifest_does_not_name(self) -> None:
        one, two, three = round_keys()
        other = round_key(3, public=round_secrets()[0].public).sign(holder_key(3))
        with pytest.raises(WireError, match="not the one that the manifest names"):
            round_public_keys(voted_manifest(), (one, two, other), identities())
        turned = voted_manifest(key_hashes=(two.hash, one.hash, three.hash))
        with pytest.raises(WireError, match="not the one that the manifest names"):
            round_public_keys(turned, (one, two, three), identities())

    @pytest.mark.parametrize(
        "times",
        [
            {"not_before": NOW - 59},
            {"not_after": NOW + 599},
            {"not_before": NOW + 601, "not_after": NOW + 700},
            {"not_before": NOW - 700, "not_after": NOW - 61},
        ],
    )
    def test_that_does_not_hold_while_the_round_is_open(self, times: dict[str, int]) -> None:
        with pytest.raises(WireError, match="does not hold while its round is open"):
            self.found(round_keys(**times))

    @pytest.mark.parametrize("count", [0, 1, 2, 4])
    def test_of_another_number(self, count: int) -> None:
        records = (*round_keys(), round_keys()[0])[:count]
        with pytest.raises(WireError, match="all 3 key holders"):
            round_public_keys(voted_manifest(), records, identities())
        with pytest.raises(WireError, match="all 3 key holders"):
            round_public_keys(voted_manifest(), round_keys(), identities()[:count][:2])

    def test_that_are_no_keys(self) -> None:
        with pytest.raises(SealError, match="not the public key"):
            self.found(round_keys(public=b"\xff" * PUBLIC_BYTES))

    def test_of_two_holders_with_one_secret(self) -> None:
        """Whoever has that secret would open two envelopes, and so everything."""
        public = round_secrets()[0].public
        made = voted_manifest(key_hashes=tuple(r.hash for r in round_keys(public=public)))
        with pytest.raises(SealError, match="same key"):
            secure_sum(made, "c", cards=cards(), round_keys=round_keys(public=public))


class TestSecureSum:
    @pytest.mark.parametrize(
        ("scheme", "kind"), [(Scheme.COMPACT_SUM, CompactSum), (Scheme.PIECE_SUM, PieceSum)]
    )
    def test_the_manifests_plan_names_it(self, scheme: Scheme, kind: type) -> None:
        made = voted_manifest(scheme)
        found = secure_sum(made, "c", cards=cards(), round_keys=round_keys())
        assert isinstance(found, kind)
        assert found.scheme is scheme

    def test_identities_are_those_of_the_pinned_cards(self) -> None:
        one, two, three = cards()
        other = replace(three, identity=signer("mallory").public_key())
        with pytest.raises(WireError, match="signature"):
            secure_sum(voted_manifest(), "c", cards=(one, two, other), round_keys=round_keys())

    def test_without_round_keys(self) -> None:
        with pytest.raises(WireError, match="all 3 key holders"):
            secure_sum(voted_manifest(), "c", cards=cards(), round_keys=())

    def test_share_sum_goes_by_the_pinned_contexts(self) -> None:
        made = manifest(key_hashes=key_hashes())
        assert isinstance(secure_sum(made, "c", cards=cards(), round_keys=()), ShareSum)
        for hashes in (key_hashes()[::-1], ("a", "b", "c"), tuple(r.hash for r in round_keys())):
            with pytest.raises(WireError, match="other keys"):
                secure_sum(manifest(key_hashes=hashes), "c", cards=cards(), round_keys=round_keys())

    def test_a_voted_round_under_share_sums_contexts(self) -> None:
        with pytest.raises(WireError, match="not the one that the manifest names"):
            secure_sum(
                voted_manifest(key_hashes=key_hashes()),
                "c",
                cards=cards(),
                round_keys=round_keys(),
            )

    def test_the_plan_of_another_scheme(self) -> None:
        """The same signed keys in a share sum's manifest make no share sum of the round."""
        made = manifest(plan=plan(), key_hashes=tuple(r.hash for r in round_keys()))
        with pytest.raises(WireError, match="other keys"):
            secure_sum(made, "c", cards=cards(), round_keys=round_keys())
