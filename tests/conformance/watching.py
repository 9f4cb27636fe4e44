"""What a coordinator works with, watched: its sums, and its line to the consent service."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from consent.client import ConsentClient
from crypto.sums.interface import SecureSum
from crypto.update import IntArray, PartSum, SealedSum, SealedUpdate
from server.conductor import Federation
from server.rounds import PlannedRound


class Watching:
    """A round's secure sum that remembers what it combined."""

    def __init__(self, scheme: SecureSum, sums: list[IntArray]) -> None:
        self.scheme, self._inner, self._sums = scheme.scheme, scheme, sums

    def seal(self, *args: Any, **fields: Any) -> SealedUpdate:
        return self._inner.seal(*args, **fields)

    def check(self, update: SealedUpdate) -> None:
        self._inner.check(update)

    def add(self, updates: Iterable[SealedUpdate]) -> SealedSum:
        return self._inner.add(updates)

    def check_part(self, part: PartSum) -> None:
        self._inner.check_part(part)

    def combine(self, total: SealedSum, parts: Sequence[PartSum]) -> IntArray:
        found = self._inner.combine(total, parts)
        self._sums.append(found)
        return found


@dataclass(frozen=True, kw_only=True)
class Watched(Federation):
    """The federation as the conductor sees it; ``sums`` are the integers that it combined."""

    sums: list[IntArray] = field(default_factory=list)

    def scheme(self, planned: PlannedRound) -> SecureSum:
        return Watching(super().scheme(planned), self.sums)


class Between(ConsentClient):
    """A line to the consent service, with something happening before and after one call."""

    def __init__(
        self,
        inner: ConsentClient,
        call: str,
        *,
        before: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        self.__dict__.update(inner.__dict__)

        def around(*args: Any, **fields: Any) -> Any:
            before()
            found = getattr(inner, call)(*args, **fields)
            after()
            return found

        setattr(self, call, around)
