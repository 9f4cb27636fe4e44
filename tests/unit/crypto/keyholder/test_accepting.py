"""Step 2: one manifest a round, within the pins, in one line."""

from pathlib import Path
from typing import Any

import pytest

from crypto.acceptance import Accept, check_accepts
from crypto.dp.widths import NoiseSet
from crypto.errors import BudgetError, CohortTooSmallError, FedcartError, RoundError, WireError
from crypto.manifest import NO_MANIFEST, Manifest, context_of
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from tests.unit.crypto.keyholder.federation import NUMBERS, Federation, piece_plan
from tests.unit.crypto.samples import NOW, plan, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


def accept(federation: Federation, document: Manifest, *, by: str = "coordinator") -> SignedRecord:
    return SignedRecord.from_bytes(federation.stations[1].accept(document.sign(signer(by))))


def test_three_accepts_are_what_clients_ask_for(federation: Federation) -> None:
    made = federation.accepted()
    identities = [federation.holder(number).identity.public_key() for number in NUMBERS]
    check_accepts(made.accepts, identities, made.context)


def test_the_same_manifest_gets_the_same_bytes(federation: Federation) -> None:
    document = federation.manifest(federation.keys())
    first = accept(federation, document)
    assert accept(federation, document) == first
    federation.start(1)
    federation.now += 600  # a late repeat does no harm
    assert accept(federation, document) == first
    identity = federation.holder(1).identity.public_key()
    assert Accept.verify(first, identity).context == context_of(
        document.sign(signer("coordinator"))
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"population": "other"}, RoundError, "serves 'test-federation'"),
        ({"round_id": "round-2"}, RoundError, "no key here"),
        ({"task": "item-item"}, RoundError, "no key here"),
        ({"key_hashes": ("a", "b", "c")}, RoundError, "another round key"),
        ({"opens": NOW - 61}, RoundError, "outside of the time"),
        ({"closes": NOW + 601}, RoundError, "outside of the time"),
        ({"plan": piece_plan(noise_multiplier=0.2)}, RoundError, "0.2 is below .* floor 0.3"),
        ({"plan": piece_plan(noise_multiplier=0.0)}, RoundError, "0.0 is below"),
        ({"plan": piece_plan(delta=2e-5)}, RoundError, "delta 2e-05 is above .* 1e-05"),
        ({"plan": piece_plan(dimension=65)}, RoundError, "dimension 65 is above .* 64"),
        ({"plan": piece_plan(noise_multiplier=0.31)}, BudgetError, "nothing is released"),
        ({"plan": plan()}, WireError, "share sum is not accepted"),
        (
            {
                "plan": piece_plan(
                    noise=NoiseSet.CENTRED_GAUSSIAN, experimental=True, scale=64, max_clients=6
                )
            },
            RoundError,
            r"\(set-b\) is experimental",
        ),
        ({"epsilon": None}, RoundError, "no ε"),
        ({"epsilon": 0.5}, RoundError, "states ε = 0.5, but its plan costs"),
    ],
)
def test_refusals(
    tmp_path: Path, changes: dict[str, Any], error: type[FedcartError], message: str
) -> None:
    federation = Federation.make(tmp_path, max_dimension=64, epsilon_cap=20.0)
    keys = federation.keys()
    with pytest.raises(error, match=message):
        accept(federation, federation.manifest(keys, **changes))
    accept(federation, federation.manifest(keys))


def test_another_signer(federation: Federation) -> None:
    keys = federation.keys()
    for name in ("mallory", "consent"):
        with pytest.raises(WireError, match="signature"):
            accept(federation, federation.manifest(keys), by=name)


def test_its_key_in_anothers_place(federation: Federation) -> None:
    first, second, third = federation.keys()
    with pytest.raises(RoundError, match="another round key"):
        accept(federation, federation.manifest((second, first, third)))


@pytest.mark.parametrize(
    "pins",
    [
        {"max_dimension": 12, "delta_cap": 1e-6, "z_floor": 2.0, "n_floor": 6},
        {"schemes": (Scheme.PIECE_SUM,)},
        {"allow_experimental": True},
    ],
)
def test_at_the_limits_it_accepts(tmp_path: Path, pins: dict[str, Any]) -> None:
    Federation.make(tmp_path, **pins).accepted()


def test_experimental_noise_where_it_is_pinned(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, allow_experimental=True)
    made = piece_plan(noise=NoiseSet.CENTRED_GAUSSIAN, experimental=True, scale=64, max_clients=6)
    accept(federation, federation.manifest(federation.keys(), plan=made))


def test_a_plan_that_calls_itself_experimental_is(federation: Federation) -> None:
    with pytest.raises(RoundError, match="experimental"):
        accept(
            federation,
            federation.manifest(federation.keys(), plan=piece_plan(experimental=True)),
        )


def test_schemes_that_are_not_pinned(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, schemes=(Scheme.COMPACT_SUM,))
    with pytest.raises(RoundError, match="takes part in compact-sum, not in piece-sum"):
        accept(federation, federation.manifest(federation.keys()))


def test_a_cohort_that_can_never_be_large_enough(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, n_floor=7)
    with pytest.raises(CohortTooSmallError, match=r"allows 6 clients; .* fewer than 7"):
        accept(federation, federation.manifest(federation.keys()))


