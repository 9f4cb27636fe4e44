"""The coordinator's part in a round that key holders vote on (piece sum and compact sum).

Round keys, accepts and entries need all three key holders, and so does the vote; after it two are
enough. Every answer is a signed record of a pinned identity, and every request repeats: key holders
answer it with what they have written down.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crypto.acceptance import Accept
from crypto.ballot import UploadList, Vote, check_votes, release_hash
from crypto.errors import RoundError, WireError
from crypto.ingest import MAX_BATCH, Batch, Receipt, Submission
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS
from crypto.sums.sizes import sealed_sizes
from crypto.update import PartSum, SealedUpdate
from crypto.upload import Role, Upload
from crypto.wire import SignedRecord, pack_frames, public_bytes, unpack_frames
from server.exchange import sealed_of
from server.journal import Journal, Waiting
from server.keyholders import HolderEndpoint, ask_all, ask_each
from server.rounds import PlannedRound
from server.share_opening import Opened, opened, part_of

_MAX_PART = 1 << 28
# What a key holder is handed at once, about.
_BATCH_BYTES = 1 << 26


@dataclass(frozen=True, kw_only=True)
class Voting:
    """The key holders as one coordinator sees them."""

    holders: tuple[HolderEndpoint, ...]

    def round_keys(
        self, request: RoundKeyRequest, signed: SignedRecord
    ) -> tuple[SignedRecord, ...]:
        """Every key holder's key for a round.

        Raises:
            RoundError: one did not give any.
        """

        def ask(holder: HolderEndpoint) -> SignedRecord:
            record = SignedRecord.from_bytes(holder.call("/v1/round-keys", signed.to_bytes()))
            key = RoundKey.verify(record, holder.identity)
            place = (key.holder, key.population, key.task, key.round_id)
            if place != (holder.number, request.population, request.task, request.round_id):
                raise WireError("A round key is for another round.")
            return record

        return ask_each(self.holders, ask, step="making round keys")

    def accepts(self, planned: PlannedRound) -> tuple[SignedRecord, ...]:
        """Every key holder's accept of a manifest.

        Raises:
            RoundError: one refused it; nobody was asked to contribute.
        """
        manifest = planned.record.to_bytes()

        def ask(holder: HolderEndpoint) -> SignedRecord:
            record = SignedRecord.from_bytes(holder.call("/v1/accept", manifest))
            wanted = Accept(holder=holder.number, context=planned.context)
            if Accept.verify(record, holder.identity) != wanted:
                raise WireError("An accept is another key holder's, or for another round.")
            return record

        return ask_each(self.holders, ask, step="accepting the manifest")

    def fetch_entries(self, planned: PlannedRound, scheme: SecureSum, journal: Journal) -> None:
        """Fetch every key holder's noise entry that is not in the journal yet.

        Raises:
            RoundError: one made none, or one that does not hold.
        """
        request = pack_frames(
            [
                planned.context.encode(),
                *(record.to_bytes() for record in (*planned.round_keys, *planned.accepts)),
            ]
        )
        here = {item.upload.sender for item in journal.entries}
        missing = [h for h in self.holders if public_bytes(h.identity) not in here]
        if not missing:
            return

        def ask(holder: HolderEndpoint) -> tuple[Waiting, SealedUpdate]:
            return _entry_of(holder, holder.call("/v1/entry", request), planned, scheme)

        for item, sealed in ask_each(missing, ask, step="adding noise"):
            journal.put(item, sealed)

    def ingest(self, planned: PlannedRound, journal: Journal) -> Counter[str]:
        """Hand every waiting upload to every key holder; drop what one of them excludes.

        Returns how many were excluded, by reason.

        Raises:
            RoundError: a key holder is away, or excludes a key holder's entry.
        """
        items = [*journal.entries, *journal.waiting]
        size = max(1, min(MAX_BATCH, _BATCH_BYTES // max(sealed_sizes(planned.plan).shares)))

        def ask(holder: HolderEndpoint) -> dict[str, str]:
            excluded: dict[str, str] = {}
            for start in range(0, len(items), size):
                some = items[start : start + size]
                excluded |= _hand_over(holder, planned.context, some, journal)
            return excluded

        refused: dict[str, str] = {}
        for each in ask_each(self.holders, ask, step="checking uploads"):
            refused |= each
        counted: Counter[str] = Counter()
        for item in items:
            reason = refused.get(item.upload.hash)
            if reason is None:
                continue
            if item.upload.role is Role.KEY_HOLDER:
                raise RoundError(f"A key holder's noise entry was excluded: {reason}")
            journal.drop(item.upload)
            counted[f"key holders refused: {reason}"] += 1
        return counted

    def votes(
        self, planned: PlannedRound, commit: SignedRecord, upload_list: SignedRecord
    ) -> tuple[SignedRecord, ...]:
        """Every key holder's vote for a list.

        Raises:
            RoundError: one did not vote, or they voted for different lists; nothing was opened.
                The charge is kept.
        """
        request = pack_frames([planned.context.encode(), commit.to_bytes(), upload_list.to_bytes()])

        def ask(holder: HolderEndpoint) -> SignedRecord:
            record = SignedRecord.from_bytes(holder.call("/v1/vote", request))
            vote = Vote.verify(record, holder.identity)
            if (vote.holder, vote.context) != (holder.number, planned.context):
                raise WireError("A vote is another key holder's, or for another round.")
            return record

        records = ask_each(self.holders, ask, step="voting on the list")
        identities = [holder.identity for holder in self.holders]
        check_votes(records, identities, planned.context)
        return records

    def open(self, votes: Sequence[SignedRecord], scheme: SecureSum) -> Opened:
        """Ask every key holder for its part of the sum; two are enough.

        One that signs what can't be a part of this round's sum counts as away.

        Raises:
            RoundError: fewer than two answered; ask again once another is back.
        """
        wanted = release_hash(votes)
        request = pack_frames([vote.to_bytes() for vote in votes])

        def ask(holder: HolderEndpoint) -> tuple[PartSum, bytes]:
            answer = holder.call("/v1/release", request)
            part = part_of(holder, answer, wanted)
            scheme.check_part(part)
            return part, answer

        return opened(ask_all(self.holders, ask), len(self.holders))


def propose(planned: PlannedRound, commit_uploads: Sequence[str], journal: Journal) -> UploadList:
    """The list of a round: the committed uploads and the key holders' entries.

    Raises:
        RoundError: an entry is missing; without it the noise is not what was promised.
    """
    entries = [item.upload.hash for item in journal.entries]
    if len(entries) != HOLDERS:
        raise RoundError(f"{len(entries)} of {HOLDERS} noise entries are here; resume the round.")
    return UploadList(context=planned.context, uploads=tuple(sorted([*commit_uploads, *entries])))


def _entry_of(
    holder: HolderEndpoint, answer: bytes, planned: PlannedRound, scheme: SecureSum
) -> tuple[Waiting, SealedUpdate]:
    """A key holder's noise entry, if it is its own, for this round, and well-formed."""
    frames = unpack_frames(answer, count=2 + HOLDERS, max_frame=_MAX_PART)
    header = SignedRecord.from_bytes(frames[0])
    sealed = sealed_of(header, tuple(frames[2:]), frames[1])
    upload = Upload.parse(header)
    upload.check_sealed(sealed)
    own = (Role.KEY_HOLDER, public_bytes(holder.identity), planned.context, str(scheme.scheme))
    if (upload.role, upload.sender, upload.context, upload.scheme) != own:
        raise RoundError(f"Key holder {holder.number} sent something else than its noise entry.")
    scheme.check(sealed)
    return Waiting(upload=upload, header=header, grants=b"", token_ids=()), sealed


def _hand_over(
    holder: HolderEndpoint, context: str, items: Sequence[Waiting], journal: Journal
) -> dict[str, str]:
    """Give some uploads to one key holder; what it excludes, with its reasons."""
    batch = Batch(
        context=context,
        submissions=tuple(
            Submission(
                header=item.header, grants=item.grants, share=journal.share(item, holder.number)
            )
            for item in items
        ),
    )
    record = SignedRecord.from_bytes(holder.call("/v1/ingest", batch.to_bytes()))
    receipt = Receipt.verify(record, holder.identity)
    if (receipt.holder, receipt.context) != (holder.number, context):
        raise WireError("A receipt is another key holder's, or for another round.")
    excluded = {entry.upload: entry.reason for entry in receipt.excluded}
    answered = {*receipt.acknowledged, *excluded}
    if answered != {item.upload.hash for item in items}:
        raise WireError("A receipt does not answer for each upload of its batch.")
    return excluded
