"""Step 6: what stands in a round stands there once; key holders' entries, one of each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.grant_list import pack_grants
from crypto.keyholder.judging import Reason
from crypto.upload import Role, sign_upload
from crypto.wire import public_bytes
from tests.unit.crypto.keyholder.federation import (
    Federation,
    Sent,
    VotingRound,
    client_upload,
    grant_for,
)
from tests.unit.crypto.keyholder.spoilt_uploads import (
    hand,
    reasons,
)
from tests.unit.crypto.samples import generator, noised, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


@pytest.fixture
def made(federation: Federation) -> VotingRound:
    return federation.accepted()


class TestRepeats:
    def test_the_same_upload_changes_nothing(
        self, federation: Federation, made: VotingRound
    ) -> None:
        sent = client_upload(made, "client 1").to(1)
        for restarted in (False, True):
            if restarted:
                federation.start(1)
            receipt = hand(federation, made, sent, sent)
            assert receipt.acknowledged == (sent.header.hash,) * 2
            assert receipt.excluded == ()
        path = federation.homes[0] / "rounds" / made.keys[0].hash / "envelopes"
        assert path.stat().st_size == len(sent.share)

    @pytest.mark.parametrize("same_batch", [True, False])
    @pytest.mark.parametrize(
        ("other", "reason"),
        [
            (
                lambda m: client_upload(
                    m, "client 1", tokens=[grant_for(m, signer("client 1"), "fresh")]
                ),
                Reason.REPEATED_CLIENT,
            ),
            (
                lambda m: client_upload(
                    m,
                    "client 2",
                    tokens=[grant_for(m, signer("client 2"), "x", subject="subject client 1/0")],
                ),
                Reason.REPEATED_GRANT,
            ),
            (
                lambda m: client_upload(
                    m,
                    "client 2",
                    tokens=[
                        grant_for(
                            m, signer("client 2"), "x", token_id=f"token client 1/0 {m.context}"
                        )
                    ],
                ),
                Reason.REPEATED_GRANT,
            ),
            (
                lambda m: client_upload(m, "client 2", sealed=client_upload(m, "client 1").sealed),
                Reason.REPEATED_BYTES,
            ),
        ],
    )
    def test_nothing_counts_twice(
        self,
        federation: Federation,
        made: VotingRound,
        same_batch: bool,
        other: Callable[[VotingRound], Sent],
        reason: Reason,
    ) -> None:
        first, second = client_upload(made, "client 1").to(1), other(made).to(1)
        if same_batch:
            assert reasons(hand(federation, made, first, second)) == [reason]
            return
        hand(federation, made, first)
        federation.start(1)
        assert reasons(hand(federation, made, second)) == [reason]

    def test_one_repeated_commitment_is_enough(
        self, federation: Federation, made: VotingRound
    ) -> None:
        hand(federation, made, client_upload(made, "client 1").to(1))
        first, second = client_upload(made, "client 1"), client_upload(made, "client 2")
        commitments = (*second.sealed.commitments[:2], first.sealed.commitments[2])
        copied = client_upload(
            made, "client 2", sealed=replace(second.sealed, commitments=commitments)
        )
        assert reasons(hand(federation, made, copied.to(1))) == [Reason.REPEATED_BYTES]

    def test_other_rounds_are_others(self, federation: Federation, made: VotingRound) -> None:
        other = federation.accepted("b", task="item-item")
        for each in (made, other):
            assert reasons(hand(federation, each, client_upload(each, "client 1").to(1))) == []


class TestEntries:
    def test_each_key_holders_one(self, federation: Federation, made: VotingRound) -> None:
        entries = federation.entries(made)
        federation.ingest_all(made, entries)

    def test_its_own_must_be_the_one_it_made(
        self, federation: Federation, made: VotingRound
    ) -> None:
        entry = federation.entry(made, 1)
        identity = federation.holder(1).identity
        sender, rng = public_bytes(identity.public_key()), generator("zero")
        sealed = made.scheme.seal(noised([0] * 16), sender=sender, rng=rng)
        header = sign_upload(sealed, (), identity, role=Role.KEY_HOLDER)
        other = Sent(header=header, sealed=sealed, grants=b"", shoppers=0)
        receipt = hand(federation, made, other.to(1))
        assert reasons(receipt) == [Reason.OWN_ENTRY]
        assert hand(federation, made, entry.to(1)).excluded == ()

    def test_nor_one_that_it_has_not_made(self, federation: Federation, made: VotingRound) -> None:
        identity = federation.holder(1).identity
        sender, rng = public_bytes(identity.public_key()), generator("zero")
        sealed = made.scheme.seal(noised([0] * 16), sender=sender, rng=rng)
        header = sign_upload(sealed, (), identity, role=Role.KEY_HOLDER)
        early = Sent(header=header, sealed=sealed, grants=b"", shoppers=0)
        assert reasons(hand(federation, made, early.to(1))) == [Reason.OWN_ENTRY]

    def test_a_peers_second_one(self, federation: Federation, made: VotingRound) -> None:
        hand(federation, made, federation.entry(made, 2).to(1))
        identity = federation.holder(2).identity
        sender, rng = public_bytes(identity.public_key()), generator("second")
        sealed = made.scheme.seal(noised([5] * 16), sender=sender, rng=rng)
        header = sign_upload(sealed, (), identity, role=Role.KEY_HOLDER)
        second = Sent(header=header, sealed=sealed, grants=b"", shoppers=0)
        assert reasons(hand(federation, made, second.to(1))) == [Reason.REPEATED_CLIENT]

    def test_a_key_holder_is_no_client(self, federation: Federation, made: VotingRound) -> None:
        identity = federation.holder(2).identity
        sender, rng = public_bytes(identity.public_key()), generator("client")
        sealed = made.scheme.seal(noised([5] * 16), sender=sender, rng=rng)
        tokens = [grant_for(made, identity, "holder")]
        header = sign_upload(sealed, tokens, identity)
        sent = Sent(header=header, sealed=sealed, grants=pack_grants(tokens), shoppers=1)
        assert reasons(hand(federation, made, sent.to(1))) == [Reason.ROLE]
