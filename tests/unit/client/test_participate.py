"""One client in a round: its pins decide, its register binds, consent is asked, once each."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from client.events import EventStore
from client.gateway import Gateway
from client.participate import Contribution, check_manifest, contribute
from client.register import joined_rounds
from consent.events import Events
from crypto.errors import ConsentError, InvalidInputError, RoundError, WireError
from crypto.grant import ParticipationGrant
from crypto.manifest import context_of
from crypto.upload import Upload
from crypto.wire import SignedRecord
from server.rounds import PlannedRound, release
from tests.unit.client.stage import (
    TASK,
    Party,
    make_client,
    make_manifest,
    make_trust,
    quiet_manifest,
    sign,
)
from tests.unit.consent.harness import GIVE, NOTICE, WITHDRAW, Stage
from tests.unit.crypto.samples import NOW, commit, opening_keys, plan, share_sum, signer


def join(stage: Stage, party: Party, record: SignedRecord) -> Contribution:
    return contribute(record, party.home, stage.http, clock=stage.clock)


class TestPins:
    def test_a_round_within_the_pins(self, tmp_path: Path) -> None:
        made = make_manifest()
        found, task = check_manifest(sign(made), make_trust(tmp_path), now=NOW)
        assert (found, task) == (made, TASK)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"population": "other"}, "another population"),
            ({"key_hashes": ("a", "b", "c")}, "other key holders"),
            ({"catalogue": "00" * 32}, "another catalogue"),
            ({"plan": plan(min_clients=3, max_colluders=0)}, "a cohort below 4"),
            ({"plan": plan(noise_multiplier=0.29)}, "noise below 0.3"),
            ({"plan": plan(noise_multiplier=0.0)}, "noise below 0.3"),
            ({"plan": plan(dimension=13)}, "another length than its task"),
            ({"parameters": {"items": 13}}, "another length than its task"),
            ({"purposes": ()}, "no or another purpose"),
            ({"purposes": ("research",)}, "no or another purpose"),
            ({"purposes": ("train-shared-models", "research")}, "no or another purpose"),
            ({"categories": ()}, "fewer categories"),
            ({"categories": ("location",)}, "fewer categories"),
            ({"opens": NOW + 1, "closes": NOW + 2}, "another time"),
            ({"opens": NOW - 2, "closes": NOW}, "another time"),
        ],
    )
    def test_each_refusal(self, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
        trust = make_trust(tmp_path, n_floor=4)
        with pytest.raises(RoundError, match=f"refuses the round: its manifest has .*{message}"):
            check_manifest(sign(make_manifest(**changes)), trust, now=NOW)

    def test_the_order_of_key_holders_counts(self, tmp_path: Path) -> None:
        good = make_manifest()
        turned = replace(good, key_hashes=good.key_hashes[::-1])
        with pytest.raises(RoundError, match="other key holders"):
            check_manifest(sign(turned), make_trust(tmp_path), now=NOW)

    def test_another_coordinator(self, tmp_path: Path) -> None:
        with pytest.raises(WireError):
            check_manifest(sign(make_manifest(), "mallory"), make_trust(tmp_path), now=NOW)

    @pytest.mark.parametrize("task", ["clustering", "Popularity"])
    def test_an_unknown_task(self, tmp_path: Path, task: str) -> None:
        with pytest.raises(WireError, match="Unknown task"):
            check_manifest(sign(make_manifest(task=task)), make_trust(tmp_path), now=NOW)

    def test_a_refused_round_leaves_no_trace(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        with pytest.raises(RoundError):
            join(stage, party, sign(make_manifest(population="other")))
        assert joined_rounds(party.home.register) == []


class TestContributing:
    def test_the_upload_is_signed_and_granted(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        record = sign(make_manifest())
        sent = join(stage, party, record)
        upload = Upload.verify(sent.header, sent.sealed)
        assert upload.client == party.home.client_id
        assert upload.context == context_of(record)
        grants = [
            ParticipationGrant.verify(
                token,
                stage.service_key,
                task="popularity",
                context=upload.context,
                client_key=upload.client,
                now=NOW,
            )
            for token in upload.grants
        ]
        assert len({grant.subject for grant in grants}) == 2
        for name, token in party.tokens.items():
            assert token.encode() not in sent.header.body
            assert party.home.shoppers[name].encode() not in sent.header.body
        charged = make_manifest().epsilon
        assert joined_rounds(party.home.register) == [("popularity", "round-1", charged)]

    def test_what_was_sealed_is_the_sum_of_those_who_agree(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo", z_floor=0.0)
        shopper = party.home.shoppers["bea"]
        stage.client.decide(shopper, party.tokens["bea"], WITHDRAW, notice_version=NOTICE)
        made = quiet_manifest()
        sent = join(stage, party, sign(made))
        found = opened(sent, made)
        # Ann bought items 0 and 1, Cleo 0 and 3, each one basket: every vector (√½, √½).
        expected = np.zeros(12)
        expected[0], expected[1], expected[3] = 2**0.5, 0.5**0.5, 0.5**0.5
        assert np.abs(found - expected).max() < 0.01
        assert len(Upload.verify(sent.header, sent.sealed).grants) == 2

    def test_a_second_send_after_a_withdrawal_leaves_her_out(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", z_floor=0.0)
        made = quiet_manifest()
        join(stage, party, sign(made))
        shopper = party.home.shoppers["ann"]
        stage.client.decide(shopper, party.tokens["ann"], WITHDRAW, notice_version=NOTICE)
        again = opened(join(stage, party, sign(made)), made)
        assert abs(again[1]) < 0.01
        assert abs(again[2] - 0.5**0.5) < 0.01
        with pytest.raises(RoundError, match="answered 2 times"):
            join(stage, party, sign(made))

    def test_another_manifest_of_the_same_round(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        join(stage, party, sign(make_manifest()))
        for other in (make_manifest(closes=NOW + 601), make_manifest(plan=plan(min_clients=5))):
            with pytest.raises(RoundError, match="another manifest"):
                join(stage, party, sign(other))

    def test_noise_differs_every_time(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        made = make_manifest()
        first, again = (opened(join(stage, party, sign(made)), made) for _ in range(2))
        assert np.abs(first - again).max() > 0.01


class TestConsentComesFirst:
    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of all shoppers whose events were read."""
        names: list[str] = []
        of = EventStore.of

        def watch(self: EventStore, shopper: str) -> Events:
            names.append(shopper)
            return of(self, shopper)

        monkeypatch.setattr(EventStore, "of", watch)
        return names

    def test_nobody_agrees(self, stage: Stage, tmp_path: Path, read: list[str]) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        for name, token in party.tokens.items():
            stage.client.decide(party.home.shoppers[name], token, WITHDRAW, notice_version=NOTICE)
        with pytest.raises(ConsentError, match="No shopper of this client agrees"):
            join(stage, party, sign(make_manifest()))
        assert read == []

    def test_a_withdrawn_shoppers_events_are_never_read(
        self, stage: Stage, tmp_path: Path, read: list[str]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea", "cleo")
        shopper = party.home.shoppers["bea"]
        stage.client.decide(shopper, party.tokens["bea"], WITHDRAW, notice_version=NOTICE)
        join(stage, party, sign(make_manifest()))
        assert sorted(read) == ["ann", "cleo"]

    def test_one_who_withdraws_between_grant_and_reading(
        self, stage: Stage, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        party = make_client(stage, tmp_path / "client", "ann", "bea")
        standing = Gateway.standing

        def withdraw_first(self: Gateway, grants: Any) -> Any:
            shopper = party.home.shoppers["ann"]
            stage.client.decide(shopper, party.tokens["ann"], WITHDRAW, notice_version=NOTICE)
            stage.client.decide(shopper, party.tokens["ann"], GIVE, notice_version=NOTICE)
            return standing(self, grants)

        monkeypatch.setattr(Gateway, "standing", withdraw_first)
        join(stage, party, sign(make_manifest()))
        assert read == ["bea"]

    @pytest.mark.parametrize("path", ["/v1/participation", "/v1/standing"])
    @pytest.mark.parametrize("failure", ["refused", "500", "garbage"])
    def test_no_answer_means_no_data(
        self, stage: Stage, tmp_path: Path, read: list[str], path: str, failure: str
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
            contribute(sign(make_manifest()), party.home, http, clock=stage.clock)
        assert read == []

    def test_another_service_key_than_the_pinned_one(
        self, stage: Stage, tmp_path: Path, read: list[str]
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        trust = replace(party.home.trust, consent_key=signer("mallory").public_key())
        with pytest.raises(ConsentError, match="fails"):
            contribute(
                sign(make_manifest()),
                replace(party.home, trust=trust),
                stage.http,
                clock=stage.clock,
            )
        assert read == []

    def test_the_register_is_written_before_anything_is_asked(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        seen: list[int] = []

        def look(request: httpx.Request) -> httpx.Response:
            seen.append(len(joined_rounds(party.home.register)))
            return stage.http.send(request)

        http = httpx.Client(transport=httpx.MockTransport(look), base_url="http://consent.test")
        contribute(sign(make_manifest()), party.home, http, clock=stage.clock)
        assert seen
        assert set(seen) == {1}

    def test_no_event_store_no_contribution(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        party.home.events.unlink()
        with pytest.raises(InvalidInputError, match="no event store"):
            join(stage, party, sign(make_manifest()))


def opened(sent: Contribution, made: Any) -> Any:
    """What one client's upload holds, opened by all key holders as no deployment would."""
    record = sign(made)
    scheme = share_sum(12, context=context_of(record))
    total = scheme.add([sent.sealed])
    parts = [
        key.open_share(total.shares[k], holder=k + 1, context=total.context, dimension=12)
        for k, key in enumerate(opening_keys())
    ]
    planned = PlannedRound(task=TASK, manifest=made, record=record)
    return release(scheme.combine(parts), planned, commit(total.context)).values
