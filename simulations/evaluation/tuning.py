"""Tune a model on validation, one setting after the other, and keep a record of what was tried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search found.

    Attributes:
        chosen: the best settings.
        value: what they scored.
        tried: every setting that was scored, in order, with its value.
    """

    chosen: Mapping[str, Any]
    value: float
    tried: tuple[tuple[Mapping[str, Any], float], ...]

    def to_json(self) -> dict[str, Any]:
        """The record for ``metrics.json``."""
        return {
            "chosen": dict(self.chosen),
            "value": self.value,
            "tried": [[dict(settings), value] for settings, value in self.tried],
        }


def coordinate_search(
    start: Mapping[str, Any],
    space: Mapping[str, Sequence[Any]],
    score: Callable[[Mapping[str, Any]], float],
) -> Tuned:
    """From ``start``, take the best value of each setting in turn, the others as they stand.

    Goes through the settings in the order of ``space``, and again from the new place where the
    first round moved; a later value wins only if it scores more. Nothing is scored twice.

    Args:
        start: all settings.
        space: the values to try of those that are tuned.
        score: larger is better; sees validation and nothing else.
    """
    best = dict(start)
    tried: list[tuple[Mapping[str, Any], float]] = [(best, score(best))]
    top = tried[0][1]
    for _ in range(ROUNDS):
        before = best
        for name, values in space.items():
            for settings in [best | {name: value} for value in values]:
                if any(settings == known for known, _ in tried):
                    continue
                value = score(settings)
                tried.append((settings, value))
                if value > top:
                    best, top = settings, value
        if best == before:
            break
    return Tuned(chosen=best, value=top, tried=tuple(tried))
