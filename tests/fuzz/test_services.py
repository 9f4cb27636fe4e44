"""Services under bombardment: they refuse in plain words, and finish their round all the same."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import numpy as np
import pytest

from consent.service.inprocess import InProcessTransport
from consent.tasks.names import TaskName
from crypto.ballot import check_votes, release_hash
from crypto.dp.noise import holder_noise
from crypto.ingest import Batch, Receipt, Submission
from crypto.keyholder import ingesting, service
from crypto.keyholder.judging import judge
from crypto.keyholder.service import create_app
from crypto.manifest import context_of
from crypto.opening import decode_part
from crypto.sealing import secure_sum
from crypto.wire import SignedRecord, pack_frames
from tests.fuzz.mutation import mutated, of_bytes
from tests.unit.consent.harness import TASK, Stage
from tests.unit.consent.rounds import release
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    Federation,
    Ready,
    VotingRound,
    client_upload,
    entry_of,
    piece_plan,
)
from tests.unit.crypto.samples import generator, signer

POSTS = ("round-keys", "accept", "entry", "ingest", "vote", "release", "open")
PROBLEM = "application/problem+json"
SALVO = 6
PLAN = piece_plan(noise_multiplier=1.0)


def refused(answer: httpx.Response) -> bool:
    """Whether it is a refusal; one is always a problem document of the caller's own making."""
    assert answer.status_code < 500, answer.text
    if answer.status_code < 300:
        return False
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == answer.status_code
    assert "Traceback" not in answer.text
    return True


class Siege:
    """Three key holders behind HTTP; before and after every honest call, a salvo at every route."""

    def __init__(self, folder: Path) -> None:
        self.federation = Federation.make(folder, z_floor=0.0)
        self.rng = Random(20)
        self.known = dict.fromkeys(POSTS, b"{}")
        self.sent = self.refusals = 0
        self.quiet = False
        self.http: dict[int, httpx.Client] = {}
        for number in NUMBERS:
            app = service.app_of(self.federation.stations[number])
            self.http[number] = httpx.Client(
                transport=InProcessTransport(app, lifespan=False), base_url="http://holder.test"
            )

    def salvo(self) -> None:
        """Garbage, other routes' bytes, and what was last sent here with something changed."""
        for number in () if self.quiet else NUMBERS:
            for path in POSTS:
                other = self.known[self.rng.choice(POSTS)]
                shots = [
                    *(mutated(self.known[path], self.rng) for _ in range(SALVO)),
                    of_bytes(self.known[path], self.rng),
                    self.rng.randbytes(self.rng.randrange(200)),
                    pack_frames([other, other, other]),
                ]
                for data in shots:
                    answer = self.http[number].post(f"/v1/{path}", content=data)
                    self.sent += 1
                    self.refusals += refused(answer)

    def post(self, number: int, path: str, content: bytes) -> bytes:
        answer = self.http[number].post(f"/v1/{path}", content=content)
        assert answer.status_code == 200, answer.text
        self.known[path] = content
        return answer.content

    def ask(self, path: str, content: bytes) -> list[bytes]:
        """All three, under fire."""
        self.salvo()
        answers = [self.post(number, path, content) for number in NUMBERS]
        self.salvo()
        return answers

    def accepted(self) -> VotingRound:
        coordinator = signer("coordinator")
        request = self.federation.request().sign(coordinator).to_bytes()
        keys = [SignedRecord.from_bytes(data) for data in self.ask("round-keys", request)]
        document = self.federation.manifest(keys, plan=PLAN)
        record = document.sign(coordinator)
        accepts = [SignedRecord.from_bytes(data) for data in self.ask("accept", record.to_bytes())]
        cards = [self.federation.holder(number).card for number in NUMBERS]
        return VotingRound(
            manifest=document,
            record=record,
            keys=tuple(keys),
            accepts=tuple(accepts),
            scheme=secure_sum(document, context_of(record), cards=cards, round_keys=keys),
        )

    def ready(self, made: VotingRound) -> Ready:
        records = [each.to_bytes() for each in (*made.keys, *made.accepts)]
        asked = pack_frames([made.context.encode(), *records])
        entries = [entry_of(made, data) for data in self.ask("entry", asked)]
        clients = [client_upload(made, f"client {k}") for k in range(4)]
        self.salvo()
        for number in NUMBERS:
            batch = Batch(
                context=made.context,
                submissions=tuple(each.to(number) for each in (*clients, *entries)),
            )
            # Spoilt ones first: excluded, and nobody is blamed.
            self.known["ingest"] = batch.to_bytes()
            self.salvo()
            data = self.post(number, "ingest", batch.to_bytes())
            identity = self.federation.holder(number).identity.public_key()
            receipt = Receipt.verify(SignedRecord.from_bytes(data), identity)
            assert receipt.excluded == ()
        return Ready(made=made, clients=tuple(clients), entries=tuple(entries))


@pytest.fixture
def siege(tmp_path: Path) -> Iterator[Siege]:
    made = Siege(tmp_path)
    yield made
    for http in made.http.values():
        http.close()


