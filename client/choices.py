"""A shopper's choices from her own device: see them, change one, take all back and be forgotten."""

import math
from dataclasses import dataclass
from typing import Any

import httpx

from client import notice
from client.app_tokens import end_all_tokens
from client.erasing import copies_of, erase_purchases
from client.events import EventStore
from client.home import ClientHome
from client.register import joined_rounds, spent_by
from consent.answers import Consents
from consent.client import ConsentClient
from consent.purpose import LIVE_STATES, Category, Cell, Decision, Purpose
from crypto.errors import ConsentError


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was taken back, and how many purchase lines and files with copies were erased."""

    withdrawn: tuple[Cell, ...]
    lines: int
    files: int

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {**vars(self), "withdrawn": [list(cell) for cell in self.withdrawn]}


@dataclass(frozen=True, kw_only=True)
class Status:
    """What this device holds and what has left it.

    Attributes:
        lines: purchase lines kept here.
        rounds: every joined round: task, round and the ε that it was charged with.
        spent: ε of all of them together at ``delta``; None where one had no noise, so that nothing
            bounds it.
        cap: what they may cost her in all; None where she set no cap.
        trains: whether she lets her purchases train shared models; None where nobody could say,
            and then nothing leaves either.
        leaves: what would leave in the next round, in words.
    """

    lines: int
    rounds: tuple[tuple[str, str, float | None], ...]
    spent: float | None
    cap: float | None
    delta: float
    trains: bool | None
    leaves: str

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        rounds = [{"task": t, "round": r, "epsilon": e} for t, r, e in self.rounds]
        return {**vars(self), "rounds": rounds}


def read_choices(home: ClientHome, http: httpx.Client) -> Consents:
    """Her matrix as it stands.

    Raises:
        ConsentError: the consent service can't say.
    """
    return _service(home, http).consents(home.shoppers[home.shopper], home.token)


def choose(home: ClientHome, http: httpx.Client, cell: Cell, decision: Decision) -> Consents:
    """Change one cell; the matrix after it.

    Raises:
        ConsentError: the consent service refused, or can't be asked.
    """
    return _decide(home, http, {cell: decision})


def forget(home: ClientHome, http: httpx.Client) -> Forgotten:
    """Withdraw every given consent, then erase the purchases, all copies of them and the token.

    What the register says about joined rounds stays: it is her record of what has left. Doing it
    again after a failure finishes what is left to do.

    Raises:
        ConsentError: the consent service can't be asked; nothing was erased.
    """
    cells = read_choices(home, http).cells
    given = tuple(cell for cell, state in cells.items() if state in LIVE_STATES)
    if given:
        _decide(home, http, dict.fromkeys(given, Decision.WITHDRAWN))
    lines = erase_purchases(home)
    copies = copies_of(home, home.shoppers[home.shopper])
    for file in copies:
        file.unlink(missing_ok=True)
    end_all_tokens(home)
    home.token_file.unlink()
    return Forgotten(withdrawn=given, lines=lines, files=len(copies))


def status(home: ClientHome, http: httpx.Client) -> Status:
    """What this device holds, what has left it and what would; never fails for want of consent."""
    trains = _trains(home, http)
    spent = spent_by(home.register, home.shopper, delta=home.trust.delta)
    return Status(
        lines=_lines(home),
        rounds=tuple(joined_rounds(home.register)),
        spent=spent if math.isfinite(spent) else None,
        cap=home.trust.epsilon_cap,
        delta=home.trust.delta,
        trains=trains,
        leaves=_leaves(home, trains=trains),
    )


def _decide(home: ClientHome, http: httpx.Client, decisions: dict[Cell, Decision]) -> Consents:
    return _service(home, http).decide(
        home.shoppers[home.shopper], home.token, decisions, notice_version=notice.VERSION
    )


def _service(home: ClientHome, http: httpx.Client) -> ConsentClient:
    return ConsentClient(http, service_key=home.trust.consent_key)


def _lines(home: ClientHome) -> int:
    if not home.events.exists():
        return 0
    with EventStore.open(home.events) as store:
        return store.count()


def _trains(home: ClientHome, http: httpx.Client) -> bool | None:
    if not home.token_file.exists():
        return False
    try:
        return Category.PURCHASES in read_choices(home, http).categories(Purpose.TRAIN)
    except ConsentError:
        return None


def _leaves(home: ClientHome, *, trains: bool | None) -> str:
    if not home.token_file.exists():
        return "Nothing: this device was forgotten."
    if trains is None:
        return "Nothing: the consent service can't be asked, and without its word nothing leaves."
    if not trains:
        return "Nothing: your purchases are not for training shared models."
    if not home.events.exists():
        return (
            "One vector of zeros a round, noised and sealed like any other, so that nobody is told "
            "that there are no purchases on this device."
        )
    trust = home.trust
    return (
        "One vector a round: clipped, rotated, rounded, noised and sealed on this device, and only "
        f"in rounds of at least {trust.n_floor} clients with a noise multiplier of at least "
        f"{trust.z_floor:g}. Only the sum over all of them is opened. No purchase line leaves."
    )
