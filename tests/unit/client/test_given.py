"""Artefacts that come with a round: exactly those that its signed manifest names, or none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import given
from client.given import artefacts_for
from client.participate import UnfitRoundError, contribute
from client.register import joined_rounds
from consent.tasks.artefact import Artefact, decode_artefact, encode_artefact
from consent.tasks.inputs import MAX_INPUT_BYTES, hash_of, named_by
from consent.tasks.item_item import MOST_LISTED, ItemItemArtefact
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask
from consent.tasks.ranker import Feature, RankerTask
from crypto.dp.plan import without_noise
from crypto.errors import WireError
from crypto.manifest import Manifest
from crypto.wire import MAX_RECORD_BYTES
from tests.unit.client.stage import CATALOGUE, Party, invite, make_client, make_manifest, opened
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import plan


def popularity(
    task: TaskName = TaskName.POPULARITY, catalogue: str = CATALOGUE.hash, first: float = 0.0
) -> Artefact:
    scores = np.array([first, *np.linspace(0, 1, 11)])
    return PopularityArtefact(task=task, catalogue=catalogue, scores=scores)


POPULAR = encode_artefact(popularity())
RECENT = encode_artefact(popularity(TaskName.RECENT_POPULARITY))
OTHER = encode_artefact(popularity(TaskName.RECENT_POPULARITY, first=0.5))


def ranker(*encoded: bytes) -> RankerTask:
    return RankerTask(
        features=(Feature.BASE, Feature.BOUGHT),
        weights=(2.0, 0.0),
        candidates=5,
        baskets=1,
        inputs=tuple(map(hash_of, encoded)),
    )


def named(*encoded: bytes) -> dict[str, bytes]:
    return {hash_of(each): each for each in encoded}


def read(task: RankerTask, sent: dict[str, bytes]) -> dict[TaskName, Artefact]:
    return artefacts_for(task, sent, catalogue=CATALOGUE.hash)


def test_a_name_is_the_hash_of_what_is_published() -> None:
    assert encode_artefact(decode_artefact(POPULAR)) == POPULAR
    assert hash_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_those_that_are_named_are_read_by_their_task() -> None:
    found = read(ranker(POPULAR, RECENT), named(RECENT, POPULAR))
    assert {name: encode_artefact(each) for name, each in found.items()} == {
        TaskName.POPULARITY: POPULAR,
        TaskName.RECENT_POPULARITY: RECENT,
    }


def test_the_longest_item_item_that_may_be_planned_is_read_by_whoever_builds_on_it() -> None:
    # One that is not can't be published either, when its round is opened and its ε spent.
    made = ItemItemArtefact(
        catalogue=CATALOGUE.hash,
        indices=2**31 - 1 - np.arange(MOST_LISTED),  # as many digits as there may be
        matrix=np.ones((MOST_LISTED, MOST_LISTED)),
        weights=np.ones(MOST_LISTED),
        mean=np.ones(MOST_LISTED),
        directions=MOST_LISTED,
    )
    encoded = encode_artefact(made)
    assert len(encoded) < min(MAX_RECORD_BYTES, MAX_INPUT_BYTES)
    found = read(ranker(encoded), named(encoded))[TaskName.ITEM_ITEM]
    assert isinstance(found, ItemItemArtefact)
    assert found.matrix.shape == (MOST_LISTED, MOST_LISTED)


def test_a_task_without_inputs_takes_none() -> None:
    task = PopularityTask(items=12)
    assert named_by(task) == ()
    assert artefacts_for(task, {}, catalogue=CATALOGUE.hash) == {}
    with pytest.raises(WireError, match="names 0 artefacts; 0 of them came, and 1 that"):
        artefacts_for(task, named(POPULAR), catalogue=CATALOGUE.hash)


BAD: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "missing": (lambda: named(POPULAR), "1 of them came"),
    "unknown": (lambda: named(POPULAR, RECENT, b"{}"), "1 that it does not name"),
    "altered": (
        lambda: named(POPULAR) | {hash_of(RECENT): OTHER},
        "not the one that was named",
    ),
    "swapped": (
        lambda: {hash_of(POPULAR): RECENT, hash_of(RECENT): POPULAR},
        "not the one that was named",
    ),
    "cut short": (
        lambda: named(POPULAR) | {hash_of(RECENT): RECENT[:-1]},
        "not the one that was named",
    ),
}


@pytest.mark.parametrize(("sent", "reason"), BAD.values(), ids=BAD)
def test_anything_else_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch, sent: Callable[[], dict[str, bytes]], reason: str
) -> None:
    parsed: list[bytes] = []

    def watch(data: bytes) -> Artefact:
        parsed.append(data)
        return decode_artefact(data)

    monkeypatch.setattr(given, "decode_artefact", watch)
    with pytest.raises(WireError, match=reason):
        read(ranker(POPULAR, RECENT), sent())
    assert set(parsed) <= {POPULAR}, "only what has its hash is parsed"


def test_one_that_is_too_large_is_not_even_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MAX_INPUT_BYTES", len(POPULAR))
    assert read(ranker(POPULAR), named(POPULAR))
    monkeypatch.setattr(given, "MAX_INPUT_BYTES", len(POPULAR) - 1)
    monkeypatch.setattr(given, "hash_of", lambda _: pytest.fail("hashed"))
    with pytest.raises(WireError, match=f"has {len(POPULAR)} bytes, at most {len(POPULAR) - 1}"):
        read(ranker(POPULAR), {ranker(POPULAR).inputs[0]: POPULAR})


def test_what_was_signed_and_is_no_artefact_is_refused() -> None:
    for junk in (b"", b"{}", b'{"task":"popularity"}', POPULAR.replace(b"popularity", b"other")):
        with pytest.raises(WireError):
            read(ranker(junk), named(junk))


def test_one_over_other_items_or_two_of_a_task_are_refused() -> None:
    elsewhere = encode_artefact(popularity(catalogue="ca" * 32))
    with pytest.raises(WireError, match="over another item list"):
        read(ranker(elsewhere), named(elsewhere))
    with pytest.raises(WireError, match="Two artefacts of recent-popularity"):
        read(ranker(RECENT, OTHER), named(RECENT, OTHER))


class TestInARound:
    @pytest.fixture
    def party(self, stage: Stage, tmp_path: Path) -> Party:
        return make_client(stage, tmp_path / "client", "ann", z_floor=0.0, epsilon_cap=None)

    def round(self, *encoded: bytes) -> Manifest:
        task = ranker(*encoded)
        quiet = without_noise(plan(dimension=task.dimension))
        return make_manifest(task="ranker", parameters=task.to_json(), plan=quiet, epsilon=None)

    def test_the_contribution_is_computed_from_them(
        self, stage: Stage, party: Party, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Any] = []

        def watch(task: RankerTask, *_: object, artefacts: Any, **__: object) -> Any:
            seen.append(artefacts)
            return np.full(task.dimension, 0.25)

        monkeypatch.setattr("client.participate.contribution_of", watch)
        made = self.round(POPULAR, RECENT)
        sent = contribute(
            invite(made), party.home, stage.http, given=named(POPULAR, RECENT), clock=stage.clock
        )
        [found] = seen
        assert found.keys() == {TaskName.POPULARITY, TaskName.RECENT_POPULARITY}
        assert np.allclose(opened(sent.header, sent.sealed, made), 0.25, atol=0.05)

    @pytest.mark.parametrize(("sent", "reason"), BAD.values(), ids=BAD)
    def test_a_refusal_says_little_and_leaves_no_trace(
        self, stage: Stage, party: Party, sent: Callable[[], dict[str, bytes]], reason: str
    ) -> None:
        made = self.round(POPULAR, RECENT)
        with pytest.raises(UnfitRoundError) as refused:
            contribute(invite(made), party.home, stage.http, given=sent(), clock=stage.clock)
        assert str(refused.value) == (
            "This client refuses the round: what came with it is not what its manifest names."
        )
        assert joined_rounds(party.home.register) == []
