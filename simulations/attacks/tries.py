"""Attacks that are tries at a door: each is refused by a rule, or the claim is broken."""

from collections.abc import Callable, Mapping
from typing import TypedDict

from crypto.errors import FedcartError
from simulations.attacks.finding import Control, Finding
from simulations.attacks.statistics import exactly

Try = Callable[[], object]


class RefusedError(FedcartError):
    """An attempt was refused by an answer rather than by an exception."""


class Words(TypedDict):
    """What a finding says of its attack."""

    name: str
    adversary: str
    action: str
    claim: str
    note: str


def attempt(tries: Mapping[str, Try]) -> dict[str, str | None]:
    """Run every try: the reason why it was refused, or None where it got through.

    Other errors than fedcart's own are faults and go through to the caller.
    """
    found: dict[str, str | None] = {}
    for name, act in tries.items():
        try:
            act()
        except FedcartError as error:
            found[name] = str(error) or type(error).__name__
        else:
            found[name] = None
    return found


def at_the_door(words: Words, tries: Mapping[str, Try], *, control: str, honest: Try) -> Finding:
    """The finding of some tries that must all be refused.

    Args:
        words: what the attack is.
        tries: by name, run in order; each raises a ``FedcartError`` if it is refused.
        control: what the control does.
        honest: the same without the trick, run last: it must get through, or refusing everything
            would pass.
    """
    found = attempt(tries)
    through = [name for name, reason in found.items() if reason is None]
    refusal = attempt({control: honest})[control]
    passed = refusal is None
    figure = len(through) / len(found)
    return Finding(
        **words,
        measure=f"share of {len(found)} tries that got through",
        figure=figure,
        interval=exactly(figure),
        bound=0.0,
        permitted="none; each is decided by a rule, not by chance",
        holds=not through,
        control=Control(
            name=control,
            figure=float(passed),
            interval=exactly(float(passed)),
            fired=passed,
        ),
        details={name: told(reason) for name, reason in found.items()}
        | ({} if passed else {f"control: {control}": told(refusal)}),
    )


def told(reason: str | None) -> str:
    """A try's outcome in words."""
    return "GOT THROUGH" if reason is None else f"refused: {reason}"
