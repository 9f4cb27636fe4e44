"""Step 5: the key holder's own noise entry, sealed like a client's upload.

With the entries of two honest key holders in it, a sum is private even if every other client is
corrupt. It is made once a round; the sealed bytes are on disk and their hash is in the log before
anybody sees them.
"""

from collections.abc import Sequence

from crypto.acceptance import check_accepts
from crypto.dp.noise import holder_noise
from crypto.errors import RoundError, WireError
from crypto.keyholder.desk import Desk
from crypto.keyholder.log import rounds
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.noise_history import NoiseHistory
from crypto.manifest import Manifest
from crypto.sealing import pieced_sum, round_public_keys
from crypto.sums.schemes import HOLDERS
from crypto.upload import Role, sign_upload
from crypto.wire import SignedRecord, digest, pack_frames, public_bytes


def make_entry(
    desk: Desk,
    context: str,
    keys: Sequence[SignedRecord],
    accepts: Sequence[SignedRecord],
    *,
    now: int,
) -> bytes:
    """Frames: header, body and the three shares of the own entry; repeats are identical.

    Raises:
        WireError: the three round keys or accepts don't hold for this round.
        RoundError: the round is not accepted here, or is over.
    """
    with desk.log.reading() as db:
        row = rounds.of_context(db, context)
    if row is None or not row.state.open:
        raise RoundError("This round is not accepted here, or is over; there is no entry for it.")
    identities = [party.identity for party in desk.holder.parties()]
    check_accepts(accepts, identities, context)
    manifest = Manifest.verify(row.manifest_record, desk.holder.pins.coordinator)
    public_keys = round_public_keys(manifest, keys, identities)
    if row.entry is not None:
        return _stored(desk, row, row.entry)
    if row.state is not State.ACCEPTED or now >= row.closes:
        raise RoundError("This round has closed; no entry is made for it any more.")
    scheme = pieced_sum(manifest.plan, context, public_keys)
    history = _history(desk, row, manifest)
    if history is None:
        noise = holder_noise(plan=manifest.plan, rng=desk.rng)
    else:
        noise = history.draw(context, rng=desk.rng)
        desk.log.reached(PersistPoint.NOISE)
    sender = public_bytes(desk.holder.identity.public_key())
    sealed = scheme.seal(noise, sender=sender, rng=desk.rng)
    header = sign_upload(sealed, (), desk.holder.identity, role=Role.KEY_HOLDER)
    data = pack_frames([header.to_bytes(), sealed.body, *sealed.shares])
    desk.files(row.key_hash).write_entry(data)
    desk.log.reached(PersistPoint.ENTRY_BYTES)
    with desk.log.transaction() as log:
        rounds.set_entry(log, row.key_hash, upload=header.hash, file=_file_hash(data))
    desk.log.reached(PersistPoint.ENTRY)
    if history is not None:
        history.forget()
    return data


def _history(desk: Desk, row: RoundRow, manifest: Manifest) -> NoiseHistory | None:
    """The noise of the run's earlier rounds, if this round's is drawn around it."""
    if manifest.plan.bands == 1:
        return None
    with desk.log.reading() as db:
        made = [each.number or 0 for each in rounds.of_run(db, row) if each.entry is not None]
    return NoiseHistory(desk.holder.home, manifest, drawn=max(made, default=-1))


def _stored(desk: Desk, row: RoundRow, upload: str) -> bytes:
    data = desk.files(row.key_hash).read_entry()
    if _file_hash(data) != row.entry_file:
        raise RoundError(f"The own entry {upload} is damaged on disk; plan a new round.")
    return data


def _file_hash(data: bytes) -> str:
    return digest("entry", data).hex()


def parse_request(frames: Sequence[bytes]) -> tuple[str, list[SignedRecord], list[SignedRecord]]:
    """Context, round keys and accepts of a request's frames.

    Raises:
        WireError: malformed.
    """
    context, *records = frames
    if len(records) != 2 * HOLDERS:
        raise WireError(f"An entry is asked for with {HOLDERS} round keys and {HOLDERS} accepts.")
    parsed = [SignedRecord.from_bytes(record) for record in records]
    return parse_context(context), parsed[:HOLDERS], parsed[HOLDERS:]


def parse_context(frame: bytes) -> str:
    """The context that a request names.

    Raises:
        WireError: it is none.
    """
    if len(frame) > 128 or not frame.isascii():
        raise WireError("A request names the round's context.")
    return frame.decode()
