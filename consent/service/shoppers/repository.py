"""Every query about shoppers, their consent and their client."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Purpose
from consent.service.database import chunks
from consent.service.tables import EVERY_TASK, METADATA, Client, Consent, Membership, Shopper
from consent.service.upsert import Upsert
from consent.standing import ShopperConsent
from consent.tasks.names import REQUIRED_PURPOSE

# Cells in one text, as ``Shopper.given`` has them: each is its purpose, a space and its category.
SEPARATOR: Final = ","
_SAVE_CELLS = Upsert(
    Consent,
    key=["shopper_id", "purpose", "category"],
    change=["state", "notice_version", "epoch", "since", "expires_at"],
)
_LIVE = col(Consent.state).in_(list(LIVE_STATES))
_SHOPPER = METADATA.tables["shopper"]
_SAVE_STANDING = (
    update(_SHOPPER)
    .where(_SHOPPER.c.id == bindparam("shopper"))
    .values(epoch=bindparam("new_epoch"), floor=bindparam("new_floor"))
)
_SAVE_RESTRICTION = (
    update(_SHOPPER)
    .where(_SHOPPER.c.id == bindparam("shopper"))
    .values(restricted_at=bindparam("since"))
)
_NAMED = col(Consent.purpose) + " " + col(Consent.category)
_HERS = (col(Consent.shopper_id) == _SHOPPER.c.id, _LIVE)
_REPEAT_CELLS = (
    update(_SHOPPER)
    .where(_SHOPPER.c.id.in_(bindparam("shoppers", expanding=True)))
    .values(
        given=select(func.coalesce(func.aggregate_strings(_NAMED, SEPARATOR), ""))
        .where(*_HERS, col(Consent.purpose).in_(sorted(set(REQUIRED_PURPOSE.values()))))
        .scalar_subquery(),
        ends_at=select(func.min(col(Consent.expires_at))).where(*_HERS).scalar_subquery(),
    )
)
_JOIN = Upsert(Membership, key=["shopper_id", "task"], change=["client_id"])


class Held(NamedTuple):
    """A shopper's consent as it is stored, and the notice of each decided cell."""

    shopper: str
    consent: ShopperConsent
    notices: dict[Cell, str]


