"""The shoppers of the load benchmark as those who measure know them."""

import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from consent.incentive import OPT_IN
from consent.log.leaf import KEY_BYTES
from consent.purpose import Category, Cell, Purpose
from consent.tasks.names import TaskName
from crypto.wire import b64

Progress = Callable[[str, int, int], None]
Ints = npt.NDArray[np.int64]

TASK: Final = TaskName.POPULARITY
TRAIN: Final = Cell(Purpose.TRAIN, Category.PURCHASES)
NOTICE: Final = "2026-11"
# The cells that everybody decides about when she registers, and how many in a hundred give each.
FIRST: Final = {
    Cell(Purpose.PERSONALISE, Category.PURCHASES): 97,
    TRAIN: 85,
    Cell(Purpose.TRAIN, Category.BROWSING): 40,
    Cell(Purpose.MEASUREMENT, Category.PURCHASES): 60,
    OPT_IN: 70,
}
STEPS: Final = 12
STEP_S: Final = 30 * 24 * 3600.0
OPEN_ROUNDS: Final = ("open-1", "open-2")


@dataclass
class Clock:
    """The time of the seeding, moved by hand."""

    now: float

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


@dataclass(frozen=True, kw_only=True)
class Grants:
    """Grants of one round that were never used: parallel lists."""

    round_id: str
    context: str
    tokens: list[str]
    shoppers: Ints
    clients: list[str]


@dataclass
class World:
    """The shoppers as the seeding knows them; parallel arrays, one place a shopper.

    Attributes:
        given: what she gave at first, a column for each cell of ``FIRST``.
        train: whether she gives her purchases for training now.
        epoch, floor: of her consent now.
        rounds: how many rounds her data was part of.
    """

    ids: list[str]
    keys: list[bytes]
    clients: list[str]
    secret: bytes
    given: npt.NDArray[np.bool_]
    train: npt.NDArray[np.bool_]
    epoch: Ints
    floor: Ints
    rounds: Ints
    open: list[Grants] = field(default_factory=list)

    @classmethod
    def drawn(cls, size: int, rng: np.random.Generator) -> "World":
        """Shoppers nobody has registered yet."""
        shares = np.array(list(FIRST.values()))
        given = rng.integers(100, size=(size, len(shares))) < shares
        return cls(
            ids=hex_ids(size),
            keys=[os.urandom(KEY_BYTES) for _ in range(size)],
            clients=[],
            secret=secrets.token_bytes(32),
            given=given,
            train=given[:, list(FIRST).index(TRAIN)].copy(),
            epoch=np.zeros(size, np.int64),
            floor=np.zeros(size, np.int64),
            rounds=np.zeros(size, np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def token(self, who: int) -> str:
        """Her bearer token, which the service knows by its hash alone."""
        return b64(hmac.digest(self.secret, self.ids[who].encode(), "sha256"))


def hex_ids(size: int) -> list[str]:
    """Random ids as the service makes them."""
    text = os.urandom(16 * size).hex()
    return [text[start : start + 32] for start in range(0, len(text), 32)]
