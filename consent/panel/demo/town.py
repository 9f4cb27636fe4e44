"""The people of the demo: stores and devices, and the shoppers who register with them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ages import AgeBand
from consent.incentive import OPT_IN
from consent.notice import Language
from consent.panel.demo.clock import DemoClock
from consent.panel.demo.coordinator import Member
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.context import Context
from consent.service.machines import service as machines
from consent.service.notices import service as notices
from consent.service.principals import Role
from consent.service.shoppers import service as shoppers
from consent.service.shoppers.schemas import (
    ClientKey,
    ClientKind,
    DecisionEntry,
    Decisions,
    FirstDecision,
    Registered,
    Registration,
)
from crypto.wire import b64, public_bytes

STORES: Final = ("north", "harbour", "market", "hill")
DEVICES: Final = 6
PURCHASES: Final = Cell(Purpose.TRAIN, Category.PURCHASES)
BROWSING: Final = Cell(Purpose.TRAIN, Category.BROWSING)
# The cells that people decide about, and how many in a hundred say yes.
_ASKED: Final = {
    Cell(Purpose.PERSONALISE, Category.PURCHASES): 95,
    PURCHASES: 80,
    BROWSING: 35,
    Cell(Purpose.MEASUREMENT, Category.PURCHASES): 55,
    OPT_IN: 65,
}
_DEVICES_SAY: Final = {PURCHASES: Decision.GIVEN, OPT_IN: Decision.GIVEN}


@dataclass(frozen=True)
class _Store:
    member: Member
    key: ClientKey
    token: str = field(repr=False)


@dataclass(kw_only=True)
class Town:
    """Everybody but the demo shopper.

    Attributes:
        members: the clients of the federation, which grow with their shoppers.
        tokens: every shopper's own token, by id, in the order of registration.
        shoppers: those who registered with a store, in that order.
    """

    context: Context
    clock: DemoClock
    members: list[Member] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    shoppers: list[str] = field(default_factory=list)
    _stores: list[_Store] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(20_261))  # noqa: S311 - who says what in a made-up town

    def __post_init__(self) -> None:
        self._notice = notices.read_all(self.context).current
        self._stores = [self._store(name) for name in STORES]
        self.members = [store.member for store in self._stores]
        for _ in range(DEVICES):
            member = Member(Ed25519PrivateKey.generate())
            made = self.register(_DEVICES_SAY, _client(member, ClientKind.DEVICE))
            member.shoppers.append(made.shopper)
            self.members.append(member)

    def grow(self, count: int) -> None:
        """New shoppers of the stores, minutes apart; what they choose varies."""
        with self.context.database.writing() as session:
            for _ in range(count):
                store = self._random.choice(self._stores)
                self.clock.move(self._random.uniform(1, 600))
                said = {cell: self._says_yes(share) for cell, share in _ASKED.items()}
                asked = self._registration(said, store.key)
                made = shoppers.add(self.context, session, asked, store_token=store.token)
                store.member.shoppers.append(made.shopper)
                self.shoppers.append(made.shopper)
                self.tokens[made.shopper] = made.token

    def register(
        self, said: Mapping[Cell, Decision], client: ClientKey | None = None
    ) -> Registered:
        """One more shopper, of a device or of none yet."""
        made = shoppers.register(self.context, self._registration(said, client))
        self.tokens[made.shopper] = made.token
        return made

    def decide(self, shopper: str, said: Mapping[Cell, Decision]) -> None:
        """A shopper's decisions, under the current notice."""
        entries = [
            DecisionEntry(purpose=cell.purpose, category=cell.category, decision=decision)
            for cell, decision in said.items()
        ]
        asked = Decisions(decisions=entries, notice_version=self._notice, language=Language.EN)
        shoppers.decide(self.context, shopper, self.tokens[shopper], asked)

    def change_minds(self, count: int) -> None:
        """A few shoppers say no to training, whatever they said before."""
        for shopper in self._random.sample(self.shoppers, count):
            self.clock.move(5)
            self.decide(shopper, {PURCHASES: Decision.REFUSED})

    def _store(self, name: str) -> _Store:
        member = Member(Ed25519PrivateKey.generate())
        token = machines.add(self.context, Role.STORE, f"{name}-store").token
        return _Store(member, _client(member, ClientKind.STORE), token)

    def _says_yes(self, share: int) -> Decision:
        return Decision.GIVEN if self._random.random() * 100 < share else Decision.REFUSED

    def _registration(
        self, said: Mapping[Cell, Decision], client: ClientKey | None
    ) -> Registration:
        return Registration(
            consents=[
                FirstDecision.model_validate(
                    {"purpose": cell.purpose, "category": cell.category, "decision": decision}
                )
                for cell, decision in said.items()
            ],
            notice_version=self._notice,
            language=self._random.choice(list(Language)),
            age_band=AgeBand.ADULT,
            client=client,
        )


def _client(member: Member, kind: ClientKind) -> ClientKey:
    return ClientKey(public_key=b64(public_bytes(member.key.public_key())), kind=kind)
