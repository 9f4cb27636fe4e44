"""Cards of key holders: parts that belong together, one of each, in one order. And invitations."""

from itertools import permutations
from pathlib import Path

import pytest

from crypto.errors import InvalidInputError, WireError
from crypto.holder_card import HolderCard, in_order, parse_card
from crypto.invitation import Invitation
from crypto.sums.schemes import Scheme
from crypto.sums.share_sum.parameters import PUBLIC_CONTEXT_MAX_BYTES, context_hash
from crypto.wire import SignedRecord, b64, pack_frames, public_bytes
from tests.unit.crypto.messages import good
from tests.unit.crypto.samples import (
    cards,
    holder_key,
    invitation,
    manifest,
    public_contexts,
    signer,
    voted_manifest,
)


def framed(record: SignedRecord, context: bytes) -> bytes:
    return pack_frames([record.to_bytes(), context])


class TestCard:
    def test_round_trip(self) -> None:
        for number, card in enumerate(cards(), start=1):
            found = HolderCard.from_bytes(card.to_bytes())
            assert found == card
            assert (found.number, found.context) == (number, public_contexts()[number - 1])
            assert found.context_hash == context_hash(found.context)
            assert public_bytes(found.identity) == public_bytes(holder_key(number).public_key())

    def test_parts_of_two_cards_do_not_make_one(self) -> None:
        one, two, _ = cards()
        with pytest.raises(WireError, match="not the one that it signs"):
            HolderCard.from_bytes(framed(one.record, two.context))
        with pytest.raises(WireError, match="not the one that it signs"):
            HolderCard.from_bytes(framed(one.record, one.context + b"\x00"))

    def test_anothers_identity_or_context_under_ones_own_signature(self) -> None:
        """Mallory puts her key in a card, or the key holder's in hers."""
        body, context = good("card").body, cards()[0].context
        mallory = signer("mallory")
        own = body | {"identity": b64(public_bytes(mallory.public_key()))}
        in_her_name = SignedRecord.sign("key-holder", body, mallory)
        with pytest.raises(WireError, match="signature"):
            HolderCard.from_bytes(framed(in_her_name, context))
        # A card of her own it may well be; whose it is shows in its identity, which is pinned.
        found = HolderCard.from_bytes(
            framed(SignedRecord.sign("key-holder", own, mallory), context)
        )
        assert public_bytes(found.identity) == public_bytes(mallory.public_key())

    @pytest.mark.parametrize("number", [0, 4, True, "1", None])
    def test_numbers(self, number: object) -> None:
        message = good("card")
        with pytest.raises(WireError, match="holder"):
            message.parsed(message.signed(holder=number))

    def test_frames(self) -> None:
        card = cards()[0]
        data, record = card.to_bytes(), card.record.to_bytes()
        for bad in (
            b"",
            data[:-1],
            data + b"\x00",
            record,
            pack_frames([record]),
            pack_frames([record, card.context, b""]),
            pack_frames([record, bytes(PUBLIC_CONTEXT_MAX_BYTES + 1)]),
            pack_frames([b"{}", card.context]),
        ):
            with pytest.raises(WireError):
                HolderCard.from_bytes(bad)

    def test_whoever_named_the_file_is_told_its_name(self, tmp_path: Path) -> None:
        file = tmp_path / "2.card"
        with pytest.raises(InvalidInputError, match=r"2\.card is no key holder's public\.card"):
            parse_card(b"no card", what=str(file))
        assert parse_card(cards()[1].to_bytes(), what=str(file)) == cards()[1]


class TestInOrder:
    def test_by_number_whatever_order_they_came_in(self) -> None:
        for given in permutations(cards()):
            assert in_order(given) == cards()

    @pytest.mark.parametrize(
        ("places", "said"),
        [
            ((), "got none"),
            ((0, 1), "got 1, 2"),
            ((0, 1, 1), "got 1, 2, 2"),
            ((0, 0, 0), "1, 1, 1"),
        ],
    )
    def test_one_of_each(self, places: tuple[int, ...], said: str) -> None:
        with pytest.raises(InvalidInputError, match=f"key holders 1 to 3, .*{said}"):
            in_order([cards()[place] for place in places])

    def test_four_cards(self) -> None:
        with pytest.raises(InvalidInputError, match="got 1, 2, 3, 1"):
            in_order([*cards(), cards()[0]])

    def test_two_with_one_identity_or_one_context(self) -> None:
        one, two, _ = cards()
        same_identity = HolderCard.sign(3, cards()[2].context, holder_key(1))
        same_context = HolderCard.sign(3, one.context, holder_key(3))
        for third in (same_identity, same_context):
            with pytest.raises(InvalidInputError, match="the same key"):
                in_order([one, two, third])


class TestInvitation:
    def test_round_trip(self) -> None:
        shared = invitation(manifest())
        assert Invitation.from_bytes(shared.to_bytes()) == shared
        assert (shared.round_keys, shared.accepts) == ((), ())
        for scheme in (Scheme.COMPACT_SUM, Scheme.PIECE_SUM):
            voted = invitation(voted_manifest(scheme))
            found = Invitation.from_bytes(voted.to_bytes())
            assert found == voted
            assert len({record.hash for record in (*found.round_keys, *found.accepts)}) == 6

    @pytest.mark.parametrize("count", [0, 2, 3, 4, 5, 6, 8])
    def test_of_another_number_of_records(self, count: int) -> None:
        one = manifest().sign(signer("coordinator")).to_bytes()
        with pytest.raises(WireError, match="1 or 7 records"):
            Invitation.from_bytes(pack_frames([one] * count))

    def test_frames(self) -> None:
        data = invitation(voted_manifest()).to_bytes()
        for bad in (
            b"",
            b"FRS1",
            data[:-1],
            data + b"\x00",
            b"FRS2" + data[4:],
            pack_frames([b"{}"]),
            pack_frames([bytes((1 << 22) + 1)]),
        ):
            with pytest.raises(WireError):
                Invitation.from_bytes(bad)
