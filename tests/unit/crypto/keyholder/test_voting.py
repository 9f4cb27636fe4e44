"""Step 8: every reason not to vote, and that a vote is cast once."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crypto.ballot import NO_VOTE, UploadList, Vote
from crypto.commit import CommittedUpload
from crypto.errors import CohortTooSmallError, FedcartError, RoundError, WireError
from crypto.keyholder import overview
from crypto.round_times import VOTING_GRACE_S
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    Federation,
    Ready,
    client_upload,
    list_of,
)
from tests.unit.crypto.samples import NOW, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


@pytest.fixture
def ready(federation: Federation) -> Ready:
    return federation.ready()


def parsed(federation: Federation, record: SignedRecord, number: int = 1) -> Vote:
    return Vote.verify(record, federation.holder(number).identity.public_key())


def proposal(uploads: UploadList, *, by: str = "coordinator") -> SignedRecord:
    return uploads.sign(signer(by))


def test_a_vote_names_the_list(federation: Federation, ready: Ready) -> None:
    votes = [parsed(federation, federation.vote(n, ready), n) for n in NUMBERS]
    for number, vote in zip(NUMBERS, votes, strict=True):
        assert (vote.holder, vote.context) == (number, ready.context)
        assert vote.list_hash == ready.upload_list.hash
        assert (vote.sequence, vote.previous) == (1, NO_VOTE)


def test_votes_are_chained(federation: Federation) -> None:
    first = federation.vote(1, federation.ready())
    second = federation.ready(task="item-item")
    vote = parsed(federation, federation.vote(1, second))
    assert (vote.sequence, vote.previous) == (2, first.hash)


def entries_but(ready: Ready, number: int) -> list[str]:
    kept = [each.header.hash for k, each in enumerate(ready.entries, start=1) if k != number]
    return [*kept, *(each.header.hash for each in ready.clients)]


def changed_commit(ready: Ready, **changes: object) -> SignedRecord:
    return replace(ready.listed, **changes).sign(signer("consent"))  # type: ignore[arg-type]


def changed_row(ready: Ready, **changes: object) -> SignedRecord:
    first, *rest = ready.listed.uploads
    changed: CommittedUpload = replace(first, **changes)  # type: ignore[arg-type]
    return changed_commit(ready, uploads=tuple(sorted([changed, *rest])))


SPOILT: dict[str, tuple[Callable[[Ready], dict[str, SignedRecord]], type[FedcartError], str]] = {
    "list signer": (
        lambda r: {"proposal": proposal(r.upload_list, by="mallory")},
        WireError,
        "signature",
    ),
    "commit signer": (
        lambda r: {"commit": r.listed.sign(signer("coordinator"))},
        WireError,
        "signature",
    ),
    "swapped": (lambda r: {"commit": r.proposal, "proposal": r.commit}, WireError, "record"),
    "list context": (
        lambda r: {"proposal": proposal(replace(r.upload_list, context="ab" * 32))},
        RoundError,
        "another round",
    ),
    "commit context": (
        lambda r: {"commit": changed_commit(r, context="ab" * 32)},
        RoundError,
        "for another round",
    ),
    "commit task": (
        lambda r: {"commit": changed_commit(r, task="item-item")},
        RoundError,
        "for another round",
    ),
    "commit round": (
        lambda r: {"commit": changed_commit(r, round_id="round-2")},
        RoundError,
        "for another round",
    ),
    "not acknowledged": (
        lambda r: {
            "proposal": proposal(
                replace(r.upload_list, uploads=tuple(sorted([*r.upload_list.uploads, "ab" * 32])))
            )
        },
        RoundError,
        "1 of 8 listed uploads were not acknowledged",
    ),
    "not committed": (
        lambda r: {"commit": changed_commit(r, uploads=r.listed.uploads[1:])},
        RoundError,
        "not in the consent service's list",
    ),
    "other client": (
        lambda r: {"commit": changed_row(r, client="somebody")},
        RoundError,
        "with this client and its shoppers",
    ),
    "more shoppers": (
        lambda r: {"commit": changed_row(r, shoppers=2)},
        RoundError,
        "with this client and its shoppers",
    ),
    "own entry missing": (
        lambda r: {
            "proposal": proposal(
                UploadList(context=r.context, uploads=tuple(sorted(entries_but(r, 1))))
            )
        },
        RoundError,
        "entries of 2 of 3",
    ),
    "peer's entry missing": (
        lambda r: {
            "proposal": proposal(
                UploadList(context=r.context, uploads=tuple(sorted(entries_but(r, 3))))
            )
        },
        RoundError,
        "entries of 2 of 3",
    ),
    "no entry at all": (
        lambda r: {"proposal": proposal(list_of(r.context, r.clients))},
        RoundError,
        "entries of 0 of 3",
    ),
    "too few clients": (
        lambda r: {"proposal": r.without(2).proposal},
        CohortTooSmallError,
        "2 participants, at least 3",
    ),
    "entries alone": (
        lambda r: {"proposal": proposal(list_of(r.context, r.entries))},
        CohortTooSmallError,
        "0 participants, at least 3",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_refusals(federation: Federation, ready: Ready, name: str) -> None:
    """Nothing is charged or cast, and an honest list is voted for afterwards."""
    spoil, error, message = SPOILT[name]
    with pytest.raises(error, match=message):
        federation.vote(1, ready, **spoil(ready))
    found = overview.overview(federation.holder(1))
    assert (found.votes, found.epsilon) == (0, 0.0)
    assert federation.stations[1].latest_vote(1) is None
    federation.vote(1, ready)
    assert overview.overview(federation.holder(1)).votes == 1


def test_a_subset_of_the_commit_is_enough(federation: Federation, ready: Ready) -> None:
    """An upload that one key holder excluded is left out, whatever the consent service lists."""
    federation.vote(1, ready, proposal=ready.without(1).proposal)


def test_the_pinned_floor(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, n_floor=5)
    with pytest.raises(CohortTooSmallError, match="4 participants, at least 5"):
        federation.vote(1, federation.ready(clients=4))
    federation.vote(1, federation.ready(clients=5, task="item-item"))


@pytest.mark.parametrize(
    ("clients", "shoppers", "message"),
    [(7, 1, "7 clients and 7 shoppers; .* 6 and 16"), (4, 5, "4 clients and 20 shoppers")],
)
def test_more_than_the_fields_hold(
    federation: Federation, clients: int, shoppers: int, message: str
) -> None:
    made = federation.accepted()
    sent = [client_upload(made, f"c{k}", shoppers=shoppers) for k in range(clients)]
    entries = federation.entries(made)
    federation.ingest_all(made, [*sent, *entries])
    ready = Ready(made=made, clients=tuple(sent), entries=tuple(entries))
    with pytest.raises(RoundError, match=message):
        federation.vote(1, ready)
    with pytest.raises(RoundError, match=message):
        federation.vote(2, ready)


def test_an_entry_of_another_key_holder_in_the_own_ones_place(
    federation: Federation, ready: Ready
) -> None:
    """Two entries of one key holder never stand in a log; a list can't name them either."""
    uploads = tuple(sorted({*ready.upload_list.uploads} - {ready.entries[0].header.hash}))
    with pytest.raises(RoundError, match="entries of 2 of 3"):
        federation.vote(1, ready, proposal=proposal(replace(ready.upload_list, uploads=uploads)))


