"""What has happened before somebody looks around: five months of a small alliance of stores.

Everything goes through the service's own functions, at the time at which it is said to have
happened: shoppers register, change their minds, take part in rounds, earn points, ask for their
rights, and operators answer.
"""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from consent.client import ConsentClient
from consent.incentive import OPT_IN
from consent.pairing import PairingRequest, as_typed
from consent.panel.demo.clock import DemoClock
from consent.panel.demo.coordinator import Coordinator, Member
from consent.panel.demo.device import Device
from consent.panel.demo.town import BROWSING, PURCHASES, Town
from consent.purpose import Category, Cell, Decision, Purpose
from consent.rights.clock import Residence
from consent.rights.request import RequestKind
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import create_account, open_session
from consent.service.context import Context
from consent.service.pairing import service as pairing
from consent.service.pairing.schemas import CodeWish
from consent.service.points import codes
from consent.service.points.schemas import CodeRequest
from consent.service.principals import Role
from consent.service.rights import queue
from consent.service.rights import service as rights
from consent.service.rights.schemas import Closing, NewRequest

DAY_S: Final = 86_400.0
MONTHS: Final = 5
ROUNDS_A_MONTH: Final = 2
LASTS_S: Final = (MONTHS * 30 + 25) * DAY_S
SHOPPERS: Final = 120
ACCOUNTS: Final = {"demo": Role.SHOPPER, "operator": Role.OPERATOR, "auditor": Role.AUDITOR}
_PAUSE_S: Final = DAY_S * 30 / (ROUNDS_A_MONTH + 1)
_HERS: Final = {
    Cell(Purpose.PERSONALISE, Category.PURCHASES): Decision.GIVEN,
    Cell(Purpose.PERSONALISE, Category.BROWSING): Decision.GIVEN,
    PURCHASES: Decision.GIVEN,
    Cell(Purpose.TRAIN, Category.LOCATION): Decision.REFUSED,
    Cell(Purpose.MEASUREMENT, Category.PURCHASES): Decision.REFUSED,
    OPT_IN: Decision.GIVEN,
}
# What lies in the operator's queue, oldest first, three days apart.
_REQUESTS: Final = (
    (RequestKind.ACCESS, Residence.EEA, ""),
    (RequestKind.RECTIFICATION, Residence.EEA, "My receipts name the wrong store."),
    (RequestKind.OPT_OUT, Residence.CALIFORNIA, ""),
    (RequestKind.CORRECT, Residence.CALIFORNIA, "I returned the kettle that you list."),
    (RequestKind.RECTIFICATION, Residence.ELSEWHERE, "I have moved; my store is another one."),
    (RequestKind.RESTRICTION, Residence.EEA, ""),
)
_PEER: Final = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is there once the history is made. All accounts have one password."""

    password: str = field(repr=False)
    device: Device
    coordinator: Coordinator


@dataclass(frozen=True, kw_only=True)
class Teller:
    """Makes the history of one demo, in order of time; ``http`` reaches the service."""

    context: Context
    clock: DemoClock
    http: httpx.Client
    town: Town
    coordinator: Coordinator

    def tell(self, folder: Path) -> Story:
        """Make the history. At its end the clock runs, and nothing is under way."""
        password = secrets.token_urlsafe(9)
        device = Device.bought(folder, until=self.clock() + LASTS_S)
        shopper = self._people(device, password)
        self.coordinator.members = [*self.town.members, Member(device.key, [shopper])]
        for month in range(MONTHS):
            self._month(month, shopper, device)
        self._requests(shopper)
        self._sync(device)
        self.clock.run()
        return Story(password=password, device=device, coordinator=self.coordinator)

    def _month(self, month: int, shopper: str, device: Device) -> None:
        self.town.grow(SHOPPERS // MONTHS)
        if month == 1:
            self.town.decide(shopper, {BROWSING: Decision.GIVEN})
        if month == MONTHS - 2:
            self.town.decide(shopper, {BROWSING: Decision.WITHDRAWN})
        self.clock.move(40)
        self._sync(device)
        for _ in range(ROUNDS_A_MONTH):
            self.clock.move(_PAUSE_S)
            self.coordinator.open()
            self.clock.move(300)
            self.town.change_minds(3)
            self.coordinator.close()
        self.clock.move(_PAUSE_S)

    def _sync(self, device: Device) -> None:
        key = self.context.key.public_key()
        consent = ConsentClient(self.http, service_key=key, clock=self.clock)
        device.sync(consent, now_ms=self.context.now_ms())

    def _people(self, device: Device, password: str) -> str:
        """The accounts to look around with; returns the demo shopper, whose device is paired."""
        shopper = self.town.register(_HERS).shopper
        hashed = self.context.passwords.hash(password)
        with self.context.database.writing() as session:
            for name, role in ACCOUNTS.items():
                create_account(
                    self.context,
                    session,
                    role=role,
                    shopper_id=shopper if role is Role.SHOPPER else None,
                    name=name,
                    password_hash=hashed,
                )
        wish = CodeWish(label="My phone")
        code = pairing.new_code(self.context, shopper, self._login("demo"), wish).code
        answer = PairingRequest(
            code=as_typed(code),
            client_key=device.key.public_key(),
            issued_at=int(self.context.now()),
        )
        paired = pairing.pair(self.context, answer.sign(device.key), peer=_PEER)
        self.town.tokens[shopper] = paired.token
        return shopper

    def _login(self, name: str) -> str:
        """The token of a login that was opened just now."""
        with self.context.database.writing() as session:
            account = AccountRepository(session).by_name(name)
            if account is None:
                raise LookupError(name)
            return open_session(self.context, session, account, label="Demo")

    def _guest(self, shopper: str) -> str:
        """A login of a shopper who gets an account for it."""
        with self.context.database.writing() as session:
            account = create_account(
                self.context, session, role=Role.SHOPPER, shopper_id=shopper, name=None
            )
            return open_session(self.context, session, account, label="Demo")

    def _requests(self, shopper: str) -> None:
        """The operator's queue, with one request answered and one taken, and the demo shopper's."""
        opened = []
        for number, (kind, residence, note) in enumerate(_REQUESTS):
            self.clock.move(3 * DAY_S)
            asks, wanted = (
                self.town.shoppers[number],
                NewRequest(kind=kind, residence=residence, note=note),
            )
            made = rights.open_request(
                self.context, asks, self._guest(asks), wanted, f"demo-{number}"
            )
            opened.append(made.id)
        operator, answer = self._login("operator"), Closing(answer="It is corrected.")
        for request in (opened[1], opened[3]):
            queue.take(self.context, operator, request)
        queue.complete(self.context, operator, opened[1], answer)
        token = self._login("demo")
        mine = NewRequest(kind=RequestKind.ACCESS, residence=Residence.EEA)
        rights.open_request(self.context, shopper, token, mine, "demo-own")
        codes.issue(self.context, shopper, token, CodeRequest(points=20), "demo-code")
