"""Worlds for whole rounds: one for each scheme, shared by all tests that spoil none of it."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from crypto.sums.schemes import Scheme
from tests.conformance.rounds import MakeWorld, World
from tests.unit.server.mounted import opening_keys_read_once

_ROUNDS = count(1)
VOTED = [scheme for scheme in Scheme if scheme.votes]


@pytest.fixture(scope="package", autouse=True)
def _quick_disks() -> Iterator[None]:
    """Power goes within this process here: what was written is there, flushed or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


@pytest.fixture(scope="package", autouse=True)
def _keys_read_once() -> Iterator[None]:
    with opening_keys_read_once():
        yield


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Scheme], World]]:
    made: dict[Scheme, World] = {}

    def of(scheme: Scheme) -> World:
        if scheme not in made:
            made[scheme] = World.create(tmp_path_factory.mktemp(scheme), scheme)
        return made[scheme]

    yield of
    for world in made.values():
        world.close()


@pytest.fixture(params=Scheme, ids=str)
def world(request: pytest.FixtureRequest, worlds: Callable[[Scheme], World]) -> Iterator[World]:
    """Everybody, in rounds of each scheme."""
    made = worlds(request.param)
    yield made
    made.leave()


@pytest.fixture(params=VOTED, ids=str)
def voted(request: pytest.FixtureRequest, worlds: Callable[[Scheme], World]) -> Iterator[World]:
    """Everybody, in rounds of each scheme that key holders vote in."""
    made = worlds(request.param)
    yield made
    made.leave()


@pytest.fixture
def compact(worlds: Callable[[Scheme], World]) -> Iterator[World]:
    """Everybody, in rounds of the default scheme: for what is the same whatever is in an upload."""
    made = worlds(Scheme.COMPACT_SUM)
    yield made
    made.leave()


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[MakeWorld]:
    """Makes worlds that a test may spoil."""
    made: list[World] = []

    def make(scheme: Scheme = Scheme.COMPACT_SUM, **pins: Any) -> World:
        made.append(World.create(tmp_path / f"{len(made)}", scheme, **pins))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def round_id() -> str:
    """A name that no other test gives to a round."""
    return f"round-{next(_ROUNDS)}"
