"""The coordinator before key holders that are away, refuse, lie or make no sense, step by step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crypto.ballot import NO_VOTE, UploadList, Vote
from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.errors import CohortTooSmallError, RoundError
from crypto.ingest import Batch, Exclusion, Receipt
from crypto.keyholder import entry
from crypto.round_key import RoundKey
from crypto.sums.schemes import Scheme
from crypto.update import IntArray, NoisedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord, pack_frames, unpack_frames
from server import conductor
from server.journal import Journal
from server.keyholders import HolderEndpoint
from server.rounds import release as finish
from tests.unit.crypto.samples import noised, signer
from tests.unit.server.stage import Scene, away_from

LOUD = 100_000
Spoil = Callable[[httpx.Request, httpx.Response], httpx.Response]
STEPS = {
    "/v1/round-keys": "making round keys",
    "/v1/accept": "accepting the manifest",
    "/v1/entry": "adding noise",
    "/v1/ingest": "checking uploads",
    "/v1/vote": "voting on the list",
}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene.create(tmp_path, clients=4, scheme=Scheme.COMPACT_SUM)
    yield made
    made.close()


def spoilt(holder: HolderEndpoint, path: str, spoil: Spoil) -> HolderEndpoint:
    """A key holder whose answers to one request are changed on the way."""

    def answer(request: httpx.Request) -> httpx.Response:
        honest = holder.http.post(request.url.path, content=request.content)
        return spoil(request, honest) if request.url.path == path else honest

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://k.test")
    return replace(holder, http=http)


def second(scene: Scene, change: Callable[[HolderEndpoint], HolderEndpoint]) -> object:
    one, two, three = scene.federation.holders
    return (one, change(two), three)


def run(scene: Scene, path: str, spoil: Spoil) -> object:
    return scene.run(holders=second(scene, lambda holder: spoilt(holder, path, spoil)))


def says(content: bytes) -> Spoil:
    return lambda _request, _honest: httpx.Response(200, content=content)


@pytest.mark.parametrize("path", STEPS)
def test_one_that_is_away_stops_the_round_and_it_resumes(scene: Scene, path: str) -> None:
    with pytest.raises(RoundError, match=rf"2 of 3 key holders took part in {STEPS[path]}"):
        scene.run(holders=second(scene, lambda holder: away_from(path, holder)))
    assert scene.released() == []
    release = scene.run()
    assert release.record["clients"] == 4
    assert scene.federation.ledger.spent() == pytest.approx(scene.plan.epsilon())


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, content=b"garbage"), httpx.Response(200), httpx.Response(500, text="no")],
    ids=["garbage", "nothing", "failed"],
)
def test_nonsense_stops_the_round(scene: Scene, path: str, answer: httpx.Response) -> None:
    with pytest.raises(RoundError):
        run(scene, path, lambda _request, _honest: answer)
    assert scene.released() == []


def test_anothers_signature_counts_for_nothing(scene: Scene) -> None:
    for path in ("/v1/round-keys", "/v1/vote"):

        def resigned(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
            record = SignedRecord.from_bytes(honest.content)
            body = record.verified(record.type, scene.federation.holders[1].identity)
            forged = SignedRecord.sign(record.type, body, signer("mallory"))
            return httpx.Response(200, content=forged.to_bytes())

        with pytest.raises(RoundError, match="signature"):
            run(scene, path, resigned)
    assert scene.released() == []


def test_a_round_key_of_another_round(scene: Scene) -> None:
    identity = scene.holders[1].identity

    def other(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        record = SignedRecord.from_bytes(honest.content)
        key = replace(RoundKey.verify(record, identity.public_key()), round_id="round-9")
        return httpx.Response(200, content=key.sign(identity).to_bytes())

    with pytest.raises(RoundError, match="another round"):
        run(scene, "/v1/round-keys", other)


def excluding(scene: Scene, number: int, *, only: Callable[[str], bool] = lambda _: True) -> Spoil:
    """Key holder ``number`` leaves out the first upload of each batch that ``only`` allows."""
    identity = scene.holders[number - 1].identity

    def exclude(request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        receipt = Receipt.verify(SignedRecord.from_bytes(honest.content), identity.public_key())
        roles = {
            each.header.hash: each.header.body.decode()
            for each in Batch.from_bytes(request.content).submissions
        }
        first = next(name for name in receipt.acknowledged if only(roles[name]))
        changed = replace(
            receipt,
            acknowledged=tuple(name for name in receipt.acknowledged if name != first),
            excluded=(Exclusion(upload=first, reason="it does not please", blamed=False),),
        )
        return httpx.Response(200, content=changed.sign(identity).to_bytes())

    return exclude


def test_what_one_key_holder_excludes_is_left_out_before_the_commit(scene: Scene) -> None:
    spoil = excluding(scene, 2, only=lambda body: '"role":"client"' in body)
    release = scene.run(holders=second(scene, lambda h: spoilt(h, "/v1/ingest", spoil)))
    assert release.record["clients"] == 3
    assert release.record["dropped_at_commit"] == 0
    assert release.record["declined"] == {"key holders refused: it does not please": 1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_while_leaving_out_leaves_out_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    drop = Journal.drop

    def crash(journal: Journal, upload: Upload) -> None:
        if after:
            drop(journal, upload)
        raise KeyboardInterrupt

    spoil = excluding(scene, 2, only=lambda body: '"role":"client"' in body)
    holders = second(scene, lambda h: spoilt(h, "/v1/ingest", spoil))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "drop", crash)
        with pytest.raises(KeyboardInterrupt):
            scene.run(holders=holders)
    release = scene.run(holders=holders)
    assert release.record["clients"] == 3
    assert release.record["declined"] == {"key holders refused: it does not please": 1}


def test_too_few_that_please_freeze_nothing(scene: Scene) -> None:
    spoil = excluding(scene, 2, only=lambda body: '"role":"client"' in body)
    small = replace(scene.plan, min_clients=4)
    with pytest.raises(CohortTooSmallError, match="3 clients remain"):
        scene.run_plan(small, holders=second(scene, lambda h: spoilt(h, "/v1/ingest", spoil)))
    assert scene.federation.ledger.spent() == 0


def test_an_excluded_noise_entry_stops_the_round(scene: Scene) -> None:
    spoil = excluding(scene, 2, only=lambda body: '"role":"key-holder"' in body)
    with pytest.raises(RoundError, match="noise entry was excluded: it does not please"):
        run(scene, "/v1/ingest", spoil)
    assert scene.federation.ledger.spent() == 0


def test_a_receipt_that_passes_over_an_upload(scene: Scene) -> None:
    identity = scene.holders[1].identity

    def forgetful(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        receipt = Receipt.verify(SignedRecord.from_bytes(honest.content), identity.public_key())
        changed = replace(receipt, acknowledged=receipt.acknowledged[1:])
        return httpx.Response(200, content=changed.sign(identity).to_bytes())

    with pytest.raises(RoundError, match="does not answer for each upload"):
        run(scene, "/v1/ingest", forgetful)


def test_an_entry_that_is_anothers(scene: Scene) -> None:
    first = scene.federation.holders[0]

    def anothers(request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
        return first.http.post("/v1/entry", content=request.content)

    with pytest.raises(RoundError, match="something else than its noise entry"):
        run(scene, "/v1/entry", anothers)


def test_an_entry_with_other_bytes_than_it_signs(scene: Scene) -> None:
    def altered(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        frames = unpack_frames(honest.content, count=5, max_frame=1 << 28)
        frames[1] = bytes([frames[1][0] ^ 1]) + frames[1][1:]
        return httpx.Response(200, content=pack_frames(frames))

    with pytest.raises(RoundError, match="not the ones that the upload's header signs"):
        run(scene, "/v1/entry", altered)
    assert scene.released() == []


def test_votes_for_different_lists_open_nothing(scene: Scene) -> None:
    identity = scene.holders[1].identity

    def other(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        vote = Vote.verify(SignedRecord.from_bytes(honest.content), identity.public_key())
        changed = replace(vote, list_hash="ab" * 32, previous=NO_VOTE)
        return httpx.Response(200, content=changed.sign(identity).to_bytes())

    with pytest.raises(RoundError, match="voted for different lists; nothing is opened"):
        run(scene, "/v1/vote", other)
    assert scene.released() == []
    assert scene.federation.ledger.spent() > 0, "the charge of a round that failed is kept"


@pytest.mark.parametrize("gone", [None, 1, 2, 3])
def test_the_list_and_the_sum_have_the_noise_of_all_three(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, gone: int | None
) -> None:
    """Here each one's noise is a hundred thousand, so that nothing else can look like it."""
    entries: list[str] = []

    def keep(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        header, *_ = unpack_frames(honest.content, count=5, max_frame=1 << 28)
        entries.append(SignedRecord.from_bytes(header).hash)
        return honest

    def loud(*, plan: PrivacyPlan, **_: object) -> NoisedUpdate:
        return noised([LOUD] * plan.padded_dimension, shoppers=0)

    sums: list[IntArray] = []

    def look(integers: IntArray, *rest: Any) -> Any:
        sums.append(integers)
        return finish(integers, *rest)

    monkeypatch.setattr(entry, "holder_noise", loud)
    monkeypatch.setattr(conductor, "release", look)
    holders = tuple(
        spoilt(away_from("/v1/release", h) if h.number == gone else h, "/v1/entry", keep)
        for h in scene.federation.holders
    )
    release = scene.run(holders=holders)
    commit = Commit.verify(release.commit, scene.stage.service_key)
    listed = sorted([*entries, *(each.upload for each in commit.uploads)])
    context = release.record["context"]
    wanted = UploadList(context=context, uploads=tuple(listed)).hash
    assert len(entries) == 3
    assert release.record["ballot"]["list"] == wanted
    for vote, holder in zip(
        release.record["ballot"]["votes"], scene.federation.holders, strict=True
    ):
        found = Vote.verify(SignedRecord.from_json(vote), holder.identity)
        assert (found.holder, found.list_hash) == (holder.number, wanted)
    assert np.abs(sums[0] - 3 * LOUD).max() < LOUD / 2


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_two_are_enough_once_all_voted(scene: Scene, gone: int) -> None:
    holders = tuple(
        away_from("/v1/release", h) if h.number == gone else h for h in scene.federation.holders
    )
    release = scene.run(holders=holders)
    assert release.record["opened_by"] == [n for n in (1, 2, 3) if n != gone]
    assert list(release.record["key_holders_away"]) == [gone]
    assert len(release.record["ballot"]["votes"]) == 3
