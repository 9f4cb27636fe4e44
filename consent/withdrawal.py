"""What becomes of a withdrawal: what the service states about it, and how anybody checks that.

A bundle is one file: the receipt with its place in the log, the service's signed statement, and the
instruction to each client with the client's own signed report. ``fedcart consent verify --bundle``
checks it offline, with the service's public key alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.instruction import Instruction, InstructionKind, InstructionState
from consent.instruction_report import Report
from consent.log.leaf import LoggedEvent
from consent.purpose import Cell, ConsentState
from consent.receipt import Receipt, moment
from consent.verify import Check, Evidence, verify
from crypto.errors import WireError
from crypto.wire import SignedRecord, canonical, get_int, get_str, get_time, parse_object

RECORD_TYPE: Final = "withdrawal"
FORMAT: Final = "fedcart withdrawal proof 1"
# What ends consent that was given; refusing what was never given is no withdrawal.
WITHDRAWN_STATES: Final = frozenset(
    {
        ConsentState.WITHDRAWN,
        ConsentState.EXPIRED,
        ConsentState.REVOKED,
        ConsentState.INVALIDATED,
    }
)
_MOST: Final = 2**53
_MAX_ENTRIES: Final = 100_000
_FIELDS: Final = {
    "shopper",
    "epoch",
    "time",
    "stated_at",
    "grants_ended",
    "grants_standing",
    "rounds",
    "clients",
}


class RoundFate(StrEnum):
    """What became of a round for which a shopper held a grant when she withdrew.

    ``COUNTED`` must never be: her grant is in a list that was frozen after the withdrawal.
    """

    COMMITTED_BEFORE = "committed-before"
    DROPPED = "dropped"
    OPEN = "open"
    CLOSED = "closed"
    COUNTED = "counted"


def fate(
    *, first_event: int, committed_after: int | None, in_list: bool, closed: bool
) -> RoundFate | None:
    """What became of one round; None where the list was frozen before, without her.

    Args:
        first_event: the number of the withdrawal's first event in the history.
        committed_after: the number of the last event before the round's list was frozen, None
            where it was not.
        in_list: whether her grant is in the list.
        closed: whether the round's time is over.
    """
    if committed_after is None:
        return RoundFate.CLOSED if closed else RoundFate.OPEN
    if committed_after < first_event:
        return RoundFate.COMMITTED_BEFORE if in_list else None
    return RoundFate.COUNTED if in_list else RoundFate.DROPPED


def floor_before(epochs: Sequence[int], ended: Sequence[int], epoch: int) -> int:
    """The oldest epoch whose grants stood just before an epoch, told by the history alone.

    Args:
        epochs: every epoch that has an event.
        ended: every epoch that has an event which ended or refused something.
        epoch: the one in question.

    An epoch without events is one in which her client was replaced, or her data restricted or
    released: no grant of before it stands after it.
    """
    silent = set(range(1, epoch)) - set(epochs)
    return max((each for each in {*ended, *silent} if each < epoch), default=0)


@dataclass(frozen=True, kw_only=True)
class RoundClaim:
    """What the service states about one round.

    ``commit`` is the hex hash of the signed list, ``time`` when it was frozen (Unix milliseconds).
    The list itself names other people's clients, so it is not shown.
    """

    task: str
    round_id: str
    fate: RoundFate
    commit: str = ""
    time: int = 0


@dataclass(frozen=True, kw_only=True)
class ClientClaim:
    """How far the instruction to one client has come, as the service states."""

    instruction: str
    client: str
    state: InstructionState


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the service states about a withdrawal at one instant. Times are Unix milliseconds.

    Attributes:
        grants_ended: how many grants died in the transaction that saved the withdrawal.
        grants_standing: how many of a shopper's grants from before it stand at ``stated_at``: 0.
    """

    shopper: str
    epoch: int
    time: int
    stated_at: int
    grants_ended: int
    grants_standing: int
    rounds: tuple[RoundClaim, ...]
    clients: tuple[ClientClaim, ...]

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign the statement with the service's key."""
        body = {
            **{name: getattr(self, name) for name in _FIELDS - {"rounds", "clients"}},
            "rounds": [[e.task, e.round_id, e.fate, e.commit, e.time] for e in self.rounds],
            "clients": [[e.instruction, e.client, e.state] for e in self.clients],
        }
        return SignedRecord.sign(RECORD_TYPE, body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Read a statement that ``key`` signed.

        Raises:
            WireError: another type, another key, altered bytes, or another form.
        """
        body = record.verified(RECORD_TYPE, key)
        if body.keys() != _FIELDS:
            raise WireError(f"A withdrawal statement has exactly {', '.join(sorted(_FIELDS))}.")
        numbers = {
            name: get_int(body, name, low=0, high=_MOST)
            for name in ("epoch", "grants_ended", "grants_standing")
        }
        try:
            return cls(
                shopper=get_str(body, "shopper"),
                time=get_time(body, "time"),
                stated_at=get_time(body, "stated_at"),
                rounds=tuple(_round(entry) for entry in _entries(body, "rounds", 5)),
                clients=tuple(_client(entry) for entry in _entries(body, "clients", 3)),
                **numbers,
            )
        except ValueError as error:
            raise WireError("A withdrawal statement uses an unknown word.") from error


@dataclass(frozen=True, kw_only=True)
class ClientProof:
    """The instruction to a client, and its own report if there is one."""

    instruction: SignedRecord
    report: SignedRecord | None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Everything that proves a withdrawal, as one file."""

    receipt: Receipt
    statement: SignedRecord
    clients: tuple[ClientProof, ...]

    def to_bytes(self) -> bytes:
        """The file."""
        clients = [
            {
                "instruction": each.instruction.to_json(),
                "report": None if each.report is None else each.report.to_json(),
            }
            for each in self.clients
        ]
        value = {
            "format": FORMAT,
            "receipt": self.receipt.to_json(),
            "statement": self.statement.to_json(),
            "clients": clients,
        }
        return canonical(value) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a file.

        Raises:
            WireError: not such a file.
        """
        value = parse_object(data, what="withdrawal proof")
        if value.get("format") != FORMAT:
            raise WireError(f"Expected a file of the format {FORMAT!r}.")
        if value.keys() != {"format", "receipt", "statement", "clients"}:
            raise WireError("A withdrawal proof has missing or unknown parts.")
        clients = value["clients"]
        if not isinstance(clients, list) or not isinstance(value["receipt"], dict):
            raise WireError("A withdrawal proof has a receipt and a list of clients.")
        return cls(
            receipt=_receipt(value["receipt"]),
            statement=SignedRecord.from_json(value["statement"]),
            clients=tuple(_proof(entry) for entry in clients),
        )


def verify_bundle(bundle: Bundle, key: Ed25519PublicKey) -> list[Check]:
    """Every check of a bundle, in order; it ends at the first signature that does not hold.

    Guarantee: if all hold, ``key`` signed every part but the reports, those are signed by the
    clients that were instructed, all parts are about one withdrawal, and no grant survived it.
    """
    checks = verify(Evidence(receipt=bundle.receipt), key)
    if not all(check.holds for check in checks):
        return checks
    try:
        _, events = bundle.receipt.verified(key)
        statement = Statement.verify(bundle.statement, key)
        told = [(Instruction.verify(each.instruction, key), each) for each in bundle.clients]
        reports = [None if each.report is None else Report.parse(each.report) for _, each in told]
    except WireError as error:
        return [*checks, Check(holds=False, text=f"{error} Nothing else was checked.")]
    checks += _stated(statement, events)
    checks += [_fate(each) for each in statement.rounds]
    pairs = [(made, report) for (made, _), report in zip(told, reports, strict=True)]
    checks += _carried_out(statement, events, pairs)
    return checks


def _stated(statement: Statement, events: Sequence[LoggedEvent]) -> Iterator[Check]:
    first = events[0]
    about = (statement.shopper, statement.epoch, statement.time)
    yield Check(
        holds=about == (first.shopper, first.epoch, first.time),
        text="The service's statement is about the change that the receipt is about.",
    )
    yield Check(
        holds=any(event.state in WITHDRAWN_STATES for event in events),
        text="The receipt is about consent that ended.",
    )
    yield Check(
        holds=statement.grants_standing == 0,
        text=f"The service states that {statement.grants_ended} grants died with it, and that at "
        f"{moment(statement.stated_at)} none from before it stands.",
    )


def _fate(claim: RoundClaim) -> Check:
    said = {
        RoundFate.COMMITTED_BEFORE: f"was frozen before, at {moment(claim.time)}; it stays lawful",
        RoundFate.DROPPED: f"was frozen without her at {moment(claim.time)}",
        RoundFate.OPEN: "is not frozen yet, and her grant can't be in its list any more",
        RoundFate.CLOSED: "ended without a list",
        RoundFate.COUNTED: f"counted her at {moment(claim.time)}, after she had withdrawn",
    }[claim.fate]
    return Check(
        holds=claim.fate is not RoundFate.COUNTED,
        text=f"The service states that {claim.task} / {claim.round_id} {said}.",
    )


def _carried_out(
    statement: Statement,
    events: Sequence[LoggedEvent],
    told: Sequence[tuple[Instruction, Report | None]],
) -> Iterator[Check]:
    claims = {claim.instruction: claim for claim in statement.clients}
    yield Check(
        holds=len(told) == len(claims) and {made.id for made, _ in told} == claims.keys(),
        text=f"The bundle has each of the {len(claims)} instructions that the service states.",
    )
    ended = {
        Cell(event.purpose, event.category) for event in events if event.state in WITHDRAWN_STATES
    }
    for made, report in told:
        claim = claims.get(made.id)
        about = made.kind is InstructionKind.STOP and made.shopper == statement.shopper
        yield Check(
            holds=about
            and set(made.cells) == ended
            and claim is not None
            and claim.client == made.client,
            text=f"The service told client {made.client} to stop using what was withdrawn.",
        )
        if claim is not None:
            yield _reported(made, report, claim)


def _reported(made: Instruction, report: Report | None, claim: ClientClaim) -> Check:
    if report is None:
        return Check(
            holds=claim.state is not InstructionState.DONE,
            text=f"The service states that client {made.client} has not reported: {claim.state}.",
        )
    own = (report.instruction, report.client) == (made.id, made.client)
    return Check(
        holds=own and report.status.value == claim.state.value,
        text=f"Client {made.client} itself signed that it is {report.status} "
        f"({report.outcome}, {moment(report.at)}).",
    )


def _receipt(value: dict[str, Any]) -> Receipt:
    try:
        return Receipt.from_bytes(canonical(value))
    except ValueError as error:  # lone surrogates, which no signed body holds
        raise WireError("This receipt holds text that is no text.") from error


def _proof(entry: object) -> ClientProof:
    if not isinstance(entry, dict) or entry.keys() != {"instruction", "report"}:
        raise WireError("A client's part has exactly the fields instruction and report.")
    report = entry["report"]
    return ClientProof(
        instruction=SignedRecord.from_json(entry["instruction"]),
        report=None if report is None else SignedRecord.from_json(report),
    )


def _entries(body: dict[str, Any], name: str, width: int) -> list[list[Any]]:
    found = body[name]
    if not isinstance(found, list) or len(found) > _MAX_ENTRIES:
        raise WireError(f"Field {name!r}: expected a list.")
    if not all(isinstance(entry, list) and len(entry) == width for entry in found):
        raise WireError(f"Field {name!r}: expected lists of {width} values.")
    return found


def _round(entry: list[Any]) -> RoundClaim:
    fields = dict(zip(("task", "round", "fate", "commit", "time"), entry, strict=True))
    return RoundClaim(
        task=get_str(fields, "task"),
        round_id=get_str(fields, "round"),
        fate=RoundFate(get_str(fields, "fate")),
        commit=get_str(fields, "commit"),
        time=get_time(fields, "time"),
    )


def _client(entry: list[Any]) -> ClientClaim:
    fields = dict(zip(("instruction", "client", "state"), entry, strict=True))
    return ClientClaim(
        instruction=get_str(fields, "instruction"),
        client=get_str(fields, "client"),
        state=InstructionState(get_str(fields, "state")),
    )
