"""Recovery: a key holder whose disk was set back must not act again.

Its peers keep the latest vote that they have seen of it. On start, and at the latest before its
first vote after a start, it asks both. If one of them shows a vote that its own log does not have,
the log is not the last one it wrote: it stops for good, and whoever runs it makes a new identity.
If a peer can't be asked, it may serve but not vote.
"""

from crypto.ballot import Vote
from crypto.errors import RoundError, WireError
from crypto.keyholder.desk import Desk
from crypto.keyholder.log import votes
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.peers import Peer
from crypto.wire import SignedRecord


def require_running(desk: Desk) -> None:
    """Refuse everything once this identity was stopped.

    Raises:
        RoundError: it was; the message says what to do.
    """
    with desk.log.reading() as db:
        reason = votes.stopped(db, desk.holder.name)
    if reason is not None:
        raise RoundError(reason)


def require_current(desk: Desk, *, now: int) -> None:
    """Make sure, once after each start, that no peer knows more of this key holder than it does.

    Raises:
        RoundError: a peer can't be asked or makes no sense (it may be asked again), or the log is
            behind (the key holder stops).
    """
    if desk.current:
        return
    for party in desk.holder.parties():
        if party.number != desk.holder.number:
            record = desk.source.latest(party, desk.holder.number)
            if record is not None:
                _compare(desk, party, record, now)
    desk.current = True


def _compare(desk: Desk, peer: Peer, record: SignedRecord, now: int) -> None:
    try:
        shown = Vote.verify(record, desk.holder.identity.public_key())
    except WireError as error:
        raise RoundError(
            f"Key holder {peer.number} shows a vote that this identity did not sign; it must pin "
            "this key holder's new card first (fedcart keyholder peers)."
        ) from error
    with desk.log.reading() as db:
        own = votes.numbered(db, desk.holder.name, shown.sequence)
    if own is not None and own.record_hash == record.hash:
        return
    reason = (
        f"Key holder {peer.number} has seen vote {shown.sequence} of this key holder, which its "
        "log does not have: the log was set back, and a restored one must not vote. Make a new "
        "identity (fedcart keyholder rotate) and have it pinned anew."
    )
    with desk.log.transaction() as log:
        votes.stop(log, desk.holder.name, reason, now)
    desk.log.reached(PersistPoint.STOPPED)
    raise RoundError(reason)
