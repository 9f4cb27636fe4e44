"""Step 1: a fresh key for one round, asked for by the coordinator.

There is one per (population, task, round), for ever. Its secret is on disk before the log names
it, and the log names it before anybody else sees it.
"""

from crypto.errors import RoundError
from crypto.keyholder.deadlines import MAX_OPEN_ROUNDS, MAX_ROUND_S
from crypto.keyholder.desk import Desk
from crypto.keyholder.log import rounds
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.round_times import deadline
from crypto.sums.pieces.open import RoundSecret
from crypto.wire import SignedRecord


def issue_round_key(desk: Desk, record: SignedRecord, *, now: int) -> bytes:
    """The signed round key, as a record's bytes; the same request gets the same bytes.

    Raises:
        WireError: the coordinator did not sign it, or it is malformed.
        RoundError: another population, another request for this round, a round that is over or
            too far away, or too many open ones.
    """
    request = RoundKeyRequest.verify(record, desk.holder.pins.coordinator)
    place = (request.population, request.task, request.round_id)
    with desk.log.reading() as db:
        known = rounds.find(db, *place)
        open_rounds = len(rounds.still_open(db))
    if known is not None:
        return _repeated(known, record)
    _check(request, desk.holder.pins.population, open_rounds, now)
    secret = RoundSecret.generate()
    key = RoundKey(
        holder=desk.holder.number,
        population=request.population,
        task=request.task,
        round_id=request.round_id,
        public=secret.public,
        not_before=request.opens,
        not_after=request.closes,
    ).sign(desk.holder.identity)
    desk.files(key.hash).write_secret(secret)
    desk.log.reached(PersistPoint.ROUND_SECRET)
    row = RoundRow(
        population=request.population,
        task=request.task,
        round=request.round_id,
        identity=desk.holder.name,
        request=record.hash,
        key_hash=key.hash,
        key=key.to_bytes(),
        opens=request.opens,
        closes=request.closes,
        deadline=deadline(request.closes),
        state=State.KEYED,
    )
    with desk.log.transaction() as log:
        rounds.add(log, row)
    desk.log.reached(PersistPoint.ROUND_KEY)
    return row.key


def _repeated(known: RoundRow, record: SignedRecord) -> bytes:
    if known.request != record.hash:
        raise RoundError(
            f"Round {known.round!r} of {known.task!r} has a key for another request; a round has "
            "one. Plan a new round."
        )
    if known.state is State.ABORTED:
        raise RoundError(f"Round {known.round!r} of {known.task!r} was aborted; plan a new one.")
    return known.key


def _check(request: RoundKeyRequest, population: str, open_rounds: int, now: int) -> None:
    if request.population != population:
        raise RoundError(f"This key holder serves {population!r}, not this population.")
    if request.closes <= now:
        raise RoundError(
            f"Round {request.round_id!r} has closed ({now - request.closes} s ago); plan a new one."
        )
    if request.closes - now > MAX_ROUND_S:
        raise RoundError(
            f"Round {request.round_id!r} closes in {request.closes - now} s; a key is made at most "
            f"{MAX_ROUND_S} s before. Ask later, or plan a shorter round."
        )
    if open_rounds >= MAX_OPEN_ROUNDS:
        raise RoundError(
            f"{open_rounds} rounds are open, at most {MAX_OPEN_ROUNDS} are allowed; finish some or "
            "wait for their deadlines."
        )
