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

from client.app import _sent
from client.participate import contribute
from consent.service.inprocess import InProcessTransport
from crypto.dp.plan import PrivacyPlan
from crypto.errors import ConsentError, FedcartError
from crypto.grant import ParticipationGrant
from crypto.keyholder.home import KeyHolder
from crypto.keyholder.service import create_app
from crypto.update import SealedUpdate
from crypto.upload import sign_upload
from crypto.wire import SignedRecord, b64, public_bytes, thumbprint
from server.cohort import Member
from server.conductor import Federation, run_round
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.registry import Registry, Release
from server.rounds import PlannedRound, RoundTerms, plan_round
from simulations.engine.grid import InProcessGrid, NodeConfig
from tests.unit.client.stage import CATALOGUE, TASK, Party, make_client
from tests.unit.consent.harness import Stage
from tests.unit.crypto.keyholder.stage import make_holders
from tests.unit.crypto.samples import NOW, generator, noised, plan, share_sum, signer

Answer = Callable[[str, RecordDict], RecordDict | str]
TERMS = RoundTerms(
    population="test-federation", catalogue=CATALOGUE.hash, key_hashes=("a", "b", "c")
)


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
        manifest = content.config_records["round"]["manifest"]
        assert isinstance(manifest, bytes)
        try:
            record = SignedRecord.from_bytes(manifest)
            return _sent(contribute(record, party.home, stage.http, clock=stage.clock))
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
    stage: Stage
    holders: tuple[KeyHolder, ...]
    parties: list[Party]
    federation: Federation

    @classmethod
    def create(cls, folder: Path, *, clients: int = 4, budget: float = 1e6) -> "Scene":
        stage = Stage(folder / "consent", coordinator_key=signer("coordinator").public_key())
        holders = make_holders(folder, consent=stage.service_key)
        hashes = tuple(holder.key_hash for holder in holders)
        parties = [
            make_client(
                stage,
                folder / f"client-{k}",
                f"shopper-{k}",
                context_hashes=hashes,
                contexts=tuple(str(h.home / "public.context") for h in holders),
            )
            for k in range(clients)
        ]
        federation = Federation(
            identity=signer("coordinator"),
            consent=stage.client,
            consent_key=stage.service_key,
            holders=tuple(endpoint(holder) for holder in holders),
            contexts=tuple(holder.public for holder in holders),
            terms=replace(TERMS, key_hashes=hashes),
            catalogue=CATALOGUE,
            ledger=Ledger(folder / "ledger.db", budget=budget, delta=1e-6),
            registry=Registry(folder / "releases"),
            folder=folder,
            timeout=60.0,
            progress=lambda _phase, _done, _total: None,
            clock=stage.clock,
        )
        return cls(
            folder=folder, stage=stage, holders=holders, parties=parties, federation=federation
        )

    def close(self) -> None:
        for holder in self.federation.holders:
            holder.http.close()
        self.stage.close()

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
        federation = replace(self.federation, **changes)
        return run_round(
            grid or self.grid(), self.members, TASK, self.plan, federation, round_id=round_id
        )

    @property
    def plan(self) -> PrivacyPlan:
        return plan(min_clients=3)

    def released(self) -> list[Path]:
        return sorted((self.folder / "releases").glob("*/*/artefact.json"))


def endpoint(holder: KeyHolder) -> HolderEndpoint:
    transport = InProcessTransport(create_app(holder, clock=lambda: float(NOW)))
    http = httpx.Client(transport=transport, base_url=f"http://keyholder-{holder.number}.test")
    return HolderEndpoint(number=holder.number, http=http, identity=holder.identity.public_key())


def unreachable(number: int, holder: KeyHolder) -> HolderEndpoint:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    http = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://gone.test")
    return HolderEndpoint(number=number, http=http, identity=holder.identity.public_key())


def planned_round(**changes: Any) -> PlannedRound:
    fields: dict[str, Any] = {
        "round_id": "round-1",
        "terms": TERMS,
        "key": signer("coordinator"),
        "opens": NOW - 5,
        "closes": NOW + 600,
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
) -> tuple[SignedRecord, SealedUpdate]:
    """A sealed update of zeros with its header."""
    scheme = share_sum(12, context=planned.context)
    sealed = scheme.seal(noised([0] * 16), rng=generator())
    tokens = tuple(item.sign(signer(consent)) for item in grants)
    return sign_upload(sealed, tokens, client), sealed
