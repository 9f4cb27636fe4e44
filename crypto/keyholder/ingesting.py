"""Step 6: taking uploads, batch by batch, and signing what was taken.

A batch is one transaction: envelopes reach the disk, then the log (grant to header, for ever),
then the receipt is signed. Taking the same header again changes nothing. Nothing that was
decrypted is in a receipt or in the log.
"""

import logging
import sqlite3
from dataclasses import dataclass, field

from crypto.errors import RoundError
from crypto.ingest import Batch, Exclusion, Receipt, Submission
from crypto.keyholder.deadlines import INGEST_GRACE_S
from crypto.keyholder.desk import Desk
from crypto.keyholder.judging import ExcludedError, Judged, OpenRound, Reason, judge
from crypto.keyholder.log import rounds, uploads
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.log.uploads import Blame
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
    work = _Work(desk=desk, row=row, facts=facts, now=now)
    with desk.log.transaction() as log:
        for submission in batch.submissions:
            work.take(submission, log)
        work.write()
    desk.log.reached(PersistPoint.ACKNOWLEDGEMENTS)
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
    now: int
    judged: list[Judged] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    end: int | None = None
    start: int = 0

    def take(self, submission: Submission, log: sqlite3.Connection) -> None:
        """Acknowledge an upload within the batch's transaction, or exclude it."""
        context, upload = self.row.context or "", submission.header.hash
        if uploads.is_known(log, context, upload):
            self.acknowledged.append(upload)
            return
        try:
            self._enter(self._judge(submission, log), log)
        except ExcludedError as error:
            self._exclude(submission, error, log)

    def _judge(self, submission: Submission, log: sqlite3.Connection) -> Judged:
        if self.facts is None:
            raise ExcludedError(Reason.CLOSED)
        if uploads.is_blamed(log, self.facts.context, submission.header.hash):
            raise ExcludedError(Reason.BLAMED)
        try:
            return judge(submission, self.facts, log, now=self.now)
        except (ExcludedError, sqlite3.Error):
            raise
        except Exception as error:
            # Foreign bytes that trip a parser in a new way exclude their own upload alone.
            _logger.error("an upload tripped a parser: %s", type(error).__name__)  # noqa: TRY400
            raise ExcludedError(Reason.UNREADABLE) from error

    def _enter(self, judged: Judged, log: sqlite3.Connection) -> None:
        if self.end is None:
            self.start = self.end = uploads.end_of(log, judged.upload.context)
        size = len(judged.share)
        uploads.enter(log, judged.upload, judged.grants, start=self.end, length=size)
        self.end += size
        self.judged.append(judged)
        self.acknowledged.append(judged.upload.hash)

    def _exclude(
        self, submission: Submission, error: ExcludedError, log: sqlite3.Connection
    ) -> None:
        upload, context = submission.header.hash, self.row.context or ""
        blamed = error.upload is not None or error.reason is Reason.BLAMED
        if error.upload is not None:
            record = Blame(
                context=context,
                upload=upload,
                client=error.upload.client,
                role=error.upload.role,
                reason=error.reason,
                header=submission.header.to_bytes(),
                blamed_at=self.now,
            )
            uploads.blame(log, record)
        uploads.count_exclusion(log, context, error.reason)
        self.excluded.append(Exclusion(upload=upload, reason=error.reason, blamed=blamed))

    def write(self) -> None:
        """Put the envelopes on disk, before the log says that they are there."""
        if self.judged:
            files = self.desk.files(self.row.key_hash)
            files.append_envelopes([judged.share for judged in self.judged], at=self.start)
            self.desk.log.reached(PersistPoint.ENVELOPES)
