"""Accepts, lists and votes: all three key holders, one context, one list, no vote twice."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from crypto.acceptance import Accept, check_accepts
from crypto.ballot import (
    MAX_LISTED,
    NO_VOTE,
    UploadList,
    Vote,
    check_votes,
    release_hash,
)
from crypto.errors import RoundError, WireError
from crypto.wire import SignedRecord, digest
from tests.unit.crypto.messages import CONTEXT, LIST, VOTE, good
from tests.unit.crypto.samples import accepts, holder_key, identities, signer


def votes(**changes: Any) -> tuple[SignedRecord, ...]:
    """The key holders' votes on the same list."""
    made = replace(VOTE, **changes)
    return tuple(replace(made, holder=n).sign(holder_key(n)) for n in (1, 2, 3))


class TestAccepts:
    def test_round_trip(self) -> None:
        made = Accept(holder=2, context=CONTEXT)
        assert Accept.verify(made.sign(holder_key(2)), holder_key(2).public_key()) == made

    def test_three_of_one_context(self) -> None:
        check_accepts(accepts(CONTEXT), identities(), CONTEXT)

    def test_of_another_context(self) -> None:
        other = "cd" * 32
        for k in range(3):
            mixed = (*accepts(CONTEXT)[:k], accepts(other)[k], *accepts(CONTEXT)[k + 1 :])
            with pytest.raises(WireError, match="another round"):
                check_accepts(mixed, identities(), CONTEXT)
        with pytest.raises(WireError, match="another round"):
            check_accepts(accepts(CONTEXT), identities(), other)

    @pytest.mark.parametrize("count", [0, 1, 2, 4])
    def test_of_fewer_or_more(self, count: int) -> None:
        records = (*accepts(CONTEXT), accepts(CONTEXT)[0])[:count]
        with pytest.raises(WireError, match="all 3 key holders"):
            check_accepts(records, identities(), CONTEXT)
        keys = (*identities(), identities()[0])[:count]
        with pytest.raises(WireError, match="all 3 key holders"):
            check_accepts(accepts(CONTEXT), keys, CONTEXT)

    def test_one_key_holder_does_not_speak_for_two(self) -> None:
        one, two, three = accepts(CONTEXT)
        for records in ((one, one, three), (two, one, three), (one, two, two)):
            with pytest.raises(WireError):
                check_accepts(records, identities(), CONTEXT)
        in_anothers_name = Accept(holder=2, context=CONTEXT).sign(holder_key(1))
        for records in ((in_anothers_name, two, three), (one, in_anothers_name, three)):
            with pytest.raises(WireError):
                check_accepts(records, identities(), CONTEXT)


class TestLists:
    def test_round_trip(self) -> None:
        key = signer("coordinator")
        assert UploadList.verify(LIST.sign(key), key.public_key()) == LIST

    def test_hash_by_hand(self) -> None:
        fields = [CONTEXT.encode(), *(upload.encode() for upload in LIST.uploads)]
        assert LIST.hash == digest("list", *fields).hex()
        others = [
            replace(LIST, context="cd" * 32),
            replace(LIST, uploads=LIST.uploads[:-1]),
            replace(LIST, uploads=()),
        ]
        assert len({each.hash for each in [LIST, *others]}) == 4

    @pytest.mark.parametrize(
        "uploads",
        [
            ["22" * 32, "11" * 32],
            ["11" * 32, "11" * 32],
            ["11" * 31],
            ["11" * 33],
            ["AB" * 32],
            ["g0" * 32],
            ["\ud800" * 64],
            ["é" * 64],
            [1],
            [["11" * 32]],
            "11" * 32,
            None,
            {"11" * 32: 1},
        ],
        ids=ascii,
    )
    def test_are_sorted_hashes_named_once(self, uploads: object) -> None:
        message = good("list")
        data = json.dumps(message.body | {"uploads": uploads}).encode()
        with pytest.raises(WireError):
            message.parsed(message.signed_bytes(data))

    def test_have_an_end(self) -> None:
        message = good("list")
        many = [f"{k:064x}" for k in range(MAX_LISTED + 1)]
        assert message.parsed(message.signed(uploads=many[:-1]))
        with pytest.raises(WireError, match=f"at most {MAX_LISTED}"):
            message.parsed(message.signed(uploads=many))

    def test_an_unsorted_one_can_not_even_be_made(self) -> None:
        for uploads in (("b", "a"), ("a", "a")):
            with pytest.raises(WireError, match="sorted by hash"):
                UploadList(context=CONTEXT, uploads=uploads)


