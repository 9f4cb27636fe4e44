"""Headers of uploads: bound to their sender, round, scheme, grants and bytes, all equally long."""

import json
from dataclasses import replace
from typing import Any

import pytest

from crypto.errors import WireError
from crypto.grant_list import MAX_GRANTS, pack_grants
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.upload import Role, Upload, body_hash, sender_key, share_hash, sign_upload
from crypto.wire import SignedRecord, b64, digest, public_bytes, thumbprint
from tests.unit.crypto.samples import signer

CLIENT, MALLORY = signer("client"), signer("mallory")
COMMITMENTS = tuple(f"{k}{k}" * 32 for k in (1, 2, 3))
SHARED = SealedUpdate(scheme="share-sum", context="ab" * 32, shares=(b"one", b"two", b"three"))
PIECED = replace(SHARED, scheme="piece-sum", commitments=COMMITMENTS)
COMPACT = replace(PIECED, scheme="compact-sum", body=b"body")
EACH = pytest.mark.parametrize("sealed", [SHARED, PIECED, COMPACT], ids=lambda s: s.scheme)


def header(sealed: SealedUpdate = COMPACT, *tokens: str, **changes: Any) -> SignedRecord:
    """A header of the client's, with fields changed before it is signed."""
    body = json.loads(sign_upload(sealed, tokens or ("g",), CLIENT).body)
    return SignedRecord.sign("upload", body | changes, CLIENT)


@EACH
class TestBothWays:
    def test_round_trip(self, sealed: SealedUpdate) -> None:
        record = sign_upload(sealed, ("g1", "g2", "g3"), CLIENT)
        found = Upload.parse(SignedRecord.from_bytes(record.to_bytes()))
        assert (found.context, found.scheme) == (sealed.context, sealed.scheme)
        assert (found.role, found.grant_count) == (Role.CLIENT, 3)
        assert found.client == thumbprint(CLIENT.public_key())
        assert found.sender == public_bytes(CLIENT.public_key())
        assert public_bytes(sender_key(found)) == found.sender
        assert found.hash == record.hash
        assert found.length == len(sealed.body) + len(b"onetwothree")
        found.check_sealed(sealed)
        for holder, share in enumerate(sealed.shares, start=1):
            found.check_share(holder, share)
        assert found.tokens(pack_grants(("g1", "g2", "g3"))) == ("g1", "g2", "g3")

    def test_what_the_header_says(self, sealed: SealedUpdate) -> None:
        """By hand: every hash under its own tag, so that no share passes for a body."""
        body = json.loads(sign_upload(sealed, ("g",), CLIENT).body)
        assert body == {
            "body": digest("body", sealed.body).hex(),
            "client_key": b64(CLIENT.public_key().public_bytes_raw()),
            "commitments": list(sealed.commitments),
            "context": "ab" * 32,
            "grant_count": "00000001",
            "grants": digest("grants", b"\x01\x00g" + bytes(1533)).hex(),
            "length": f"{sealed.length:012d}",
            "role": "client",
            "scheme": sealed.scheme,
            "shares": [digest("share", share).hex() for share in sealed.shares],
        }
        assert share_hash(b"x") != body_hash(b"x")

    def test_is_as_long_whatever_is_in_it(self, sealed: SealedUpdate) -> None:
        others = [
            (replace(sealed, shares=(b"", b"", b"")), ("g",)),
            (replace(sealed, shares=(bytes(10**6),) * 3), ("g",) * 900),
            (replace(sealed, context="00" * 32), ("a longer token" * 40,)),
        ]
        lengths = {
            len(sign_upload(each, tokens, key).to_bytes())
            for each, tokens in [(sealed, ("g",)), *others]
            for key in (CLIENT, MALLORY)
        }
        assert len(lengths) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"shares": (b"one", b"two", b"thre")},
            {"shares": (b"two", b"one", b"three")},
            {"shares": (b"one", b"two")},
            {"shares": (*SHARED.shares, b"four")},
            {"shares": ()},
            {"body": b"another"},
            {"commitments": COMMITMENTS[::-1]},
            {"commitments": COMMITMENTS[:2]},
            {"context": "cd" * 32},
            {"scheme": "another"},
        ],
    )
    def test_is_for_these_bytes_and_this_round(
        self, sealed: SealedUpdate, changes: dict[str, Any]
    ) -> None:
        upload = Upload.parse(header(sealed))
        upload.check_sealed(sealed)
        with pytest.raises(WireError):
            upload.check_sealed(replace(sealed, **changes))

    def test_a_share_is_its_key_holders(self, sealed: SealedUpdate) -> None:
        upload = Upload.parse(header(sealed))
        for holder, share in [(1, b"two"), (2, b"three"), (3, b""), (1, b"one\x00")]:
            with pytest.raises(WireError, match="not the one"):
                upload.check_share(holder, share)

    def test_a_header_under_anothers_key(self, sealed: SealedUpdate) -> None:
        """Mallory takes a header and puts her key in it, or signs it in the client's name."""
        body = json.loads(header(sealed).body)
        own = {"client_key": b64(public_bytes(MALLORY.public_key()))}
        forged = SignedRecord.sign("upload", body, MALLORY)
        renamed = SignedRecord.sign("upload", body | own, CLIENT)
        for bad in (forged, renamed):
            with pytest.raises(WireError, match="signature"):
                Upload.parse(bad)
        # Under her own name she may repeat what is hers to repeat; commitments stop her there.
        assert Upload.parse(SignedRecord.sign("upload", body | own, MALLORY)).client != thumbprint(
            CLIENT.public_key()
        )

    def test_of_another_type_or_altered(self, sealed: SealedUpdate) -> None:
        record = header(sealed)
        for bad in (
            replace(record, type="receipt"),
            replace(record, body=record.body.replace(b"00000001", b"00000002")),
            replace(record, body=record.body + b" "),
            replace(record, signature=bytes(64)),
        ):
            with pytest.raises(WireError):
                Upload.parse(bad)

    def test_every_field_is_needed_and_no_other(self, sealed: SealedUpdate) -> None:
        body = json.loads(header(sealed).body)
        for name in body:
            less = {key: value for key, value in body.items() if key != name}
            with pytest.raises(WireError):
                Upload.parse(SignedRecord.sign("upload", less, CLIENT))
        with pytest.raises(WireError, match="unknown fields"):
            Upload.parse(header(sealed, extra=1))


