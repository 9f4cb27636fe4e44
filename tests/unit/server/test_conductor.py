"""Whole rounds in process: who is left out, what is spent, and what is released when."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from consent.client import ConsentClient
from crypto.commit import Commit
from crypto.errors import BudgetError, CohortTooSmallError, ConsentError, RoundError, SealError
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, unpack_frames
from server import conductor, share_opening
from server.cohort import roll_call, select
from server.conductor import Federation
from server.keyholders import HolderEndpoint
from server.ledger import Ledger
from server.registry import Registry
from server.voting import Voting
from tests.unit.client.stage import TASK
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW
from tests.unit.server.stage import Answer, Scene, away_from, declined


@pytest.fixture(params=Scheme, ids=str)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    made = Scene.create(tmp_path, clients=4, scheme=request.param)
    yield made
    made.close()


def withdraw(scene: Scene, number: int) -> None:
    party = scene.parties[number]
    [(name, token)] = party.tokens.items()
    scene.stage.client.decide(party.home.shoppers[name], token, WITHDRAW, notice_version=NOTICE)


def saying(content: RecordDict | str) -> Answer:
    return lambda _kind, _content: content


def nothing_released(scene: Scene, *, spent: bool = False) -> None:
    assert scene.released() == []
    assert (scene.federation.ledger.spent() > 0) == spent


class TestRelease:
    def test_a_round(self, scene: Scene) -> None:
        release = scene.run()
        assert release.record["clients"] == release.record["shoppers"] == 4
        assert release.record["opened_by"] == [1, 2, 3]
        assert release.record["epsilon"] == pytest.approx(scene.plan.epsilon())
        assert scene.federation.ledger.spent() == pytest.approx(scene.plan.epsilon())
        commit = Commit.verify(release.commit, scene.stage.service_key)
        assert {e.client for e in commit.uploads} == {m.client for m in scene.members}
        assert len(scene.released()) == 1

    def test_running_it_again_returns_it_and_spends_once(self, scene: Scene) -> None:
        first = scene.run()
        grid = scene.grid()
        again = scene.run(grid)
        assert grid.asked == []
        assert again.commit == first.commit
        assert np.array_equal(again.total.values, first.total.values)
        assert scene.federation.ledger.spent() == pytest.approx(scene.plan.epsilon())

    def test_another_round_spends_again(self, scene: Scene) -> None:
        scene.run()
        scene.run(round_id="round-2")
        spent = scene.federation.ledger.spent()
        assert scene.plan.epsilon() < spent < 2 * scene.plan.epsilon()
        assert len(scene.released()) == 2

    def test_the_sum_leaves_as_artefact_and_record_only(self, scene: Scene) -> None:
        scene.run()
        folder = scene.released()[0].parent
        names = {"artefact.json", "commit.json", "manifest.json", "record.json", "sum.npy"}
        assert {path.name for path in folder.iterdir()} == names
        record = json.loads((folder / "record.json").read_text())
        shoppers = [i for party in scene.parties for i in party.home.shoppers.values()]
        text = json.dumps(record)
        assert not any(identifier in text for identifier in shoppers)
        assert not list(scene.folder.glob("rounds/*/*/uploads/*"))


class TestMisbehavingClients:
    NONSENSE: ClassVar[list[RecordDict | str]] = [
        "node is gone",
        RecordDict({}),
        declined("consent"),
        RecordDict({"upload": ConfigRecord({"status": "sent"})}),
        RecordDict({"upload": ConfigRecord({"status": "sent", "header": b"garbage"})}),
        RecordDict({"upload": ConfigRecord({"status": "other", "header": b"{}"})}),
    ]

    def test_one_stops_nobody(self, scene: Scene) -> None:
        for number, content in enumerate(self.NONSENSE):
            grid = scene.grid(node_4=saying(content))
            release = scene.run(grid, round_id=f"round-{number}")
            assert release.record["clients"] == 3
            assert sum(release.record["declined"].values()) == 1

    def altered(self, scene: Scene, change: Any) -> Answer:
        """Client 4's honest reply, spoilt."""
        honest = scene.grid().answers[4]

        def answer(kind: str, content: RecordDict) -> RecordDict | str:
            reply = honest(kind, content)
            assert isinstance(reply, RecordDict)
            return RecordDict(change(dict(reply)))

        return answer

    def test_bytes_that_its_header_does_not_sign(self, scene: Scene) -> None:
        def change(reply: dict[str, Any]) -> dict[str, Any]:
            data = bytes(reply["sealed"]["share-1"].data)
            spoilt = Array(
                dtype="uint8", shape=(len(data),), stype="x", data=bytes([data[0] ^ 1]) + data[1:]
            )
            return reply | {"sealed": ArrayRecord({**reply["sealed"], "share-1": spoilt})}

        release = scene.run(scene.grid(node_4=self.altered(scene, change)))
        assert release.record["clients"] == 3
        [reason] = release.record["declined"]
        assert "not the ones" in reason

    def test_too_few_shares(self, scene: Scene) -> None:
        def change(reply: dict[str, Any]) -> dict[str, Any]:
            kept = {k: v for k, v in reply["sealed"].items() if k != "share-3"}
            return reply | {"sealed": ArrayRecord(kept)}

        assert scene.run(scene.grid(node_4=self.altered(scene, change))).record["clients"] == 3

    def test_signed_garbage_of_the_right_length(self, scene: Scene) -> None:
        """It must fall before the list is frozen, for after that it would spoil the round."""
        identity = scene.parties[2].home.identity

        def change(reply: dict[str, Any]) -> dict[str, Any]:
            upload = Upload.parse(SignedRecord.from_bytes(reply["upload"]["header"]))
            grants = bytes(reply["sealed"]["grants"].data)
            parts = {name: bytes(array.data) for name, array in reply["sealed"].items()}
            for number in (1, 2, 3):
                parts[f"share-{number}"] = bytes([number]) * len(parts[f"share-{number}"])
            sealed = SealedUpdate(
                scheme=upload.scheme,
                context=upload.context,
                shares=(parts["share-1"], parts["share-2"], parts["share-3"]),
                body=parts["body"],
                commitments=upload.commitments,
            )
            signed = sign_upload(sealed, upload.tokens(grants), identity)
            arrays = {
                name: Array(dtype="uint8", shape=(len(data),), stype="x", data=data)
                for name, data in parts.items()
            }
            sent = ConfigRecord({"status": "sent", "header": signed.to_bytes()})
            return {"upload": sent, "sealed": ArrayRecord(arrays)}

        release = scene.run(scene.grid(node_4=self.altered(scene, change)))
        assert release.record["clients"] == 3
        [reason] = release.record["declined"]
        if scene.scheme is Scheme.SHARE_SUM:
            assert reason == "refused: A sealed share is malformed."
        else:
            assert reason == "key holders refused: its envelope does not open"

    def test_a_replayed_reply_counts_once(self, scene: Scene) -> None:
        """Node 5 sends what node 4 sent: it is client 4's upload, once."""
        replies: list[RecordDict | str] = []
        honest = scene.grid().answers[4]

        def keep(kind: str, content: RecordDict) -> RecordDict | str:
            replies.append(honest(kind, content))
            return replies[0]

        grid = scene.grid(node_4=keep, node_5=lambda _kind, _content: replies[0])
        assert scene.run(grid).record["clients"] == 3


