"""Whole rounds with everybody in them, to be disturbed at any step: the stage of the round suite.

Consent service, coordinator, grid messages and key holders (behind their apps, on their disks) are
the real ones. What clients put in is known here, and what key holders added is opened with round
secrets from their disks, so the exact sum of a round is known without its own code.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.invitation import Invitation
from crypto.manifest import context_of
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.length import piece_length
from crypto.sums.pieces.open import RoundSecret, open_envelope, sum_pieces
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import IntArray, PartSum, SealedSum, SealedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord, unpack_frames
from server.cohort import Member
from server.conductor import run_round
from server.exchange import sealed_of
from server.ledger import Ledger
from server.planning import ONLY, Spot
from server.registry import Registry, Release
from server.rounds import PlannedRound, RoundTerms, release
from tests.conformance.clients import Answer, Client, Node, manifest_of, scheme_of
from tests.conformance.holders import NUMBERS, Holder, Neighbours, name_of
from tests.conformance.watching import Between, Watched
from tests.unit.client.stage import CATALOGUE, TASK
from tests.unit.consent.harness import Stage
from tests.unit.crypto.keyholder.stage import POPULATION, make_holders
from tests.unit.crypto.samples import plan, signer
from tests.unit.server.stage import FakeGrid

# So many rounds on one ledger cost what no deployment would allow.
_NO_CAP: Final = 1e6
_MAX_FRAME: Final = 1 << 28


@dataclass(kw_only=True)
class World:
    """Everybody, over one folder. Each test names its rounds as no other does."""

    folder: Path
    scheme: Scheme
    stage: Stage
    federation: Watched
    neighbours: Neighbours
    clients: list[Client] = field(default_factory=list)
    contributed: dict[str, IntArray] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, scheme: Scheme, *, clients: int = 4, **pins: Any) -> "World":
        stage = Stage(folder / "consent", coordinator_key=signer("coordinator").public_key())
        pinned = {"consent": stage.service_key, "epsilon_cap": _NO_CAP, "z_floor": 0.0} | pins
        neighbours = Neighbours()
        for each in make_holders(folder, **pinned):
            neighbours.holders[each.number] = Holder(each.home, stage.clock, neighbours)
        holders = neighbours.holders.values()
        federation = Watched(
            identity=signer("coordinator"),
            consent=stage.client,
            consent_key=stage.service_key,
            holders=tuple(each.endpoint() for each in holders),
            terms=RoundTerms(
                population=POPULATION,
                catalogue=CATALOGUE.hash,
                cards=tuple(each.me.card for each in holders),
            ),
            catalogue=CATALOGUE,
            ledger=Ledger(folder / "ledger.db", budget=_NO_CAP, delta=1e-6),
            registry=Registry(folder / "releases"),
            folder=folder,
            timeout=60.0,
            progress=lambda _phase, _done, _total: None,
            clock=stage.clock,
        )
        made = cls(
            folder=folder, scheme=scheme, stage=stage, federation=federation, neighbours=neighbours
        )
        made.clients = [made.client() for _ in range(clients)]
        return made

    def client(self, *, shoppers: int = 1) -> Client:
        """Another client, whose shoppers agree."""
        kind = "device" if shoppers == 1 else "store"
        return Client(
            device=self.stage.device(shoppers=shoppers, kind=kind),
            stage=self.stage,
            cards=self.federation.terms.cards,
            contributed=self.contributed,
        )

    @property
    def holders(self) -> dict[int, Holder]:
        return self.neighbours.holders

    @property
    def plan(self) -> PrivacyPlan:
        return plan(min_clients=3, scheme=self.scheme)

    def restart(self) -> None:
        """Everybody is there again, and has asked everybody, as services do when they start."""
        self.neighbours.unreachable.clear()
        for holder in self.holders.values():
            holder.start()
        for holder in self.holders.values():
            assert holder.station.check_peers() is None

    def leave(self) -> None:
        """What a test leaves behind is over for the next one: open rounds, and what was heard."""
        self.check_answers()
        self.stage.clock.now += 10_000
        self.restart()
        for holder in self.holders.values():
            holder.heard.clear()
            holder.secrets.clear()

    def close(self) -> None:
        for endpoint in self.federation.holders:
            endpoint.http.close()
        for holder in self.holders.values():
            holder.leave()
        self.stage.close()

    def run(
        self,
        round_id: str,
        cohort: Sequence[Node] | None = None,
        *,
        instead: Mapping[int, Answer] | None = None,
        plan: PrivacyPlan | None = None,
        spot: Spot = ONLY,
        **changes: Any,
    ) -> Release:
        """Run a round; ``instead`` has other answers than the client at that place gives."""
        clients = list(enumerate(self.clients if cohort is None else cohort))
        acts: dict[int, Answer] = {place: each.answer for place, each in clients}
        grid = FakeGrid({place + 2: act for place, act in (acts | dict(instead or {})).items()})
        members = [Member(node=k + 2, client=each.id, kind="device") for k, each in clients]
        federation = replace(self.federation, **changes)
        made = plan or self.plan
        return run_round(grid, members, TASK, made, federation, round_id=round_id, spot=spot)

    def between(
        self,
        call: str,
        *,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> Between:
        """The line to the consent service, with something happening around a call."""
        return Between(self.federation.consent, call, before=before, after=after)

    def journal(self, round_id: str) -> Path:
        """Where the coordinator keeps a round that is not released yet."""
        return self.folder / "rounds" / TASK.name / round_id

    def record(self, round_id: str, name: str) -> SignedRecord:
        """A document of such a round."""
        return SignedRecord.from_bytes(self.journal(round_id).joinpath(name).read_bytes())

    def context(self, round_id: str) -> str:
        return context_of(self.record(round_id, "manifest.json"))

    # What is known of a round without those who take part in it.

    def round_keys(self, record: SignedRecord) -> tuple[SignedRecord, ...]:
        """The round keys of a round, as key holders answered them."""
        known = {
            SignedRecord.from_bytes(each.answer).hash: SignedRecord.from_bytes(each.answer)
            for holder in self.holders.values()
            for each in holder.heard
            if each.path == "/v1/round-keys"
        }
        return tuple(known[name] for name in manifest_of(record).key_hashes) if known else ()

    def _scheme(self, record: SignedRecord) -> SecureSum:
        invitation = Invitation(manifest=record, round_keys=self.round_keys(record))
        return scheme_of(invitation, self.federation.terms.cards)

    def open_one(self, record: SignedRecord, sealed: SealedUpdate, sender: bytes) -> IntArray:
        """What is inside one sealed vector, which nobody in a round can open.

        In share sum with the key holders' keys, else with round secrets from their disks.
        """
        scheme = self._scheme(record)
        total = scheme.add([sealed])
        if manifest_of(record).scheme.votes:
            parts = [self._pieces(number, record, sealed, sender) for number in NUMBERS]
        else:
            parts = [_opened_share(holder, total) for holder in self.holders.values()]
        return scheme.combine(total, parts)

    def _pieces(
        self, number: int, record: SignedRecord, sealed: SealedUpdate, sender: bytes
    ) -> PartSum:
        manifest, context = manifest_of(record), context_of(record)
        made, key_hash = manifest.plan, manifest.key_hashes[number - 1]
        length = piece_length(made.scheme, made.padded_dimension, made.layout)
        first, second, third = sealed.commitments
        held = open_envelope(
            sealed.shares[number - 1],
            holder=number,
            context=context,
            secret=RoundSecret.from_bytes(self.holders[number].secrets[key_hash]),
            record_hash=key_hash,
            sender=sender,
            length=length,
            commitments=(first, second, third),
        )
        return sum_pieces([held], holder=number, context=context, length=length)

    def entry(self, number: int, record: SignedRecord) -> IntArray:
        """The noise that a key holder put into a round."""
        [data] = self.holders[number].answers("/v1/entry", context_of(record))
        header, body, *shares = unpack_frames(data, count=2 + HOLDERS, max_frame=_MAX_FRAME)
        signed = SignedRecord.from_bytes(header)
        sealed = sealed_of(signed, tuple(shares), body)
        return self.open_one(record, sealed, Upload.parse(signed).sender)

    def expected(self, found: Release) -> IntArray:
        """Plain integers: what the listed clients put in, and what key holders added."""
        commit = Commit.verify(found.commit, self.stage.service_key)
        added = [self.contributed[each.upload] for each in commit.uploads]
        if self.scheme.votes:
            added += [self.entry(number, found.manifest) for number in NUMBERS]
        total: IntArray = np.sum(added, axis=0, dtype=np.int64)
        return total

    # What every round owes, whatever happened in it.

    def check(self, found: Release, clients: Sequence[Node] | None = None) -> None:
        """A release is exact, of these clients, opened once and paid for once by everybody."""
        commit = Commit.verify(found.commit, self.stage.service_key)
        wanted = self.clients if clients is None else clients
        assert {each.client for each in commit.uploads} == {each.id for each in wanted}
        expected = self.expected(found)
        assert self.federation.sums[-1].tolist() == expected.tolist()
        manifest, context = manifest_of(found.manifest), context_of(found.manifest)
        planned = PlannedRound(task=TASK, manifest=manifest, record=found.manifest)
        assert np.array_equal(found.total.values, release(expected, planned, commit).values)
        assert len(list(self.folder.glob(f"releases/*/{found.round_id}/artefact.json"))) == 1
        assert self.reserved(found.round_id) == 1
        private = manifest.plan.private
        for number, holder in self.holders.items():
            opened = number in found.record["opened_by"]
            charged = holder.count("charges", context)
            assert charged == int(private) if opened or self.scheme.votes else charged <= 1
            if opened and self.scheme.votes:
                assert holder.count("answers", context) == 1

    def reserved(self, round_id: str) -> int:
        """How often the coordinator's ledger was charged for a round."""
        query = "SELECT count(*) FROM reserved WHERE round = ?"
        with closing(sqlite3.connect(self.folder / "ledger.db")) as db:
            [(count,)] = db.execute(query, (round_id,)).fetchall()
        return int(count)

    def nothing_released(self, round_id: str, *, spent: bool, opened: int = 0) -> None:
        """No artefact, ``opened`` parts of the sum; a charge of the coordinator stays."""
        assert not list(self.folder.glob(f"releases/*/{round_id}"))
        assert self.reserved(round_id) == int(spent)
        query = "SELECT count(*) FROM answers JOIN rounds USING (context) WHERE round = ?"
        counts = [holder.rows(query, round_id)[0][0] for holder in self.holders.values()]
        assert sum(counts) == opened

    def check_answers(self) -> None:
        """A step of a round has one answer of each key holder, however often it is asked."""
        for holder in self.holders.values():
            found: dict[tuple[str, str], set[bytes]] = defaultdict(set)
            for each in holder.heard:
                if each.path != "/v1/ingest":
                    found[each.path, name_of(each)].add(each.answer)
            assert all(len(answers) == 1 for answers in found.values())


# Makes a world that its test may spoil.
MakeWorld = Callable[..., World]


def _opened_share(holder: Holder, total: SealedSum) -> PartSum:
    opening = holder.me.opening
    assert opening is not None
    return opening.open_share(
        total.shares[holder.number - 1],
        holder=holder.number,
        context=total.context,
        dimension=TASK.dimension,
    )
