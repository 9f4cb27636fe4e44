"""Opening a share sum: ask all key holders, need two, believe only signed answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto.errors import WireError
from crypto.opening import OpenRequest, decode_part
from crypto.sums.interface import SecureSum
from crypto.sums.schemes import THRESHOLD
from crypto.update import PartSum, SealedSum
from crypto.wire import SignedRecord
from server.keyholders import Answers, HolderEndpoint, HoldersError, ask_all


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Part sums of those that answered, as signed, and why the others did not."""

    parts: tuple[PartSum, ...]
    signed: tuple[bytes, ...]
    refusals: dict[int, str]


def open_sum(
    total: SealedSum,
    *,
    manifest: SignedRecord,
    commit: SignedRecord,
    holders: Sequence[HolderEndpoint],
    scheme: SecureSum,
) -> Opened:
    """Ask every key holder for its part of a sum.

    One that is away, refuses or signs what can't be a part of this round's sum changes nothing as
    long as two answer; asking again after a crash yields the same parts, because a key holder
    repeats its answer to the same request.

    Raises:
        RoundError: fewer than two answered; nothing was released.
    """

    def ask(holder: HolderEndpoint) -> tuple[PartSum, bytes]:
        share = total.shares[holder.number - 1]
        request = OpenRequest(manifest=manifest, commit=commit, share=share)
        answer = holder.call("/v1/open", request.to_bytes())
        part = part_of(holder, answer, request.hash)
        scheme.check_part(part)
        return part, answer

    return opened(ask_all(holders, ask), len(holders))


def part_of(holder: HolderEndpoint, answer: bytes, request_hash: str) -> PartSum:
    """The part sum that a key holder signed for a request.

    Raises:
        WireError: malformed, another key holder's, or for another request.
    """
    part = decode_part(answer, request_hash=request_hash, identity=holder.identity)
    if part.holder != holder.number:
        raise WireError(f"Key holder {holder.number} signed as number {part.holder}.")
    return part


def opened(answers: Answers[tuple[PartSum, bytes]], holders: int) -> Opened:
    """The parts, if there are enough.

    Raises:
        HoldersError: fewer than two answered; nothing was released.
    """
    if len(answers.found) < THRESHOLD:
        raise HoldersError(
            f"{len(answers.found)} of {holders} key holders opened their part, {THRESHOLD} are "
            f"needed; nothing was released. Their answers: {answers.refusals}. Start the missing "
            "ones and resume the round.",
            refused=answers.refused,
        )
    ordered = [answers.found[number] for number in sorted(answers.found)]
    return Opened(
        parts=tuple(part for part, _ in ordered),
        signed=tuple(signed for _, signed in ordered),
        refusals=answers.refusals,
    )
