"""Planning: each document is on disk before the next is asked for, and none is asked for twice."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent.tasks.popularity import PopularityTask, RecentPopularityTask
from consent.tasks.task import Task
from crypto.acceptance import check_accepts
from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError, WireError
from crypto.keyholder.home import KeyHolder
from crypto.manifest import NO_MANIFEST, context_of
from crypto.round_key import RoundKey
from crypto.sealing import round_public_keys
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from server import rounds
from server.journal import Journal
from server.keyholders import HolderEndpoint
from server.planning import ONLY, Planner, Spot
from server.rounds import PlannedRound
from server.voting import Voting
from tests.unit.client.stage import TASK
from tests.unit.crypto.keyholder.stage import make_holders
from tests.unit.crypto.samples import NOW, plan, signer
from tests.unit.server.stage import TERMS, endpoints

KEYS, ACCEPT = "/v1/round-keys", "/v1/accept"
VOTED = [Scheme.COMPACT_SUM, Scheme.PIECE_SUM]


class Crash(BaseException):
    """The power went: nothing that handles errors may catch it."""


@dataclass
class Bureau:
    """A coordinator that plans, with key holders that note what its folder held when asked."""

    folder: Path
    holders: tuple[KeyHolder, ...]
    endpoints: tuple[HolderEndpoint, ...] = ()
    now: int = NOW
    scheme: Scheme = Scheme.COMPACT_SUM
    asked: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    round_id: str = "round-1"

    def __post_init__(self) -> None:
        self.endpoints = tuple(self._noting(each) for each in endpoints(self.holders))

    def _noting(self, holder: HolderEndpoint) -> HolderEndpoint:
        def answer(request: httpx.Request) -> httpx.Response:
            files = frozenset(
                path.name for path in self.journal_of(self.round_id).iterdir() if path.is_file()
            )
            self.asked.append((holder.number, request.url.path, files))
            return holder.http.post(request.url.path, content=request.content)

        http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://noting.test")
        return replace(holder, http=http)

    @property
    def chain(self) -> Path:
        return self.folder / "rounds" / "chain.json"

    def journal_of(self, round_id: str, task: Task = TASK) -> Path:
        return self.folder / "rounds" / task.name / round_id

    def plan(
        self,
        round_id: str = "round-1",
        *,
        task: Task = TASK,
        spot: Spot = ONLY,
        holders: tuple[HolderEndpoint, ...] = (),
        terms: dict[str, Any] | None = None,
        **changes: Any,
    ) -> PlannedRound:
        """As a coordinator that knows nothing but its folder."""
        self.round_id = round_id
        shown = tuple(holder.card for holder in self.holders)
        planner = Planner(
            journal=Journal(self.journal_of(round_id, task), max_part=1 << 20),
            voting=Voting(holders=holders or self.endpoints),
            terms=replace(TERMS, cards=shown, **(terms or {})),
            identity=signer("coordinator"),
            chain=self.chain,
            timeout=60.0,
            clock=lambda: float(self.now),
        )
        made: PrivacyPlan = plan(scheme=self.scheme, **changes)
        return planner.plan(task, made, round_id=round_id, spot=spot)

    def documents(self, round_id: str = "round-1") -> dict[str, bytes]:
        files = self.journal_of(round_id).iterdir()
        return {path.name: path.read_bytes() for path in files if path.is_file()}


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    made = Bureau(tmp_path / "coordinator", make_holders(tmp_path))
    yield made
    for holder in made.endpoints:
        holder.http.close()


def changed(
    holders: tuple[HolderEndpoint, ...], change: Callable[[HolderEndpoint, bytes], bytes]
) -> tuple[HolderEndpoint, ...]:
    """The second key holder's round key, changed on the way."""
    second = holders[1]

    def answer(request: httpx.Request) -> httpx.Response:
        honest = second.http.post(request.url.path, content=request.content)
        if request.url.path != KEYS:
            return honest
        return httpx.Response(200, content=change(second, honest.content))

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://changed.test")
    return (holders[0], replace(second, http=http), holders[2])