class TestOnce:
    def test_the_same_list_gets_the_same_bytes(self, federation: Federation, ready: Ready) -> None:
        first = federation.vote(1, ready)
        assert federation.vote(1, ready) == first
        federation.start(1)
        assert federation.vote(1, ready) == first
        federation.now += 10 * VOTING_GRACE_S  # long after the round was aborted
        assert federation.vote(1, ready) == first

    def test_another_list(self, federation: Federation, ready: Ready) -> None:
        federation.vote(1, ready)
        for restarted in (False, True):
            if restarted:
                federation.start(1)
            with pytest.raises(RoundError, match="votes never change"):
                federation.vote(1, ready, proposal=ready.without(1).proposal)

    def test_many_lists_at_once(self, federation: Federation, ready: Ready) -> None:
        """Whatever arrives at the same moment, one list gets a vote."""
        federation.stations[1].check_peers()
        proposals = [ready.proposal, ready.without(1).proposal]
        barrier = threading.Barrier(8)
        cast: list[SignedRecord] = []

        def try_one(number: int) -> None:
            barrier.wait()
            try:
                cast.append(federation.vote(1, ready, proposal=proposals[number % 2]))
            except RoundError:
                return

        threads = [threading.Thread(target=try_one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cast) == 4
        assert len({record.hash for record in cast}) == 1


class TestTime:
    def test_unknown_rounds(self, federation: Federation, ready: Ready) -> None:
        with pytest.raises(RoundError, match="not accepted here"):
            federation.stations[1].vote("ab" * 32, ready.commit, ready.proposal)

    def test_before_and_after_the_deadline(self, federation: Federation, ready: Ready) -> None:
        federation.now += 600 + VOTING_GRACE_S - 1
        federation.vote(1, ready)
        federation.now += 1
        with pytest.raises(RoundError, match="is over"):
            federation.vote(2, ready)
        federation.now = NOW
        with pytest.raises(RoundError, match="is over"):
            federation.vote(2, ready)
