"""Telling clients what to do with a shopper's data, in the transaction that makes it necessary.

An instruction is signed when it is handed out, not when it is issued: Ed25519 gives the same bytes
every time, and no signature holds up a withdrawal.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from consent.instruction import (
    Instruction,
    InstructionKind,
    InstructionState,
    check_details,
    expiry,
    parse_kind,
)
from consent.purpose import LIVE_STATES, Category, Cell, Purpose
from consent.service.context import Context
from consent.service.instructions.repository import InstructionRepository, Open
from consent.service.instructions.tables import InstructionRow
from consent.standing import ShopperConsent
from crypto.wire import SignedRecord, canonical

_BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one change of consent ended and gave, for one shopper."""

    epoch: int
    ended: frozenset[Cell] = frozenset()
    given: frozenset[Cell] = frozenset()

    @classmethod
    def between(cls, before: ShopperConsent, after: ShopperConsent) -> "Change":
        """What changed from one consent of hers to the next."""
        had, has = _live(before), _live(after)
        return cls(epoch=after.epoch, ended=had - has, given=has - had)


def issue(
    context: Context,
    session: Session,
    shopper_id: str,
    kind: str,
    *,
    request: str | None = None,
    cells: Iterable[Cell] = (),
    details: Mapping[str, Any] | None = None,
    also: Iterable[str] = (),
) -> list[str]:
    """Instruct the client that stands for a shopper, in the caller's transaction.

    ``kind`` is one of ``InstructionKind``, ``request`` the request of hers that it belongs to. No
    cells means that it is about everything. A correction has the details ``{"corrections":
    [...]}`` (``consent.correction``). ``also`` names clients that stood for her earlier and may
    still have data of hers.

    Returns:
        The ids of the instructions; none where no client stands for her.

    Raises:
        InvalidInputError: an unknown kind, or details that it does not have.
    """
    named = parse_kind(kind)
    standing = InstructionRepository(session).clients([shopper_id])
    clients = dict.fromkeys([*(client for _, client in standing), *also])
    order = _Order(
        kind=named, cells=tuple(sorted(set(cells))), details=details or {}, request=request
    )
    return _issue(context, session, [(shopper_id, client, order) for client in clients])


def consent_changed(context: Context, session: Session, changes: Mapping[str, Change]) -> None:
    """Tell clients about changed consent, by shopper: stop what ended, resume what is given again.

    A stop that nobody fetched and that was wholly taken back is called off. A client that was
    never told to stop needs no resume.
    """
    repository = InstructionRepository(session)
    clients = repository.clients(who for who, each in changes.items() if each.ended or each.given)
    orders: list[tuple[str, str, _Order]] = []
    for shopper, client in clients:
        change = changes[shopper]
        if change.ended:
            orders.append(
                (shopper, client, _Order.about(InstructionKind.STOP, change.ended, change))
            )
        if change.given and _told_to_stop(context, repository, shopper, client, change.given):
            given = _Order.about(InstructionKind.RESUME, change.given, change)
            orders.append((shopper, client, given))
    _issue(context, session, orders)


def client_replaced(
    context: Context,
    session: Session,
    shopper_id: str,
    *,
    before: str | None,
    after: str | None,
    epoch: int,
) -> None:
    """Tell the client that stood for a shopper to stop, and one that stands again to resume.

    The old client keeps her data, which is hers, and uses nothing of it. If her data is restricted,
    the new client is told so.
    """
    stop = _Order(kind=InstructionKind.STOP, epoch=epoch)
    orders = [] if before is None else [(shopper_id, before, stop)]
    repository = InstructionRepository(session)
    if after is not None and repository.is_restricted(shopper_id):
        orders.append((shopper_id, after, _Order(kind=InstructionKind.RESTRICT, epoch=epoch)))
    if after is not None and _told_to_stop(context, repository, shopper_id, after, None):
        lifts = {"lifts": [InstructionKind.STOP.value]}
        resume = _Order(kind=InstructionKind.RESUME, epoch=epoch, details=lifts)
        orders.append((shopper_id, after, resume))
    _issue(context, session, orders)


