"""What a shopper can ask for under data-protection law, and how a request moves to its end.

The kinds of the GDPR (art. 15 to 21) and of the CCPA (§1798.105 to .121) stand side by side: she
picks the words of the law that she knows, and ``carried_out_as`` says which right is carried out.

=================== ==================================================================
state               what can come next
=================== ==================================================================
received            awaiting-proof, in-progress, refused, cancelled
awaiting-proof      in-progress, refused, cancelled
in-progress         waiting-for-clients, completed, partly-completed, refused, cancelled
waiting-for-clients completed, partly-completed: the service has done its part by then
closed states       nothing
=================== ==================================================================

Extending changes the clock and never the state.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from consent.purpose import CELLS, LIVE_STATES, Category, Cell, Decision, Purpose
from consent.standing import ShopperConsent
from crypto.errors import InvalidInputError


class RequestKind(StrEnum):
    """What she asks for. The last five are the words of the CCPA."""

    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    LIFT_RESTRICTION = "lift-restriction"
    OBJECTION = "objection"
    KNOW = "know"
    DELETE = "delete"
    CORRECT = "correct"
    OPT_OUT = "opt-out"
    LIMIT = "limit"


_SAME_RIGHT: Final = {
    RequestKind.KNOW: RequestKind.ACCESS,
    RequestKind.PORTABILITY: RequestKind.ACCESS,
    RequestKind.DELETE: RequestKind.ERASURE,
    RequestKind.CORRECT: RequestKind.RECTIFICATION,
}
# What hands out, changes or destroys her data needs proof that it is she who asks. Whatever only
# stops or resumes use takes effect at once: 11 CCR §7026(d) and §7027(e) allow no verification of
# an opt-out or a limit, and a false objection or restriction harms nobody.
_PROVED: Final = frozenset({RequestKind.ACCESS, RequestKind.RECTIFICATION, RequestKind.ERASURE})
# Location is among the sensitive kinds because a store may be precise enough (§1798.140(ae)).
_SENSITIVE: Final = frozenset({Category.SENSITIVE, Category.LOCATION})
MAX_NOTE: Final = 1000


def carried_out_as(kind: RequestKind) -> RequestKind:
    """The right that a kind asks for, whichever law's word it is."""
    return _SAME_RIGHT.get(kind, kind)


def needs_proof(kind: RequestKind) -> bool:
    """Whether she has to prove who she is before the request is carried out."""
    return carried_out_as(kind) in _PROVED


def needs_confirmation(kind: RequestKind) -> bool:
    """Whether opening the request carries nothing out yet: erasure can't be undone.

    It also lets her have the code for its status before her login is gone.
    """
    return carried_out_as(kind) is RequestKind.ERASURE


def ended_cells(kind: RequestKind) -> frozenset[Cell]:
    """The cells whose consent a request ends at once.

    An objection and an opt-out end everything for which anything computed from her data leaves her
    device: the opt-out of *sale and sharing* is read in the widest sense, so that nobody has to
    argue whether a shared model or points for data are a sale. A limit ends the sensitive data for
    every purpose.
    """
    if kind in (RequestKind.OBJECTION, RequestKind.OPT_OUT):
        return frozenset(cell for cell in CELLS if cell.purpose is not Purpose.PERSONALISE)
    if kind is RequestKind.LIMIT:
        return frozenset(cell for cell in CELLS if cell.category in _SENSITIVE)
    return frozenset()


def withdrawals(kind: RequestKind, consent: ShopperConsent) -> dict[Cell, Decision]:
    """The decisions that a request stands for: a withdrawal of each of its cells that is given."""
    return {
        cell: Decision.WITHDRAWN
        for cell in sorted(ended_cells(kind))
        if consent.state(cell) in LIVE_STATES
    }


class RequestState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    AWAITING_PROOF = "awaiting-proof"
    IN_PROGRESS = "in-progress"
    WAITING_FOR_CLIENTS = "waiting-for-clients"
    COMPLETED = "completed"
    PARTLY_COMPLETED = "partly-completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What moves a request."""

    ASK_PROOF = "ask-proof"
    START = "start"
    INSTRUCT = "instruct"
    COMPLETE = "complete"
    COMPLETE_PARTLY = "complete-partly"
    REFUSE = "refuse"
    CANCEL = "cancel"


CLOSED: Final = frozenset(
    {
        RequestState.COMPLETED,
        RequestState.PARTLY_COMPLETED,
        RequestState.REFUSED,
        RequestState.CANCELLED,
    }
)
OPEN: Final = frozenset(RequestState) - CLOSED
_UNDER_WAY: Final = frozenset({RequestState.IN_PROGRESS, RequestState.WAITING_FOR_CLIENTS})
_NOT_CARRIED_OUT: Final = OPEN - {RequestState.WAITING_FOR_CLIENTS}
_MOVES: Final[Mapping[Action, Mapping[RequestState, RequestState]]] = {
    Action.ASK_PROOF: {RequestState.RECEIVED: RequestState.AWAITING_PROOF},
    Action.START: {
        RequestState.RECEIVED: RequestState.IN_PROGRESS,
        RequestState.AWAITING_PROOF: RequestState.IN_PROGRESS,
    },
    Action.INSTRUCT: {RequestState.IN_PROGRESS: RequestState.WAITING_FOR_CLIENTS},
    Action.COMPLETE: dict.fromkeys(_UNDER_WAY, RequestState.COMPLETED),
    Action.COMPLETE_PARTLY: dict.fromkeys(_UNDER_WAY, RequestState.PARTLY_COMPLETED),
    Action.REFUSE: dict.fromkeys(_NOT_CARRIED_OUT, RequestState.REFUSED),
    Action.CANCEL: dict.fromkeys(_NOT_CARRIED_OUT, RequestState.CANCELLED),
}


class Ground(StrEnum):
    """Why a request is refused. Each refusal tells her of her right to complain."""

    NOT_IDENTIFIED = "not-identified"  # GDPR art. 12(2), 11 CCR §7060
    UNFOUNDED = "manifestly-unfounded"  # GDPR art. 12(5)(b), §1798.145(h)(3)
    EXCESSIVE = "excessive"  # the same
    LEGAL_DUTY = "legal-obligation"  # GDPR art. 17(3)(b), §1798.105(d)(8)
    LEGAL_CLAIMS = "legal-claims"  # GDPR art. 17(3)(e), 18(2)
    OTHERS_RIGHTS = "rights-of-others"  # GDPR art. 15(4), 20(4)
    NOT_HELD = "no-such-data"
    ACCURATE = "data-found-accurate"  # GDPR art. 16, 11 CCR §7023(b)


class RequestError(InvalidInputError):
    """The action does not follow from the state that the request is in; nothing was changed."""


def moved(state: RequestState, action: Action) -> RequestState:
    """The state that an action leads to.

    Guarantee: nothing leads out of a closed state, and nothing is completed before it was begun.

    Raises:
        RequestError: the action does not follow from the state.
    """
    found = _MOVES[action].get(state)
    if found is None:
        raise RequestError(f"A request that is {state} can't take the step {action}.")
    return found


def can(state: RequestState, action: Action) -> bool:
    """Whether an action follows from a state."""
    return state in _MOVES[action]