class ShopperRepository:
    """Shoppers of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, shopper: Shopper) -> None:
        """Add a shopper, at once, so that other rows can refer to her."""
        self._session.add(shopper)
        self._session.flush()

    def find(self, shopper_id: str) -> Shopper | None:
        """The shopper of this id."""
        if "\0" in shopper_id:  # PostgreSQL stores no such text and refuses to look for it
            return None
        return self._session.get(Shopper, shopper_id)

    def cells(self, shopper_id: str) -> list[Consent]:
        """The decided cells of a shopper, as this transaction has left them."""
        query = select(Consent).where(col(Consent.shopper_id) == shopper_id)
        fresh = query.execution_options(populate_existing=True)
        return list(self._session.scalars(fresh))

    def consent(self, shopper: Shopper) -> ShopperConsent:
        """A shopper's consent as it is stored; ``at`` makes it what it is now."""
        restricted = shopper.restricted_at is not None
        return _consent(shopper.epoch, shopper.floor, restricted, self.cells(shopper.id))

    def held(self, shopper_ids: Iterable[str]) -> list[Held]:
        """The consent of many shoppers as it is stored."""
        found: list[Held] = []
        for part in chunks(shopper_ids):
            cells: dict[str, list[Consent]] = defaultdict(list)
            query = select(Consent).where(col(Consent.shopper_id).in_(part))
            for row in self._session.scalars(query.execution_options(populate_existing=True)):
                cells[row.shopper_id].append(row)
            standing = select(
                col(Shopper.id),
                col(Shopper.epoch),
                col(Shopper.floor),
                col(Shopper.restricted_at).is_not(None),
            )
            for who, epoch, floor, restricted in self._session.execute(
                standing.where(col(Shopper.id).in_(part))
            ):
                notices = {_cell(row): row.notice_version for row in cells[who]}
                consent = _consent(epoch, floor, bool(restricted), cells[who])
                found.append(Held(who, consent, notices))
        return found

    def due(self, now: int, *, client: str | None = None, limit: int | None = None) -> list[str]:
        """Shoppers with given cells whose time is over; of one client, or of all."""
        query = select(col(Consent.shopper_id)).distinct()
        query = query.where(_LIVE, col(Consent.expires_at) <= now).limit(limit)
        if client is not None:
            query = query.join(
                Membership, col(Membership.shopper_id) == col(Consent.shopper_id)
            ).where(col(Membership.client_id) == client)
        return list(self._session.scalars(query))

    def giving(self, purposes: Collection[Purpose], *, after: str, limit: int) -> list[str]:
        """Shoppers with a given cell of these purposes, by id, after one id."""
        query = select(col(Consent.shopper_id)).distinct().order_by(col(Consent.shopper_id))
        query = query.where(
            _LIVE, col(Consent.purpose).in_(list(purposes)), col(Consent.shopper_id) > after
        )
        return list(self._session.scalars(query.limit(limit)))

    def save_standing(self, shopper_id: str, consent: ShopperConsent) -> None:
        """Store a shopper's epoch and floor."""
        self.save_standings({shopper_id: consent})

    def save_standings(self, consents: Mapping[str, ShopperConsent]) -> None:
        """Store the epochs and floors of some shoppers."""
        rows = [
            {"shopper": who, "new_epoch": consent.epoch, "new_floor": consent.floor}
            for who, consent in consents.items()
        ]
        if rows:
            self._session.execute(_SAVE_STANDING, rows)

    def save_restriction(self, shopper_id: str, consent: ShopperConsent, *, since: int) -> None:
        """Store a shopper's epoch and floor, and whether her data is restricted since a time."""
        self.save_standing(shopper_id, consent)
        stated = {"shopper": shopper_id, "since": since if consent.restricted else None}
        self._session.execute(_SAVE_RESTRICTION, stated)

    def save_cells(self, rows: Iterable[Consent]) -> None:
        """Store the new state of some cells, and what live checks read of them, in one step.

        Their events are the log's business.
        """
        values = [row.model_dump() for row in rows]
        if values:
            _SAVE_CELLS.execute(self._session, values)
            self.repeat_cells({value["shopper_id"]: None for value in values})

    def repeat_cells(self, shoppers: Iterable[str]) -> None:
        """Store beside some shoppers what live checks read of their cells as they are now."""
        connection = self._session.connection()
        for part in chunks(shoppers):
            connection.execute(_REPEAT_CELLS, {"shoppers": part})

    def client(self, thumbprint: str) -> Client | None:
        """The client of this thumbprint."""
        return self._session.get(Client, thumbprint)

    def add_client(self, client: Client) -> None:
        """Add a client, at once."""
        self._session.add(client)
        self._session.flush()

    def save_residence(self, shopper_id: str, residence: str) -> None:
        """Store where a shopper says that she lives."""
        self._session.execute(
            update(Shopper).where(col(Shopper.id) == shopper_id).values(residence=residence)
        )

    def save_token(self, shopper_id: str, token_hash: str) -> None:
        """Put another token in the place of the one from a shopper's registration."""
        self._session.execute(
            update(Shopper).where(col(Shopper.id) == shopper_id).values(token_hash=token_hash)
        )

    def memberships(self, shopper_id: str) -> list[Membership]:
        """The shopper's ties to her clients, by task."""
        query = select(Membership).where(col(Membership.shopper_id) == shopper_id)
        fresh = query.order_by(col(Membership.task)).execution_options(populate_existing=True)
        return list(self._session.scalars(fresh))

    def join(self, shopper_id: str, client_id: str, tasks: Collection[str] = (EVERY_TASK,)) -> None:
        """Make a client the one that stands for the shopper in some tasks."""
        rows = [{"shopper_id": shopper_id, "task": task, "client_id": client_id} for task in tasks]
        _JOIN.execute(self._session, rows)

    def leave(self, shopper_id: str, client_id: str, tasks: Collection[str]) -> None:
        """Let a client stand for the shopper in some tasks no more."""
        self._session.execute(
            delete(Membership).where(
                col(Membership.shopper_id) == shopper_id,
                col(Membership.client_id) == client_id,
                col(Membership.task).in_(list(tasks)),
            )
        )


def _consent(epoch: int, floor: int, restricted: bool, rows: Collection[Consent]) -> ShopperConsent:
    return ShopperConsent(
        epoch=epoch,
        floor=floor,
        restricted=restricted,
        cells={_cell(row): ConsentState(row.state) for row in rows},
        ends={_cell(row): row.expires_at for row in rows if row.expires_at is not None},
    )


def _cell(row: Consent) -> Cell:
    return Cell(Purpose(row.purpose), Category(row.category))
