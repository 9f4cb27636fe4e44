"""Lists of grants: powers of two, zeros between, and one way to write each list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import WireError
from crypto.grant import ParticipationGrant
from crypto.grant_list import MAX_GRANTS, SLOT_BYTES, grants_hash, pack_grants, unpack_grants
from crypto.wire import digest
from tests.unit.crypto.samples import NOW, signer

LONGEST = SLOT_BYTES - 2
tokens = st.lists(
    st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1, max_size=60), max_size=9
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(tokens)
def test_round_trip(chosen: list[str]) -> None:
    packed = pack_grants(chosen)
    assert unpack_grants(packed, len(chosen)) == tuple(chosen)


@pytest.mark.parametrize(
    ("count", "slots"),
    [(0, 0), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16), (129, 256), (1000, 1024)],
)
def test_lengths_are_powers_of_two(count: int, slots: int) -> None:
    assert len(pack_grants(["g"] * count)) == 1536 * slots


def test_lengths_depend_on_the_number_alone() -> None:
    assert len({len(pack_grants([token])) for token in ("g", "g" * 700, "g" * LONGEST)}) == 1


def test_the_bytes_of_a_slot() -> None:
    assert pack_grants(["ab"]) == b"\x02\x00ab" + bytes(1532)
    assert pack_grants(["a" * 258])[:4] == b"\x02\x01aa"


@pytest.mark.parametrize("token", ["", "g" * (LONGEST + 1), "é", "\ud800", "g\u0660"])
def test_tokens_that_fit_no_slot(token: str) -> None:
    with pytest.raises(WireError, match="1 to 1534 ASCII"):
        pack_grants(["g", token])


def test_too_many() -> None:
    with pytest.raises(WireError, match=f"at most {MAX_GRANTS}"):
        pack_grants(["g"] * (MAX_GRANTS + 1))
    for count in (-1, MAX_GRANTS + 1):
        with pytest.raises(WireError):
            unpack_grants(b"", count)


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 8, 9])
def test_another_number_than_was_packed(count: int) -> None:
    """Three lie in four slots: three can be read, and neither more nor fewer."""
    packed = pack_grants(["a", "b", "c"])
    assert unpack_grants(packed, 3) == ("a", "b", "c")
    with pytest.raises(WireError):
        unpack_grants(packed, count)


def test_all_padding_is_zero() -> None:
    packed = pack_grants(["a", "b", "c"])
    positions = [*range(3, SLOT_BYTES, 97), SLOT_BYTES - 1, 3 * SLOT_BYTES, len(packed) - 1]
    for position in positions:
        altered = packed[:position] + b"\x01" + packed[position + 1 :]
        with pytest.raises(WireError):
            unpack_grants(altered, 3)


@pytest.mark.parametrize(
    "slot",
    [
        bytes(SLOT_BYTES),
        b"\x00\x00a",
        b"\xff\x05" + b"a" * LONGEST,  # 1535 bytes: one more than there is room for
        b"\xff\xff" + b"a" * LONGEST,
        b"\x01\x00\xc3",
        b"\x02\x00\xc3\xa9",
    ],
)
def test_malformed_slots(slot: bytes) -> None:
    with pytest.raises(WireError, match="slot"):
        unpack_grants(slot.ljust(SLOT_BYTES, b"\x00"), 1)


@pytest.mark.parametrize("change", [b"\x00", b"a", bytes(SLOT_BYTES)])
def test_another_length(change: bytes) -> None:
    packed = pack_grants(["a"])
    for data in (packed + change, packed[:-1], b""):
        with pytest.raises(WireError, match="another length"):
            unpack_grants(data, 1)


def test_hash_names_the_bytes() -> None:
    packed = pack_grants(["a", "b"])
    assert grants_hash(packed) == digest("grants", packed).hex()
    assert grants_hash(pack_grants(["b", "a"])) != grants_hash(packed)


def test_a_real_grant_fits_its_slot() -> None:
    """With every name as long as it may be in practice."""
    grant = ParticipationGrant(
        issuer="https://consent.example-of-a-long-name.org",
        task="recent-popularity",
        round_id="r" * 128,
        context="ab" * 32,
        subject="0" * 32,
        token_id="0" * 32,
        client_key="k" * 43,
        purposes=("train-shared-models",),
        categories=("purchases", "browsing", "location"),
        notice_version="2026-11",
        epoch=2**53,
        issued_at=NOW,
        expires_at=NOW + 600,
    )
    token = grant.sign(signer("consent"))
    assert unpack_grants(pack_grants([token]), 1) == (token,)
