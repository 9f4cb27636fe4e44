"""Taking part asks for consent first, and for holds before anything goes again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from client.events import EventStore
from client.gateway import Gateway
from client.holds import Holds
from client.participate import contribute
from client.register import joined_rounds, spent_by
from consent.purpose import Category, Purpose
from crypto.errors import ConsentError, InvalidInputError, RoundError
from crypto.sums.schemes import Scheme
from crypto.upload import Upload
from tests.unit.client.instructing import run, tell
from tests.unit.client.stage import (
    Party,
    invite,
    make_client,
    make_manifest,
    quiet_manifest,
)
from tests.unit.client.test_participate import QUIET, SCHEMES, join, read, withdraw
from tests.unit.consent.harness import GIVE, NOTICE, TRAIN_PURCHASES, WITHDRAW, Stage
from tests.unit.crypto.samples import plan, signer


class TestConsentComesFirst:
    def test_nobody_agrees(self, stage: Stage, tmp_path: Path, read_names: list[str]) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        for name in party.tokens:
            withdraw(stage, party, name)
        with pytest.raises(ConsentError, match="No shopper of this client agrees"):
            join(stage, party, make_manifest())
        assert read_names == []

    def test_a_withdrawn_shoppers_events_are_never_read(
        self, stage: Stage, tmp_path: Path, read_names: list[str]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo")
        withdraw(stage, party, "bea")
        join(stage, party, make_manifest())
        assert sorted(read_names) == ["ann", "cleo"]

    def test_one_who_withdraws_between_grant_and_reading(
        self, stage: Stage, tmp_path: Path, read_names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        standing = Gateway.standing

        def withdraw_first(self: Gateway, grants: Any) -> Any:
            shopper = party.home.shoppers["ann"]
            stage.client.decide(shopper, party.tokens["ann"], WITHDRAW, notice_version=NOTICE)
            stage.client.decide(shopper, party.tokens["ann"], GIVE, notice_version=NOTICE)
            return standing(self, grants)

        monkeypatch.setattr(Gateway, "standing", withdraw_first)
        join(stage, party, make_manifest())
        assert read_names == ["bea"]

    @pytest.mark.parametrize("path", ["/v1/participation", "/v1/standing"])
    @pytest.mark.parametrize("failure", ["refused", "500", "garbage"])
    def test_no_answer_means_no_data(
        self, stage: Stage, tmp_path: Path, read_names: list[str], path: str, failure: str
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")

        def fail(request: httpx.Request) -> httpx.Response:
            if request.url.path != path:
                return stage.http.send(request)
            if failure == "refused":
                raise httpx.ConnectError("refused")
            return httpx.Response(500) if failure == "500" else httpx.Response(200, text="{")

        http = httpx.Client(transport=httpx.MockTransport(fail), base_url="http://consent.test")
        with pytest.raises(ConsentError):
            contribute(invite(make_manifest()), party.home, http, clock=stage.clock)
        assert read_names == []

    def test_another_service_key_than_the_pinned_one(
        self, stage: Stage, tmp_path: Path, read_names: list[str]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        trust = replace(party.home.trust, consent_key=signer("mallory").public_key())
        with pytest.raises(ConsentError, match="fails"):
            contribute(
                invite(make_manifest()),
                replace(party.home, trust=trust),
                stage.http,
                clock=stage.clock,
            )
        assert read_names == []

    def test_the_register_is_written_before_anything_is_asked(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        seen: list[int] = []

        def look(request: httpx.Request) -> httpx.Response:
            seen.append(len(joined_rounds(party.home.register)))
            return stage.http.send(request)

        http = httpx.Client(transport=httpx.MockTransport(look), base_url="http://consent.test")
        contribute(invite(make_manifest()), party.home, http, clock=stage.clock)
        assert seen
        assert set(seen) == {1}


class TestWithoutPurchases:
    @SCHEMES
    def test_one_who_never_imported_sends_zeros_like_one_without_lines(
        self, stage: Stage, tmp_path: Path, scheme: Scheme
    ) -> None:
        made, sizes = quiet_manifest(scheme), set()
        for imported in (True, False):
            party = make_client(stage, tmp_path / f"client-{imported}", "me", **QUIET)
            party.home.events.unlink()
            if imported:
                EventStore.create(party.home.events).close()
            sent = join(stage, party, made)
            assert np.abs(read(sent, made)).max() < 0.01
            parts = (*sent.sealed.shares, sent.sealed.body, sent.grants, sent.header.to_bytes())
            sizes.add(tuple(map(len, parts)))
            assert joined_rounds(party.home.register) == [("popularity", "round-1", None)]
            assert party.home.events.exists() == imported
        assert len(sizes) == 1

    def test_what_is_no_event_store_is_not_taken_for_none(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        party.home.events.write_text("torn")
        with pytest.raises(InvalidInputError, match="not an event store"):
            join(stage, party, make_manifest())


class TestHeldBackAfterSealing:
    """The service lets every grant stand; this client was told by a signed instruction."""

    ORDERS = pytest.mark.parametrize(
        "order",
        [
            *({"kind": kind} for kind in ("restrict", "object", "erase", "stop")),
            {"kind": "stop", "cells": [TRAIN_PURCHASES]},
        ],
        ids=lambda order: "-".join(map(str, order.values())),
    )

    def hold(self, stage: Stage, party: Party, name: str, **order: Any) -> None:
        tell(stage, party, order.pop("kind"), name, **order)
        assert run(stage, party).reported == 1

    @ORDERS
    def test_a_store_seals_again_without_her(
        self, stage: Stage, tmp_path: Path, order: dict[str, Any]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo", **QUIET)
        made = quiet_manifest()
        first = join(stage, party, made)
        self.hold(stage, party, "ann", **order)
        second = join(stage, party, made)
        assert first.sealed.shares != second.sealed.shares
        expected = np.array([2, 0, 1, 1, *[0] * 8]) * 0.5**0.5
        assert np.abs(read(second, made) - expected).max() < 0.01
        # What holds her no more is sent again as often as it is asked for.
        assert [join(stage, party, made) == second for _ in range(3)] == [True] * 3
        self.hold(stage, party, "bea", kind="restrict")
        with pytest.raises(RoundError, match="answered 2 times"):
            join(stage, party, made)

    def test_one_who_withdrew_first_is_not_in_what_is_sent_again(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", **QUIET)
        made = quiet_manifest()
        join(stage, party, made)
        withdraw(stage, party, "ann")
        second = join(stage, party, made)
        run(stage, party)  # the withdrawal's own instruction comes late
        assert not Holds.load(party.home).usable("ann", Purpose.TRAIN, {Category.PURCHASES})
        assert join(stage, party, made) == second

    def test_nobody_is_charged_twice(self, stage: Stage, tmp_path: Path) -> None:
        cost = plan().round_epsilon()
        terms = {"epsilon_cap": 1.2 * cost, "delta": plan().delta}
        party = make_client(stage, tmp_path / "client", "ann", "bea", **terms)
        join(stage, party, make_manifest())
        self.hold(stage, party, "ann", kind="restrict")
        join(stage, party, make_manifest())
        for name in ("ann", "bea"):
            spent = spent_by(party.home.register, name, delta=plan().delta)
            assert spent == pytest.approx(cost)

    def test_a_device_sends_nothing_until_its_hold_is_lifted(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        made = make_manifest()
        first = join(stage, party, made)
        self.hold(stage, party, "me", kind="stop", cells=[TRAIN_PURCHASES])
        with pytest.raises(ConsentError, match="No shopper of this client agrees"):
            join(stage, party, made)
        self.hold(stage, party, "me", kind="resume", cells=[TRAIN_PURCHASES])
        assert join(stage, party, made) == first

    def test_without_its_register_it_may_be_of_anybody(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        first = join(stage, party, make_manifest())
        party.home.register.unlink()
        assert join(stage, party, make_manifest()) == first
        self.hold(stage, party, "ann", kind="restrict")
        second = join(stage, party, make_manifest())
        assert Upload.parse(second.header).grant_count == 1
