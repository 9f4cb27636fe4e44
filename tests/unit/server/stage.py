"""A coordinator with real key holders, a real consent service and clients with real homes.

The Grid is in process; each node is a client's home, or a function that misbehaves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, Message, RecordDict

from client.app import _sent, artefacts_in
from client.participate import contribute
from consent.service.inprocess import InProcessTransport
from crypto.dp.plan import PrivacyPlan
from crypto.errors import ConsentError, FedcartError
from crypto.grant import ParticipationGrant
from crypto.grant_list import pack_grants
from crypto.invitation import Invitation
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.peers import Peer
from crypto.keyholder.station import Station
from crypto.sums.schemes import Scheme
from crypto.upload import sign_upload
from crypto.wire import SignedRecord, b64, public_bytes, thumbprint
from server.cohort import Member
from server.conductor import Federation, run_round
from server.exchange import Sent
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.registry import Registry, Release
from server.rounds import PlannedRound, RoundPlace, RoundTerms, plan_round
from simulations.engine.grid import InProcessGrid, NodeConfig
from tests.unit.client.stage import CATALOGUE, TASK, Party
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import (
    NOW,
    SENDER,
    cards,
    generator,
    noised,
    plan,
    share_sum,
    signer,
)
from tests.unit.server import prepared
from tests.unit.server.mounted import Mounted
from tests.unit.server.prepared import Prepared

Answer = Callable[[str, RecordDict], RecordDict | str]
TERMS = RoundTerms(population="test-federation", catalogue=CATALOGUE.hash, cards=cards())


class FakeGrid(InProcessGrid):
    """Nodes are functions of message type and content; a string is an error reply."""

    def __init__(self, nodes: dict[int, Answer]) -> None:
        super().__init__({node: NodeConfig() for node in nodes})
        self.answers, self.asked = nodes, list[tuple[int, str]]()

    def _pull_here(self, wanted: set[str]) -> list[Message]:
        for message in list(self._queue):
            if message.metadata.message_id in wanted:
                self._queue.remove(message)
                node, kind = message.metadata.dst_node_id, message.metadata.message_type
                self.asked.append((node, kind))
                return [self._reply(message, self.answers[node](kind, message.content))]
        return []


def client_node(party: Party, stage: Stage) -> Answer:
    """A client app with this home, on the consent service's clock."""

    def answer(kind: str, content: RecordDict) -> RecordDict | str:
        if kind == "query.hello":
            key = b64(public_bytes(party.home.identity.public_key()))
            return RecordDict({"hello": ConfigRecord({"client_key": key, "kind": "device"})})
        data = content.config_records["round"]["invitation"]
        assert isinstance(data, bytes)
        try:
            invitation = Invitation.from_bytes(data)
            given = artefacts_in(content)
            made = contribute(invitation, party.home, stage.http, given=given, clock=stage.clock)
            return _sent(made)
        except ConsentError:
            return declined("consent")
        except FedcartError as error:
            return declined(f"{type(error).__name__}: {error}")

    return answer


def declined(reason: str) -> RecordDict:
    return RecordDict({"upload": ConfigRecord({"status": "declined", "reason": reason})})


@dataclass
class Scene:
    """Everything a round needs, over one temporary folder."""

    folder: Path
    ready: Prepared
    holders: tuple[KeyHolder, ...]
    parties: list[Party]
    federation: Federation
    scheme: Scheme

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        clients: int = 4,
        budget: float = 1e6,
        scheme: Scheme = Scheme.COMPACT_SUM,
    ) -> "Scene":
        ready = prepared.take(clients)
        stage, holders = ready.stage, ready.holders_in(folder)
        federation = Federation(
            identity=signer("coordinator"),
            consent=stage.client,
            consent_key=stage.service_key,
            holders=endpoints(holders),
            terms=replace(TERMS, cards=tuple(holder.card for holder in holders)),
            catalogue=CATALOGUE,
            ledger=Ledger(folder / "ledger.db", budget=budget, delta=1e-6),
            registry=Registry(folder / "releases"),
            folder=folder,
            timeout=60.0,
            progress=lambda _phase, _done, _total: None,
            clock=stage.clock,
        )
        return cls(
            folder=folder,
            ready=ready,
            holders=holders,
            parties=ready.parties_in(folder),
            federation=federation,
            scheme=scheme,
        )

    @property
    def stage(self) -> Stage:
        return self.ready.stage

    def close(self) -> None:
        for holder in self.federation.holders:
            holder.http.close()
        prepared.give_back(self.ready)

    @property
    def members(self) -> list[Member]:
        return [
            Member(node=node, client=party.home.client_id, kind="device")
            for node, party in enumerate(self.parties, start=2)
        ]

    def grid(self, **replaced: Answer) -> FakeGrid:
        """The cohort, with ``node_N`` answered by other functions."""
        nodes = {
            node: client_node(party, self.stage) for node, party in enumerate(self.parties, start=2)
        }
        return FakeGrid(nodes | {int(name[5:]): act for name, act in replaced.items()})

    def run(
        self, grid: FakeGrid | None = None, *, round_id: str = "round-1", **changes: Any
    ) -> Release:
        return self.run_plan(self.plan, grid, round_id=round_id, **changes)

    def run_plan(
        self,
        made: PrivacyPlan,
        grid: FakeGrid | None = None,
        *,
        round_id: str = "round-1",
        **changes: Any,
    ) -> Release:
        federation = replace(self.federation, **changes)
        return run_round(
            grid or self.grid(), self.members, TASK, made, federation, round_id=round_id
        )

    @property
    def plan(self) -> PrivacyPlan:
        return plan(min_clients=3, scheme=self.scheme)

    @property
    def opening(self) -> str:
        """Where key holders are asked to open a sum."""
        return "/v1/release" if self.scheme.votes else "/v1/open"

    def released(self) -> list[Path]:
        return sorted((self.folder / "releases").glob("*/*/artefact.json"))


