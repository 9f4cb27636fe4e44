"""Step 6, one upload: is it fit to be acknowledged, and if not, why not.

The checks run in the order of the protocol: length and version; round; signature; role; grants; no
repeats; the envelope's hash; its opening; the pieces' commitments. What does not hold excludes the
upload with one of the reasons below, which say nothing about anything that was decrypted. Only
pieces that are not what their sender committed to blame the sender.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import FedcartError, SealError, WireError
from crypto.grant import ParticipationGrant
from crypto.ingest import Submission
from crypto.keyholder.log.uploads import Seen, Used, marks_of
from crypto.manifest import Manifest
from crypto.sums.pieces.open import CommitmentError, HeldPieces, RoundSecret, open_envelope
from crypto.sums.sizes import SealedSizes
from crypto.upload import Role, Upload


class Reason(StrEnum):
    """Why an upload is excluded; these words stand in signed receipts."""

    HEADER = "its header is malformed or not signed by the key that it names"
    LENGTH = "its sealed vector has another length than this round's"
    ROUND = "its header is for another round or scheme"
    ROLE = "its sender may not take this role"
    OWN_ENTRY = "it is not the entry that this key holder made"
    GRANTS = "its list of grants is not the one that its header signs"
    GRANT = "a grant does not hold for this client and round now"
    REPEATED_GRANT = "a grant or a shopper stands in this round already"
    REPEATED_CLIENT = "its client stands in this round already"
    REPEATED_BYTES = "its commitments or envelopes stand in this round already"
    ENVELOPE = "the share handed over is not the one that its header signs"
    OPENING = "its envelope does not open"
    COMMITMENT = "its pieces are not what its sender committed to"
    CLOSED = "the round takes no more uploads"
    BLAMED = "its sender was blamed for it"
    UNREADABLE = "it can't be read"


class ExcludedError(FedcartError):
    """An upload is left out; ``upload`` is its parsed header where it got that far."""

    def __init__(self, reason: Reason, upload: Upload | None = None) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.upload = upload


@dataclass(frozen=True, kw_only=True)
class OpenRound:
    """All that judging an upload needs to know of its round.

    Attributes:
        holder: this key holder's number.
        entry: hash of its own noise entry; None as long as it has made none.
        holders: the three identities as raw bytes, with their numbers.
        consent: the key that signs grants.
    """

    holder: int
    context: str
    manifest: Manifest
    sizes: SealedSizes
    length: int
    key_hash: str
    secret: RoundSecret
    entry: str | None
    holders: Mapping[bytes, int]
    consent: Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An upload that may be acknowledged."""

    upload: Upload
    grants: tuple[Used, ...]
    share: bytes
    held: HeldPieces


def judge(submission: Submission, facts: OpenRound, seen: Seen, *, now: int) -> Judged:
    """Check one upload against its round and everything that was acknowledged in it.

    Raises:
        ExcludedError: it does not hold; nothing was written.
    """
    upload = _parse(submission, facts)
    _check_role(upload, facts)
    grants = _grants(upload, submission.grants, facts, now)
    _check_repeats(upload, grants, seen)
    try:
        upload.check_share(facts.holder, submission.share)
    except WireError as error:
        raise ExcludedError(Reason.ENVELOPE) from error
    held = open_share(upload.sender, upload.commitments, submission.share, facts, upload)
    return Judged(upload=upload, grants=grants, share=submission.share, held=held)


def open_share(
    sender: bytes,
    commitments: tuple[str, ...],
    share: bytes,
    facts: OpenRound,
    upload: Upload | None = None,
) -> HeldPieces:
    """Open one envelope and check its pieces.

    Raises:
        ExcludedError: it does not open, or not to what its sender committed to.
    """
    first, second, third = commitments
    try:
        return open_envelope(
            share,
            holder=facts.holder,
            context=facts.context,
            secret=facts.secret,
            record_hash=facts.key_hash,
            sender=sender,
            length=facts.length,
            commitments=(first, second, third),
        )
    except CommitmentError as error:
        raise ExcludedError(Reason.COMMITMENT, upload) from error
    except SealError as error:
        raise ExcludedError(Reason.OPENING) from error


def _parse(submission: Submission, facts: OpenRound) -> Upload:
    if len(submission.share) != facts.sizes.shares[facts.holder - 1]:
        raise ExcludedError(Reason.LENGTH)
    try:
        upload = Upload.parse(submission.header)
    except WireError as error:
        raise ExcludedError(Reason.HEADER) from error
    if (upload.context, upload.scheme) != (facts.context, facts.manifest.scheme):
        raise ExcludedError(Reason.ROUND)
    if upload.length != facts.sizes.total:
        raise ExcludedError(Reason.LENGTH)
    return upload


def _check_role(upload: Upload, facts: OpenRound) -> None:
    number = facts.holders.get(upload.sender)
    if (upload.role is Role.KEY_HOLDER) != (number is not None):
        raise ExcludedError(Reason.ROLE)
    if number == facts.holder and upload.hash != facts.entry:
        raise ExcludedError(Reason.OWN_ENTRY)


def _grants(upload: Upload, packed: bytes, facts: OpenRound, now: int) -> tuple[Used, ...]:
    try:
        tokens = upload.tokens(packed)
    except WireError as error:
        raise ExcludedError(Reason.GRANTS) from error
    used = tuple(_grant(token, upload, facts, now) for token in tokens)
    for values in ({each.token_id for each in used}, {each.subject for each in used}):
        if len(values) != len(used):
            raise ExcludedError(Reason.REPEATED_GRANT)
    return used


def _grant(token: str, upload: Upload, facts: OpenRound, now: int) -> Used:
    try:
        grant = ParticipationGrant.verify(
            token,
            facts.consent,
            task=facts.manifest.task,
            context=facts.context,
            client_key=upload.client,
            now=now,
        )
    except WireError as error:
        raise ExcludedError(Reason.GRANT) from error
    if grant.round_id != facts.manifest.round_id:
        raise ExcludedError(Reason.GRANT)
    return Used(token_id=grant.token_id, subject=grant.subject)


def _check_repeats(upload: Upload, grants: tuple[Used, ...], seen: Seen) -> None:
    for grant in grants:
        if grant.token_id in seen.used or grant.subject in seen.subjects:
            raise ExcludedError(Reason.REPEATED_GRANT)
    if upload.client in seen.clients:
        raise ExcludedError(Reason.REPEATED_CLIENT)
    marks = marks_of(upload)
    if len(set(marks)) != len(marks) or not seen.marks.isdisjoint(marks):
        raise ExcludedError(Reason.REPEATED_BYTES)