class TestTooFew:
    def test_at_selection_nobody_is_asked(self, scene: Scene) -> None:
        for number in (0, 1):
            withdraw(scene, number)
        grid = scene.grid()
        with pytest.raises(CohortTooSmallError, match=r"2 of 4 clients agree.*at least 3") as told:
            scene.run(grid)
        assert "smaller min_clients" in str(told.value)
        assert grid.asked == []
        nothing_released(scene)

    def test_too_few_uploads_freeze_nothing(self, scene: Scene) -> None:
        grid = scene.grid(node_2=saying("gone"), node_3=saying("gone"))
        with pytest.raises(CohortTooSmallError, match="2 clients remain"):
            scene.run(grid)
        nothing_released(scene)
        with pytest.raises(ConsentError):
            scene.stage.client.read_commit(task=TASK.name, round_id="round-1")

    def test_too_few_at_the_commit(self, scene: Scene) -> None:
        """All four upload, then two withdraw before the list is frozen."""
        commit = scene.federation.consent.commit

        class Late(ConsentClient):
            def __init__(self) -> None:
                self.__dict__.update(scene.federation.consent.__dict__)

            def commit(self, **fields: Any) -> Any:
                for number in (0, 1):
                    withdraw(scene, number)
                return commit(**fields)

        with pytest.raises(CohortTooSmallError, match="2 clients remain at the commit"):
            scene.run(consent=Late())
        nothing_released(scene)

    def test_one_who_withdraws_before_the_commit_is_not_in_the_sum(self, scene: Scene) -> None:
        commit = scene.federation.consent.commit

        class Late(ConsentClient):
            def __init__(self) -> None:
                self.__dict__.update(scene.federation.consent.__dict__)

            def commit(self, **fields: Any) -> Any:
                withdraw(scene, 0)
                return commit(**fields)

        release = scene.run(consent=Late())
        assert (release.record["clients"], release.record["dropped_at_commit"]) == (3, 1)
        listed = Commit.verify(release.commit, scene.stage.service_key)
        assert scene.parties[0].home.client_id not in {e.client for e in listed.uploads}


