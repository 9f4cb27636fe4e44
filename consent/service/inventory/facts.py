"""What the service really runs with: the facts that both records are made of."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from consent.notice import Terms
from consent.receipt import Controller
from consent.service.context import Context
from consent.service.inventory.figures import Figures
from consent.service.inventory.repository import InventoryRepository
from consent.service.inventory.tables import AttackAudit
from consent.service.notices.repository import NoticeRepository
from consent.service.retention.schemas import RetentionRule
from consent.service.retention.service import schedule
from consent.service.rounds.repository import PolicyRepository
from consent.tasks.names import TaskName
from crypto.errors import InvalidInputError
from crypto.manifest import Manifest
from crypto.wire import SignedRecord

ROUNDED_TO: Final = 10


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the releases of one task come to."""

    releases: int
    without_noise: int
    epsilon: float | None
    delta: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One state of the service.

    ``policies`` are the manifests of the newest round of each task, as their coordinator signed
    them; ``hashes`` are of the current notice's texts, by language.
    """

    made_at: int
    controller: Controller
    issuer: str
    notice: Terms
    hashes: dict[str, str]
    validity_days: int
    policies: tuple[Manifest, ...]
    retention: tuple[RetentionRule, ...]
    points_per_round: int
    figures: Figures
    spent: dict[TaskName, Spent]
    attacks: tuple[AttackAudit, ...]


def gather(context: Context, session: Session, figures: Figures) -> Facts:
    """The facts as one transaction sees them, with figures that were counted before.

    Raises:
        InvalidInputError: no notice is published.
    """
    notices, inventory = NoticeRepository(session), InventoryRepository(session)
    current = notices.history().current
    if current is None:
        raise InvalidInputError("No notice is published, so there is nothing to record yet.")
    settings = context.settings
    return Facts(
        made_at=context.now_ms(),
        controller=settings.controller,
        issuer=settings.issuer,
        notice=current,
        hashes={str(key): value for key, value in notices.hashes()[current.version].items()},
        validity_days=settings.validity_days,
        policies=_policies(context, session),
        retention=tuple(schedule(context)),
        points_per_round=settings.incentive.points_per_round,
        figures=figures,
        spent={
            TaskName(task): Spent(
                releases=found[0], without_noise=found[1], epsilon=found[2], delta=found[3]
            )
            for task, found in inventory.spent().items()
        },
        attacks=tuple(inventory.attacks()),
    )


def rounded(count: int) -> str:
    """A count that tells nothing of any one shopper: down to tens, and never a small one."""
    if count < ROUNDED_TO:
        return f"< {ROUNDED_TO}"
    return str(count // ROUNDED_TO * ROUNDED_TO)


def _policies(context: Context, session: Session) -> tuple[Manifest, ...]:
    key = context.settings.coordinator_key
    if key is None:
        return ()
    found = PolicyRepository(session).latest()
    return tuple(Manifest.verify(SignedRecord.from_bytes(row.record), key) for row in found)
