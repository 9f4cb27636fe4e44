"""Asking the key holders: any two, believed only by their pinned identities."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from crypto.errors import RoundError
from crypto.keyholder.home import KeyHolder
from crypto.opening import OpenRequest, encode_part
from crypto.sums.share_sum.scheme import ShareSum
from crypto.update import PartSum
from server.keyholders import HolderEndpoint
from server.share_opening import Opened, open_sum
from tests.unit.crypto.keyholder.stage import Round, make_holders, make_round
from tests.unit.crypto.samples import share_sum, signer
from tests.unit.server.stage import endpoints as working
from tests.unit.server.stage import unreachable

Endpoints = tuple[HolderEndpoint, ...]


@pytest.fixture
def holders(tmp_path: Path) -> tuple[KeyHolder, ...]:
    return make_holders(tmp_path)


@pytest.fixture
def endpoints(holders: tuple[KeyHolder, ...]) -> Iterator[Endpoints]:
    made = working(holders)
    yield made
    for each in made:
        each.http.close()


def ask(made: Round, endpoints: Endpoints) -> Opened:
    request = made.request(1)
    return open_sum(
        made.total,
        manifest=request.manifest,
        commit=request.commit,
        holders=endpoints,
        scheme=share_sum(12, context=made.commit.context),
    )


def combined(made: Round, opened: Opened, holders: tuple[KeyHolder, ...]) -> list[int]:
    scheme = ShareSum(
        context=made.commit.context,
        dimension=12,
        public_keys=[holder.public for holder in holders],
        key_hashes=[holder.key_hash for holder in holders],
    )
    found: list[int] = scheme.combine(made.total, opened.parts).tolist()
    return found


def swapped(endpoints: Endpoints, place: int, other: HolderEndpoint) -> Endpoints:
    return (*endpoints[:place], other, *endpoints[place + 1 :])


def saying(number: int, identity: HolderEndpoint, answer: httpx.Response) -> HolderEndpoint:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://k")
    return HolderEndpoint(number=number, http=http, identity=identity.identity)


def test_three_answer(holders: tuple[KeyHolder, ...], endpoints: Endpoints) -> None:
    made = make_round(holders)
    opened = ask(made, endpoints)
    assert [part.holder for part in opened.parts] == [1, 2, 3]
    assert opened.refusals == {}
    assert combined(made, opened, holders) == made.expected


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_away_changes_nothing(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints, place: int
) -> None:
    made = make_round(holders)
    opened = ask(made, swapped(endpoints, place, unreachable(place + 1, holders[place])))
    assert [part.holder for part in opened.parts] == [k for k in (1, 2, 3) if k != place + 1]
    assert list(opened.refusals) == [place + 1]
    assert combined(made, opened, holders) == made.expected


def test_two_away_open_nothing_and_the_third_repeats_itself_later(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints
) -> None:
    made = make_round(holders)
    lonely = (unreachable(1, holders[0]), unreachable(2, holders[1]), endpoints[2])
    with pytest.raises(RoundError, match=r"1 of 3 key holders.*2 are\s+needed; nothing") as told:
        ask(made, lonely)
    assert "connection refused" in str(told.value)
    assert combined(made, ask(made, endpoints), holders) == made.expected


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"garbage"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json={"values": [1, 2, 3]}),
        httpx.Response(204),
        httpx.Response(302, headers={"location": "http://elsewhere"}),
        httpx.Response(409, json={"detail": "no"}),
        httpx.Response(500, text="broken"),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:9]}",
)
def test_nonsense_counts_as_away(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints, answer: httpx.Response
) -> None:
    made = make_round(holders)
    opened = ask(made, swapped(endpoints, 0, saying(1, endpoints[0], answer)))
    assert [part.holder for part in opened.parts] == [2, 3]
    assert list(opened.refusals) == [1]


def test_another_identity_is_not_believed(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints
) -> None:
    made = make_round(holders)
    other = replace(endpoints[0], identity=signer("mallory").public_key())
    opened = ask(made, swapped(endpoints, 0, other))
    assert "signature" in opened.refusals[1]


def test_an_old_answer_is_not_believed(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints
) -> None:
    """What holder 1 truly signed, but for another round."""
    fields = {"round_id": "round-0"}
    earlier = make_round(holders, manifest_changes=fields, commit_changes=fields)
    old = endpoints[0].http.post("/v1/open", content=earlier.request(1).to_bytes())
    assert old.status_code == 200
    replayed = httpx.Response(200, content=old.content)
    opened = ask(make_round(holders), swapped(endpoints, 0, saying(1, endpoints[0], replayed)))
    assert "another request" in opened.refusals[1]


def test_one_that_signs_as_another_number(
    holders: tuple[KeyHolder, ...], endpoints: Endpoints
) -> None:
    """Holder 1's own identity, which calls its part holder 2's."""
    made = make_round(holders)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = OpenRequest.from_bytes(request.content)
        part = PartSum(holder=2, context=made.commit.context, values=np.zeros(4096, np.int64))
        return httpx.Response(200, content=encode_part(part, asked.hash, holders[0].identity))

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://k")
    opened = ask(made, swapped(endpoints, 0, replace(endpoints[0], http=http)))
    assert [part.holder for part in opened.parts] == [2, 3]
    assert "signed as number 2" in opened.refusals[1]


def test_refusals_are_told(holders: tuple[KeyHolder, ...], endpoints: Endpoints) -> None:
    with pytest.raises(RoundError, match=r"0 of 3.*3 participants, at least 4"):
        ask(make_round(holders, clients=3), endpoints)