def expire(context: Context, session: Session, *, client: str | None = None) -> int:
    """Close a batch of instructions whose time is over, and delete their details."""
    repository, now = InstructionRepository(session), context.now_ms()
    overdue = repository.overdue(now, limit=_BATCH, client=client)
    repository.note(dict.fromkeys(overdue, now), InstructionState.EXPIRED)
    repository.close(overdue)
    return len(overdue)


def signed(context: Context, waiting: Open) -> SignedRecord:
    """An open instruction as its client gets it."""
    return instruction(waiting.row, details=json.loads(waiting.details)).sign(context.key)


def instruction(row: InstructionRow, *, details: Mapping[str, Any]) -> Instruction:
    """A stored instruction with its details."""
    return Instruction(
        id=row.id,
        number=row.number,
        client=row.client_id,
        shopper=row.shopper_id,
        kind=InstructionKind(row.kind),
        cells=cells_of(row),
        details=details,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
    )


def cells_of(row: InstructionRow) -> tuple[Cell, ...]:
    """The cells that a stored instruction is about."""
    return _parse(row.cells)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What is to be told, whoever is told."""

    kind: InstructionKind
    cells: tuple[Cell, ...] = ()
    details: Mapping[str, Any] | None = None
    request: str | None = None
    epoch: int | None = None

    @classmethod
    def about(cls, kind: InstructionKind, cells: Collection[Cell], change: Change) -> "_Order":
        return cls(kind=kind, cells=tuple(sorted(cells)), epoch=change.epoch)


def _issue(
    context: Context, session: Session, orders: Sequence[tuple[str, str, _Order]]
) -> list[str]:
    """Store instructions about (shopper, client), numbered one after another for each client."""
    if not orders:
        return []
    repository, now = InstructionRepository(session), context.now_ms()
    numbers = repository.last_numbers({client for _, client, _ in orders})
    rows: list[InstructionRow] = []
    details: dict[str, str] = {}
    for shopper, client, order in orders:
        check_details(order.kind, order.cells, order.details or {})
        numbers[client] = numbers.get(client, 0) + 1
        row = InstructionRow(
            id=context.new_id(),
            client_id=client,
            shopper_id=shopper,
            number=numbers[client],
            kind=order.kind,
            cells=" ".join(f"{cell.purpose}/{cell.category}" for cell in order.cells),
            epoch=order.epoch,
            request=order.request,
            issued_at=now,
            expires_at=expiry(order.kind, now),
        )
        rows.append(row)
        details[row.id] = canonical(dict(order.details or {})).decode()
    repository.add(rows, details)
    return [row.id for row in rows]


def _told_to_stop(
    context: Context,
    repository: InstructionRepository,
    shopper: str,
    client: str,
    given: Collection[Cell] | None,
) -> bool:
    """Whether a client has, or may have, a stop of these cells (None: of everything).

    Calls off stops that nobody fetched and of which nothing is left.
    """
    _call_off(context, repository, shopper, client, given)
    for cells, state in repository.told(shopper, client, InstructionKind.STOP):
        if state != InstructionState.SUPERSEDED and _touches(_parse(cells), given):
            return True
    return False


def _call_off(
    context: Context,
    repository: InstructionRepository,
    shopper: str,
    client: str,
    given: Collection[Cell] | None,
) -> None:
    idle = [
        row.id
        for row in repository.unfetched([shopper], InstructionKind.STOP)
        if row.client_id == client and _covered(cells_of(row), given)
    ]
    repository.note(dict.fromkeys(idle, context.now_ms()), InstructionState.SUPERSEDED)
    repository.close(idle)


def _live(consent: ShopperConsent) -> frozenset[Cell]:
    return frozenset(cell for cell, state in consent.cells.items() if state in LIVE_STATES)


def _touches(cells: Collection[Cell], given: Collection[Cell] | None) -> bool:
    return not cells if given is None else bool(set(cells) & set(given))


def _covered(cells: Collection[Cell], given: Collection[Cell] | None) -> bool:
    return not cells if given is None else bool(cells) and set(cells) <= set(given)


def _parse(cells: str) -> tuple[Cell, ...]:
    pairs = (text.split("/") for text in cells.split())
    return tuple(Cell(Purpose(purpose), Category(category)) for purpose, category in pairs)
