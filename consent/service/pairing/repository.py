"""Every query about pairing codes and the tokens of paired devices."""

from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.pairing.tables import DeviceToken, PairingCode
from consent.service.tables import Client, Membership


class Tie(NamedTuple):
    """A client of a shopper's in one task, and its device token if it was paired by a code."""

    client: Client
    task: str
    device: DeviceToken | None


class PairingRepository:
    """Codes and devices of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace_code(self, code: PairingCode) -> None:
        """Put a code in the place of the shopper's earlier one."""
        self.forget_code(code.shopper_id)
        self._session.add(code)
        self._session.flush()

    def code_of(self, shopper_id: str) -> PairingCode | None:
        """The shopper's code, good or not."""
        return self._session.get(PairingCode, shopper_id, populate_existing=True)

    def by_handle(self, handle: str) -> PairingCode | None:
        """The code with this first half, good or not."""
        return self._session.scalar(select(PairingCode).where(col(PairingCode.handle) == handle))

    def save_code(self, code: PairingCode) -> None:
        """Store what was changed of a code."""
        self._session.add(code)
        self._session.flush()

    def forget_code(self, shopper_id: str) -> None:
        """Delete the shopper's code."""
        self._session.execute(delete(PairingCode).where(col(PairingCode.shopper_id) == shopper_id))

    def forget_expired(self, now: int) -> None:
        """Delete every code whose time is over."""
        self._session.execute(delete(PairingCode).where(col(PairingCode.expires_at) <= now))

    def add_device(self, device: DeviceToken) -> None:
        """Store the token of a paired device in the place of its earlier one."""
        self.forget_device(device.shopper_id, device.client_id)
        self._session.add(device)
        self._session.flush()

    def forget_device(self, shopper_id: str, client_id: str) -> bool:
        """Delete the token of a device; whether it had one."""
        query = delete(DeviceToken).where(
            col(DeviceToken.shopper_id) == shopper_id, col(DeviceToken.client_id) == client_id
        )
        return bool(self._session.execute(query.returning(col(DeviceToken.token_hash))).all())

    def ties(self, shopper_id: str) -> list[Tie]:
        """The shopper's clients, each with its tasks."""
        query = (
            select(Client, col(Membership.task), DeviceToken)
            .join(Membership, col(Membership.client_id) == col(Client.thumbprint))
            .outerjoin(
                DeviceToken,
                (col(DeviceToken.client_id) == col(Membership.client_id))
                & (col(DeviceToken.shopper_id) == col(Membership.shopper_id)),
            )
            .where(col(Membership.shopper_id) == shopper_id)
            .order_by(col(Membership.task))
        )
        return [Tie(*row) for row in self._session.execute(query)]

    def erase(self, shopper_id: str) -> None:
        """Delete a shopper's code and her devices' tokens."""
        self.forget_code(shopper_id)
        self._session.execute(delete(DeviceToken).where(col(DeviceToken.shopper_id) == shopper_id))
