"""The coordinator's side of the key holders: ask all, need two, believe only signed answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import RoundError, WireError
from crypto.opening import MEDIA_TYPE, OpenRequest, decode_part
from crypto.sums.interface import THRESHOLD
from crypto.update import PartSum, SealedSum
from crypto.wire import SignedRecord


@dataclass(frozen=True, kw_only=True)
class HolderEndpoint:
    """Where a key holder answers and which identity is pinned for it."""

    number: int
    http: httpx.Client
    identity: Ed25519PublicKey


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Part sums of those that answered, and why the others did not."""

    parts: tuple[PartSum, ...]
    refusals: dict[int, str]


def open_sum(
    total: SealedSum,
    *,
    manifest: SignedRecord,
    commit: SignedRecord,
    holders: Sequence[HolderEndpoint],
) -> Opened:
    """Ask every key holder for its part of a sum.

    One that is away or refuses changes nothing as long as two answer; asking again after a crash
    yields the same parts, because a key holder repeats its answer to the same request.

    Raises:
        RoundError: fewer than two answered; nothing was released.
    """
    parts, refusals = [], {}
    for holder in holders:
        request = OpenRequest(
            manifest=manifest, commit=commit, share=total.shares[holder.number - 1]
        )
        try:
            parts.append(_ask(holder, request))
        except (httpx.HTTPError, WireError, RoundError) as error:
            refusals[holder.number] = f"{type(error).__name__}: {error}"
    if len(parts) < THRESHOLD:
        raise RoundError(
            f"{len(parts)} of {len(holders)} key holders opened their part, {THRESHOLD} are "
            f"needed; nothing was released. Their answers: {refusals}. Start the missing ones and "
            "resume the round."
        )
    return Opened(parts=tuple(parts), refusals=refusals)


def _ask(holder: HolderEndpoint, request: OpenRequest) -> PartSum:
    headers = {"content-type": MEDIA_TYPE}
    answer = holder.http.post("/v1/open", content=request.to_bytes(), headers=headers)
    if answer.status_code != httpx.codes.OK:
        raise RoundError(
            f"key holder {holder.number} refused ({answer.status_code}): {answer.text[:500]}"
        )
    part = decode_part(answer.content, request_hash=request.hash, identity=holder.identity)
    if part.holder != holder.number:
        raise WireError(f"Key holder {holder.number} signed as number {part.holder}.")
    return part
