"""Two shoppers with everything that a shopper can have, callers of every role, and what is theirs.

``World.build`` makes them in the whole site. ``Ann`` is who calls; ``Bea`` is the stranger, whose
things nobody may reach. A path parameter that has no fixture here is an error, so that a new route
brings one.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from sqlalchemy import select

from consent.ages import AgeBand
from consent.panel.app import create_site
from consent.purpose import Category, Cell, Decision, Purpose
from consent.service.accounts import service as accounts
from consent.service.accounts.tables import Account, AccountSession
from consent.service.guardians.repository import AgeRepository, GuardianRepository
from consent.service.guardians.tables import GuardianLink
from consent.service.machines import service as machines
from consent.service.oidc.tables import FederatedIdentity
from consent.service.passkeys.tables import Passkey
from consent.service.principals import Role
from consent.service.settings import Settings
from consent.service.tables import METADATA
from consent.service.tokens import token_hash
from tests.conftest import NewDatabase
from tests.unit.consent.harness import NOTICE, TASK, Device, Stage
from tests.unit.consent.rounds import COLLECT, release
from tests.unit.crypto.samples import signer

_NUMBERS = count()
ROUND: Final = "round-1"
RESEARCH: Final = Cell(Purpose.RESEARCH, Category.BROWSING)
# What changes by itself or by whoever merely calls, and says nothing of anybody.
_PASSING: Final = {"hit", "keyed_request", "job_lease", "retention_run", "webauthn_challenge"}


@dataclass
class Person:
    """A shopper with an account, and the ids of everything that she has."""

    name: str
    device: Device
    account: str
    ids: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    @property
    def shopper(self) -> str:
        return self.device.shopper

    def markers(self) -> set[str]:
        """Texts that only occur in what is hers."""
        return self.own | {self.shopper, self.account, self.device.name, self.name}


@dataclass
class World:
    """The site with both of them. ``tokens`` are those of callers that never change."""

    stage: Stage
    ann: Person
    bea: Person
    staff: dict[Role, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        home: Path,
        *,
        database: NewDatabase | None = None,
        build: Callable[[Settings], FastAPI] = create_site,
        **changes: Any,
    ) -> "World":
        stage = Stage(
            home,
            database=database,
            build=build,
            coordinator_key=signer("coordinator").public_key(),
            **changes,
        )
        ann, bea = _person(stage, "ann-who-calls"), _person(stage, "bea-the-stranger")
        release(stage, ann.device, bea.device, round_id=ROUND)
        made = cls(stage=stage, ann=ann, bea=bea)
        for person in (ann, bea):
            _furnish(stage, person)
        for role in (Role.OPERATOR, Role.AUDITOR):
            made.staff[role] = _account(stage, role, f"staff-{role}").id
        made._share()
        made._make_tokens()
        return made

    def _share(self) -> None:
        """What belongs to neither of them."""
        answer = self.stage.http.post(
            "/v1/webhooks",
            json={"url": "https://hooks.example.com/x", "kinds": ["consent.given"]},
            headers=self.fresh(Role.OPERATOR),
        )
        assert answer.status_code == 201, answer.text
        shared = {
            "endpoint": answer.json()["endpoint"]["id"],
            "machine": machines.add(self.stage.context, Role.AUDITOR, "a-script").id,
            "number": "1",
            "rebuild": "0" * 32,
            "task": str(TASK),
            "round_id": ROUND,
            "version": NOTICE,
            "code": "A" * 48,
            "kind": "ropa",
            "how": "json",
            "step": "take",
            "name": "nobodys-provider",
        }
        for person in (self.ann, self.bea):
            person.ids = {**shared, **person.ids}

    def _make_tokens(self) -> None:
        context = self.stage.context
        revoked = machines.add(context, Role.OPERATOR, "revoked")
        machines.revoke_here(context, revoked.id)
        gone = _account(self.stage, Role.OPERATOR, "gone")
        closed = _login(self.stage, gone.id)
        expired = _login(self.stage, self.staff[Role.OPERATOR])
        with context.database.writing() as session:
            session.get_one(Account, gone.id).closed_at = context.now_ms()
            session.get_one(AccountSession, token_hash(expired)).expires_at = context.now_ms()
        self.tokens = {
            Role.STORE: machines.add(context, Role.STORE, "till").token,
            Role.COORDINATOR: self.stage.token,
            "device": self.ann.device.shoppers[self.ann.shopper],
            "revoked": revoked.token,
            "closed": closed,
            "expired": expired,
        }

    def token(self, caller: str) -> str | None:
        """A caller's token; a login is a new one, so that earlier calls can't have ended it."""
        if caller == "nobody":
            return None
        if caller in self.tokens:
            return self.tokens[caller]
        account = self.ann.account if caller == Role.SHOPPER else self.staff[Role(caller)]
        return _login(self.stage, account)

    def fresh(self, caller: str) -> dict[str, str]:
        """The headers that a caller sends."""
        token = self.token(caller)
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def fill(self, parameters: dict[str, Any] | None) -> None:
        """Put what is Ann's in place of every other set of generated path parameters."""
        if parameters and next(_NUMBERS) % 2:
            for name in parameters:
                parameters[name] = self.ann.ids[name]

    def path(self, template: str, whose: Person) -> str:
        """A path with what is somebody's.

        Raises:
            AssertionError: there is no fixture for a parameter.
        """
        names = re.findall(r"{(\w+)(?::\w+)?}", template)
        missing = set(names) - set(whose.ids)
        assert not missing, f"Give the matrix a fixture for {missing} of {template}."
        return re.sub(r"{(\w+)(?::\w+)?}", lambda found: whose.ids[found[1]], template)

    def digest(self, whose: Person) -> dict[str, str]:
        """Everything that is stored of somebody, by table, as a hash."""
        markers, found = whose.markers(), {}
        with self.stage.context.database.reading() as session:
            for table in METADATA.sorted_tables:
                if table.name not in _PASSING:
                    rows = [repr(tuple(row)) for row in session.execute(select(table))]
                    hers = sorted(row for row in rows if any(mark in row for mark in markers))
                    found[table.name] = hashlib.sha256("".join(hers).encode()).hexdigest()
        return found


