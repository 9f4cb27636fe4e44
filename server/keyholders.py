"""The coordinator's line to a key holder: ask, and believe only what its pinned identity signed."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.errors import RoundError, SealError, WireError
from crypto.opening import MEDIA_TYPE

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class HolderEndpoint:
    """Where a key holder answers and which identity is pinned for it."""

    number: int
    http: httpx.Client
    identity: Ed25519PublicKey

    def call(self, path: str, content: bytes) -> bytes:
        """Post bytes and return the bytes that come back, unchecked.

        Raises:
            RoundError: it refused, with its reason.
            httpx.HTTPError: it is away.
        """
        answer = self.http.post(path, content=content, headers={"content-type": MEDIA_TYPE})
        if answer.status_code != httpx.codes.OK:
            raise RoundError(
                f"key holder {self.number} refused ({answer.status_code}): {answer.text[:500]}"
            )
        return answer.content


@dataclass(frozen=True, kw_only=True)
class Answers(Generic[T]):
    """What key holders answered, in their order, and why the others did not."""

    found: dict[int, T]
    refusals: dict[int, str]


def ask_all(holders: Sequence[HolderEndpoint], ask: Callable[[HolderEndpoint], T]) -> Answers[T]:
    """Ask every key holder at once; one that is away, refuses or makes no sense stops nobody."""
    found, refusals = dict[int, T](), dict[int, str]()
    with ThreadPoolExecutor(len(holders)) as pool:
        asked = {holder.number: pool.submit(ask, holder) for holder in holders}
        for number, future in asked.items():
            try:
                found[number] = future.result()
            except (httpx.HTTPError, WireError, RoundError, SealError) as error:
                refusals[number] = f"{type(error).__name__}: {error}"
    return Answers(found=found, refusals=refusals)


def ask_each(
    holders: Sequence[HolderEndpoint], ask: Callable[[HolderEndpoint], T], *, step: str
) -> tuple[T, ...]:
    """Ask every key holder at once and get every answer, in their order.

    Raises:
        RoundError: one did not answer this step of the round; the message says which and why.
    """
    answers = ask_all(holders, ask)
    if answers.refusals:
        raise RoundError(
            f"{len(answers.found)} of {len(holders)} key holders took part in {step}, all are "
            f"needed; nothing was released. The others: {answers.refusals}. Start the missing "
            "ones and resume the round, or plan a new one if its time is over."
        )
    return tuple(answers.found[holder.number] for holder in holders)
