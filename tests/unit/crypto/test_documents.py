"""Manifests, commits and openings: each bound to its signer, its round and its bytes."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto.commit import Commit, CommittedUpload
from crypto.errors import WireError
from crypto.manifest import Manifest, context_of
from crypto.opening import OpenRequest, decode_part, encode_part
from crypto.sums.schemes import Scheme
from crypto.update import PartSum
from crypto.wire import SignedRecord, digest
from tests.unit.crypto.samples import commit, manifest, plan, signer, voted_manifest

COORDINATOR, CONSENT = signer("coordinator"), signer("consent")


def signed(kind: str, body: dict[str, Any], name: str) -> SignedRecord:
    return SignedRecord.sign(kind, body, signer(name))


class TestManifest:
    def test_round_trip(self) -> None:
        for made in (
            manifest(epsilon=None),
            voted_manifest(),
            voted_manifest(Scheme.PIECE_SUM, unpaired_devices=True),
            voted_manifest(previous="ab" * 32, code="cd" * 32),
            manifest(plan=plan(rounds=4), run="run-1", number=3),
        ):
            assert Manifest.verify(made.sign(COORDINATOR), COORDINATOR.public_key()) == made

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"number": 1}, "1 of a run with 1 rounds"),
            ({"number": -1}, "-1 of a run"),
            ({"plan": plan(rounds=4), "run": "run-1", "number": 4}, "4 of a run with 4 rounds"),
            ({"plan": plan(rounds=4)}, "names its run"),
            ({"plan": plan(rounds=4), "run": "../x"}, "names its run"),
        ],
    )
    def test_a_round_has_its_place_in_a_run(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(WireError, match=message):
            manifest(**changes)

    def test_its_plan_names_its_scheme(self) -> None:
        assert manifest().scheme is Scheme.SHARE_SUM
        for scheme in (Scheme.COMPACT_SUM, Scheme.PIECE_SUM):
            assert voted_manifest(scheme).scheme is scheme
        assert "scheme" not in manifest().body

    def test_share_sum_alone_keeps_unpaired_devices_out(self) -> None:
        for scheme in (Scheme.COMPACT_SUM, Scheme.PIECE_SUM):
            assert voted_manifest(scheme, unpaired_devices=True).unpaired_devices
        with pytest.raises(WireError, match="does not protect unpaired devices"):
            manifest(unpaired_devices=True)
        body = json.loads(manifest().sign(COORDINATOR).body) | {"unpaired_devices": True}
        with pytest.raises(WireError, match="does not protect unpaired devices"):
            Manifest.verify(signed("manifest", body, "coordinator"), COORDINATOR.public_key())

    def test_context_names_the_exact_bytes(self) -> None:
        record = manifest().sign(COORDINATOR)
        assert context_of(record) == digest("manifest", record.body).hex()
        others = [
            manifest(round_id="round-2"),
            manifest(plan=plan(noise_multiplier=1.1)),
            manifest(epsilon=1.5),
            manifest(key_hashes=("k2", "k1", "k3")),
            manifest(population="other"),
            manifest(previous="ab" * 32),
            manifest(code="ab" * 32),
            manifest(run="run-1"),
            manifest(plan=plan(rounds=2), run="run-1"),
            manifest(plan=plan(rounds=2), run="run-1", number=1),
            manifest(plan=plan(scheme=Scheme.COMPACT_SUM)),
        ]
        assert len({context_of(m.sign(COORDINATOR)) for m in [manifest(), *others]}) == 12

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "-", ".hidden", "a/b", "a b", "é", "a\n", "a" * 129, "a:b", "../x"]
    )
    @pytest.mark.parametrize("field", ["population", "task", "round_id"])
    def test_names_are_safe_everywhere(self, field: str, name: str) -> None:
        with pytest.raises(WireError, match="is no name"):
            manifest(**{field: name})
        assert manifest(**{field: "1.a_b-C"}).body

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"key_hashes": ("a", "b", "b")}, "3 different"),
            ({"key_hashes": ("a", "b")}, "3 different"),
            ({"opens": 10, "closes": 10}, "closes after"),
        ],
    )
    def test_contradictions(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(WireError, match=message):
            manifest(**changes)

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": 1},
            {"version": 3},
            {"version": True},
            {"version": None},
            {"extra": 1},
            {"scheme": "share-sum"},
            {"run": None},
            {"run": 7},
            {"number": "0"},
            {"number": True},
            {"number": -1},
            {"number": 1},
            {"previous": None},
            {"previous": 7},
            {"code": ["ab"]},
            {"code": "c" * 257},
            {"unpaired_devices": 0},
            {"parameters": []},
            {"plan": None},
            {"epsilon": -1},
            {"epsilon": "1"},
            {"epsilon": 10**400},
            {"key_hashes": ["k1", "k2", "k3", "k3"]},
            {"purposes": ["p"] * 33},
            {"opens": -1},
            {"closes": 2**60},
        ],
    )
    def test_strict_fields(self, changes: dict[str, Any]) -> None:
        body = json.loads(manifest().sign(COORDINATOR).body) | changes
        with pytest.raises(WireError):
            Manifest.verify(signed("manifest", body, "coordinator"), COORDINATOR.public_key())

    def test_every_field_is_needed(self) -> None:
        body = json.loads(manifest().sign(COORDINATOR).body)
        for name in body:
            less = {key: value for key, value in body.items() if key != name}
            with pytest.raises(WireError):
                Manifest.verify(signed("manifest", less, "coordinator"), COORDINATOR.public_key())

    def test_a_plan_without_its_scheme_is_none(self) -> None:
        """An older coordinator's manifest, or one that hopes for a default."""
        body = json.loads(manifest().sign(COORDINATOR).body)
        for change in ({"scheme": "masked-sum"}, {"scheme": None}, {"noise": "set-c"}):
            with pytest.raises(WireError):
                Manifest.verify(
                    signed("manifest", body | {"plan": body["plan"] | change}, "coordinator"),
                    COORDINATOR.public_key(),
                )
        del body["plan"]["scheme"]
        with pytest.raises(WireError, match="exactly the fields"):
            Manifest.verify(signed("manifest", body, "coordinator"), COORDINATOR.public_key())

    def test_another_signer_or_type(self) -> None:
        record = manifest().sign(COORDINATOR)
        with pytest.raises(WireError):
            Manifest.verify(record, CONSENT.public_key())
        with pytest.raises(WireError):
            Manifest.verify(replace(record, type="commit"), COORDINATOR.public_key())


