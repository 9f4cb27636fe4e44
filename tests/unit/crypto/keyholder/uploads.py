"""Rounds and uploads of the voted schemes: honest ones, to be spoilt one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.ballot import UploadList
from crypto.dp.plan import PrivacyPlan
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants
from crypto.ingest import Submission
from crypto.manifest import Manifest, context_of
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, public_bytes, thumbprint, unpack_frames
from tests.unit.crypto.samples import generator, noised, plan, signer

IntArray = npt.NDArray[np.int64]


def piece_plan(**changes: Any) -> PrivacyPlan:
    fields: dict[str, Any] = {
        "scheme": Scheme.PIECE_SUM,
        "min_clients": 3,
        "max_clients": 6,
        "max_colluders": 0,
        "noise_multiplier": 2.0,
    }
    return plan(**(fields | changes))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One upload: what a client sent, or a key holder's entry."""

    header: SignedRecord
    sealed: SealedUpdate
    grants: bytes
    shoppers: int
    values: IntArray | None = None

    @property
    def upload(self) -> Upload:
        return Upload.parse(self.header)

    def to(self, number: int) -> Submission:
        share = self.sealed.shares[number - 1]
        return Submission(header=self.header, grants=self.grants, share=share)


@dataclass(frozen=True, kw_only=True)
class VotingRound:
    """A round that three key holders have accepted."""

    manifest: Manifest
    record: SignedRecord
    keys: tuple[SignedRecord, ...]
    accepts: tuple[SignedRecord, ...]
    scheme: SecureSum

    @property
    def context(self) -> str:
        return context_of(self.record)

    @property
    def plan(self) -> PrivacyPlan:
        return self.manifest.plan


def list_of(context: str, sent: Sequence[Sent]) -> UploadList:
    return UploadList(context=context, uploads=tuple(sorted(each.header.hash for each in sent)))


def entry_of(made: VotingRound, data: bytes) -> Sent:
    header, body, *shares = unpack_frames(data, count=5, max_frame=1 << 28)
    record = SignedRecord.from_bytes(header)
    upload = Upload.parse(record)
    sealed = SealedUpdate(
        scheme=made.scheme.scheme,
        context=made.context,
        shares=tuple(shares),
        body=body,
        commitments=upload.commitments,
    )
    upload.check_sealed(sealed)
    made.scheme.check(sealed)
    return Sent(header=record, sealed=sealed, grants=b"", shoppers=0)


def grant_for(made: VotingRound, key: Ed25519PrivateKey, label: str, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "issuer": "consent.test",
        "task": made.manifest.task,
        "round_id": made.manifest.round_id,
        "context": made.context,
        "subject": f"subject {label}",
        "token_id": f"token {label} {made.context}",
        "client_key": thumbprint(key.public_key()),
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "notice_version": "1",
        "epoch": 1,
        "issued_at": made.manifest.opens,
        "expires_at": made.manifest.opens + 600,
    }
    return ParticipationGrant(**(fields | changes)).sign(signer("consent"))


def client_upload(
    made: VotingRound,
    name: str,
    *,
    shoppers: int = 1,
    values: IntArray | None = None,
    tokens: Sequence[str] | None = None,
    sealed: SealedUpdate | None = None,
) -> Sent:
    """An honest client's upload, unless told otherwise."""
    key = signer(name)
    vector = generator(name).below(2001, made.plan.padded_dimension) - 1000
    if values is not None:
        vector = values
    if sealed is None:
        sender, rng = public_bytes(key.public_key()), generator(f"seal {name}")
        sealed = made.scheme.seal(noised(vector, shoppers=shoppers), sender=sender, rng=rng)
    if tokens is None:
        tokens = [grant_for(made, key, f"{name}/{number}") for number in range(shoppers)]
    header = sign_upload(sealed, tokens, key)
    return Sent(
        header=header,
        sealed=sealed,
        grants=pack_grants(tokens),
        shoppers=len(tokens),
        values=vector,
    )