def test_no_noise_where_that_is_pinned(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, z_floor=0.0, epsilon_cap=1e-6)
    accept(federation, federation.manifest(federation.keys(), plan=piece_plan(noise_multiplier=0)))


def test_without_peers_nothing_is_accepted(federation: Federation) -> None:
    keys = federation.keys()
    (federation.homes[0] / "peers.json").rename(federation.homes[0] / "away")
    with pytest.raises(RoundError, match="does not know its peers"):
        accept(federation, federation.manifest(keys))
    (federation.homes[0] / "away").rename(federation.homes[0] / "peers.json")
    accept(federation, federation.manifest(keys))


class TestOnce:
    def test_a_second_manifest_of_a_round(self, federation: Federation) -> None:
        keys = federation.keys()
        first = federation.manifest(keys)
        accept(federation, first)
        others = [
            federation.manifest(keys, code="another"),
            federation.manifest(keys, plan=piece_plan(noise_multiplier=3.0)),
            federation.manifest(keys, previous=context_of(first.sign(signer("coordinator")))),
        ]
        for restarted in (False, True):
            if restarted:
                federation.start(1)
            for other in others:
                with pytest.raises(RoundError, match="has another manifest"):
                    accept(federation, other)

    def test_closed(self, federation: Federation) -> None:
        keys = federation.keys()
        document = federation.manifest(keys)
        federation.now += 600
        with pytest.raises(RoundError, match="has closed"):
            accept(federation, document)
        federation.now -= 1
        accept(federation, document)

    def test_after_the_deadline(self, federation: Federation) -> None:
        document = federation.manifest(federation.keys())
        accept(federation, document)
        federation.now += 600 + VOTING_GRACE_S
        with pytest.raises(RoundError, match="was aborted"):
            accept(federation, document)
        federation.now = NOW  # a clock that is set back reopens nothing
        with pytest.raises(RoundError, match="was aborted"):
            accept(federation, document)


class TestLine:
    def manifest(self, federation: Federation, name: str, previous: str) -> Manifest:
        return federation.manifest(federation.keys(name), round_id=name, previous=previous)

    def context(self, document: Manifest) -> str:
        return context_of(document.sign(signer("coordinator")))

    def test_one_follows_the_other(self, federation: Federation) -> None:
        previous = NO_MANIFEST
        for name in ("a", "b", "c"):
            document = self.manifest(federation, name, previous)
            accept(federation, document)
            previous = self.context(document)

    def test_a_fork_is_refused_and_the_refusal_says_what_to_follow(
        self, federation: Federation
    ) -> None:
        first = self.manifest(federation, "a", NO_MANIFEST)
        accept(federation, first)
        with pytest.raises(RoundError, match=self.context(first)):
            accept(federation, self.manifest(federation, "b", NO_MANIFEST))
        second = self.manifest(federation, "c", self.context(first))
        accept(federation, second)
        with pytest.raises(RoundError, match=f"follows {self.context(second)}"):
            accept(federation, self.manifest(federation, "d", self.context(first)))
        accept(federation, self.manifest(federation, "e", self.context(second)))

    def test_a_line_that_was_missed(self, federation: Federation) -> None:
        """A key holder that was down when a manifest was accepted goes on with its successor."""
        first = self.manifest(federation, "a", NO_MANIFEST)
        accept(federation, first)
        accept(federation, self.manifest(federation, "c", "ab" * 32))
        # What was followed, and what was overtaken although nothing here follows it.
        for previous in ("ab" * 32, self.context(first), NO_MANIFEST):
            document = self.manifest(federation, f"after-{previous[:4]}", previous)
            with pytest.raises(RoundError, match="another has followed"):
                accept(federation, document)
        accept(federation, self.manifest(federation, "e", "cd" * 32))

    def test_a_failed_round_is_followed(self, federation: Federation) -> None:
        failed = self.manifest(federation, "a", NO_MANIFEST)
        accept(federation, failed)
        federation.now += 600 + VOTING_GRACE_S
        accept(federation, self.manifest(federation, "b", self.context(failed)))

    def test_every_task_has_its_own(self, federation: Federation) -> None:
        federation.accepted("a")
        federation.accepted("a", task="item-item")


class TestBudget:
    def test_all_rounds_together(self, tmp_path: Path) -> None:
        """Accepting refuses what voting would; nothing is charged yet."""
        cost = piece_plan().round_epsilon()
        federation = Federation.make(tmp_path, epsilon_cap=1.01 * cost, delta_cap=1e-6)
        for name in ("popularity", "item-item"):
            federation.accepted(task=name)
        tight = Federation.make(tmp_path / "tight", epsilon_cap=0.99 * cost, delta_cap=1e-6)
        with pytest.raises(BudgetError, match="population's ledger"):
            tight.accepted()

    def test_at_the_pinned_delta(self, tmp_path: Path) -> None:
        """The cap holds at the pinned δ, whatever smaller one a manifest names."""
        cost = piece_plan(delta=1e-5).round_epsilon()
        federation = Federation.make(tmp_path, epsilon_cap=1.001 * cost, delta_cap=1e-5)
        assert piece_plan(delta=1e-9).round_epsilon() > 1.1 * cost
        federation.accepted(plan=piece_plan(delta=1e-9))
