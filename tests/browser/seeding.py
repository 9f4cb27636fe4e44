"""A service with shoppers in every situation that the panel shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from consent.panel.app import create_site
from consent.purpose import Category, Cell, Decision, Purpose
from consent.rights.clock import Residence
from consent.rights.request import RequestKind
from consent.service.accounts import service as accounts
from consent.service.principals import Role
from consent.service.rights import service as rights
from consent.service.rights.schemas import NewRequest
from consent.service.webhooks import subscriptions
from consent.service.webhooks.schemas import Subscription
from consent.service.webhooks.service import Kind
from crypto.dp.accounting import epsilon
from crypto.manifest import context_of
from tests.unit.consent.harness import GIVE, WITHDRAW, Device, Stage
from tests.unit.consent.rounds import COLLECT, freeze, make_manifest, publish, release
from tests.unit.crypto.samples import plan, signer

MANY: Mapping[Cell, Decision] = {
    Cell(Purpose.PERSONALISE, Category.PURCHASES): Decision.GIVEN,
    Cell(Purpose.PERSONALISE, Category.TIME_CONTEXT): Decision.GIVEN,
    Cell(Purpose.TRAIN, Category.TIME_CONTEXT): Decision.GIVEN,
    Cell(Purpose.STOCK, Category.PURCHASES): Decision.REFUSED,
    Cell(Purpose.RESEARCH, Category.PURCHASES): Decision.REFUSED,
    Cell(Purpose.PERSONALISE, Category.LOCATION): Decision.REFUSED,
    **COLLECT,
}


@dataclass(frozen=True)
class Seeded:
    """Tokens of logins and ids of shoppers, by name.

    ``regular`` takes part and has points; ``new`` has decided nothing; ``leaver`` has withdrawn;
    ``operator`` and ``auditor`` are no shoppers. ``ids`` fill the blanks in paths of pages.
    """

    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    shoppers: dict[str, str] = field(default_factory=dict)


def seed(home: Path) -> tuple[Stage, Seeded]:
    """A stage whose application is the whole site."""
    first = Stage(home / "consent", coordinator_key=signer("coordinator").public_key())
    first.close()
    settings = replace(first.settings, durable=False)
    stage = Stage(home / "consent", settings=settings, build=create_site)
    stage.clock = first.clock
    seeded = Seeded()
    regular, leaver, others = stage.device(decisions=MANY), stage.device(), _others(stage)
    quiet = stage.device(decisions={})
    for number, round_id in enumerate(("2026-w45", "2026-w46", "2026-w47"), start=1):
        stage.clock.now += 86_400
        spent = epsilon([plan().release] * number, delta=plan().delta)
        people = (regular, leaver, *others)
        release(stage, *people, round_id=round_id, epsilon_spent_in_all=spent)
    stage.clock.now += 86_400
    leave_a_round(stage, leaver, others)
    stage.clock.now += 3_600
    for name, device in (("regular", regular), ("leaver", leaver), ("new", quiet)):
        seeded.shoppers[name] = device.shopper
        seeded.tokens[name] = login(stage, Role.SHOPPER, name, device.shopper)
    for role in (Role.OPERATOR, Role.AUDITOR):
        seeded.tokens[role.value] = login(stage, role, role.value, None)
    seeded.ids["request"] = ask_for_access(stage, seeded)
    seeded.ids["webhook"] = subscribe(stage, seeded)
    return stage, seeded


def leave_a_round(stage: Stage, leaver: Device, others: Sequence[Device]) -> None:
    """She withdraws while a round is open that she was to be part of; it goes on without her."""
    record = publish(stage, make_manifest("2026-w48"))
    stage.grants(leaver, "2026-w48", context=context_of(record))
    stage.decide(leaver, WITHDRAW)
    stage.clock.now += 120
    freeze(stage, record, "2026-w48", others)


def ask_for_access(stage: Stage, seeded: Seeded) -> str:
    """A request of the leaver's; its id."""
    asked = NewRequest(kind=RequestKind.ACCESS, residence=Residence.EEA)
    who, token = seeded.shoppers["leaver"], seeded.tokens["leaver"]
    return rights.open_request(stage.context, who, token, asked, "k" * 32).id


def subscribe(stage: Stage, seeded: Seeded) -> str:
    """A webhook of the operator's; its id."""
    asked = Subscription(
        url="https://hooks.example.com/fedcart", kinds=list(Kind)[:2], description="accounting"
    )
    token = seeded.tokens[Role.OPERATOR]
    return subscriptions.subscribe(stage.context, token, asked).endpoint.id


def login(stage: Stage, role: Role, name: str, shopper: str | None) -> str:
    """An account with an open login; returns its token."""
    context = stage.context
    with context.database.writing() as session:
        account = accounts.create_account(
            context, session, role=role, shopper_id=shopper, name=name
        )
        return accounts.open_session(context, session, account, label="test")


def newcomer(stage: Stage, seeded: Seeded, name: str) -> str:
    """A new shopper who has decided nothing, signed in under a name of her own."""
    device = stage.device(decisions={})
    seeded.shoppers[name] = device.shopper
    seeded.tokens[name] = login(stage, Role.SHOPPER, name, device.shopper)
    return name


def _others(stage: Stage) -> list[Device]:
    return [stage.device(shoppers=3, decisions=GIVE, kind="store") for _ in range(4)]