class TestBudget:
    def test_no_budget_no_opening(self, scene: Scene) -> None:
        asked: list[str] = []

        def watched(holder: HolderEndpoint) -> HolderEndpoint:
            def watch(request: httpx.Request) -> httpx.Response:
                asked.append(request.url.path)
                return holder.http.post(request.url.path, content=request.content)

            http = httpx.Client(transport=httpx.MockTransport(watch), base_url="http://k")
            return replace(holder, http=http)

        poor = Ledger(scene.folder / "poor.db", budget=0.01, delta=1e-6)
        with pytest.raises(BudgetError, match="nothing is released"):
            scene.run(ledger=poor, holders=tuple(map(watched, scene.federation.holders)))
        assert set(asked).isdisjoint({"/v1/vote", "/v1/release", "/v1/open"})
        assert ("/v1/ingest" in asked) == scene.scheme.votes
        assert scene.released() == []

    def test_a_ledger_that_can_not_be_written(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scene.federation.ledger, "_path", scene.folder)
        with pytest.raises(BudgetError, match="can't be written"):
            scene.run()
        assert scene.released() == []


class TestKeyHolders:
    def away(self, scene: Scene, *numbers: int) -> tuple[HolderEndpoint, ...]:
        """These key holders are there until they are asked to open."""
        return tuple(
            away_from(scene.opening, h) if h.number in numbers else h
            for h in scene.federation.holders
        )

    def test_two_away_release_nothing_until_one_is_back(self, scene: Scene) -> None:
        with pytest.raises(RoundError, match=r"1 of 3 key holders.*2 are needed; nothing"):
            scene.run(holders=self.away(scene, 1, 3))
        nothing_released(scene, spent=True)
        grid = scene.grid()
        release = scene.run(grid, holders=self.away(scene, 3))
        assert release.record["opened_by"] == [1, 2]
        assert list(release.record["key_holders_away"]) == [3]
        assert release.record["clients"] == 4
        assert grid.asked == []
        assert scene.federation.ledger.spent() == pytest.approx(scene.plan.epsilon())

    def test_a_lying_one_discards_the_round(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lie(honest: Any) -> Any:
            def lying(*args: Any, **fields: Any) -> Any:
                opened = honest(*args, **fields)
                values = opened.parts[1].values.copy()
                values[0] += 1
                parts = (opened.parts[0], replace(opened.parts[1], values=values), opened.parts[2])
                return replace(opened, parts=parts)

            return lying

        monkeypatch.setattr(conductor, "open_sum", lie(share_opening.open_sum))
        monkeypatch.setattr(Voting, "open", lie(Voting.open))
        with pytest.raises(SealError, match="contradict"):
            scene.run()
        nothing_released(scene, spent=True)
        kept = scene.folder / "disputes" / TASK.name / "round-1"
        assert {path.name for path in kept.iterdir()} == {"part-1", "part-2", "part-3"}
        identity = scene.federation.holders[1].identity
        record, _ = unpack_frames((kept / "part-2").read_bytes(), count=2, max_frame=1 << 20)
        assert SignedRecord.from_bytes(record).verified("part-sum", identity)["holder"] == 2


class TestCohort:
    def test_roll_call_leaves_out_whoever_makes_no_sense(self, scene: Scene) -> None:
        bad: list[RecordDict | str] = [
            "gone",
            RecordDict({}),
            RecordDict({"hello": ConfigRecord({"client_key": "short"})}),
        ]
        grid = scene.grid(**{f"node_{n}": saying(what) for n, what in enumerate(bad, start=3)})
        assert [member.node for member in roll_call(grid, timeout=9.0)] == [2]

    def test_selection_asks_consent_and_fails_closed(self, scene: Scene) -> None:
        withdraw(scene, 2)
        found = select(scene.members, scene.stage.client, task=TASK.name, minimum=3)
        assert [m.node for m in found] == [2, 3, 5]
        broken = ConsentClient(
            httpx.Client(
                transport=httpx.MockTransport(lambda _: httpx.Response(500)), base_url="http://x"
            ),
            service_key=scene.stage.service_key,
            coordinator_token="t",
        )
        with pytest.raises(ConsentError):
            select(scene.members, broken, task=TASK.name, minimum=1)


def test_a_second_plan_under_the_same_round_is_refused(scene: Scene) -> None:
    with pytest.raises(RoundError, match="2 are needed"):
        scene.run(holders=TestKeyHolders().away(scene, 1, 2))
    other: Federation = replace(
        scene.federation, terms=replace(scene.federation.terms, catalogue="00" * 32)
    )
    with pytest.raises(RoundError, match="begun under another plan"):
        scene.run(terms=other.terms)


def test_giving_again_does_not_bring_an_upload_back(scene: Scene) -> None:
    """Withdrawn and given again between upload and commit: the old grant stays dead."""
    commit = scene.federation.consent.commit

    class Late(ConsentClient):
        def __init__(self) -> None:
            self.__dict__.update(scene.federation.consent.__dict__)

        def commit(self, **fields: Any) -> Any:
            withdraw(scene, 3)
            party = scene.parties[3]
            [(name, token)] = party.tokens.items()
            scene.stage.client.decide(party.home.shoppers[name], token, GIVE, notice_version=NOTICE)
            return commit(**fields)

    assert scene.run(consent=Late()).record["clients"] == 3


class TestRegistry:
    def test_a_release_is_never_replaced(self, scene: Scene) -> None:
        release = scene.run()
        with pytest.raises(RoundError, match="released already"):
            scene.federation.registry.save(release)

    def test_loads_what_was_saved(self, scene: Scene) -> None:
        release = scene.run()
        found = Registry(scene.folder / "releases").load("popularity", "round-1")
        assert found is not None
        assert found.record == json.loads(json.dumps(release.record))
        assert np.array_equal(found.total.values, release.total.values)
        assert (found.manifest, found.commit) == (release.manifest, release.commit)
        assert isinstance(found.manifest, SignedRecord)

    def test_an_unknown_round(self, scene: Scene) -> None:
        assert scene.federation.registry.load("popularity", "never") is None

    def test_a_crash_while_saving_leaves_nothing_and_is_cleaned_up(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release = scene.run()
        registry = Registry(scene.folder / "other")

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", die)
            with pytest.raises(KeyboardInterrupt):
                registry.save(release)
        assert registry.load("popularity", "round-1") is None
        assert registry.records() == []
        registry.save(release)
        assert len(registry.records()) == 1
