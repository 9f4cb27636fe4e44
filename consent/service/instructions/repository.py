"""Every query about instructions to clients."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.instruction import InstructionState
from consent.service.database import chunks
from consent.service.instructions.tables import InstructionEvent, InstructionRow, OpenInstruction
from consent.service.tables import METADATA, Client, Membership, Shopper

_ADD: Final = insert(METADATA.tables["instruction"])
_ADD_EVENTS: Final = insert(METADATA.tables["instruction_event"])
_ADD_OPEN: Final = insert(METADATA.tables["open_instruction"])
_CLIENTS: Final = (
    select(col(Membership.shopper_id), col(Membership.client_id))
    .where(col(Membership.shopper_id).in_(bindparam("shoppers", expanding=True)))
    .distinct()
)
_LAST: Final = (
    select(col(InstructionRow.client_id), func.max(col(InstructionRow.number)))
    .where(col(InstructionRow.client_id).in_(bindparam("clients", expanding=True)))
    .group_by(col(InstructionRow.client_id))
)


class Open(NamedTuple):
    """An instruction that is not finished, with its details."""

    row: InstructionRow
    details: str
    fetched: bool


class InstructionRepository:
    """The instructions that one transaction sees and adds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def clients(self, shoppers: Iterable[str]) -> list[tuple[str, str]]:
        """Some shoppers, each with every client that stands for her in any task."""
        found: list[tuple[str, str]] = []
        for part in chunks(shoppers):
            found += [
                (who, client) for who, client in self._session.execute(_CLIENTS, {"shoppers": part})
            ]
        return found

    def is_restricted(self, shopper_id: str) -> bool:
        """Whether a shopper's data is kept and not used."""
        query = select(col(Shopper.restricted_at)).where(col(Shopper.id) == shopper_id)
        return self._session.scalar(query) is not None

    def last_numbers(self, clients: Iterable[str]) -> dict[str, int]:
        """The number of the latest instruction to each of some clients, where there is one."""
        found: dict[str, int] = {}
        for part in chunks(clients):
            rows = self._session.execute(_LAST, {"clients": part}).all()
            found |= {row[0]: row[1] for row in rows}
        return found

    def add(self, rows: Sequence[InstructionRow], details: Mapping[str, str]) -> None:
        """Store new instructions, each open and issued; ``details`` by id."""
        if not rows:
            return
        self._session.execute(_ADD, [row.model_dump() for row in rows])
        self._session.execute(
            _ADD_OPEN,
            [
                {
                    "instruction_id": row.id,
                    "client_id": row.client_id,
                    "number": row.number,
                    "expires_at": row.expires_at,
                    "details": details[row.id],
                    "fetched": False,
                }
                for row in rows
            ],
        )
        self.note({row.id: row.issued_at for row in rows}, InstructionState.ISSUED)

    def note(self, times: Mapping[str, int], state: InstructionState) -> None:
        """Write down that some instructions reached a state, each at its time."""
        rows = [
            {"instruction_id": name, "state": state, "time": time, "report": None}
            for name, time in times.items()
        ]
        if rows:
            self._session.execute(_ADD_EVENTS, rows)

    def note_report(self, instruction_id: str, state: str, time: int, report: bytes) -> None:
        """Write down the state that a client's report leads to."""
        row = {"instruction_id": instruction_id, "state": state, "time": time, "report": report}
        self._session.execute(_ADD_EVENTS, [row])

    def open_of_client(self, client_id: str, *, after: int, limit: int) -> list[Open]:
        """A client's unfinished instructions after a number, in their order."""
        query = (
            select(InstructionRow, OpenInstruction)
            .join(OpenInstruction, col(OpenInstruction.instruction_id) == col(InstructionRow.id))
            .where(col(OpenInstruction.client_id) == client_id, col(OpenInstruction.number) > after)
            .order_by(col(OpenInstruction.number))
            .limit(limit)
        )
        return [
            Open(row, waiting.details, waiting.fetched)
            for row, waiting in self._session.execute(query)
        ]

    def unfetched(self, shoppers: Collection[str], kind: str) -> list[InstructionRow]:
        """Instructions of a kind about some shoppers that nobody has fetched."""
        found: list[InstructionRow] = []
        for part in chunks(shoppers):
            query = (
                select(InstructionRow)
                .join(
                    OpenInstruction, col(OpenInstruction.instruction_id) == col(InstructionRow.id)
                )
                .where(
                    col(InstructionRow.shopper_id).in_(part),
                    col(InstructionRow.kind) == kind,
                    col(OpenInstruction.fetched).is_(False),
                )
            )
            found += self._session.scalars(query)
        return found

    def told(self, shopper_id: str, client_id: str, kind: str) -> list[tuple[str, str]]:
        """Cells and latest state of every instruction of a kind to a client about a shopper."""
        latest = (
            select(func.max(col(InstructionEvent.id)))
            .where(col(InstructionEvent.instruction_id) == col(InstructionRow.id))
            .correlate(InstructionRow)
            .scalar_subquery()
        )
        query = (
            select(col(InstructionRow.cells), col(InstructionEvent.state))
            .join(InstructionEvent, col(InstructionEvent.id) == latest)
            .where(
                col(InstructionRow.shopper_id) == shopper_id,
                col(InstructionRow.client_id) == client_id,
                col(InstructionRow.kind) == kind,
            )
        )
        return [(cells, state) for cells, state in self._session.execute(query)]

    def mark_fetched(self, ids: Collection[str]) -> None:
        """Remember that some instructions were handed out."""
        for part in chunks(ids):
            table = METADATA.tables["open_instruction"]
            self._session.execute(
                update(table).where(table.c.instruction_id.in_(part)).values(fetched=True)
            )

    def close(self, ids: Iterable[str]) -> None:
        """Take some instructions out of the queue, and delete their details."""
        table = METADATA.tables["open_instruction"]
        for part in chunks(ids):
            self._session.execute(delete(table).where(table.c.instruction_id.in_(part)))

    def overdue(self, now: int, *, limit: int, client: str | None = None) -> list[str]:
        """Unfinished instructions whose time is over; of one client, or of all."""
        query = select(col(OpenInstruction.instruction_id)).where(
            col(OpenInstruction.expires_at) <= now
        )
        if client is not None:
            query = query.where(col(OpenInstruction.client_id) == client)
        return list(self._session.scalars(query.limit(limit)))

    def of_client(self, client_id: str, ids: Iterable[str]) -> dict[str, InstructionRow]:
        """Those of some instructions that are a client's own, by id."""
        found: dict[str, InstructionRow] = {}
        for part in chunks(ids):
            query = select(InstructionRow).where(
                col(InstructionRow.id).in_(part), col(InstructionRow.client_id) == client_id
            )
            found |= {row.id: row for row in self._session.scalars(query)}
        return found

    def of_shopper(
        self, shopper_id: str, *, before: tuple[int, str] | None, limit: int
    ) -> list[InstructionRow]:
        """A shopper's instructions, newest first, before a time and id."""
        query = select(InstructionRow).where(col(InstructionRow.shopper_id) == shopper_id)
        if before is not None:
            time, name = before
            query = query.where(
                or_(
                    col(InstructionRow.issued_at) < time,
                    and_(col(InstructionRow.issued_at) == time, col(InstructionRow.id) < name),
                )
            )
        newest = query.order_by(col(InstructionRow.issued_at).desc(), col(InstructionRow.id).desc())
        return list(self._session.scalars(newest.limit(limit)))

    def of_epoch(self, shopper_id: str, epoch: int) -> list[InstructionRow]:
        """The instructions that one change of a shopper's consent caused."""
        query = select(InstructionRow).where(
            col(InstructionRow.shopper_id) == shopper_id, col(InstructionRow.epoch) == epoch
        )
        return list(self._session.scalars(query.order_by(col(InstructionRow.id))))

    def of_requests(self, shopper_id: str, requests: Iterable[str]) -> list[InstructionRow]:
        """The instructions that some requests of a shopper caused."""
        found: list[InstructionRow] = []
        for part in chunks(requests):
            query = select(InstructionRow).where(
                col(InstructionRow.shopper_id) == shopper_id, col(InstructionRow.request).in_(part)
            )
            found += self._session.scalars(query.order_by(col(InstructionRow.id)))
        return found

    def history(self, ids: Iterable[str]) -> dict[str, list[InstructionEvent]]:
        """What became of some instructions, oldest first."""
        found: dict[str, list[InstructionEvent]] = defaultdict(list)
        for part in chunks(ids):
            query = select(InstructionEvent).where(col(InstructionEvent.instruction_id).in_(part))
            for row in self._session.scalars(query.order_by(col(InstructionEvent.id))):
                found[row.instruction_id].append(row)
        return found

    def kinds_of_clients(self, clients: Iterable[str]) -> dict[str, str]:
        """Whether each of some clients is a device or a store."""
        found: dict[str, str] = {}
        for part in chunks(clients):
            query = select(col(Client.thumbprint), col(Client.kind)).where(
                col(Client.thumbprint).in_(part)
            )
            found |= {row[0]: row[1] for row in self._session.execute(query).all()}
        return found
