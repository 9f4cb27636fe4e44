"""One client in a round: its register binds, consent is asked, nothing else is in what it seals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client import participate
from client.outbox import Contribution
from client.participate import contribute
from client.register import joined_rounds, spent_by
from crypto.dp.plan import without_noise
from crypto.dp.plan_terms import Sampling
from crypto.errors import RoundError
from crypto.grant import ParticipationGrant
from crypto.manifest import Manifest, context_of
from crypto.sums.schemes import Scheme
from crypto.upload import Role, Upload
from tests.unit.client.stage import (
    Party,
    invite,
    make_client,
    make_manifest,
    opened,
    quiet_manifest,
    sign,
)
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW, Stage
from tests.unit.crypto.samples import NOW, plan

SCHEMES = pytest.mark.parametrize("scheme", Scheme)
# A client that tests can read: rounds without noise have no cost that a cap could bound.
QUIET: dict[str, Any] = {"z_floor": 0.0, "epsilon_cap": None}


def join(stage: Stage, party: Party, made: Manifest) -> Contribution:
    return contribute(invite(made), party.home, stage.http, clock=stage.clock)


def read(sent: Contribution, made: Manifest) -> Any:
    return opened(sent.header, sent.sealed, made)


def withdraw(stage: Stage, party: Party, name: str) -> None:
    stage.client.decide(
        party.home.shoppers[name], party.tokens[name], WITHDRAW, notice_version=NOTICE
    )


class TestContributing:
    @SCHEMES
    def test_the_upload_is_signed_and_granted(
        self, stage: Stage, tmp_path: Path, scheme: Scheme
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        made = make_manifest(plan=plan(scheme=scheme))
        sent = join(stage, party, made)
        upload = Upload.parse(sent.header)
        upload.check_sealed(sent.sealed)
        assert (upload.client, upload.role) == (party.home.client_id, Role.CLIENT)
        assert (upload.context, upload.scheme) == (context_of(sign(made)), scheme)
        grants = [
            ParticipationGrant.verify(
                token,
                stage.service_key,
                task="popularity",
                context=upload.context,
                client_key=upload.client,
                now=NOW,
            )
            for token in upload.tokens(sent.grants)
        ]
        assert len({grant.subject for grant in grants}) == 2
        assert tuple(grant.token_id for grant in grants) == sent.token_ids
        for name, token in party.tokens.items():
            for said in (sent.header.body, sent.grants):
                assert token.encode() not in said
                assert party.home.shoppers[name].encode() not in said
        assert joined_rounds(party.home.register) == [("popularity", "round-1", made.epsilon)]
        for name in ("ann", "bea"):
            spent = spent_by(party.home.register, name, delta=made.plan.delta)
            assert spent == pytest.approx(made.plan.round_epsilon())

    @SCHEMES
    def test_what_was_sealed_is_the_sum_of_those_who_agree(
        self, stage: Stage, tmp_path: Path, scheme: Scheme
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo", **QUIET)
        withdraw(stage, party, "bea")
        made = quiet_manifest(scheme)
        sent = join(stage, party, made)
        # Ann bought items 0 and 1, Cleo 0 and 3, each one basket: every vector (√½, √½).
        expected = np.zeros(12)
        expected[0], expected[1], expected[3] = 2**0.5, 0.5**0.5, 0.5**0.5
        assert np.abs(read(sent, made) - expected).max() < 0.01
        assert len(Upload.parse(sent.header).tokens(sent.grants)) == 2

    def test_more_shoppers_than_one_request_names_are_asked_for_in_turn(
        self, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(participate, "MAX_SHOPPERS", 2)
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo", **QUIET)
        made = quiet_manifest()
        sent = join(stage, party, made)
        expected = np.array([3, 1, 1, 1, *[0] * 8]) * 0.5**0.5
        assert np.abs(read(sent, made) - expected).max() < 0.01
        assert len(Upload.parse(sent.header).tokens(sent.grants)) == 3

    @SCHEMES
    def test_asked_again_it_sends_the_same_bytes(
        self, stage: Stage, tmp_path: Path, scheme: Scheme
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        made = make_manifest(plan=plan(scheme=scheme))
        first, *more = (join(stage, party, made) for _ in range(5))
        assert [each == first for each in more] == [True] * 4

    @SCHEMES
    def test_a_second_send_after_a_withdrawal_leaves_her_out(
        self, stage: Stage, tmp_path: Path, scheme: Scheme
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo", **QUIET)
        made = quiet_manifest(scheme)
        first = join(stage, party, made)
        withdraw(stage, party, "ann")
        second = join(stage, party, made)
        again = read(second, made)
        assert abs(again[1]) < 0.01
        assert abs(again[2] - 0.5**0.5) < 0.01
        assert first.sealed.shares != second.sealed.shares
        assert join(stage, party, made) == second
        withdraw(stage, party, "bea")
        with pytest.raises(RoundError, match="answered 2 times"):
            join(stage, party, made)

    def test_another_manifest_of_the_same_round(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        join(stage, party, make_manifest())
        compact = plan(scheme=Scheme.COMPACT_SUM)
        for changes in ({"closes": NOW + 601}, {"plan": plan(min_clients=5)}, {"plan": compact}):
            with pytest.raises(RoundError, match="another manifest"):
                join(stage, party, make_manifest(**changes))

    def test_noise_differs_between_clients_with_the_same_purchases(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        made = make_manifest()
        first, other = (
            read(join(stage, make_client(stage, tmp_path / name, "me"), made), made)
            for name in ("one", "other")
        )
        assert np.abs(first - other).max() > 0.01


class TestPrivateCoin:
    @pytest.fixture
    def coins(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
        """What the next coins will be."""
        falls: list[bool] = []
        monkeypatch.setattr(participate, "coin", lambda plan, rng: falls.pop(0))
        yield falls
        assert falls == []

    def manifest(self) -> Manifest:
        sampled = plan(
            scheme=Scheme.COMPACT_SUM, sampling=Sampling.HIDDEN_POISSON, sampling_rate=0.5
        )
        return make_manifest(plan=without_noise(sampled), epsilon=None)

    def test_who_is_left_out_sends_zeros(
        self, stage: Stage, tmp_path: Path, coins: list[bool]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", **QUIET)
        coins += [True, False]
        made = self.manifest()
        sent = join(stage, party, made)
        found = read(sent, made)
        # Ann's vector alone, divided by the rate: an estimate of both.
        assert abs(found[1] - 2**0.5) < 0.01
        assert np.abs(np.delete(found, [0, 1])).max() < 0.01
        assert Upload.parse(sent.header).grant_count == 2

    def test_nothing_tells_how_it_fell(
        self, stage: Stage, tmp_path: Path, coins: list[bool]
    ) -> None:
        sizes = set()
        for fall in (True, False):
            party = make_client(stage, tmp_path / f"client-{fall}", "ann", **QUIET)
            coins.append(fall)
            sent = join(stage, party, self.manifest())
            parts = (*sent.sealed.shares, sent.sealed.body, sent.grants, sent.header.to_bytes())
            sizes.add(tuple(map(len, parts)))
            assert joined_rounds(party.home.register) == [("popularity", "round-1", None)]
        assert len(sizes) == 1


class TestCaps:
    def rounds(self, stage: Stage, party: Party, count: int) -> Iterator[Contribution]:
        for number in range(count):
            yield join(stage, party, make_manifest(round_id=f"round-{number}"))

    def test_a_round_that_would_pass_the_cap_is_refused(self, stage: Stage, tmp_path: Path) -> None:
        cost = plan().round_epsilon()
        party = make_client(
            stage, tmp_path / "client", "me", epsilon_cap=1.2 * cost, delta=plan().delta
        )
        sent = self.rounds(stage, party, 2)
        first = next(sent)
        with pytest.raises(RoundError, match="more privacy than they allow in all"):
            next(sent)
        # What was charged and sealed may still be sent again; the register has no new charge.
        assert join(stage, party, make_manifest(round_id="round-0")) == first
        spent = spent_by(party.home.register, "me", delta=plan().delta)
        assert spent == pytest.approx(cost)

    def test_a_shopper_without_room_is_left_out_and_her_events_are_not_read(
        self, stage: Stage, tmp_path: Path, read_names: list[str]
    ) -> None:
        party = make_client(
            stage,
            tmp_path / "client",
            "ann",
            "bea",
            epsilon_cap=1.2 * plan().round_epsilon(),
            delta=plan().delta,
        )
        withdraw(stage, party, "bea")
        join(stage, party, make_manifest())  # Ann alone
        stage.client.decide(
            party.home.shoppers["bea"], party.tokens["bea"], GIVE, notice_version=NOTICE
        )
        read_names.clear()
        sent = join(stage, party, make_manifest(round_id="round-2"))
        assert read_names == ["bea"]
        assert Upload.parse(sent.header).grant_count == 1

    def test_rounds_that_follow_too_soon_are_refused(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me", epsilon_cap=None)
        rare = plan(rounds=6, separation=3)

        def take_part(number: int, run: str = "run-1") -> None:
            name = f"{run}-round-{number}"
            join(stage, party, make_manifest(plan=rare, round_id=name, run=run, number=number))

        take_part(0)
        for number in (1, 2):
            with pytest.raises(RoundError, match="follows too soon"):
                take_part(number)
        take_part(0, "run-2")
        take_part(3)
        with pytest.raises(RoundError, match="follows too soon"):
            take_part(5)

    def test_no_noise_passes_every_cap(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me", z_floor=0.0, epsilon_cap=1e9)
        with pytest.raises(RoundError, match="more privacy than they allow"):
            join(stage, party, quiet_manifest())