class Neighbours:
    """Where mounted key holders ask each other for votes."""

    def __init__(self) -> None:
        self.stations = dict[int, Station]()

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        found = self.stations[peer.number].latest_vote(holder)
        return None if found is None else SignedRecord.from_bytes(found)


def endpoints(holders: Iterable[KeyHolder]) -> tuple[HolderEndpoint, ...]:
    """Key holders that work in this process, each asking the others."""
    neighbours = Neighbours()
    made = []
    for holder in holders:
        station = Station(holder, clock=lambda: float(NOW), source=neighbours)
        neighbours.stations[holder.number] = station
        made.append(endpoint(station))
    return tuple(made)


def endpoint(station: Station) -> HolderEndpoint:
    holder = station.holder
    http = httpx.Client(transport=Line(station), base_url=f"http://keyholder-{holder.number}.test")
    return HolderEndpoint(number=holder.number, http=http, identity=holder.identity.public_key())


class Line(InProcessTransport):
    """To a key holder that ends its work when the line is closed."""

    def __init__(self, station: Station) -> None:
        self._mounted = Mounted.take(station)
        super().__init__(self._mounted.app)

    def close(self) -> None:
        super().close()
        self._mounted.station.close()
        self._mounted.give_back()


def away_from(path: str, holder: HolderEndpoint) -> HolderEndpoint:
    """A key holder that is there, until it is asked for this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == path:
            raise httpx.ConnectError("connection refused")
        return holder.http.post(request.url.path, content=request.content)

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://away.test")
    return replace(holder, http=http)


def unreachable(number: int, holder: KeyHolder) -> HolderEndpoint:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    http = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://gone.test")
    return HolderEndpoint(number=number, http=http, identity=holder.identity.public_key())


def planned_round(**changes: Any) -> PlannedRound:
    fields: dict[str, Any] = {
        "place": RoundPlace(round_id="round-1", opens=NOW - 5, closes=NOW + 600),
        "terms": TERMS,
        "key": signer("coordinator"),
    }
    made = changes.pop("plan", plan())
    return plan_round(TASK, made, **(fields | changes))


def grant(
    planned: PlannedRound, client: Ed25519PrivateKey, number: int = 1, **changes: Any
) -> ParticipationGrant:
    fields: dict[str, Any] = {
        "issuer": "consent",
        "task": "popularity",
        "round_id": planned.manifest.round_id,
        "context": planned.context,
        "subject": f"subject-{number}",
        "token_id": f"id-{number}",
        "client_key": thumbprint(client.public_key()),
        "purposes": ("train-shared-models",),
        "categories": ("purchases",),
        "notice_version": "1",
        "epoch": 1,
        "issued_at": NOW,
        "expires_at": NOW + 600,
    }
    return ParticipationGrant(**(fields | changes))


def upload(
    planned: PlannedRound,
    client: Ed25519PrivateKey,
    grants: Iterable[ParticipationGrant],
    *,
    consent: str = "consent",
) -> Sent:
    """A sealed update of zeros with its header and grants."""
    scheme = share_sum(12, context=planned.context)
    sealed = scheme.seal(noised([0] * 16), sender=SENDER, rng=generator())
    tokens = tuple(item.sign(signer(consent)) for item in grants)
    header = sign_upload(sealed, tokens, client)
    return Sent(header=header, grants=pack_grants(tokens), sealed=sealed)
