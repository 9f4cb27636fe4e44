"""A consent database with the history of very many shoppers, made in minutes.

A year passes in steps. In each, shoppers register and earlier ones change their minds; both are
written in bulk, in order of time: cells, events, the leaves and nodes of the log. Then comes a
round: grants in bulk, a few withdrawals more, and the list, diaries and points by the service's own
functions. After the year some shoppers hold grants of two rounds that are open. Recovery codes and
instructions to clients are left out: no client is there to carry them out.

The rules of ``consent.standing`` are written here once more, over arrays. ``consent_audit`` holds
the result to the service's own proofs and to double entry.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from consent.log import tree
from consent.purpose import Category, Cell, ConsentState, Purpose
from consent.service.commits import service as commits
from consent.service.commits.schemas import CommitRequest, OfferedUpload
from consent.service.context import Context, opened
from consent.service.log import service as log
from consent.service.notices.service import publish_first
from consent.service.records.repository import LogRepository
from consent.service.rounds import service as rounds
from consent.service.rounds.schemas import ReleaseReport
from consent.service.settings import Settings
from consent.service.shoppers.repository import ShopperRepository
from consent.service.tokens import token_hash
from crypto.dp.accounting import epsilon
from crypto.dp.plan import PrivacyPlan
from crypto.manifest import Manifest, context_of
from crypto.sums.schemes import Scheme
from crypto.wire import b64
from simulations.bench.consent_bulk import Bulk, bulk
from simulations.bench.consent_world import (
    FIRST,
    NOTICE,
    OPEN_ROUNDS,
    STEP_S,
    STEPS,
    TASK,
    TRAIN,
    Clock,
    Grants,
    Ints,
    Progress,
    World,
    hex_ids,
)

COHORT: Final = 40_000  # shoppers of a round, at most
A_STORE: Final = 50  # half of all shoppers have a device of their own, the others a store's
CHANGING: Final = 0.03  # of all shoppers so far, in each step
LATE: Final = 0.01  # of a round's shoppers, between grant and list
_DAY_MS: Final = 24 * 3600 * 1000
_EVENT: Final = (
    "shopper_id",
    "purpose",
    "category",
    "state",
    "notice_version",
    "language",
    "epoch",
    "time",
    "expires_at",
    "leaf",
)
_ACCOUNT: Final = (
    "id",
    "role",
    "shopper_id",
    "name",
    "password_hash",
    "version",
    "language",
    "created_at",
)
_CELL: Final = ("state", "notice_version", "epoch", "since", "expires_at")
_CELL_KEY: Final = ("shopper_id", "purpose", "category")
_GRANT: Final = (
    "token_id",
    "shopper_id",
    "client_id",
    "task",
    "round_id",
    "context",
    "subject",
    "epoch",
    "notice_version",
    "categories",
    "issued_at",
    "expires_at",
    "after_event",
)


def seed(
    settings: Settings,
    coordinator: Ed25519PrivateKey,
    *,
    shoppers: int,
    rng: np.random.Generator,
    progress: Progress,
) -> World:
    """Fill the database of a new service; returns what the measurements need of it.

    The coordinator's key must be the one that the settings pin.
    """
    clock = Clock(settings.clock() - STEPS * STEP_S)
    with opened(replace(settings, clock=clock, durable=False)) as context:
        publish_first(context)
        seeding = _Seeding(
            context=context,
            clock=clock,
            coordinator=coordinator,
            world=World.drawn(shoppers, rng),
            rng=rng,
            password_hash=context.passwords.hash(secrets.token_urlsafe(16)),
        )
        for done in seeding.run():
            progress("seed", done, shoppers)
        return seeding.world


@dataclass
class _Seeding:
    context: Context
    clock: Clock
    coordinator: Ed25519PrivateKey
    world: World
    rng: np.random.Generator
    password_hash: str
    registered: int = 0
    spent: int = 0

    def run(self) -> Iterator[int]:
        size = len(self.world)
        for step in range(STEPS):
            upto = size * (step + 1) // STEPS
            if step == 0:
                self._clients()
            self._pass_time(upto)
            yield self.registered
            self._round(f"round-{step + 1}")
        for name in OPEN_ROUNDS:
            self.world.open.append(self._grants(name))
        with self.context.database.writing() as session:
            bulk(session).finish()

    def _clients(self) -> None:
        """Every shopper's device or store: a public key that nobody has the other half of."""
        devices = len(self.world) // 2
        stores = -(-(len(self.world) - devices) // A_STORE)
        keys = [b64(os.urandom(32)) for _ in range(devices + stores)]
        names = [_thumbprint(key) for key in keys]
        kinds = ["device"] * devices + ["store"] * stores
        with self.context.database.writing() as session:
            bulk(session).insert(
                "client", ("thumbprint", "public_key", "kind"), zip(names, keys, kinds, strict=True)
            )
        self.world.clients = [
            names[who // 2]
            if who % 2 and who // 2 < devices
            else names[devices + who // 2 // A_STORE]
            for who in range(len(self.world))
        ]

    def _pass_time(self, upto: int) -> None:
        """Registrations up to a shopper, among them changes of those who were there before."""
        new = np.arange(self.registered, upto)
        old = self.rng.random(self.registered) < CHANGING
        changing = np.flatnonzero(old)
        start = int(self.clock.now * 1000)
        times = np.sort(
            self.rng.integers(start, start + int(STEP_S * 1000), size=len(new) + len(changing))
        )
        self.clock.now += STEP_S
        world = self.world
        order = self.rng.permutation(len(times)) < len(new)
        with self.context.database.writing() as session:
            writer = bulk(session)
            self._register(writer, new, times[order])
            events = _Events()
            entering, leaving = iter(new), iter(changing)
            changed: list[tuple[int, int]] = []
            for first, time in zip(order.tolist(), times.tolist(), strict=True):
                if first:
                    self._first(events, int(next(entering)), time)
                else:
                    changed.append((int(next(leaving)), time))
                    self._toggle(events, *changed[-1])
            self._save_changes(writer, changed)
            written = np.concatenate([new, changing]).tolist()
            ShopperRepository(session).repeat_cells(world.ids[who] for who in written)
            self._append(session, writer, events)
        self.registered = upto
        log.head(self.context)

    def _register(self, writer: Bulk, new: Ints, times: Ints) -> None:
        world = self.world
        ids = [world.ids[who] for who in new]
        refused = ~world.given[new].all(axis=1)
        world.epoch[new], world.floor[new] = 1, refused
        hashes = [token_hash(world.token(who)) for who in new]
        floors = refused.astype(int).tolist()
        writer.insert(
            "shopper",
            ("id", "token_hash", "epoch", "floor", "created_at"),
            zip(ids, hashes, [1] * len(ids), floors, times.tolist(), strict=True),
        )
        writer.insert(
            "membership",
            ("shopper_id", "client_id"),
            ((world.ids[who], world.clients[who]) for who in new),
        )
        writer.insert(
            "log_key", ("shopper_id", "key"), ((world.ids[w], world.keys[w]) for w in new)
        )
        writer.insert(
            "age_statement",
            ("shopper_id", "band", "time"),
            zip(ids, ["adult"] * len(ids), times.tolist(), strict=True),
        )
        writer.insert("account", _ACCOUNT, self._accounts(ids, times.tolist()))
        cells = [(str(cell.purpose), str(cell.category)) for cell in FIRST]
        ends = self._validity
        writer.insert(
            "consent",
            (*_CELL_KEY, *_CELL),
            (
                (
                    who,
                    *cell,
                    "given" if yes else "refused",
                    NOTICE,
                    1,
                    time,
                    ends(time) if yes else None,
                )
                for who, given, time in zip(
                    ids, world.given[new].tolist(), times.tolist(), strict=True
                )
                for cell, yes in zip(cells, given, strict=True)
            ),
        )

    def _accounts(self, ids: list[str], times: list[int]) -> Iterator[tuple[Any, ...]]:
        """An account for everybody; one hash for all of them, since nobody logs in with it."""
        for name, who, time in zip(hex_ids(len(ids)), ids, times, strict=True):
            yield name, "shopper", who, f"shopper-{name}", self.password_hash, 0, "en", time

    def _first(self, events: "_Events", who: int, time: int) -> None:
        world = self.world
        for cell, yes in zip(FIRST, world.given[who].tolist(), strict=True):
            state = ConsentState.GIVEN if yes else ConsentState.REFUSED
            events.add(
                world.ids[who], world.keys[who], cell, state, 1, time, self._ends(state, time)
            )

    def _toggle(self, events: "_Events", who: int, time: int) -> None:
        """She withdraws her purchases from training, or gives them (again)."""
        world = self.world
        world.epoch[who] += 1
        world.train[who] = not world.train[who]
        state = ConsentState.GIVEN if world.train[who] else ConsentState.WITHDRAWN
        if state is ConsentState.WITHDRAWN:
            world.floor[who] = world.epoch[who]
        epoch, ends = int(world.epoch[who]), self._ends(state, time)
        events.add(world.ids[who], world.keys[who], TRAIN, state, epoch, time, ends)

    def _save_changes(self, writer: Bulk, changed: list[tuple[int, int]]) -> None:
        if not changed:
            return
        world = self.world
        cells, standings = [], []
        for who, time in changed:
            state = ConsentState.GIVEN if world.train[who] else ConsentState.WITHDRAWN
            epoch = int(world.epoch[who])
            key = (world.ids[who], str(TRAIN.purpose), str(TRAIN.category))
            cells.append((*key, str(state), NOTICE, epoch, time, self._ends(state, time)))
            standings.append((world.ids[who], epoch, int(world.floor[who])))
        writer.update("consent", _CELL_KEY, _CELL, cells)
        writer.update("shopper", ("id",), ("epoch", "floor"), standings)

    def _append(self, session: Session, writer: Bulk, events: "_Events") -> None:
        repository = LogRepository(session)
        size = repository.size()
        peaks = repository.nodes(tree.needed([tree.Span(0, size)])) if size else {}
        nodes = tree.grow(size, peaks, events.leaves)
        rows = ((*row, leaf) for leaf, row in enumerate(events.rows, start=size))
        writer.insert("consent_event", _EVENT, rows)
        writer.insert("log_node", ("position", "hash"), nodes.items())

    def _validity(self, time: int) -> int:
        return time + self.context.settings.validity_days * _DAY_MS

    def _ends(self, state: ConsentState, time: int) -> int | None:
        return self._validity(time) if state is ConsentState.GIVEN else None

    def _round(self, name: str) -> None:
        """A round from its policy to its diary entries; a few shoppers withdraw on the way."""
        manifest, context = self._publish(name)
        grants = self._grants(name, context=context)
        late = self.rng.permutation(grants.shoppers)[: int(LATE * len(grants.shoppers))]
        self.clock.now += 60
        times = [int(self.clock.now * 1000)] * len(late)
        with self.context.database.writing() as session:
            events, writer = _Events(), bulk(session)
            changed = list(zip(late.tolist(), times, strict=True))
            for who, time in changed:
                self._toggle(events, who, time)
            self._save_changes(writer, changed)
            ShopperRepository(session).repeat_cells(self.world.ids[who] for who, _ in changed)
            if changed:
                self._append(session, writer, events)
        self.clock.now += 60
        commits.freeze(self.context, commit_request(grants))
        self._release(manifest, grants, frozenset(late.tolist()))

    def _publish(self, name: str) -> tuple[Manifest, str]:
        cohort = max(4, min(COHORT, len(self.world)))
        plan = PrivacyPlan.fitted(
            dimension=131_072,
            clipping_norm=1.0,
            noise_multiplier=8.0,
            min_clients=max(4, cohort // 10),
            max_clients=cohort,
            max_shoppers=cohort,
            max_colluders=1,
            delta=1e-6,
            scheme=Scheme.PIECE_SUM,  # the only one for so many clients
        )
        now = int(self.clock.now)
        manifest = Manifest(
            population="bench",
            task=TASK,
            round_id=name,
            parameters={"items": plan.dimension},
            catalogue=hashlib.sha256(b"bench").hexdigest(),
            plan=plan,
            epsilon=plan.round_epsilon(),
            purposes=(Purpose.TRAIN,),
            categories=(Category.PURCHASES,),
            key_hashes=("a", "b", "c"),
            unpaired_devices=False,
            opens=now,
            closes=now + 600,
        )
        record = manifest.sign(self.coordinator)
        rounds.publish(self.context, TASK, name, record)
        return manifest, context_of(record)

    def _grants(self, name: str, *, context: str = "") -> Grants:
        """Grants of a round for a cohort of shoppers who give what it needs."""
        context = context or self._publish(name)[1]
        world = self.world
        able = np.flatnonzero(world.train[: self.registered])
        cohort = self.rng.permutation(able)[:COHORT]
        tokens, subjects = hex_ids(len(cohort)), hex_ids(len(cohort))
        browsing = list(FIRST).index(Cell(Purpose.TRAIN, Category.BROWSING))
        now = int(self.clock.now)
        ends = now + self.context.settings.grant_lifetime_s
        clients = [world.clients[who] for who in cohort]
        with self.context.database.writing() as session:
            after = LogRepository(session).size()
            rows = (
                (
                    token,
                    world.ids[who],
                    client,
                    str(TASK),
                    name,
                    context,
                    subject,
                    int(world.epoch[who]),
                    NOTICE,
                    "browsing purchases" if world.given[who, browsing] else "purchases",
                    now,
                    ends,
                    after,
                )
                for token, subject, who, client in zip(
                    tokens, subjects, cohort.tolist(), clients, strict=True
                )
            )
            bulk(session).insert("participation_grant", _GRANT, rows)
        return Grants(
            round_id=name, context=context, tokens=tokens, shoppers=cohort, clients=clients
        )

    def _release(self, manifest: Manifest, grants: Grants, late: frozenset[int]) -> None:
        stayed = _stayed(grants, late)
        self.world.rounds[[who for group in stayed.values() for who in group]] += 1
        self.spent += 1
        report = ReleaseReport(
            epsilon=manifest.epsilon,
            epsilon_spent_in_all=epsilon(
                [manifest.plan.release] * self.spent, delta=manifest.plan.delta
            ),
            delta=manifest.plan.delta,
            clients=len(stayed),
            shoppers=sum(map(len, stayed.values())),
            artefact=hashlib.sha256(grants.round_id.encode()).hexdigest(),
        )
        rounds.released(self.context, TASK, grants.round_id, report)


class _Events:
    """Events in order of time, with their leaf hashes."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.leaves: list[bytes] = []

    def add(
        self,
        shopper: str,
        key: bytes,
        cell: Cell,
        state: ConsentState,
        epoch: int,
        time: int,
        ends: int | None,
    ) -> None:
        purpose, category = cell.purpose.value, cell.category.value
        self.rows.append((shopper, purpose, category, state.value, NOTICE, "en", epoch, time, ends))
        # The canonical JSON of consent.log.leaf.LoggedEvent, a tenth of the time.
        event = (
            f'{{"category":"{category}","epoch":{epoch},"expires_at":{ends or "null"},'
            f'"language":"en","notice":"{NOTICE}","purpose":"{purpose}","shopper":"{shopper}",'
            f'"state":"{state.value}","time":{time}}}'
        )
        keyed = hmac.digest(key, event.encode(), "sha256")
        self.leaves.append(hashlib.sha256(b"\x00" + keyed).digest())


def commit_request(grants: Grants, *, clients: int | None = None) -> CommitRequest:
    """Every client's upload with the grants of all its shoppers; of so many clients at most."""
    by_client: dict[str, list[str]] = {}
    for client, token in zip(grants.clients, grants.tokens, strict=True):
        by_client.setdefault(client, []).append(token)
    return CommitRequest(
        task=TASK,
        round=grants.round_id,
        context=grants.context,
        uploads=[
            OfferedUpload(
                upload=hashlib.sha256(f"{grants.round_id} {client}".encode()).hexdigest(),
                client=client,
                grants=tokens,
            )
            for client, tokens in list(by_client.items())[:clients]
        ],
    )


def _stayed(grants: Grants, late: frozenset[int]) -> dict[str, list[int]]:
    """The shoppers of each client none of whose shoppers withdrew before the list was frozen."""
    by_client: dict[str, list[int]] = {}
    for client, who in zip(grants.clients, grants.shoppers.tolist(), strict=True):
        by_client.setdefault(client, []).append(who)
    return {c: group for c, group in by_client.items() if not late.intersection(group)}


def _thumbprint(key: str) -> str:
    """The thumbprint of an encoded public key (``crypto.wire.thumbprint``)."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{key}"}}'
    return b64(hashlib.sha256(jwk.encode()).digest())
