"""Building a simulated federation on disk: every party's home, every shopper's own decision.

The homes are the real ones: a client's event store, keys and pins are the files that a device or
a store would have, and nothing else is handed to the client app.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from client.connection import connect
from client.events import EventStore
from client.home import ClientHome, ClientKind, Trust
from client.statements import state_for
from consent.ages import AgeBand
from consent.answers import Registered
from consent.client import ConsentClient
from consent.events import Events
from consent.service.context import opened
from consent.service.machines import service as machines
from consent.service.principals import Role
from consent.service.quotas import Quotas
from consent.service.settings import Settings, create_home
from consent.tasks.groups import DEFAULT_SCHEMA
from consent.tasks.names import TaskName
from crypto.dp.plan_terms import MAX_DELTA
from crypto.keyholder.home import KeyHolder, Pins, create
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.wire import parse_public_key
from server.collect import Progress
from server.home import CoordinatorHome, HolderAddress
from server.runs import Run
from server.schedule import TrainingPlan
from simulations.engine.choices import Choice
from simulations.engine.scenario import Scenario
from simulations.engine.services import Service
from simulations.population.groups import schema_of
from simulations.population.population import Population

NOTICE_VERSION = "2026-11"
POPULATION = "fedcart-simulation"
# No manifest may ask a client or key holder for less than this, if privacy is on.
N_FLOOR = 3
Z_FLOOR = 0.3
NO_CAP = 1e9


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The homes that exist before any service runs.

    ``z_floor`` is what clients and key holders pin: no round with a smaller noise multiplier.
    """

    folder: Path
    z_floor: float
    coordinator: Ed25519PrivateKey
    consent: Ed25519PublicKey
    consent_home: Path
    holders: tuple[KeyHolder, ...]


@dataclass(frozen=True, kw_only=True)
class World:
    """A federation ready to train.

    Attributes:
        nodes: Flower node id to client home.
        shoppers: shopper to her registration at the consent service.
        client_of: shopper to the thumbprint of the client that stands for her.
    """

    nodes: Mapping[int, Path]
    shoppers: Mapping[str, Registered]
    client_of: Mapping[str, str]
    coordinator: CoordinatorHome
    consent: ConsentClient


def make_keys(folder: Path, *, private: bool, z_floor: float = Z_FLOOR) -> Keys:
    """Create the homes of the consent service, the coordinator's key and the key holders.

    With privacy off there is no floor to the noise.
    """
    coordinator = Ed25519PrivateKey.generate()
    made = create_home(
        folder / "consent",
        issuer="fedcart-simulation",
        coordinator_key=coordinator.public_key(),
        quotas=Quotas.off(),  # a whole town calls from one address
    )
    consent = parse_public_key(made.public_key, what="consent key")
    pins = Pins(
        coordinator=coordinator.public_key(),
        consent=consent,
        population=POPULATION,
        n_floor=N_FLOOR,
        z_floor=z_floor if private else 0.0,
        epsilon_cap=NO_CAP,  # a scenario may try any budget
        delta_cap=MAX_DELTA,
        allow_experimental=True,
    )
    holders = tuple(
        create(folder / f"keyholder-{number}", number=number, pins=pins)
        for number in range(1, HOLDERS + 1)
    )
    return Keys(
        folder=folder,
        z_floor=pins.z_floor,
        coordinator=coordinator,
        consent=consent,
        consent_home=made.path,
        holders=holders,
    )


def build(
    population: Population,
    choices: Mapping[str, Choice],
    scenario: Scenario,
    keys: Keys,
    *,
    consent: Service,
    holders: Sequence[Service],
    progress: Progress,
) -> World:
    """Register every shopper with her decisions, and give every client its home.

    Raises:
        ConsentError: a registration failed.
        PlanError, InvalidInputError: the scenario asks for what can't hold.
    """
    catalogue = keys.folder / "catalogue.json"
    catalogue.write_bytes(population.catalogue.to_bytes())
    trust = _trust(keys, catalogue, consent.url)
    service = ConsentClient(connect(consent.url), service_key=keys.consent)
    clients = list(_clients(population))
    store_tokens = _store_tokens(keys.consent_home, population.stores)
    registered: dict[str, Registered] = {}
    nodes: dict[int, Path] = {}
    client_of: dict[str, str] = {}
    with ThreadPoolExecutor(1 if consent.process is None else 4) as pool:
        for node, client in enumerate(clients, start=2):
            identity = Ed25519PrivateKey.generate()
            join = partial(
                _register,
                service,
                identity.public_key(),
                client.kind,
                choices,
                store_tokens.get(client.name) if client.kind is ClientKind.STORE else None,
            )
            mine = dict(zip(client.shoppers, pool.map(join, client.shoppers), strict=True))
            nodes[node] = keys.folder / "clients" / f"{client.kind}-{client.name}"
            home = ClientHome.create(
                nodes[node],
                kind=client.kind,
                identity=identity,
                shoppers={shopper: found.shopper for shopper, found in mine.items()},
                trust=trust,
            )
            with EventStore.create(home.events) as store:
                store.append(concatenate([population.of(name) for name in client.shoppers]))
            _state(home, population, choices)
            registered |= mine
            client_of |= dict.fromkeys(client.shoppers, home.client_id)
            progress("clients", node - 1, len(clients))
    agreeing = [sum(choices[name].trains for name in client.shoppers) for client in clients]
    plan = replace(
        training_plan(
            scenario, clients=sum(count > 0 for count in agreeing), shoppers=sum(agreeing)
        ),
        groups=schema_of(population) if population.groups else DEFAULT_SCHEMA,
    )
    return World(
        nodes=nodes,
        shoppers=registered,
        client_of=client_of,
        coordinator=_coordinator(plan, keys, catalogue, consent.url, holders),
        consent=service,
    )