@pytest.mark.parametrize("scheme", VOTED)
def test_each_document_is_there_before_the_next_is_asked_for(
    bureau: Bureau, scheme: Scheme
) -> None:
    bureau.scheme = scheme
    bureau.plan()
    seen = {path: files for _, path, files in bureau.asked}
    assert seen == {
        KEYS: {"key-request.json"},
        ACCEPT: {"key-request.json", "round-keys", "manifest.json"},
    }
    assert [path for _, path, _ in bureau.asked] == [KEYS] * 3 + [ACCEPT] * 3
    assert bureau.documents().keys() == {
        "key-request.json",
        "round-keys",
        "manifest.json",
        "accepts",
    }


def test_the_manifest_stands_on_the_round_keys(bureau: Bureau) -> None:
    made = bureau.plan()
    identities = [holder.identity for holder in bureau.endpoints]
    round_public_keys(made.manifest, made.round_keys, identities)
    check_accepts(made.accepts, identities, made.context)
    assert made.manifest.key_hashes == tuple(key.hash for key in made.round_keys)
    assert made.invitation.accepts == made.accepts
    # Answers in 60 s, then a minute to seal again and four for key holders to check.
    assert (made.manifest.opens, made.manifest.closes) == (NOW - 5, NOW + 60 + 60 + 240)


def test_share_sum_asks_nobody(bureau: Bureau) -> None:
    bureau.scheme = Scheme.SHARE_SUM
    made = bureau.plan()
    assert bureau.asked == []
    assert (made.round_keys, made.accepts) == ((), ())
    assert made.manifest.key_hashes == tuple(holder.key_hash for holder in bureau.holders)
    assert bureau.documents().keys() == {"manifest.json"}


def test_a_round_is_open_while_every_round_key_holds(bureau: Bureau) -> None:
    def shorter(holder: HolderEndpoint, content: bytes) -> bytes:
        key = RoundKey.verify(SignedRecord.from_bytes(content), holder.identity)
        narrow = replace(key, not_before=key.not_before + 3, not_after=key.not_after - 7)
        return narrow.sign(bureau.holders[holder.number - 1].identity).to_bytes()

    with pytest.raises(RoundError, match="names another round key"):
        bureau.plan(holders=changed(bureau.endpoints, shorter))
    record = SignedRecord.from_bytes(bureau.documents()["manifest.json"])
    body = record.verified("manifest", signer("coordinator").public_key())
    assert (body["opens"], body["closes"]) == (NOW - 2, NOW + 353)


def test_round_keys_that_never_hold_together(bureau: Bureau) -> None:
    def late(holder: HolderEndpoint, content: bytes) -> bytes:
        key = RoundKey.verify(SignedRecord.from_bytes(content), holder.identity)
        apart = replace(key, not_before=key.not_after, not_after=key.not_after + 1)
        return apart.sign(bureau.holders[holder.number - 1].identity).to_bytes()

    with pytest.raises(WireError, match="closes after it opens"):
        bureau.plan(holders=changed(bureau.endpoints, late))
    assert "manifest.json" not in bureau.documents()
    assert not bureau.chain.exists()


def before(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*_args: Any, **_fields: Any) -> Any:
        raise Crash(method.__qualname__)

    return crash


def after(method: Callable[..., Any]) -> Callable[..., Any]:
    def crash(*args: Any, **fields: Any) -> Any:
        method(*args, **fields)
        raise Crash(method.__qualname__)

    return crash


STEPS: list[tuple[type, str]] = [
    (Journal, "asked"),
    (Voting, "round_keys"),
    (Journal, "keyed"),
    (Journal, "start"),
    (Planner, "_follow"),
    (Voting, "accepts"),
    (Journal, "accepted"),
]


@pytest.mark.parametrize("moment", [before, after])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=str)
def test_a_crash_at_any_step_leads_to_the_same_documents(
    bureau: Bureau,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    moment: Callable[[Any], Any],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, moment(getattr(owner, name)))
        with pytest.raises(Crash):
            bureau.plan()
    kept, asked = bureau.documents(), len(bureau.asked)
    bureau.now += 30
    made = bureau.plan()
    assert {name: bureau.documents()[name] for name in kept} == kept
    again = {path for _, path, _ in bureau.asked[asked:]}
    assert again == {
        path for path, file in ((KEYS, "round-keys"), (ACCEPT, "accepts")) if file not in kept
    }
    # Key holders answer one request for a round, and accept one manifest: there was no second.
    check_accepts(made.accepts, [h.identity for h in bureau.endpoints], made.context)
    asked = len(bureau.asked)
    assert bureau.plan() == made
    assert len(bureau.asked) == asked
    # Nor does it matter to the round after it.
    assert bureau.plan("round-2").manifest.previous == made.context


