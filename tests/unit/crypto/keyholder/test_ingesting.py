"""Step 6: every reason to leave an upload out, and that what is taken is taken for ever."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.errors import BudgetError, RoundError
from crypto.grant_list import pack_grants
from crypto.ingest import Batch, Submission
from crypto.keyholder import ingesting, judging, overview
from crypto.keyholder.deadlines import INGEST_GRACE_S
from crypto.keyholder.judging import Reason
from crypto.keyholder.log.points import PersistPoint
from crypto.round_times import VOTING_GRACE_S
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    CrashError,
    Federation,
    Sent,
    VotingRound,
    client_upload,
    grant_for,
)
from tests.unit.crypto.keyholder.spoilt_uploads import (
    anothers_seal,
    forged,
    grant,
    hand,
    pretender,
    reasons,
    resigned,
    swapped_pieces,
    with_tokens,
)
from tests.unit.crypto.samples import NOW, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


@pytest.fixture
def made(federation: Federation) -> VotingRound:
    return federation.accepted()


SPOILT: dict[str, tuple[Callable[[VotingRound], Sent], Reason]] = {
    "signature": (lambda m: forged(client_upload(m, "client 1")), Reason.HEADER),
    "signer": (lambda m: resigned(client_upload(m, "client 1"), "mallory"), Reason.HEADER),
    "field": (lambda m: resigned(client_upload(m, "client 1"), extra="x"), Reason.HEADER),
    "context": (lambda m: resigned(client_upload(m, "client 1"), context="ab"), Reason.ROUND),
    "scheme": (
        lambda m: resigned(client_upload(m, "client 1"), scheme="compact-sum"),
        Reason.ROUND,
    ),
    "length": (
        lambda m: resigned(client_upload(m, "client 1"), length="000000000001"),
        Reason.LENGTH,
    ),
    "role": (pretender, Reason.ROLE),
    "no grants": (lambda m: client_upload(m, "client 1", tokens=()), Reason.HEADER),
    "other grants": (
        lambda m: replace(client_upload(m, "client 1"), grants=pack_grants(["x"])),
        Reason.GRANTS,
    ),
    "grant count": (
        lambda m: resigned(client_upload(m, "client 1"), grant_count="00000002"),
        Reason.GRANTS,
    ),
    "garbage grant": (lambda m: with_tokens(m, "a.b.c"), Reason.GRANT),
    "grant task": (lambda m: grant(m, task="item-item"), Reason.GRANT),
    "grant round": (lambda m: grant(m, round_id="round-2"), Reason.GRANT),
    "grant context": (lambda m: grant(m, context="cd" * 32), Reason.GRANT),
    "grant client": (lambda m: grant(m, client_key="somebody"), Reason.GRANT),
    "grant expired": (lambda m: grant(m, issued_at=NOW - 60, expires_at=NOW), Reason.GRANT),
    "grant early": (lambda m: grant(m, issued_at=NOW + 60, expires_at=NOW + 90), Reason.GRANT),
    "grant long": (lambda m: grant(m, issued_at=NOW, expires_at=NOW + 601), Reason.GRANT),
    "grant twice": (
        lambda m: with_tokens(m, *[grant_for(m, signer("client 1"), "x")] * 2),
        Reason.REPEATED_GRANT,
    ),
    "subject twice": (
        lambda m: with_tokens(
            m,
            grant_for(m, signer("client 1"), "x", subject="s"),
            grant_for(m, signer("client 1"), "y", subject="s"),
        ),
        Reason.REPEATED_GRANT,
    ),
    "another's seal": (anothers_seal, Reason.OPENING),
    "pieces": (swapped_pieces, Reason.COMMITMENT),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_does_not_hold_is_excluded(
    federation: Federation, made: VotingRound, name: str
) -> None:
    """It leaves the batch's others alone, and the client may send an honest one afterwards."""
    spoil, reason = SPOILT[name]
    bad, good = spoil(made).to(1), client_upload(made, "client 2").to(1)
    receipt = hand(federation, made, bad, good)
    assert reasons(receipt) == [reason]
    assert receipt.excluded[0].upload == bad.header.hash
    assert receipt.acknowledged == (good.header.hash,)
    assert receipt.excluded[0].blamed is (reason is Reason.COMMITMENT)
    honest = client_upload(made, "client 1").to(1)
    assert hand(federation, made, honest).acknowledged == (honest.header.hash,)


def test_shares(federation: Federation, made: VotingRound) -> None:
    sent = client_upload(made, "client 1")
    own = sent.to(1)
    cases = {
        b"": Reason.LENGTH,
        own.share + b"x": Reason.LENGTH,
        own.share[:-1] + bytes([own.share[-1] ^ 1]): Reason.ENVELOPE,
        sent.to(2).share: Reason.ENVELOPE,
    }
    for share, reason in cases.items():
        assert reasons(hand(federation, made, replace(own, share=share))) == [reason]
    assert hand(federation, made, own).acknowledged == (own.header.hash,)


