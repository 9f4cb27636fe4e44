"""Every query about shoppers, their consent and their client."""

from collections.abc import Iterable

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.purpose import Category, Cell, ConsentState, Purpose
from consent.service.tables import Client, Consent, ConsentEvent, Membership, Shopper
from consent.standing import ShopperConsent

_SAVE_CELLS = upsert(Consent)
_SAVE_CELLS = _SAVE_CELLS.on_conflict_do_update(
    index_elements=["shopper_id", "purpose", "category"],
    set_={
        name: _SAVE_CELLS.excluded[name] for name in ("state", "notice_version", "epoch", "since")
    },
)
_JOIN = upsert(Membership)
_JOIN = _JOIN.on_conflict_do_update(
    index_elements=["shopper_id"], set_={"client_id": _JOIN.excluded.client_id}
)


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
        return self._session.get(Shopper, shopper_id)

    def cells(self, shopper_id: str) -> list[Consent]:
        """The decided cells of a shopper."""
        query = select(Consent).where(col(Consent.shopper_id) == shopper_id)
        return list(self._session.scalars(query))

    def consent(self, shopper: Shopper) -> ShopperConsent:
        """A shopper's consent now, as the rules of standing read it."""
        cells = {
            Cell(Purpose(row.purpose), Category(row.category)): ConsentState(row.state)
            for row in self.cells(shopper.id)
        }
        return ShopperConsent(epoch=shopper.epoch, floor=shopper.floor, cells=cells)

    def save_standing(self, shopper_id: str, consent: ShopperConsent) -> None:
        """Store a shopper's epoch and floor."""
        self._session.execute(
            update(Shopper)
            .where(col(Shopper.id) == shopper_id)
            .values(epoch=consent.epoch, floor=consent.floor)
        )

    def save_cells(self, rows: Iterable[Consent]) -> None:
        """Store the new state of some cells and append each to the history."""
        values = [row.model_dump() for row in rows]
        if values:
            self._session.execute(_SAVE_CELLS, values)
            history = [{**value, "time": value.pop("since")} for value in values]
            self._session.execute(insert(ConsentEvent), history)

    def client(self, thumbprint: str) -> Client | None:
        """The client of this thumbprint."""
        return self._session.get(Client, thumbprint)

    def add_client(self, client: Client) -> None:
        """Add a client, at once."""
        self._session.add(client)
        self._session.flush()

    def membership(self, shopper_id: str) -> Membership | None:
        """The shopper's tie to her client."""
        return self._session.get(Membership, shopper_id)

    def join(self, shopper_id: str, client_id: str) -> None:
        """Make a client the one that stands for the shopper."""
        self._session.execute(_JOIN, [{"shopper_id": shopper_id, "client_id": client_id}])
