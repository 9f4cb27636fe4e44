"""What the service tells about withdrawals. Times are Unix milliseconds."""

from enum import StrEnum

from consent.purpose import Category, ConsentState, Purpose
from consent.service.instructions.schemas import InstructionStatus
from consent.service.log.schemas import ProvedEvent
from consent.service.schemas import Schema, SignedRecordSchema
from consent.tasks.names import TaskName
from consent.withdrawal import RoundFate


class StepState(StrEnum):
    """How one step stands; ``NOT_NEEDED``: there was nothing to do."""

    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_NEEDED = "not-needed"


class EndedCell(Schema):
    """One cell that ended, and how."""

    purpose: Purpose
    category: Category
    state: ConsentState


class SavedStep(Schema):
    """The withdrawal is in the history, and its entries are in the log.

    The proofs are RFC 9162 inclusion proofs in ``head``; ``key`` recomputes the leaves.
    """

    state: StepState
    time: int
    head: SignedRecordSchema
    log_size: int
    key: str
    events: list[ProvedEvent]


class GrantsStep(Schema):
    """Grants died in the transaction that saved the withdrawal.

    ``standing`` is asked anew for this answer: how many grants from before it stand now.
    """

    state: StepState
    time: int
    ended: int
    standing: int


class RoundOfGrant(Schema):
    """A round for which she held a grant when she withdrew, and what became of it.

    ``commit`` is the hex hash of the round's signed list, which was frozen at ``committed_at``.
    """

    task: TaskName
    round: str
    fate: RoundFate
    committed_at: int | None = None
    commit: str | None = None


class RoundsStep(Schema):
    """What became of the rounds; of those that were frozen before, the newest, and how many."""

    state: StepState
    time: int | None = None
    rounds: list[RoundOfGrant]
    frozen_before: int


class ClientsStep(Schema):
    """What her device or store reported."""

    state: StepState
    time: int | None = None
    instructions: list[InstructionStatus]


class Withdrawal(Schema):
    """One withdrawal, step by step; ``settled`` once no step waits for anything."""

    shopper: str
    epoch: int
    time: int
    cells: list[EndedCell]
    saved: SavedStep
    grants: GrantsStep
    rounds: RoundsStep
    clients: ClientsStep
    settled: bool


class WithdrawalSummary(Schema):
    """One withdrawal: its epoch, when it was saved, and what ended."""

    epoch: int
    time: int
    cells: list[EndedCell]


class Withdrawals(Schema):
    """Withdrawals, newest first; pass ``next`` as ``cursor`` for older ones."""

    shopper: str
    withdrawals: list[WithdrawalSummary]
    next: int | None = None
