"""Every query about which grants stand and which clients have consent."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from consent.service.database import chunks
from consent.service.tables import Consent, ConsentEvent, Grant, Membership, Shopper
from consent.standing import ShopperConsent
from consent.tasks.task import REQUIRED_PURPOSE, TaskName


@dataclass(frozen=True, kw_only=True)
class IssuedGrant:
    """A grant as it was issued, and its shopper's live consent for the grant's purpose now."""

    token_id: str
    client_id: str
    task: TaskName
    context: str
    epoch: int
    consent: ShopperConsent


@dataclass(frozen=True, kw_only=True)
class Member:
    """A client's shopper: her live consent for one purpose, and its latest notice."""

    client_id: str
    shopper_id: str
    consent: ShopperConsent
    notice_version: str


_LIVE = col(Consent.state).in_(list(LIVE_STATES))
_CELLS = (
    select(col(Consent.shopper_id), col(Consent.purpose), col(Consent.category), col(Consent.state))
    .join(Grant, col(Grant.shopper_id) == col(Consent.shopper_id))
    .where(_LIVE, col(Consent.purpose).in_(bindparam("purposes", expanding=True)))
    .distinct()
)
_GRANTS = select(
    col(Grant.token_id),
    col(Grant.client_id),
    col(Grant.task),
    col(Grant.context),
    col(Grant.epoch),
    col(Grant.shopper_id),
    col(Shopper.epoch),
    col(Shopper.floor),
).join(Shopper, col(Shopper.id) == col(Grant.shopper_id))
# One row for each live cell of each member, or one with nulls for a member without any.
_MEMBERS = (
    select(
        col(Membership.client_id),
        col(Shopper.id),
        col(Shopper.epoch),
        col(Shopper.floor),
        col(Consent.category),
        col(Consent.state),
        col(Consent.notice_version),
    )
    .join(Shopper, col(Shopper.id) == col(Membership.shopper_id))
    .outerjoin(
        Consent,
        and_(
            col(Consent.shopper_id) == col(Shopper.id),
            col(Consent.purpose) == bindparam("purpose"),
            _LIVE,
        ),
    )
    .where(col(Membership.client_id).in_(bindparam("clients", expanding=True)))
    .order_by(col(Consent.epoch))
)
_LAST_EVENT = select(func.max(col(ConsentEvent.id)))


class StandingRepository:
    """Grants and consent as one transaction sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def grants_by_id(self, token_ids: Iterable[str]) -> list[IssuedGrant]:
        """The grants of these ids; unknown ids are left out."""
        found: list[IssuedGrant] = []
        for part in chunks(token_ids):
            found += self._grants(col(Grant.token_id).in_(part))
        return found

    def grants_of_round(self, task: TaskName, round_id: str) -> list[IssuedGrant]:
        """Every grant of a round."""
        return self._grants(col(Grant.task) == task, col(Grant.round_id) == round_id)

    def members(self, client_ids: Iterable[str], purpose: Purpose) -> list[Member]:
        """Every shopper of these clients, with her live consent for a purpose."""
        found: list[Member] = []
        for part in chunks(client_ids):
            rows = self._session.execute(_MEMBERS, {"clients": part, "purpose": purpose})
            found += _members(rows.all(), purpose)
        return found

    def last_event(self) -> int:
        """The number of the latest consent event of all: where in the history this instant is."""
        return self._session.scalar(_LAST_EVENT) or 0

    def _grants(self, *where: ColumnElement[bool]) -> list[IssuedGrant]:
        rows = self._session.execute(_GRANTS.where(*where)).all()
        purposes = {REQUIRED_PURPOSE[TaskName(row[2])] for row in rows}
        live = self._session.execute(_CELLS.where(*where), {"purposes": list(purposes)})
        cells: dict[str, dict[Cell, ConsentState]] = defaultdict(dict)
        for shopper_id, purpose, category, state in live:
            cells[shopper_id][Cell(Purpose(purpose), Category(category))] = ConsentState(state)
        return [_issued(row, cells[row[5]]) for row in rows]


def _issued(
    row: Row[str, str, str, str, int, str, int, int], cells: dict[Cell, ConsentState]
) -> IssuedGrant:
    token_id, client_id, task, context, epoch, _, live_epoch, floor = row
    return IssuedGrant(
        token_id=token_id,
        client_id=client_id,
        task=TaskName(task),
        context=context,
        epoch=epoch,
        consent=ShopperConsent(epoch=live_epoch, floor=floor, cells=cells),
    )


def _members(rows: Sequence[Row[*tuple[Any, ...]]], purpose: Purpose) -> list[Member]:
    whose = {row[1]: row for row in rows}  # the last row of each has her latest notice
    cells: dict[str, dict[Cell, ConsentState]] = defaultdict(dict)
    for _, shopper_id, _, _, category, state, _ in rows:
        if category is not None:
            cells[shopper_id][Cell(purpose, Category(category))] = ConsentState(state)
    return [
        Member(
            client_id=client_id,
            shopper_id=shopper_id,
            consent=ShopperConsent(epoch=epoch, floor=floor, cells=cells[shopper_id]),
            notice_version=notice or "",
        )
        for client_id, shopper_id, epoch, floor, _, _, notice in whose.values()
    ]