class TestTime:
    def test_before_it_opens(self, federation: Federation) -> None:
        made = federation.accepted(opens=NOW + 10)
        with pytest.raises(RoundError, match="opens in 10 s"):
            hand(federation, made, client_upload(made, "client 1").to(1))
        federation.now = NOW + 10
        assert hand(federation, made, client_upload(made, "client 1").to(1)).excluded == ()

    def test_after_it_closed(self, federation: Federation) -> None:
        made = federation.accepted()
        known = grant(made, issued_at=NOW + 300, expires_at=NOW + 900).to(1)
        federation.now = NOW + 600 + INGEST_GRACE_S - 1
        assert hand(federation, made, known).excluded == ()
        late = client_upload(
            made,
            "client 2",
            tokens=[
                grant_for(made, signer("client 2"), "z", issued_at=NOW + 300, expires_at=NOW + 900)
            ],
        ).to(1)
        federation.now += 1
        receipt = hand(federation, made, known, late)
        assert receipt.acknowledged == (known.header.hash,)
        assert reasons(receipt) == [Reason.CLOSED]

    def test_after_the_deadline(self, federation: Federation, made: VotingRound) -> None:
        federation.now += 600 + VOTING_GRACE_S
        with pytest.raises(RoundError, match="aborted"):
            hand(federation, made, client_upload(made, "client 1").to(1))

    def test_after_the_vote(self, federation: Federation) -> None:
        ready = federation.ready()
        federation.vote(1, ready)
        late = client_upload(ready.made, "late").to(1)
        receipt = hand(federation, ready.made, ready.clients[0].to(1), late)
        assert receipt.acknowledged == (ready.clients[0].header.hash,)
        assert reasons(receipt) == [Reason.CLOSED]

    def test_unknown_rounds(self, federation: Federation, made: VotingRound) -> None:
        batch = Batch(context="ab" * 32, submissions=(client_upload(made, "client 1").to(1),))
        with pytest.raises(RoundError, match="not accepted here"):
            federation.stations[1].ingest(batch)


class TestBlame:
    def test_the_header_is_kept(self, federation: Federation, made: VotingRound) -> None:
        bad = swapped_pieces(made)
        receipts = {n: federation.ingest(n, made, [bad]) for n in NUMBERS}
        for number in NUMBERS:
            [exclusion] = receipts[number].excluded
            assert exclusion.blamed
            [record] = overview.overview(federation.holder(number)).blames
            assert SignedRecord.from_bytes(record.header) == bad.header
            assert (record.client, record.upload) == (bad.upload.client, bad.header.hash)
            assert record.reason == Reason.COMMITMENT

    def test_it_stays_blamed(self, federation: Federation, made: VotingRound) -> None:
        bad = swapped_pieces(made).to(1)
        hand(federation, made, bad)
        federation.start(1)
        receipt = hand(federation, made, bad)
        assert reasons(receipt) == [Reason.BLAMED]
        assert receipt.excluded[0].blamed
        assert len(overview.overview(federation.holder(1)).blames) == 1

    def test_whoever_altered_an_envelope_blames_nobody(
        self, federation: Federation, made: VotingRound
    ) -> None:
        own = client_upload(made, "client 1").to(1)
        hand(federation, made, replace(own, share=bytes(len(own.share))))
        assert overview.overview(federation.holder(1)).blames == ()

    def test_exclusions_are_counted_by_reason(
        self, federation: Federation, made: VotingRound
    ) -> None:
        for name in ("a", "b"):
            hand(federation, made, forged(client_upload(made, name)).to(1))
        [found] = overview.overview(federation.holder(1)).rounds
        assert found.excluded == {Reason.HEADER: 2}
        assert (found.clients, found.shoppers) == (0, 0)


def test_shoppers_of_a_store(federation: Federation, made: VotingRound) -> None:
    hand(federation, made, client_upload(made, "store", shoppers=3).to(1))
    [found] = overview.overview(federation.holder(1)).rounds
    assert (found.clients, found.shoppers) == (1, 3)


def test_a_parser_that_stumbles_excludes_one_upload(
    federation: Federation, made: VotingRound, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = client_upload(made, "client 1").to(1), client_upload(made, "client 2").to(1)

    def stumble(submission: Submission, *args: object, **kwargs: object) -> object:
        if submission == bad:
            raise ZeroDivisionError("secret words")
        return judging.judge(submission, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ingesting, "judge", stumble)
    receipt = hand(federation, made, bad, good)
    assert reasons(receipt) == [Reason.UNREADABLE]
    assert receipt.acknowledged == (good.header.hash,)


def test_a_full_disk_acknowledges_nothing(federation: Federation, made: VotingRound) -> None:
    sent = client_upload(made, "client 1").to(1)
    desk = federation.stations[1]._desk
    with desk.log.transaction() as log:
        log.execute(
            "CREATE TRIGGER full BEFORE INSERT ON grants BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(BudgetError, match="can't be written"):
        hand(federation, made, sent)
    with desk.log.transaction() as log:
        log.execute("DROP TRIGGER full")
    assert hand(federation, made, sent).acknowledged == (sent.header.hash,)


def test_half_written_envelopes_are_cut_off(federation: Federation, made: VotingRound) -> None:
    """A crash after the envelopes and before the log: the next batch overwrites them."""

    def crash(point: PersistPoint) -> None:
        if point is PersistPoint.ENVELOPES:
            raise CrashError

    path = federation.homes[0] / "rounds" / made.keys[0].hash / "envelopes"
    first, second = client_upload(made, "client 1").to(1), client_upload(made, "client 2").to(1)
    federation.reached = crash
    with pytest.raises(CrashError):
        hand(federation, made, first)
    assert path.read_bytes() == first.share
    path.write_bytes(3 * first.share)  # it was a larger batch
    federation.reached = lambda _point: None
    federation.start(1)
    hand(federation, made, second)
    assert path.read_bytes() == second.share
    hand(federation, made, first)
    assert path.read_bytes() == second.share + first.share


def test_no_piece_reaches_the_disk(federation: Federation, made: VotingRound) -> None:
    """The log and the round's folder hold envelopes, never what was in them."""
    sent = client_upload(made, "client 1").to(1)
    hand(federation, made, sent)
    desk = federation.stations[1]._desk
    [held] = desk.kept[made.keys[0].hash].pieces.values()
    for path in federation.homes[0].rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert all(piece not in data for piece in held.pieces)
