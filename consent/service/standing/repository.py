"""Every query about which grants stand and which clients have consent."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Text, and_, bindparam, cast, false, func, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from consent import standing as rules
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from consent.service.database import chunks
from consent.service.shoppers.repository import SEPARATOR
from consent.service.tables import (
    EVERY_TASK,
    Consent,
    ConsentEvent,
    Grant,
    Membership,
    Shopper,
)
from consent.standing import ShopperConsent
from consent.tasks.names import REQUIRED_PURPOSE, TaskName


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What decides whether a grant stands. The grants of one answer share it where it is the same.

    Attributes:
        epoch: at which the grant was issued.
        consent: its shopper's live consent for what the tasks require, now.
    """

    task: TaskName
    epoch: int
    consent: ShopperConsent

    @cached_property
    def stand(self) -> bool:
        """Whether a grant of these terms counts: the rules are asked once for all of them."""
        return rules.stands(task=self.task, epoch=self.epoch, consent=self.consent)


class IssuedGrant(NamedTuple):
    """A grant as it was issued, and whether it stands now."""

    token_id: str
    client_id: str
    context: str
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Member:
    """A client's shopper: her live consent for one purpose, and its latest notice."""

    client_id: str
    shopper_id: str
    consent: ShopperConsent
    notice_version: str


_LIVE = col(Consent.state).in_(list(LIVE_STATES))
# What is due counts whatever its purpose: any expiry kills older grants. Written as a sum, so that
# no database looks for what is due of all shoppers, once for each of them.
_DUE = col(Consent.expires_at) + 0 <= bindparam("now")
_KIND: Final = (
    col(Grant.task),
    col(Grant.epoch),
    col(Shopper.epoch),
    col(Shopper.floor),
    col(Shopper.restricted_at).is_not(None),
    func.coalesce(col(Shopper.ends_at) <= bindparam("now"), false()),
    col(Shopper.given),
)
# Thousands of ids are one parameter, a JSON list: as that many parameters they would cost more to
# send and to plan than to look up.
_ASKED: Final = {
    "sqlite": func.json_each(bindparam("ids", type_=Text)).table_valued("value"),
    "postgresql": func.jsonb_array_elements_text(
        cast(bindparam("ids", type_=Text), postgresql.JSONB)
    ).table_valued("value"),
}
_BY_ID: Final = {
    dialect: select(col(Grant.token_id), *_KIND)
    .join(Shopper, col(Shopper.id) == col(Grant.shopper_id))
    .where(col(Grant.token_id).in_(select(asked.c.value)))
    for dialect, asked in _ASKED.items()
}
_OF_ROUND: Final = (
    select(col(Grant.token_id), col(Grant.client_id), col(Grant.context), *_KIND)
    .join(Shopper, col(Shopper.id) == col(Grant.shopper_id))
    .where(col(Grant.task) == bindparam("task"), col(Grant.round_id) == bindparam("round_id"))
)
# Of a shopper's ties, the one that counts in a task: its own, or else that of every task.
_OTHER = aliased(Membership)
_TIE = (
    select(func.max(col(_OTHER.task)))
    .where(
        col(_OTHER.shopper_id) == col(Membership.shopper_id),
        col(_OTHER.task).in_([EVERY_TASK, bindparam("task")]),
    )
    .scalar_subquery()
)
# One row for each live cell of each member, or one with nulls for a member without any. Cells of
# other purposes are among them where they are due.
_MEMBERS = (
    select(
        col(Membership.client_id),
        col(Shopper.id),
        col(Shopper.epoch),
        col(Shopper.floor),
        col(Shopper.restricted_at).is_not(None),
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
    .where(
        col(Membership.client_id).in_(bindparam("clients", expanding=True)),
        col(Membership.task) == _TIE,
    )
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

    def ids_by_terms(self, token_ids: Iterable[str]) -> list[tuple[Terms, list[str]]]:
        """The grants of these ids, those of the same terms together; unknown ids are left out."""
        connection = self._session.connection()
        query = _BY_ID[connection.dialect.name]
        rows = connection.execute(query, {"ids": json.dumps(list(token_ids)), "now": self._now})
        alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for row in rows.all():
            alike[row[1:]].append(row[0])
        return [(_terms(*kind), ids) for kind, ids in alike.items()]

    def grants_of_round(self, task: TaskName, round_id: str) -> list[IssuedGrant]:
        """Every grant of a round."""
        rows = self._session.connection().execute(
            _OF_ROUND, {"task": task, "round_id": round_id, "now": self._now}
        )
        known: dict[tuple[Any, ...], Terms] = {}
        found: list[IssuedGrant] = []
        for row in rows.all():
            kind: tuple[Any, ...] = row[3:]
            if kind not in known:
                known[kind] = _terms(*kind)
            found.append(IssuedGrant(*row[:3], known[kind]))
        return found

    def members(self, client_ids: Iterable[str], task: TaskName) -> list[Member]:
        """Every shopper that these clients stand for in a task, with her live consent for it."""
        purpose = REQUIRED_PURPOSE[task]
        found: list[Member] = []
        for part in chunks(client_ids):
            rows = self._session.execute(
                _MEMBERS, {"clients": part, "task": task, "purpose": purpose, "now": self._now}
            )
            found += _members(rows.all(), purpose, self._now)
        return found

    def last_event(self) -> int:
        """The number of the latest consent event of all: where in the history this instant is."""
        return self._session.scalar(_LAST_EVENT) or 0


def _terms(
    task: str, epoch: int, live_epoch: int, floor: int, restricted: bool, ended: bool, given: str
) -> Terms:
    consent = ShopperConsent(
        epoch=live_epoch,
        floor=floor,
        cells={_cell(name): ConsentState.GIVEN for name in given.split(SEPARATOR) if name},
        restricted=bool(restricted),
    )
    # Whatever it was that ended and was not written down yet: older grants are dead.
    now = consent.moved() if ended else consent
    return Terms(task=TaskName(task), epoch=epoch, consent=now)


def _cell(name: str) -> Cell:
    purpose, category = name.split(" ")
    return Cell(Purpose(purpose), Category(category))


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

    def consent(self, epoch: int, floor: int, restricted: bool, now: int) -> ShopperConsent:
        stored = ShopperConsent(
            epoch=epoch, floor=floor, cells=self.states, ends=self.ends, restricted=restricted
        )
        return stored.at(now)


def _members(rows: Sequence[Row[*tuple[Any, ...]]], purpose: Purpose, now: int) -> list[Member]:
    whose = {row[1]: row[:5] for row in rows}
    cells: dict[str, _Cells] = defaultdict(_Cells)
    notices: dict[str, str] = {}
    for _, shopper_id, _, _, _, of, category, state, notice, ends in rows:
        if category is not None:
            cells[shopper_id].add(of, category, state, ends)
        if of == purpose:
            notices[shopper_id] = notice  # rows are by epoch, so the last one stays
    return [
        Member(
            client_id=client_id,
            shopper_id=shopper_id,
            consent=cells[shopper_id].consent(epoch, floor, bool(restricted), now),
            notice_version=notices.get(shopper_id, ""),
        )
        for client_id, shopper_id, epoch, floor, restricted in whose.values()
    ]