class TestCommit:
    def test_round_trip_and_counts(self) -> None:
        entries = (
            CommittedUpload(upload="a", client="x", shoppers=3),
            CommittedUpload(upload="b", client="y", shoppers=4),
        )
        made = commit("ab", uploads=entries)
        assert Commit.verify(made.sign(CONSENT), CONSENT.public_key()) == made
        assert (made.clients, made.shoppers) == (2, 7)

    @pytest.mark.parametrize(
        ("entries", "message"),
        [
            ([["b", "x", 1], ["a", "y", 1]], "sorted"),
            ([["a", "x", 1], ["a", "y", 1]], "upload stands twice"),
            ([["a", "x", 1], ["b", "x", 1]], "client stands twice"),
            ([["a", "x", 0]], "shoppers"),
            ([["a", "x", 1.0]], "shoppers"),
            ([["a", "x", True]], "shoppers"),
            ([["a", "x"]], "entry"),
            ([["a", "x", 1, 1]], "entry"),
            ([{"upload": "a"}], "entry"),
            ({}, "list"),
            (None, "list"),
        ],
    )
    def test_lists_are_strict(self, entries: object, message: str) -> None:
        body = json.loads(commit("ab").sign(CONSENT).body) | {"uploads": entries}
        with pytest.raises(WireError, match=message):
            Commit.verify(signed("commit", body, "consent"), CONSENT.public_key())

    def test_another_signer(self) -> None:
        with pytest.raises(WireError):
            Commit.verify(commit("ab").sign(COORDINATOR), CONSENT.public_key())

    def test_an_empty_list_is_a_list(self) -> None:
        made = commit("ab", uploads=())
        assert Commit.verify(made.sign(CONSENT), CONSENT.public_key()).shoppers == 0


class TestOpening:
    PART = PartSum(holder=2, context="ab", values=np.array([0, 1, 2**40], dtype=np.int64))

    def request(self) -> OpenRequest:
        return OpenRequest(
            manifest=manifest().sign(COORDINATOR), commit=commit("ab").sign(CONSENT), share=b"sum"
        )

    def test_request_round_trip(self) -> None:
        request = self.request()
        again = OpenRequest.from_bytes(request.to_bytes())
        assert again == request
        assert again.hash == request.hash

    def test_request_hash_names_all_three(self) -> None:
        request = self.request()
        others = [
            replace(request, share=b"other"),
            replace(request, manifest=manifest(round_id="r").sign(COORDINATOR)),
            replace(request, commit=commit("cd").sign(CONSENT)),
        ]
        assert len({each.hash for each in [request, *others]}) == 4

    def test_answer_round_trip(self) -> None:
        data = encode_part(self.PART, "hash", COORDINATOR)
        part = decode_part(data, request_hash="hash", identity=COORDINATOR.public_key())
        assert (part.holder, part.context) == (2, "ab")
        assert part.values.tolist() == [0, 1, 2**40]

    def test_answers_to_other_questions_from_others_or_altered(self) -> None:
        data = encode_part(self.PART, "hash", COORDINATOR)
        key = COORDINATOR.public_key()
        altered = data[:-1] + bytes([data[-1] ^ 1])
        for bytes_, request, identity in [
            (data, "other", key),
            (data, "hash", CONSENT.public_key()),
            (altered, "hash", key),
            (data + b"\x00", "hash", key),
            (data[:-8], "hash", key),
            (b"", "hash", key),
        ]:
            with pytest.raises(WireError):
                decode_part(bytes_, request_hash=request, identity=identity)

    @pytest.mark.parametrize("holder", [0, 4])
    def test_unknown_key_holders(self, holder: int) -> None:
        data = encode_part(replace(self.PART, holder=holder), "hash", COORDINATOR)
        with pytest.raises(WireError):
            decode_part(data, request_hash="hash", identity=COORDINATOR.public_key())
