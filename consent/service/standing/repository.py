"""Every query about which grants stand and which clients have consent."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select
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
# What is due counts whatever its purpose: any expiry kills older grants.
_DUE = col(Consent.expires_at) <= bindparam("now")
_CELLS = (
    select(
        col(Consent.shopper_id),
        col(Consent.purpose),
        col(Consent.category),
        col(Consent.state),
        col(Consent.expires_at),
    )
    .join(Grant, col(Grant.shopper_id) == col(Consent.shopper_id))
    .where(_LIVE, or_(col(Consent.purpose).in_(bindparam("purposes", expanding=True)), _DUE))
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
# One row for each live cell of each member, or one with nulls for a member without any. Cells of
# other purposes are among them where they are due.
_MEMBERS = (
    select(
        col(Membership.client_id),
        col(Shopper.id),
        col(Shopper.epoch),
        col(Shopper.floor),
        col(Consent.purpose),
        col(Consent.category),
        col(Consent.state),
        col(Consent.notice_version),
        col(Consent.expires_at),
    )
    .join(Shopper, col(Shopper.id) == col(Membership.shopper_id))
    .outerjoin(
        Consent,
        and_(
            col(Consent.shopper_id) == col(Shopper.id),
            or_(col(Consent.purpose) == bindparam("purpose"), _DUE),
            _LIVE,
        ),
    )
    .where(col(Membership.client_id).in_(bindparam("clients", expanding=True)))
    .order_by(col(Consent.epoch))
)
_LAST_EVENT = select(func.max(col(ConsentEvent.id)))


class StandingRepository:
    """Grants and consent as one transaction sees them at ``now`` (Unix milliseconds).

    Consent whose time is over by then counts as expired, whether or not that was written down.
    """

    def __init__(self, session: Session, *, now: int) -> None:
        self._session = session
        self._now = now

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
            rows = self._session.execute(
                _MEMBERS, {"clients": part, "purpose": purpose, "now": self._now}
            )
            found += _members(rows.all(), purpose, self._now)
        return found

    def last_event(self) -> int:
        """The number of the latest consent event of all: where in the history this instant is."""
        return self._session.scalar(_LAST_EVENT) or 0

    def _grants(self, *where: ColumnElement[bool]) -> list[IssuedGrant]:
        rows = self._session.execute(_GRANTS.where(*where)).all()
        purposes = {REQUIRED_PURPOSE[TaskName(row[2])] for row in rows}
        live = self._session.execute(
            _CELLS.where(*where), {"purposes": list(purposes), "now": self._now}
        )
        cells: dict[str, _Cells] = defaultdict(_Cells)
        for shopper_id, purpose, category, state, ends in live:
            cells[shopper_id].add(purpose, category, state, ends)
        return [_issued(row, cells[row[5]], self._now) for row in rows]


@dataclass
class _Cells:
    """The live cells of one shopper as they are read, row by row."""

    states: dict[Cell, ConsentState] = field(default_factory=dict)
    ends: dict[Cell, int] = field(default_factory=dict)

    def add(self, purpose: str, category: str, state: str, ends: int | None) -> None:
        cell = Cell(Purpose(purpose), Category(category))
        self.states[cell] = ConsentState(state)
        if ends is not None:
            self.ends[cell] = ends

    def consent(self, epoch: int, floor: int, now: int) -> ShopperConsent:
        stored = ShopperConsent(epoch=epoch, floor=floor, cells=self.states, ends=self.ends)
        return stored.at(now)


def _issued(
    row: Row[str, str, str, str, int, str, int, int], cells: _Cells, now: int
) -> IssuedGrant:
    token_id, client_id, task, context, epoch, _, live_epoch, floor = row
    return IssuedGrant(
        token_id=token_id,
        client_id=client_id,
        task=TaskName(task),
        context=context,
        epoch=epoch,
        consent=cells.consent(live_epoch, floor, now),
    )


def _members(rows: Sequence[Row[*tuple[Any, ...]]], purpose: Purpose, now: int) -> list[Member]:
    whose = {row[1]: row[:4] for row in rows}
    cells: dict[str, _Cells] = defaultdict(_Cells)
    notices: dict[str, str] = {}
    for _, shopper_id, _, _, of, category, state, notice, ends in rows:
        if category is not None:
            cells[shopper_id].add(of, category, state, ends)
        if of == purpose:
            notices[shopper_id] = notice  # rows are by epoch, so the last one stays
    return [
        Member(
            client_id=client_id,
            shopper_id=shopper_id,
            consent=cells[shopper_id].consent(epoch, floor, now),
            notice_version=notices.get(shopper_id, ""),
        )
        for client_id, shopper_id, epoch, floor in whose.values()
    ]
