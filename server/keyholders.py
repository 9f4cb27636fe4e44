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


class HolderRefusedError(RoundError):
    """A key holder answered, and its answer is no."""


class HoldersError(RoundError):
    """Too few key holders took part; ``refused`` are the numbers of those that said no."""

    def __init__(self, message: str, *, refused: frozenset[int] = frozenset()) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, kw_only=True)
class HolderEndpoint:
    """Where a key holder answers and which identity is pinned for it."""

    number: int
    http: httpx.Client
    identity: Ed25519PublicKey

    def call(self, path: str, content: bytes) -> bytes:
        """Post bytes and return the bytes that come back, unchecked.

        Raises:
            HolderRefusedError: it refused, with its reason.
            RoundError: it stumbled.
            httpx.HTTPError: it is away.
        """
        answer = self.http.post(path, content=content, headers={"content-type": MEDIA_TYPE})
        if answer.status_code != httpx.codes.OK:
            kind = HolderRefusedError if answer.is_client_error else RoundError
            raise kind(
                f"key holder {self.number} refused ({answer.status_code}): {answer.text[:500]}"
            )
        return answer.content


@dataclass(frozen=True, kw_only=True)
class Answers(Generic[T]):
    """What key holders answered, in their order, and why the others did not.

    ``refused``: those of the others that said no, rather than being away or making no sense.
    """

    found: dict[int, T]
    refusals: dict[int, str]
    refused: frozenset[int] = frozenset()


def ask_all(holders: Sequence[HolderEndpoint], ask: Callable[[HolderEndpoint], T]) -> Answers[T]:
    """Ask every key holder at once; one that is away, refuses or makes no sense stops nobody."""
    found, refusals, refused = dict[int, T](), dict[int, str](), set[int]()
    with ThreadPoolExecutor(len(holders)) as pool:
        asked = {holder.number: pool.submit(ask, holder) for holder in holders}
        for number, future in asked.items():
            try:
                found[number] = future.result()
            except (httpx.HTTPError, WireError, RoundError, SealError) as error:
                refusals[number] = f"{type(error).__name__}: {error}"
                if isinstance(error, HolderRefusedError):
                    refused.add(number)
    return Answers(found=found, refusals=refusals, refused=frozenset(refused))


def ask_each(
    holders: Sequence[HolderEndpoint], ask: Callable[[HolderEndpoint], T], *, step: str
) -> tuple[T, ...]:
    """Ask every key holder at once and get every answer, in their order.

    Raises:
        HoldersError: one did not answer this step of the round; the message says which and why.
    """
    answers = ask_all(holders, ask)
    if answers.refusals:
        raise HoldersError(
            f"{len(answers.found)} of {len(holders)} key holders took part in {step}, all are "
            f"needed; nothing was released. The others: {answers.refusals}. Start the missing "
            "ones and resume the round, or plan a new one if its time is over.",
            refused=answers.refused,
        )
    return tuple(answers.found[holder.number] for holder in holders)