class TestVotes:
    def test_round_trip(self) -> None:
        for vote in (VOTE, replace(VOTE, sequence=7, previous="11" * 32)):
            record = vote.sign(holder_key(2))
            assert Vote.verify(record, holder_key(2).public_key()) == vote

    @pytest.mark.parametrize(
        "changes",
        [
            {"holder": 0},
            {"holder": 4},
            {"sequence": 0},
            {"sequence": 1.0},
            {"sequence": 2**53 + 1},
            {"previous": ""},
            {"previous": NO_VOTE[:-1]},
            {"list": "L"},
            {"list": None},
        ],
    )
    def test_refusals(self, changes: dict[str, Any]) -> None:
        message = good("vote")
        with pytest.raises(WireError):
            message.parsed(message.signed(**changes))

    def test_three_on_one_list(self) -> None:
        found = check_votes(votes(), identities(), CONTEXT)
        assert [(vote.holder, vote.list_hash) for vote in found] == [
            (number, LIST.hash) for number in (1, 2, 3)
        ]

    def test_each_has_its_own_sequence(self) -> None:
        """How often each voted before is its own matter; the list is not."""
        later = replace(VOTE, holder=3, sequence=9, previous="33" * 32).sign(holder_key(3))
        found = check_votes((*votes()[:2], later), identities(), CONTEXT)
        assert [vote.sequence for vote in found] == [1, 1, 9]

    @pytest.mark.parametrize("odd", [0, 1, 2])
    def test_on_different_lists(self, odd: int) -> None:
        other = votes(list_hash="cd" * 32)
        mixed = (*votes()[:odd], other[odd], *votes()[odd + 1 :])
        with pytest.raises(RoundError, match="different lists; nothing is opened"):
            check_votes(mixed, identities(), CONTEXT)

    @pytest.mark.parametrize("odd", [0, 1, 2])
    def test_of_another_round(self, odd: int) -> None:
        other = votes(context="cd" * 32)
        mixed = (*votes()[:odd], other[odd], *votes()[odd + 1 :])
        with pytest.raises(WireError, match="for another round"):
            check_votes(mixed, identities(), CONTEXT)

    def test_of_fewer_repeated_or_foreign_holders(self) -> None:
        one, two, three = votes()
        stolen = replace(VOTE, holder=3).sign(holder_key(1))
        bad: list[Sequence[SignedRecord]] = [
            (),
            (one, two),
            (one, two, three, three),
            (one, one, three),
            (two, one, three),
            (one, two, stolen),
            (one, two, replace(VOTE, holder=3).sign(signer("mallory"))),
        ]
        for records in bad:
            with pytest.raises(WireError):
                check_votes(records, identities(), CONTEXT)
        with pytest.raises(WireError, match="all 3 key holders"):
            check_votes(votes(), identities()[:2], CONTEXT)

    def test_a_release_is_named_by_its_votes(self) -> None:
        one, two, three = votes()
        made = release_hash((one, two, three))
        assert made == digest("release", *(bytes.fromhex(v.hash) for v in votes())).hex()
        other = votes(sequence=2, previous="11" * 32)[2]
        for records in ((one, two, other), (two, one, three), (one, two)):
            assert release_hash(records) != made
