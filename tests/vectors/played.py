"""One whole round by compact sum, played with fixed keys: two clients, three key holders."""

from dataclasses import dataclass

import numpy as np

from crypto.acceptance import Accept
from crypto.ballot import NO_VOTE, UploadList, Vote, release_hash
from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import PrivacyPlan
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants
from crypto.ingest import Batch, Exclusion, Receipt, Submission
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.opening import encode_part
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.sealing import pieced_sum
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import HOLDERS
from crypto.update import IntArray, PartSum, SealedUpdate
from crypto.upload import Role, Upload, sign_upload
from crypto.wire import SignedRecord, digest, thumbprint
from tests.vectors.document import Document
from tests.vectors.keys import round_secret, signer, stream
from tests.vectors.sealing import Place, seal
from tests.vectors.sums import part_sums

OPENS, CLOSES = 1_800_000_000, 1_800_003_600
NOW = OPENS + 60
POPULATION, TASK, ROUND = "example-federation", "popularity", "popularity-1"
NUMBERS = range(1, HOLDERS + 1)
CLIENTS = {"client-1": 1, "client-2": 3}  # and how many shoppers each stands for
ENTRIES = tuple(f"key-holder-{number}" for number in NUMBERS)
PLAN = PrivacyPlan(
    dimension=12,
    clipping_norm=1.0,
    noise_multiplier=1.0,
    min_clients=2,
    max_clients=10,
    max_shoppers=20,
    max_colluders=1,
    delta=1e-6,
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One upload of the round."""

    name: str
    values: IntArray
    tokens: tuple[str, ...]
    sealed: SealedUpdate
    header: SignedRecord

    @property
    def grants(self) -> bytes:
        """Packed."""
        return pack_grants(self.tokens)


@dataclass(frozen=True, kw_only=True)
class Played:
    """The round with everything that was sent in it."""

    request: SignedRecord
    keys: tuple[SignedRecord, ...]
    manifest: SignedRecord
    accepts: tuple[SignedRecord, ...]
    uploads: tuple[Sent, ...]
    scheme: SecureSum
    place: Place

    @property
    def context(self) -> str:
        """Of the manifest."""
        return self.place.context

    @property
    def invitation(self) -> Invitation:
        """What clients are sent."""
        return Invitation(manifest=self.manifest, round_keys=self.keys, accepts=self.accepts)

    def batch(self, holder: int) -> Batch:
        """What a key holder is handed."""
        return Batch(
            context=self.context,
            submissions=tuple(
                Submission(header=s.header, grants=s.grants, share=s.sealed.shares[holder - 1])
                for s in self.uploads
            ),
        )

    def receipt(self, holder: int) -> SignedRecord:
        """What it signs for that batch, and for two uploads that nobody sent here."""
        receipt = Receipt(
            holder=holder,
            context=self.context,
            acknowledged=tuple(sent.header.hash for sent in self.uploads),
            excluded=(
                Exclusion(upload="11" * 32, reason="its envelope does not open", blamed=False),
                Exclusion(
                    upload="22" * 32,
                    reason="its pieces are not what its sender committed to",
                    blamed=True,
                ),
            ),
        )
        return receipt.sign(signer(f"key-holder-{holder}"))

    @property
    def commit(self) -> SignedRecord:
        """The consent service's list."""
        entries = [
            CommittedUpload(
                upload=sent.header.hash,
                client=Upload.parse(sent.header).client,
                shoppers=len(sent.tokens),
            )
            for sent in self.uploads
            if sent.tokens
        ]
        return Commit(
            task=TASK,
            round_id=ROUND,
            context=self.context,
            uploads=tuple(sorted(entries)),
            committed_at=1000 * CLOSES,
        ).sign(signer("consent"))

    @property
    def listed(self) -> UploadList:
        """The coordinator's list."""
        hashes = sorted(sent.header.hash for sent in self.uploads)
        return UploadList(context=self.context, uploads=tuple(hashes))

    @property
    def votes(self) -> tuple[SignedRecord, ...]:
        """One of each key holder."""
        return tuple(
            Vote(
                holder=number,
                context=self.context,
                list_hash=self.listed.hash,
                sequence=1,
                previous=NO_VOTE,
            ).sign(signer(f"key-holder-{number}"))
            for number in NUMBERS
        )

    @property
    def parts(self) -> list[PartSum]:
        """What each key holder adds over the list."""
        sealed = [sent.sealed for sent in self.uploads]
        return part_sums(sealed, tuple(sent.name for sent in self.uploads), self.place)

    def part(self, holder: int) -> bytes:
        """A key holder's answer to the three votes."""
        key = signer(f"key-holder-{holder}")
        return encode_part(self.parts[holder - 1], release_hash(self.votes), key)


def play(stored: Document) -> Played:
    """The round; ``stored`` is the file that holds its envelopes."""
    request = RoundKeyRequest(
        population=POPULATION, task=TASK, round_id=ROUND, opens=OPENS, closes=CLOSES
    ).sign(signer("coordinator"))
    keys = tuple(_round_key(number) for number in NUMBERS)
    manifest = _manifest(keys)
    context = context_of(manifest)
    place = Place(context, tuple(key.hash for key in keys), 2048)
    scheme = pieced_sum(PLAN, context, place.keys)
    kept = {each["sender"]: each["envelopes_b64"] for each in stored.get("uploads", [])}
    uploads = tuple(_sent(name, scheme, place, kept.get(name, [])) for name in (*CLIENTS, *ENTRIES))
    return Played(
        request=request,
        keys=keys,
        manifest=manifest,
        accepts=tuple(
            Accept(holder=number, context=context).sign(signer(f"key-holder-{number}"))
            for number in NUMBERS
        ),
        uploads=uploads,
        scheme=scheme,
        place=place,
    )


def _round_key(number: int) -> SignedRecord:
    key = RoundKey(
        holder=number,
        population=POPULATION,
        task=TASK,
        round_id=ROUND,
        public=round_secret(number).public,
        not_before=OPENS,
        not_after=CLOSES,
    )
    return key.sign(signer(f"key-holder-{number}"))


def _manifest(keys: tuple[SignedRecord, ...]) -> SignedRecord:
    return Manifest(
        population=POPULATION,
        task=TASK,
        round_id=ROUND,
        parameters={"items": 12},
        catalogue=digest("catalogue", b"of the vectors").hex(),
        plan=PLAN,
        # Stated a little above the plan's cost, so that no library's last digit stands in a file.
        epsilon=round(PLAN.round_epsilon() + 0.01, 2),
        purposes=("train-shared-models",),
        categories=("purchases",),
        key_hashes=tuple(key.hash for key in keys),
        unpaired_devices=True,
        opens=OPENS,
        closes=CLOSES,
    ).sign(signer("coordinator"))


def _sent(name: str, scheme: SecureSum, place: Place, stored: list[str]) -> Sent:
    values = stream(f"values {name}").below(2001, PLAN.padded_dimension) - 1000
    sealed = seal(scheme, values.astype(np.int64), name, place, stored)
    tokens = tuple(grant(name, k, place.context) for k in range(CLIENTS.get(name, 0)))
    role = Role.CLIENT if tokens else Role.KEY_HOLDER
    header = sign_upload(sealed, tokens, signer(name), role=role)
    return Sent(name=name, values=values, tokens=tokens, sealed=sealed, header=header)


def grant(name: str, number: int, context: str) -> str:
    """A grant of one of a client's shoppers."""
    return ParticipationGrant(
        issuer="consent.example",
        task=TASK,
        round_id=ROUND,
        context=context,
        subject=f"subject-{name}-{number}",
        token_id=f"grant-{name}-{number}",
        client_key=thumbprint(signer(name).public_key()),
        purposes=("train-shared-models",),
        categories=("purchases",),
        notice_version="2026-11",
        epoch=1,
        issued_at=OPENS,
        expires_at=OPENS + 600,
    ).sign(signer("consent"))
