"""Step 9: with three votes on one list, the sum of this key holder's pieces over that list.

The answer is on disk before it is sent, and it is the only one: repeats are identical, another
request is refused. Then the round key is erased, and the envelopes and pieces with it.
"""

from collections.abc import Iterator, Sequence

from crypto.ballot import Vote, check_votes, release_hash
from crypto.errors import RoundError, WireError
from crypto.keyholder.closing import erase
from crypto.keyholder.desk import Desk
from crypto.keyholder.ingesting import open_round
from crypto.keyholder.judging import ExcludedError, OpenRound, open_share
from crypto.keyholder.log import rounds, uploads, votes
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.log.uploads import Acknowledged
from crypto.keyholder.log.votes import Answer, CastVote
from crypto.keyholder.peers import Peer
from crypto.opening import encode_part
from crypto.sums.pieces.open import HeldPieces, sum_pieces
from crypto.wire import SignedRecord


def release(desk: Desk, records: Sequence[SignedRecord], *, now: int) -> bytes:
    """The signed part sum (``crypto.opening.encode_part``) for three votes; repeats are identical.

    Raises:
        WireError: the votes are not the three key holders' own.
        RoundError: they are for different lists or another vote than this key holder's, the round
            is over, or it was answered for other votes.
    """
    parties = desk.holder.parties()
    context = _context(records, parties)
    checked = check_votes(records, [party.identity for party in parties], context)
    request = release_hash(records)
    with desk.log.reading() as db:
        row, cast = rounds.of_context(db, context), votes.in_round(db, context)
        answered = votes.answered(db, context)
    if row is None or cast is None:
        raise RoundError("This key holder did not vote in this round.")
    if answered is not None:
        return _repeated(desk, row, answered, request)
    _check_own(cast, checked[desk.holder.number - 1], records[desk.holder.number - 1])
    if row.state is not State.VOTED or now >= row.deadline:
        raise RoundError(f"Round {row.round!r} of {row.task!r} was aborted; it is not reopened.")
    facts = open_round(desk, row)
    part = sum_pieces(
        _pieces(desk, row, facts), holder=facts.holder, context=context, length=facts.length
    )
    data = encode_part(part, request, desk.holder.identity)
    entry = Answer(context=context, request=request, data=data, answered_at=now)
    with desk.log.transaction() as log:
        votes.answer(log, entry)
        rounds.set_state(log, row.key_hash, State.RELEASED)
        for party, vote, record in zip(parties, checked, records, strict=True):
            if party.number != desk.holder.number:
                votes.see_peer(log, party.name, vote.sequence, record)
    desk.log.reached(PersistPoint.ANSWER)
    erase(desk, row.key_hash)
    return data


def _context(records: Sequence[SignedRecord], parties: Sequence[Peer]) -> str:
    """The round that the first vote is for; ``check_votes`` compares the others with it."""
    if not records:
        raise WireError("A release needs the votes of all key holders.")
    return Vote.verify(records[0], parties[0].identity).context


def _repeated(desk: Desk, row: RoundRow, answered: Answer, request: str) -> bytes:
    if answered.request != request:
        raise RoundError(
            f"Round {row.round!r} of {row.task!r} was answered for other votes; a key holder "
            "answers once."
        )
    erase(desk, row.key_hash)
    return answered.data


def _check_own(cast: CastVote, shown: Vote, record: SignedRecord) -> None:
    if (cast.record_hash, cast.list_hash) != (record.hash, shown.list_hash):
        raise RoundError("One of these votes is not the one that this key holder cast.")


def _pieces(desk: Desk, row: RoundRow, facts: OpenRound) -> Iterator[HeldPieces]:
    """The pieces of every listed upload, from memory or opened again."""
    with desk.log.reading() as db:
        listed = uploads.acknowledged(db, facts.context, listed=True)
    kept = desk.opened(row).pieces
    with desk.files(row.key_hash).envelopes() as stored:
        for upload, each in listed.items():
            found = kept.get(upload)
            share = b"" if found is not None else stored.at(each.start, each.length)
            yield found or _opened_again(each, share, facts)


def _opened_again(each: Acknowledged, share: bytes, facts: OpenRound) -> HeldPieces:
    try:
        return open_share(each.sender, each.commitments, share, facts)
    except ExcludedError as error:
        raise RoundError(
            "The stored envelopes of this round are damaged; plan a new one."
        ) from error