def _state(home: ClientHome, population: Population, choices: Mapping[str, Choice]) -> None:
    """Whoever agreed to audits states the groups that the data name for her."""
    for shopper in home.shoppers:
        groups = population.groups.get(shopper)
        if groups and choices[shopper].states:
            state_for(home, shopper, groups, schema=schema_of(population))


def _register(
    service: ConsentClient,
    client: Ed25519PublicKey,
    kind: ClientKind,
    choices: Mapping[str, Choice],
    store_token: str | None,
    shopper: str,
) -> Registered:
    return service.register(
        choices[shopper].decisions,
        notice_version=NOTICE_VERSION,
        client=client,
        kind=kind,
        age_band=AgeBand.ADULT,  # simulated shoppers are grown up
        store_token=store_token,
    )


def _store_tokens(consent_home: Path, stores: Iterable[str]) -> dict[str, str]:
    """A token of its own for every store, as the consent service's operator hands them out."""
    with opened(Settings.load(consent_home)) as context:
        return {
            store: machines.add(context, Role.STORE, f"store-{number}").token
            for number, store in enumerate(stores, start=1)
        }


@dataclass(frozen=True, kw_only=True)
class _Client:
    name: str
    kind: ClientKind
    shoppers: tuple[str, ...]


def _clients(population: Population) -> Iterator[_Client]:
    for store, shoppers in population.stores.items():
        yield _Client(name=store, kind=ClientKind.STORE, shoppers=shoppers)
    for shopper in population.devices:
        yield _Client(name=shopper, kind=ClientKind.DEVICE, shoppers=(shopper,))


def _trust(keys: Keys, catalogue: Path, consent_url: str) -> Trust:
    return Trust(
        population=POPULATION,
        consent_url=consent_url,
        consent_key=keys.consent,
        coordinator_key=keys.coordinator.public_key(),
        cards=tuple(str(holder.home / "public.card") for holder in keys.holders),
        holders=tuple(holder.identity.public_key() for holder in keys.holders),
        catalogue=str(catalogue),
        n_floor=N_FLOOR,
        z_floor=keys.z_floor,
        epsilon_cap=None,  # simulated shoppers ask for whatever the scenario tries
        experimental=True,
        schemes=tuple(Scheme),
    )


def concatenate(parts: Sequence[Events]) -> Events:
    """Events of several shoppers as one, in the given order."""
    names = Events.__dataclass_fields__
    return Events(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


def _coordinator(
    plan: TrainingPlan, keys: Keys, catalogue: Path, consent_url: str, holders: Sequence[Service]
) -> CoordinatorHome:
    home = CoordinatorHome(
        path=keys.folder / "coordinator",
        population=POPULATION,
        identity=keys.coordinator,
        consent_url=consent_url,
        consent_key=keys.consent,
        consent_token=(keys.consent_home / "coordinator.token").read_text().strip(),
        holders=tuple(
            HolderAddress(
                url=service.url,
                identity=holder.identity.public_key(),
                card=str(holder.home / "public.card"),
            )
            for service, holder in zip(holders, keys.holders, strict=True)
        ),
        catalogue=str(catalogue),
        plan=plan,
    )
    home.save()
    return home


def training_plan(scenario: Scenario, *, clients: int, shoppers: int) -> TrainingPlan:
    """The operator's plan for a scenario, from how many clients and shoppers agree.

    Raises:
        PlanError: more clients than the scheme adds in one round.
    """
    privacy, tasks = scenario.privacy, scenario.tasks
    share = privacy.min_share * _least_share(scenario)
    minimum = privacy.min_clients or max(N_FLOOR, int(share * clients))
    weights = {
        TaskName.POPULARITY: tasks.popularity,
        TaskName.RECENT_POPULARITY: tasks.recent_popularity,
        TaskName.ITEM_ITEM: tasks.item_item,
        TaskName.FACTORS: tasks.factors,
        TaskName.RANKER: tasks.ranker,
        TaskName.EVALUATION: tasks.evaluation,
        TaskName.FAIRNESS: tasks.fairness,
    }
    rounds = {TaskName.FACTORS: tasks.factors_rounds, TaskName.RANKER: tasks.ranker_rounds}
    return TrainingPlan(
        epsilon=privacy.epsilon if privacy.enabled else None,
        delta=privacy.delta,
        weights={name: weight for name, weight in weights.items() if weight > 0},
        runs={name: Run(rounds=many) for name, many in rounds.items() if weights[name] > 0},
        recent_baskets=tasks.recent_baskets,
        item_item_items=tasks.item_item_items,
        min_clients=minimum,
        max_clients=max(clients, minimum),
        max_shoppers=max(shoppers, minimum),
        max_colluders=min(int(privacy.colluders * minimum), minimum - 2),
        expected_shoppers=shoppers,
        force_item_item=tasks.force_item_item,
        scheme=Scheme(privacy.scheme),
        experimental=privacy.experimental,
        client_noise=privacy.client_noise,
    )


def _least_share(scenario: Scenario) -> float:
    """Of those who train, the share that also agrees to the task that fewest agree to."""
    tasks, consent = scenario.tasks, scenario.consent
    asked = {consent.measurement: tasks.evaluation, consent.fairness: tasks.fairness}
    return min((rate for rate, weight in asked.items() if weight > 0), default=1.0)


def with_events(population: Population, events: Events) -> Population:
    """The same population with other events (training events only, say)."""
    return replace(population, events=events)
