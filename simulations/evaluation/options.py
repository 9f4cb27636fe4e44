"""What an evaluation is asked to do."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import MINIMUM_ITEMS
from simulations.evaluation.models.registry import LEAVE_ONE_OUT, NEXT_BASKET, RivalName
from simulations.evaluation.protocol import MINIMUM_BASKETS, Stage


class Protocol(StrEnum):
    """What is held out."""

    NEXT_BASKET = "next-basket"
    LEAVE_ONE_OUT = "leave-one-out"


@dataclass(frozen=True, kw_only=True)
class Options:
    """An evaluation, but for the data.

    Attributes:
        protocol: what is held out.
        stage: tune on validation, report the test.
        epsilons: privacy budgets of all that is shared, at δ = 1e-5; None releases without noise.
        seeds: how often the noise is drawn at each budget.
        seed: of the first of them, of drawn negatives and of the bootstrap.
        rivals: models that see all data; each is tuned on validation in the same run.
        noise_shoppers: scale the noise as if so many shoppers took part; None for those who do.
        minimum: how many baskets (leave-one-out: different items) an evaluated shopper has.
        negatives: a file of given negatives for leave-one-out; None draws them.
        context: make next-basket lists, the rivals' too, for when and where the held-out basket was
            bought, as if every shopper had granted time of day and places.
        sensitive: read sensitive product classes too, as if every shopper had granted them.
        discovery: measure next-basket lists with their discovery zone too.
        workers: how many processes measure; they change no figure.
    """

    protocol: Protocol = Protocol.NEXT_BASKET
    stage: Stage = Stage.TEST
    epsilons: tuple[float | None, ...] = (2.0,)
    seeds: int = 1
    seed: int = 0
    rivals: tuple[RivalName, ...] = ()
    noise_shoppers: int | None = None
    minimum: int = MINIMUM_BASKETS
    negatives: Path | None = None
    context: bool = False
    sensitive: bool = False
    discovery: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.epsilons or len(set(self.epsilons)) != len(self.epsilons):
            raise InvalidInputError(f"Expected different budgets, at least one: {self.epsilons}.")
        if self.seeds < 1 or self.workers < 1:
            raise InvalidInputError(
                f"Expected seeds={self.seeds} >= 1 and workers={self.workers} >= 1."
            )
        if self.context and self.protocol is not Protocol.NEXT_BASKET:
            raise InvalidInputError(
                f"Context is for {Protocol.NEXT_BASKET}: {self.protocol} knows no moment."
            )
        if self.noise_shoppers is not None and self.noise_shoppers < 1:
            raise InvalidInputError(f"Expected noise_shoppers={self.noise_shoppers} >= 1.")
        if self.negatives is not None and self.protocol is not Protocol.LEAVE_ONE_OUT:
            raise InvalidInputError("Given negatives belong to --protocol leave-one-out.")
        if self.discovery and self.protocol is not Protocol.NEXT_BASKET:
            raise InvalidInputError("A discovery zone is measured with --protocol next-basket.")
        if min(MINIMUM_BASKETS, MINIMUM_ITEMS) > self.minimum:
            raise InvalidInputError(f"Expected minimum={self.minimum} >= {MINIMUM_BASKETS}.")


def protocol_named(name: str) -> Protocol:
    """The protocol of a name.

    Raises:
        InvalidInputError: there is none; the message lists those there are.
    """
    try:
        return Protocol(name)
    except ValueError:
        raise InvalidInputError(
            f"Unknown protocol {name!r}; there are {' and '.join(Protocol)}."
        ) from None


def stage_named(name: str) -> Stage:
    """The stage of a name.

    Raises:
        InvalidInputError: there is none; the message lists those there are.
    """
    try:
        return Stage(name)
    except ValueError:
        raise InvalidInputError(
            f"Unknown stage {name!r}; there are {' and '.join(Stage)}."
        ) from None


def rivals_named(text: str, protocol: Protocol) -> tuple[RivalName, ...]:
    """Rivals by name, between commas, whatever the case; "all" that fit the protocol, or "none".

    Raises:
        InvalidInputError: an unknown name; the message lists those there are.
    """
    table = NEXT_BASKET if protocol is Protocol.NEXT_BASKET else LEAVE_ONE_OUT
    if text.strip().lower() in {"all", "none"}:
        return tuple(table) if text.strip().lower() == "all" else ()
    known = {name.lower(): name for name in RivalName}
    wanted = [word.strip().lower() for word in text.split(",")]
    unknown = [word for word in wanted if word not in known]
    if unknown:
        raise InvalidInputError(
            f"Unknown rival {unknown[0]!r}; there are {', '.join(RivalName)}, all and none."
        )
    return tuple(known[word] for word in dict.fromkeys(wanted))