class TestChain:
    @pytest.mark.parametrize("scheme", Scheme)
    def test_each_manifest_names_the_one_before(self, bureau: Bureau, scheme: Scheme) -> None:
        bureau.scheme = scheme
        made = [bureau.plan(f"round-{number}") for number in (1, 2, 3)]
        assert [each.manifest.previous for each in made] == [
            NO_MANIFEST,
            made[0].context,
            made[1].context,
        ]

    def test_every_task_has_its_own(self, bureau: Bureau) -> None:
        first = bureau.plan()
        other = RecentPopularityTask(items=12, baskets=3)
        assert bureau.plan("round-1", task=other).manifest.previous == NO_MANIFEST
        assert bureau.plan("round-2").manifest.previous == first.context
        assert bureau.plan("round-2", task=other).manifest.previous != NO_MANIFEST

    def test_a_round_that_one_refused_is_followed_all_the_same(self, bureau: Bureau) -> None:
        """Two accepted it and one never saw it: all three accept its successor."""

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == ACCEPT:
                raise httpx.ConnectError("gone")
            return bureau.endpoints[2].http.post(request.url.path, content=request.content)

        http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://gone.test")
        gone = (*bureau.endpoints[:2], replace(bureau.endpoints[2], http=http))
        with pytest.raises(RoundError, match="2 of 3 key holders took part in accepting"):
            bureau.plan(holders=gone)
        failed = SignedRecord.from_bytes(bureau.documents()["manifest.json"])
        assert bureau.plan("round-2").manifest.previous == context_of(failed)

    def test_an_earlier_round_that_goes_on_is_not_followed_again(self, bureau: Bureau) -> None:
        bureau.plan()
        second = bureau.plan("round-2")
        bureau.plan()
        assert bureau.plan("round-3").manifest.previous == second.context

    def test_a_damaged_chain_stops_planning(self, bureau: Bureau) -> None:
        bureau.plan()
        bureau.chain.write_bytes(b"[")
        with pytest.raises(WireError):
            bureau.plan("round-2")
        assert "manifest.json" not in bureau.documents("round-2")


class TestAnotherPlan:
    @pytest.mark.parametrize(
        "changes",
        [
            {"min_clients": 5},
            {"noise_multiplier": 1.5},
            {"terms": {"catalogue": "00" * 32}},
            {"terms": {"population": "elsewhere"}},
            {"terms": {"unpaired_devices": True}},
            {"spot": Spot(run="run", number=0)},
            {"task": PopularityTask(items=13), "dimension": 13},
        ],
        ids=str,
    )
    def test_is_another_round(self, bureau: Bureau, changes: dict[str, Any]) -> None:
        bureau.plan()
        kept, asked = bureau.documents(), len(bureau.asked)
        with pytest.raises(RoundError, match="begun under another plan; start a new run"):
            bureau.plan(**changes)
        assert bureau.documents() == kept
        assert len(bureau.asked) == asked

    @pytest.mark.parametrize("now", Scheme)
    def test_so_is_another_scheme(self, bureau: Bureau, now: Scheme) -> None:
        for begun in set(Scheme) - {now}:
            bureau.scheme = begun
            bureau.plan(begun)
            bureau.scheme = now
            with pytest.raises(RoundError, match="begun under another plan"):
                bureau.plan(begun)

    def test_a_new_version_of_the_program_goes_on(
        self, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = bureau.plan()
        monkeypatch.setattr(rounds, "code_hash", lambda: "11" * 32)
        assert bureau.plan() == made
        assert bureau.plan("round-2").manifest.code == "11" * 32

    def test_a_round_of_a_run_says_its_place(self, bureau: Bureau) -> None:
        made = bureau.plan(spot=Spot(run="march", number=1), rounds=2)
        assert (made.manifest.run, made.manifest.number) == ("march", 1)
        assert bureau.plan(spot=Spot(run="march", number=1), rounds=2) == made
        with pytest.raises(RoundError, match="begun under another plan"):
            bureau.plan(spot=Spot(run="march", number=0), rounds=2)