def _person(stage: Stage, name: str) -> Person:
    device = stage.device(decisions=COLLECT)
    account = _account(stage, Role.SHOPPER, name, shopper=device.shopper)
    return Person(name=name, device=device, account=account.id)


def _account(stage: Stage, role: Role, name: str, *, shopper: str | None = None) -> Account:
    context = stage.context
    hashed = context.passwords.hash("a long walk by the sea")
    with context.database.writing() as session:
        return accounts.create_account(
            context, session, role=role, shopper_id=shopper, name=name, password_hash=hashed
        )


def _login(stage: Stage, account: str) -> str:
    context = stage.context
    with context.database.writing() as session:
        found = session.get(Account, account)
        if found is None or found.closed_at is not None:  # it was erased meanwhile
            return "dead"
        return accounts.open_session(context, session, found, label="test")


def _furnish(stage: Stage, person: Person) -> None:
    """A withdrawal, a code, a request, a ward, a passkey, an identity and a login."""
    stage.decide(person.device, {RESEARCH: Decision.GIVEN})
    epoch = stage.decide(person.device, {RESEARCH: Decision.WITHDRAWN})
    headers = {"Authorization": f"Bearer {_login(stage, person.account)}"}
    base = f"/v1/shoppers/{person.shopper}"
    made = _post(stage, f"{base}/codes", {"points": 2}, headers)
    asked = _post(stage, f"{base}/requests", {"kind": "access", "residence": "eea"}, headers)
    ward = stage.device(decisions={}).shopper
    context = stage.context
    passkey, identity = context.new_id(), context.new_id()
    now = context.now_ms()
    with context.database.writing() as session:
        AgeRepository(session).state(ward, AgeBand.TEEN, time=now)
        link = GuardianLink(ward_id=ward, guardian_id=person.shopper, since=now)
        GuardianRepository(session).tie(link)
        session.add(
            Passkey(
                id=passkey,
                credential_id=context.new_id(),
                account_id=person.account,
                public_key=b"key",
                sign_count=0,
                backed_up=False,
                name=f"key of {person.name}",
                created_at=now,
            )
        )
        session.add(
            FederatedIdentity(
                id=identity,
                issuer="https://id.example",
                subject_hash=context.new_id(),
                account_id=person.account,
                created_at=now,
            )
        )
        session.flush()
        login = session.scalars(
            select(AccountSession).where(AccountSession.account_id == person.account)  # type: ignore[arg-type]
        ).first()
    assert login is not None
    person.ids = {
        "shopper": person.shopper,
        "client": person.device.name,
        "epoch": str(epoch),
        "record": str(epoch),
        "request": asked["id"],
        "request_id": asked["id"],
        "session": login.id,
        "ward": ward,
        "passkey": passkey,
        "identity": identity,
        "discount": made["id"],
    }
    person.own = {value for value in person.ids.values() if len(value) >= 16}


def _post(stage: Stage, path: str, body: object, headers: dict[str, str]) -> dict[str, Any]:
    key = {"Idempotency-Key": f"matrix-{next(_NUMBERS):016}"}
    answer = stage.http.post(path, json=body, headers={**headers, **key})
    assert answer.status_code == 201, (path, answer.text)
    found: dict[str, Any] = answer.json()
    return found
