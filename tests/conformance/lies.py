"""Parties that do not play by the rules: a coordinator that tells everybody something else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.outbox import Contribution
from crypto.ballot import UploadList
from crypto.commit import Commit
from crypto.errors import RoundError
from crypto.ingest import Batch, Receipt, Submission
from crypto.manifest import context_of
from crypto.opening import encode_part
from crypto.update import PartSum
from crypto.wire import SignedRecord, get_str, pack_frames, parse_object, unpack_frames
from server.keyholders import HolderEndpoint
from tests.conformance.holders import NUMBERS, Holder
from tests.conformance.rounds import World
from tests.unit.crypto.samples import signer

_MAX_FRAME: Final = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """A round that stands right before its vote, and a coordinator that may propose anything.

    ``commit`` and ``proposal`` are the honest ones.
    """

    world: World
    round_id: str
    record: SignedRecord
    commit: SignedRecord
    proposal: SignedRecord

    @classmethod
    def reach(cls, world: World, round_id: str, *args: Any, **fields: Any) -> "Ballot":
        """Run a round up to its vote; see ``World.run``."""
        for number in NUMBERS:
            world.holders[number].dies_before("/v1/vote")
        with pytest.raises(RoundError, match="0 of 3 key holders took part in voting"):
            world.run(round_id, *args, **fields)
        world.restart()
        return cls(
            world=world,
            round_id=round_id,
            record=world.record(round_id, "manifest.json"),
            commit=world.record(round_id, "commit.json"),
            proposal=world.record(round_id, "list.json"),
        )

    @property
    def context(self) -> str:
        return context_of(self.record)

    @property
    def committed(self) -> Commit:
        return Commit.verify(self.commit, self.world.stage.service_key)

    @property
    def clients(self) -> list[str]:
        """The uploads of clients, as they stand in the list."""
        return [each.upload for each in self.committed.uploads]

    @property
    def entries(self) -> list[str]:
        """The key holders' entries, in no order."""
        listed = UploadList.verify(self.proposal, signer("coordinator").public_key())
        return sorted(set(listed.uploads) - set(self.clients))

    def list_of(self, uploads: Sequence[str]) -> SignedRecord:
        """Another list that the coordinator signs."""
        listed = UploadList(context=self.context, uploads=tuple(sorted(uploads)))
        return listed.sign(signer("coordinator"))

    def commit_of(self, *, key: Ed25519PrivateKey | None = None, **changes: object) -> SignedRecord:
        """Another list of the consent service, signed by it unless somebody else does."""
        signing = key or self.world.stage.context.key
        return replace(self.committed, **changes).sign(signing)  # type: ignore[arg-type]

    def vote(
        self,
        number: int,
        proposal: SignedRecord | None = None,
        *,
        commit: SignedRecord | None = None,
    ) -> SignedRecord:
        """Ask one key holder for its vote.

        Raises:
            RoundError: it refused.
        """
        records = (commit or self.commit, proposal or self.proposal)
        frames = [self.context.encode(), *(each.to_bytes() for each in records)]
        endpoint = self.world.federation.holders[number - 1]
        return SignedRecord.from_bytes(endpoint.call("/v1/vote", pack_frames(frames)))

    def ingest(self, number: int, made: Contribution) -> Receipt:
        """Hand one more upload to one key holder."""
        share = made.sealed.shares[number - 1]
        submission = Submission(header=made.header, grants=made.grants, share=share)
        batch = Batch(context=self.context, submissions=(submission,))
        endpoint = self.world.federation.holders[number - 1]
        answer = endpoint.call("/v1/ingest", batch.to_bytes())
        return Receipt.verify(SignedRecord.from_bytes(answer), endpoint.identity)

    def release(self, number: int, votes: Sequence[SignedRecord]) -> bytes:
        """Ask one key holder for its part of the sum.

        Raises:
            RoundError: it refused.
        """
        frames = pack_frames([vote.to_bytes() for vote in votes])
        return self.world.federation.holders[number - 1].call("/v1/release", frames)


class _Altered(httpx.BaseTransport):
    """The line to a key holder that signs another part sum than it opened."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._holder.handle_request(request)
        if (
            request.url.path not in {"/v1/release", "/v1/open"}
            or answer.status_code != httpx.codes.OK
        ):
            return answer
        record, data = unpack_frames(answer.content, count=2, max_frame=_MAX_FRAME)
        body = parse_object(SignedRecord.from_bytes(record).body, what="part")
        values = np.frombuffer(data, dtype="<i8").astype(np.int64)
        values[0] += 1
        part = PartSum(holder=self._holder.number, context=get_str(body, "context"), values=values)
        signed = encode_part(part, get_str(body, "request"), self._holder.me.identity)
        return httpx.Response(httpx.codes.OK, content=signed)


def lying(endpoint: HolderEndpoint, holder: Holder) -> HolderEndpoint:
    """The same key holder, with one value of its part sum another and all of it well signed."""
    return replace(
        endpoint, http=httpx.Client(transport=_Altered(holder), base_url=endpoint.http.base_url)
    )
