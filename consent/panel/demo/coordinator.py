"""The demo's federation: a few stores and devices, and a coordinator that runs rounds of them.

Nothing is trained here. What the consent service sees of a round is real: a signed manifest,
requests to take part signed by each client's key, a frozen list, a report of what was released.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.participation import ParticipationRequest
from consent.purpose import Category, Purpose
from consent.service.commits import service as commits
from consent.service.commits.schemas import CommitRequest, OfferedUpload
from consent.service.context import Context
from consent.service.grants import service as grants
from consent.service.rounds import service as rounds
from consent.service.rounds.schemas import ReleaseReport
from consent.service.standing.repository import StandingRepository
from consent.tasks.names import TaskName
from crypto.commit import Commit
from crypto.dp.accounting import epsilon
from crypto.dp.plan import PrivacyPlan
from crypto.manifest import Manifest, context_of
from crypto.wire import SignedRecord

TASK: Final = TaskName.POPULARITY
_ITEMS: Final = 2048
PLAN: Final = PrivacyPlan.fitted(
    dimension=_ITEMS,
    clipping_norm=1.0,
    noise_multiplier=12.0,
    min_clients=4,
    max_clients=200,
    max_shoppers=1000,
    max_colluders=1,
    delta=1e-6,
)
# What the accountant says of this plan's first rounds, by their number: it takes longer to load
# than all the rest of the demo. The tests ask it again.
KNOWN: Final[Mapping[int, float]] = {
    1: 0.3542140472215557,
    2: 0.5120144256176979,
    3: 0.6354472209942901,
    4: 0.740791879837007,
    5: 0.8344647838434216,
    6: 0.919938556582812,
    7: 0.9988912200044265,
    8: 1.0730926363303435,
    9: 1.1431687861082147,
    10: 1.2096034911683884,
    11: 1.2729968817838135,
    12: 1.3341023616676346,
}


def spent(rounds: int) -> float:
    """The composed ε of so many rounds under the plan, at its δ."""
    if rounds in KNOWN:
        return KNOWN[rounds]
    return epsilon([PLAN.release] * rounds, delta=PLAN.delta)


@dataclass
class Member:
    """A device or store of the federation: its key and its shoppers' ids."""

    key: Ed25519PrivateKey
    shoppers: list[str] = field(default_factory=list)


@dataclass
class Coordinator:
    """Runs one round after another; between ``open`` and ``close`` anybody may withdraw."""

    context: Context
    key: Ed25519PrivateKey
    members: list[Member] = field(default_factory=list)
    done: int = 0
    _manifest: Manifest | None = None

    def open(self, *, lasts_s: int = 600) -> None:
        """Publish the next round's policy and have every member ask for its grants."""
        self._manifest = manifest = self._next(lasts_s)
        record = manifest.sign(self.key)
        rounds.publish(self.context, TASK, manifest.round_id, record)
        for member in self.members:
            asked = ParticipationRequest(
                task=TASK,
                round_id=manifest.round_id,
                context=context_of(record),
                client_key=member.key.public_key(),
                issued_at=int(self.context.now()),
                shoppers=tuple(member.shoppers),
            )
            grants.participate(self.context, asked.sign(member.key))

    def close(self) -> bool:
        """Freeze the open round's list and report its release; False if too few were left."""
        manifest, self._manifest = self._manifest, None
        if manifest is None:
            return False
        offered = self._offered(manifest)
        answer = commits.freeze(self.context, offered)
        record = SignedRecord.from_json(answer.commit.model_dump())
        commit = Commit.verify(record, self.context.key.public_key())
        if commit.clients < manifest.plan.min_clients:
            return False
        self.done += 1
        rounds.released(self.context, TASK, manifest.round_id, self._report(manifest, commit))
        return True

    def _next(self, lasts_s: int) -> Manifest:
        now = int(self.context.now())
        return Manifest(
            population="demo-alliance",
            task=TASK,
            round_id=f"round-{self.done + 1}-{now}",
            parameters={"items": _ITEMS},
            catalogue=hashlib.sha256(b"the demo's catalogue").hexdigest(),
            plan=PLAN,
            epsilon=spent(1),
            purposes=(Purpose.TRAIN,),
            categories=(Category.PURCHASES,),
            key_hashes=tuple(hashlib.sha256(bytes([k])).hexdigest() for k in range(3)),
            unpaired_devices=False,
            opens=now,
            closes=now + lasts_s,
        )

    def _offered(self, manifest: Manifest) -> CommitRequest:
        """An upload of each client, for those of its shoppers whose grants still stand.

        Clients look before they seal, so that one shopper's withdrawal does not cost the others of
        her store their round.
        """
        with self.context.database.reading() as session:
            standing = StandingRepository(session, now=self.context.now_ms())
            issued = standing.grants_of_round(TASK, manifest.round_id)
        held: dict[str, list[str]] = defaultdict(list)
        for grant in issued:
            if grant.terms.stand:
                held[grant.client_id].append(grant.token_id)
        return CommitRequest(
            task=TASK,
            round=manifest.round_id,
            context=context_of(manifest.sign(self.key)),
            uploads=[
                OfferedUpload(
                    upload=hashlib.sha256(f"{manifest.round_id} {client}".encode()).hexdigest(),
                    client=client,
                    grants=tokens,
                )
                for client, tokens in held.items()
            ],
        )

    def _report(self, manifest: Manifest, commit: Commit) -> ReleaseReport:
        plan = manifest.plan
        return ReleaseReport(
            epsilon=manifest.epsilon,
            epsilon_spent_in_all=spent(self.done),
            delta=plan.delta,
            clients=commit.clients,
            shoppers=commit.shoppers,
            artefact=hashlib.sha256(manifest.round_id.encode()).hexdigest(),
        )
