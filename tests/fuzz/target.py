"""What a fuzz target is: a parser of foreign bytes, good bytes, and the errors it may raise.

The good bytes are the positive control (the parser takes them) and the corpus that mutations start
from. Anything but an allowed error is a finding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from crypto.errors import WireError


@dataclass(frozen=True)
class Target:
    """One parser; what it returns is used as its callers use it, so that nothing trips later.

    ``seeds`` are taken by the parser; ``hostile`` ones are known tricks that it has to refuse.
    """

    name: str
    parse: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    allowed: tuple[type[Exception], ...] = (WireError,)
    hostile: tuple[bytes, ...] = ()

    def run(self, data: bytes) -> None:
        """Parse; only errors that are not allowed come out."""
        only(self.allowed, lambda: self.parse(data))


def only(allowed: tuple[type[Exception], ...], call: Callable[[], object]) -> None:
    """Call; only errors that are not allowed come out."""
    try:
        call()
    except allowed:
        return


def family_run(targets: Sequence[Target], data: bytes) -> None:
    """One input of a family: the first byte says which of its parsers gets the rest."""
    if data:
        targets[data[0] % len(targets)].run(data[1:])


def corpus(targets: Sequence[Target]) -> Mapping[str, bytes]:
    """The good inputs of a family by file name."""
    return {
        f"{target.name}-{number}": bytes([position]) + seed
        for position, target in enumerate(targets)
        for number, seed in enumerate((*target.seeds, *target.hostile))
    }