def test_key_holders_finish_a_round_under_fire(siege: Siege) -> None:
    made = siege.accepted()
    ready = siege.ready(made)
    asked = pack_frames([made.context.encode(), ready.commit.to_bytes(), ready.proposal.to_bytes()])
    votes = [SignedRecord.from_bytes(data) for data in siege.ask("vote", asked)]
    identities = [siege.federation.holder(number).identity.public_key() for number in NUMBERS]
    check_votes(votes, identities, made.context)
    answers = siege.ask("release", pack_frames([vote.to_bytes() for vote in votes]))
    parts = [
        decode_part(data, request_hash=release_hash(votes), identity=identity)
        for data, identity in zip(answers, identities, strict=True)
    ]
    total = made.scheme.add(sent.sealed for sent in (*ready.clients, *ready.entries))
    noise = [holder_noise(plan=PLAN, rng=generator(f"holder {k}")).values for k in NUMBERS]
    expected = ready.expected() + np.sum(noise, axis=0)
    assert np.array_equal(made.scheme.combine(total, parts), expected)
    assert siege.sent > 2000
    assert siege.refusals > 0.9 * siege.sent


@pytest.mark.parametrize("path", POSTS)
def test_bodies_that_are_too_long(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MAX_RECORD_BYTES", "_MAX_INGEST", "_MAX_BODY"):
        monkeypatch.setattr(service, limit, 2000)
    app = create_app(Federation.make(tmp_path).holder(1))
    transport = InProcessTransport(app, lifespan=False)
    with httpx.Client(transport=transport, base_url="http://holder.test") as http:
        answer = http.post(f"/v1/{path}", content=bytes(2001))
        assert refused(answer)
        assert answer.json()["detail"] == "A request has at most 2000 bytes."
        # The control: at the limit it is read, and refused for what it is.
        other = http.post(f"/v1/{path}", content=bytes(2000))
        assert refused(other)
        assert not other.json()["detail"].startswith("A request")


def test_what_nobody_thought_of_is_one_failure(
    siege: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 500 without its words while it lasts, at every step; then the round goes on."""

    def stumble(*_args: object, **_more: object) -> bytes:
        raise ZeroDivisionError("the secret is 42")

    siege.quiet = True
    made = siege.accepted()
    for place in ("issue_round_key", "accept_manifest", "make_entry", "ingest", "vote", "release"):
        with monkeypatch.context() as patch:
            patch.setattr(f"crypto.keyholder.station.{place}", stumble)
            steps = {
                "round-keys": siege.known["round-keys"],
                "accept": made.record.to_bytes(),
                "entry": pack_frames(
                    [b"c", *(each.to_bytes() for each in (*made.keys, *made.accepts))]
                ),
                "ingest": Batch(context=made.context, submissions=()).to_bytes(),
                "vote": pack_frames([b"c", made.record.to_bytes(), made.record.to_bytes()]),
                "release": pack_frames([each.to_bytes() for each in made.accepts]),
            }
            answers = [siege.http[1].post(f"/v1/{path}", content=d) for path, d in steps.items()]
        (failed,) = [answer for answer in answers if answer.status_code == 500]
        assert failed.headers["content-type"] == PROBLEM
        assert "42" not in failed.text
        assert "Zero" not in failed.text
    siege.ready(made)


def test_an_upload_that_trips_a_parser_excludes_itself_alone(
    siege: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    siege.quiet = True
    made = siege.accepted()
    bad, good = (client_upload(made, name) for name in ("bad", "good"))

    def tripped(submission: Submission, *args: object, **more: object) -> object:
        if submission.header == bad.header:
            raise ZeroDivisionError("the secret is 42")
        return judge(submission, *args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ingesting, "judge", tripped)
        receipt = siege.federation.ingest(1, made, [bad, good])
    assert receipt.acknowledged == (good.header.hash,)
    (excluded,) = receipt.excluded
    assert (excluded.upload, excluded.blamed) == (bad.header.hash, False)
    assert "42" not in excluded.reason
    # Nobody holds it against the sender once the flaw is mended.
    assert siege.federation.ingest(1, made, [bad]).acknowledged == (bad.header.hash,)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "consent", coordinator_key=signer("coordinator").public_key())
    yield made
    made.close()


class TestTheConsentService:
    """What the coordinator and clients call in a round."""

    def test_it_finishes_a_round_under_fire(self, stage: Stage) -> None:
        calls: list[httpx.Request] = []
        stage.http.event_hooks["request"].append(calls.append)
        devices = [stage.device() for _ in range(4)]
        release(stage, *devices)
        stage.client.standing(["0" * 32])
        stage.client.eligible(TASK, [device.name for device in devices])
        stage.client.funnel(TASK, "round-1")
        stage.http.event_hooks["request"].clear()
        rng, statuses = Random(21), []
        for call in calls:
            for data in self._bodies(call.read(), rng):
                headers = {"Authorization": call.headers.get("Authorization", "Bearer x")}
                headers["content-type"] = "application/json"
                answer = stage.http.request(call.method, call.url, content=data, headers=headers)
                if not refused(answer):
                    assert answer.status_code < 300
                statuses.append(answer.status_code)
        assert {"PUT", "POST", "GET"} == {call.method for call in calls}
        assert len(statuses) > 300
        assert sum(status >= 400 for status in statuses) > 200
        report = release(stage, *devices, round_id="round-2")
        assert report.clients == 4
        state = stage.client.read_commit(task=TaskName(TASK), round_id="round-2")
        assert state.commit.clients == 4

    @staticmethod
    def _bodies(honest: bytes, rng: Random) -> list[bytes]:
        return [
            *(mutated(honest, rng) for _ in range(20)),
            b"",
            b"[" * 50_000,
            b"\xff" * 3000,
            rng.randbytes(100),
            b'{"a":' + b"1" * 5000 + b"}",
            b'"' + b"x" * 2_000_000 + b'"',
        ]
