"""The words of the pages about rights: what each right does, how long it takes, which proof."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from consent.instruction import InstructionKind, InstructionState
from consent.panel.language import mark
from consent.rights.clock import Law, Residence
from consent.rights.request import Ground, RequestKind, RequestState
from consent.service.erasure.schemas import Tier

NO_PROOF: Final = mark("No proof is asked for. It takes effect at once.")
PROOF: Final = mark(
    "Because this shows or changes what is yours, you show your password or passkey once more."
)


class Right(NamedTuple):
    """One right as its form explains it: what it is called, what happens, which proof."""

    kind: RequestKind
    title: str
    what: str
    proof: str
    button: str


RIGHTS: Final = (
    Right(
        RequestKind.ACCESS,
        mark("See everything and take it with you"),
        mark(
            "You get one file with everything that this service holds about you, as JSON and as "
            "tables, with receipts and proofs. Your device writes a file of its own with your "
            "purchases, and keeps it."
        ),
        PROOF,
        mark("Make my file"),
    ),
    Right(
        RequestKind.RESTRICTION,
        mark("Pause all use of my data"),
        mark(
            "Your choices and records are kept, and nothing is used: no round, no audit, no "
            "measurement. Your choices come back when you lift the pause."
        ),
        NO_PROOF,
        mark("Pause all use"),
    ),
    Right(
        RequestKind.OBJECTION,
        mark("Object to everything that leaves my device"),
        mark(
            "Everything that you agreed to is withdrawn, but for recommendations that are made on "
            "your own device. Your points stay yours."
        ),
        NO_PROOF,
        mark("Object"),
    ),
    Right(
        RequestKind.OPT_OUT,
        mark("Do not sell or share my data"),
        mark(
            "This service sells nothing. The law of California gives you this right all the same: "
            "whatever could count as sharing is withdrawn, points for data included."
        ),
        NO_PROOF,
        mark("Do not sell or share"),
    ),
    Right(
        RequestKind.LIMIT,
        mark("Limit the use of sensitive data"),
        mark("Sensitive product classes and the store you were in are used for nothing any more."),
        NO_PROOF,
        mark("Limit the use"),
    ),
)
LIFT: Final = Right(
    RequestKind.LIFT_RESTRICTION,
    mark("Lift the pause"),
    mark("What you had agreed to counts again. Rounds that passed meanwhile stay without you."),
    NO_PROOF,
    mark("Lift the pause"),
)
KINDS: Final[Mapping[RequestKind, str]] = {
    RequestKind.ACCESS: mark("See everything and take it with you"),
    RequestKind.PORTABILITY: mark("Take my data with me"),
    RequestKind.RECTIFICATION: mark("Correct what is wrong"),
    RequestKind.ERASURE: mark("Erase everything about me"),
    RequestKind.RESTRICTION: mark("Pause all use of my data"),
    RequestKind.LIFT_RESTRICTION: mark("Lift the pause"),
    RequestKind.OBJECTION: mark("Object to everything that leaves my device"),
    RequestKind.KNOW: mark("Know what is held about me"),
    RequestKind.DELETE: mark("Delete my data"),
    RequestKind.CORRECT: mark("Correct my data"),
    RequestKind.OPT_OUT: mark("Do not sell or share my data"),
    RequestKind.LIMIT: mark("Limit the use of sensitive data"),
}
REQUEST_STATES: Final[Mapping[RequestState, str]] = {
    RequestState.RECEIVED: mark("received"),
    RequestState.AWAITING_PROOF: mark("waits for you"),
    RequestState.IN_PROGRESS: mark("in progress"),
    RequestState.WAITING_FOR_CLIENTS: mark("waits for your devices and stores"),
    RequestState.COMPLETED: mark("completed"),
    RequestState.PARTLY_COMPLETED: mark("completed in part"),
    RequestState.REFUSED: mark("refused"),
    RequestState.CANCELLED: mark("taken back"),
}
ACTIONS: Final[Mapping[str, str]] = {
    "received": mark("We received your request; this confirms it."),
    "ask-proof": mark("It waits for you to show who you are, or to confirm."),
    "start": mark("It was begun."),
    "instruct": mark("The service has done its part; your devices and stores were told."),
    "complete": mark("It is done."),
    "complete-partly": mark("It is done in part."),
    "refuse": mark("It was refused."),
    "cancel": mark("You took it back."),
    "take": mark("An operator works on it."),
    "extend": mark("More time was taken."),
}
PILLS: Final[Mapping[RequestState, str]] = {
    RequestState.COMPLETED: "yes",
    RequestState.REFUSED: "no",
    RequestState.PARTLY_COMPLETED: "no",
    RequestState.CANCELLED: "open",
}
GROUNDS: Final[Mapping[Ground, str]] = {
    Ground.NOT_IDENTIFIED: mark("Nobody could prove who asks."),
    Ground.UNFOUNDED: mark("The request is manifestly unfounded."),
    Ground.EXCESSIVE: mark("The request repeats earlier ones to excess."),
    Ground.LEGAL_DUTY: mark("The law obliges us to keep it."),
    Ground.LEGAL_CLAIMS: mark("It is needed for legal claims."),
    Ground.OTHERS_RIGHTS: mark("It would hurt the rights of others."),
    Ground.NOT_HELD: mark("We hold no such data."),
    Ground.ACCURATE: mark("We checked the data and found it right."),
}
RESIDENCES: Final[Mapping[Residence, str]] = {
    Residence.EEA: mark("in the European Economic Area"),
    Residence.CALIFORNIA: mark("in California"),
    Residence.ELSEWHERE: mark("elsewhere"),
}
LAWS: Final[Mapping[Law, str]] = {Law.GDPR: "GDPR", Law.CCPA: "CCPA"}
CLIENT_STATES: Final[Mapping[InstructionState, str]] = {
    InstructionState.ISSUED: mark("not fetched yet"),
    InstructionState.FETCHED: mark("fetched, not reported yet"),
    InstructionState.DONE: mark("done"),
    InstructionState.REFUSED: mark("could not be done there"),
    InstructionState.FAILED: mark("failed; the device tries again"),
    InstructionState.EXPIRED: mark("never fetched in its time"),
    InstructionState.SUPERSEDED: mark("called off"),
}
CLIENT_KINDS: Final[Mapping[str, str]] = {"device": mark("device"), "store": mark("store")}
INSTRUCTIONS: Final[Mapping[InstructionKind, str]] = {
    InstructionKind.STOP: mark("stop"),
    InstructionKind.RESUME: mark("go on"),
    InstructionKind.RESTRICT: mark("pause all use"),
    InstructionKind.OBJECT: mark("use it no more"),
    InstructionKind.EXPORT: mark("write a file"),
    InstructionKind.CORRECT: mark("correct purchases"),
    InstructionKind.ERASE: mark("erase"),
}
TIERS: Final[Mapping[Tier, str]] = {
    Tier.RECORDS: mark("Your records are erased."),
    Tier.BOUND: mark("Shared models keep a bounded trace."),
    Tier.EXACT: mark("The models are rebuilt without you."),
}
