"""Step 6: taking uploads, batch by batch, and signing what was taken.

A batch is one transaction: envelopes reach the disk, then the log (grant to header, for ever),
then the receipt is signed. Taking the same header again changes nothing. Nothing that was
decrypted is in a receipt or in the log.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto.errors import RoundError
from crypto.ingest import Batch, Exclusion, Receipt, Submission
from crypto.keyholder.deadlines import INGEST_GRACE_S
from crypto.keyholder.desk import Desk
from crypto.keyholder.judging import ExcludedError, Judged, OpenRound, Reason, judge
from crypto.keyholder.log import rounds, uploads
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.log.uploads import Blame, Seen, Taken
from crypto.manifest import Manifest
from crypto.sums.pieces.length import piece_length
from crypto.sums.sizes import sealed_sizes
from crypto.wire import public_bytes

_logger = logging.getLogger("fedcart.keyholder")


def ingest(desk: Desk, batch: Batch, *, now: int) -> bytes:
    """The signed receipt for a batch, as a record's bytes.

    Raises:
        RoundError: the round is not accepted here, not open yet, or aborted.
        BudgetError: the disk says no; nothing was acknowledged.
    """
    with desk.log.reading() as db:
        row = rounds.of_context(db, batch.context)
    if row is None or row.state is State.ABORTED:
        raise RoundError("This round is not accepted here, or was aborted.")
    if now < row.opens:
        raise RoundError(f"This round opens in {row.opens - now} s.")
    taking = row.state is State.ACCEPTED and now < row.closes + INGEST_GRACE_S
    facts = open_round(desk, row) if taking else None
    seen = desk.seen(row)
    work = _Work(desk=desk, row=row, facts=facts, seen=seen, now=now)
    try:
        for submission in batch.submissions:
            work.take(submission)
        work.write()
    except BaseException:
        # What was seen in a batch that was not acknowledged may come again.
        desk.let_go(row.key_hash)
        raise
    for judged in work.judged:
        desk.keep(row, judged.upload.hash, judged.held)
    receipt = Receipt(
        holder=desk.holder.number,
        context=batch.context,
        acknowledged=tuple(work.acknowledged),
        excluded=tuple(work.excluded),
    )
    return receipt.sign(desk.holder.identity).to_bytes()


def open_round(desk: Desk, row: RoundRow) -> OpenRound:
    """What judging uploads of an accepted round needs.

    Raises:
        RoundError: the round's secret is not here.
    """
    manifest = Manifest.verify(row.manifest_record, desk.holder.pins.coordinator)
    plan = manifest.plan
    return OpenRound(
        holder=desk.holder.number,
        context=row.context or "",
        manifest=manifest,
        sizes=sealed_sizes(plan),
        length=piece_length(plan.scheme, plan.padded_dimension, plan.layout),
        key_hash=row.key_hash,
        secret=desk.opened(row).secret,
        entry=row.entry,
        holders={public_bytes(each.identity): each.number for each in desk.holder.parties()},
        consent=desk.holder.pins.consent,
    )


@dataclass(kw_only=True)
class _Work:
    """One batch on its way; ``facts`` is None once the round takes no more uploads."""

    desk: Desk
    row: RoundRow
    facts: OpenRound | None
    seen: Seen
    now: int
    judged: list[Judged] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    blames: list[Blame] = field(default_factory=list)

    def take(self, submission: Submission) -> None:
        """Take an upload to be acknowledged with the batch, or exclude it."""
        upload = submission.header.hash
        try:
            if upload not in self.seen.uploads:
                judged = self._judge(submission)
                self.judged.append(judged)
                self.seen.add(judged.upload, judged.grants)
            self.acknowledged.append(upload)
        except ExcludedError as error:
            self._exclude(submission, error)

    def _judge(self, submission: Submission) -> Judged:
        if self.facts is None:
            raise ExcludedError(Reason.CLOSED)
        if submission.header.hash in self.seen.blamed:
            raise ExcludedError(Reason.BLAMED)
        try:
            return judge(submission, self.facts, self.seen, now=self.now)
        except ExcludedError:
            raise
        except Exception as error:
            # Foreign bytes that trip a parser in a new way exclude their own upload alone.
            _logger.error("an upload tripped a parser: %s", type(error).__name__)  # noqa: TRY400
            raise ExcludedError(Reason.UNREADABLE) from error

    def _exclude(self, submission: Submission, error: ExcludedError) -> None:
        upload = submission.header.hash
        if error.upload is not None:
            record = Blame(
                context=self.row.context or "",
                upload=upload,
                client=error.upload.client,
                role=error.upload.role,
                reason=error.reason,
                header=submission.header.to_bytes(),
                blamed_at=self.now,
            )
            self.blames.append(record)
            self.seen.blamed.add(upload)
        blamed = upload in self.seen.blamed
        self.excluded.append(Exclusion(upload=upload, reason=error.reason, blamed=blamed))

    def write(self) -> None:
        """Envelopes to disk, then the log in one transaction."""
        if not self.judged and not self.excluded:
            return
        context = self.row.context or ""
        with self.desk.log.transaction() as log:
            taken = _placed(self.judged, uploads.end_of(log, context))
            if taken:
                files = self.desk.files(self.row.key_hash)
                shares = [judged.share for judged in self.judged]
                files.append_envelopes(shares, at=taken[0].start)
                self.desk.log.reached(PersistPoint.ENVELOPES)
            uploads.enter(log, taken)
            for record in self.blames:
                uploads.blame(log, record)
            for excluded in self.excluded:
                uploads.count_exclusion(log, context, excluded.reason)
        self.desk.log.reached(PersistPoint.ACKNOWLEDGEMENTS)


def _placed(judged: Sequence[Judged], start: int) -> list[Taken]:
    taken = []
    for each in judged:
        length = len(each.share)
        taken.append(Taken(upload=each.upload, grants=each.grants, start=start, length=length))
        start += length
    return taken