class TestFields:
    @pytest.mark.parametrize(
        "changes",
        [
            {"role": "observer"},
            {"role": "key-holder"},  # with a grant
            {"role": None},
            {"role": ["client"]},
            {"scheme": "masked-sum"},
            {"scheme": "Compact-sum"},
            {"scheme": "share-sum"},  # with commitments
            {"commitments": []},
            {"commitments": list(COMMITMENTS[:2])},
            {"commitments": [*COMMITMENTS, "44" * 32]},
            {"commitments": ["g1" * 32, *COMMITMENTS[1:]]},
            {"shares": []},
            {"shares": ["11" * 32] * 2},
            {"shares": ["11" * 32] * 4},
            {"shares": ["11" * 31] * 3},
            {"shares": ["AB" * 32] * 3},
            {"shares": ["11" * 32 + "\n"] * 3},
            {"shares": "11" * 32},
            {"grants": "11"},
            {"grants": None},
            {"body": ["11" * 32]},
            {"body": "11" * 33},
            {"grant_count": "1"},
            {"grant_count": 1},
            {"grant_count": "00000000"},
            {"grant_count": "-0000001"},
            {"grant_count": "+0000001"},
            {"grant_count": " 0000001"},
            {"grant_count": "0000000１"},
            {"grant_count": "0000_001"},
            {"grant_count": f"{MAX_GRANTS + 1:08d}"},
            {"length": 13},
            {"length": "13"},
            {"length": f"{2**34 + 1:012d}"},
            {"length": "0" * 13},
            {"context": 7},
            {"client_key": "short"},
            {"client_key": None},
        ],
        ids=str,
    )
    def test_each_is_strict(self, changes: dict[str, Any]) -> None:
        Upload.parse(header())
        with pytest.raises(WireError):
            Upload.parse(header(**changes))

    def test_a_share_sum_has_no_commitments_and_no_entries(self) -> None:
        with pytest.raises(WireError, match="commitments"):
            Upload.parse(header(SHARED, commitments=list(COMMITMENTS)))
        with pytest.raises(WireError, match="no entries"):
            Upload.parse(sign_upload(SHARED, (), CLIENT, role=Role.KEY_HOLDER))


class TestRoles:
    def test_a_key_holders_entry_carries_no_grant(self) -> None:
        for sealed in (PIECED, COMPACT):
            found = Upload.parse(sign_upload(sealed, (), CLIENT, role=Role.KEY_HOLDER))
            assert (found.role, found.grant_count) == (Role.KEY_HOLDER, 0)
            assert found.tokens(b"") == ()
            with pytest.raises(WireError, match="carries grants"):
                Upload.parse(sign_upload(sealed, ("g",), CLIENT, role=Role.KEY_HOLDER))

    @pytest.mark.parametrize("scheme", Scheme)
    def test_a_client_without_a_grant_is_none(self, scheme: Scheme) -> None:
        sealed = replace(COMPACT, scheme=scheme, commitments=COMMITMENTS if scheme.votes else ())
        with pytest.raises(WireError, match="carries grants"):
            Upload.parse(sign_upload(sealed, (), CLIENT))


class TestGrants:
    def test_are_those_that_were_signed(self) -> None:
        upload = Upload.parse(header(COMPACT, "g1", "g2"))
        for others in (("g2", "g1"), ("g1",), ("g1", "g2", "g2"), ("g1", "g3"), ()):
            with pytest.raises(WireError, match="not the ones"):
                upload.tokens(pack_grants(others))

    @pytest.mark.parametrize("count", ["00000001", "00000003", "00000004", "00000005"])
    def test_are_as_many_as_was_signed(self, count: str) -> None:
        """Two tokens take two slots; a header that claims another number fits none of them."""
        upload = Upload.parse(header(COMPACT, "g1", "g2", grant_count=count))
        with pytest.raises(WireError):
            upload.tokens(pack_grants(("g1", "g2")))
