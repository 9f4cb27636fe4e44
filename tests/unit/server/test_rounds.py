"""The round's pure steps: each check of an upload and of the signed list, one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import without_noise
from crypto.dp.rotation import Rotation
from crypto.errors import CohortTooSmallError, FedcartError, RoundError, WireError
from crypto.grant_list import pack_grants
from crypto.manifest import Manifest, context_of
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.upload import Role, Upload, sign_upload
from server.exchange import Sent
from server.rounds import (
    PlannedRound,
    Received,
    RoundPlace,
    check_commit,
    plan_round,
    receive,
    release,
    require_cohort,
)
from tests.unit.client.stage import TASK
from tests.unit.crypto.samples import NOW, plan, signer
from tests.unit.server.stage import TERMS, grant, planned_round, upload

CLIENT = signer("client")
CONSENT = signer("consent")
KEY = CONSENT.public_key()


@pytest.fixture(scope="module")
def planned() -> PlannedRound:
    return planned_round()


def take(sent: Sent, planned: PlannedRound, *, now: int = NOW) -> Received:
    return receive(sent.header, sent.grants, sent.sealed, planned, consent_key=KEY, now=now)


class TestPlan:
    def test_the_manifest_says_what_the_task_and_plan_say(self, planned: PlannedRound) -> None:
        made = Manifest.verify(planned.record, signer("coordinator").public_key())
        assert made == planned.manifest
        assert made.plan == plan()
        assert made.epsilon == pytest.approx(plan().epsilon())
        assert (made.parameters, made.purposes, made.categories) == (
            {"items": 12},
            ("train-shared-models",),
            ("purchases",),
        )
        assert not made.unpaired_devices
        assert planned.context == context_of(planned.record)

    def test_privacy_off_is_said(self) -> None:
        assert planned_round(plan=without_noise(plan())).manifest.epsilon is None

    def test_round_names(self) -> None:
        place = RoundPlace(round_id="../r", opens=1, closes=2)
        with pytest.raises(WireError, match="is no name"):
            plan_round(TASK, plan(), place=place, terms=TERMS, key=CLIENT)


class TestReceive:
    def take(self, planned: PlannedRound, *grants: Any, now: int = NOW, **changes: Any) -> Any:
        return take(upload(planned, CLIENT, grants, **changes), planned, now=now)

    def test_a_good_one(self, planned: PlannedRound) -> None:
        found = self.take(planned, grant(planned, CLIENT), grant(planned, CLIENT, 2))
        assert found.token_ids == ("id-1", "id-2")
        assert found.upload.context == planned.context

    @pytest.mark.parametrize(
        "changes",
        [
            {"task": "item-item"},
            {"context": "00" * 32},
            {"client_key": "another client's thumbprint"},
            {"issued_at": NOW - 700, "expires_at": NOW - 100},
            {"issued_at": NOW, "expires_at": NOW + 601},
            {"issued_at": NOW + 100, "expires_at": NOW + 200},
        ],
    )
    def test_one_bad_grant_among_good_ones(
        self, planned: PlannedRound, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(WireError):
            self.take(planned, grant(planned, CLIENT), grant(planned, CLIENT, 2, **changes))

    def test_grants_of_another_service(self, planned: PlannedRound) -> None:
        with pytest.raises(WireError):
            self.take(planned, grant(planned, CLIENT), consent="mallory")

    def test_a_grant_twice(self, planned: PlannedRound) -> None:
        one = grant(planned, CLIENT)
        with pytest.raises(WireError, match="twice"):
            self.take(planned, one, one)

    def test_a_grant_of_one_id_for_two_shoppers(self, planned: PlannedRound) -> None:
        with pytest.raises(WireError, match="twice"):
            self.take(planned, grant(planned, CLIENT), grant(planned, CLIENT, 2, token_id="id-1"))

    def test_a_shopper_twice(self, planned: PlannedRound) -> None:
        with pytest.raises(WireError, match="twice"):
            self.take(
                planned, grant(planned, CLIENT), grant(planned, CLIENT, 2, subject="subject-1")
            )

    def test_a_stolen_grant(self, planned: PlannedRound) -> None:
        sent = upload(planned, signer("mallory"), [grant(planned, CLIENT)])
        with pytest.raises(WireError, match="another task, round or client"):
            take(sent, planned)

    @pytest.mark.parametrize("now", [NOW - 6, NOW + 600, NOW + 10_000])
    def test_another_time(self, planned: PlannedRound, now: int) -> None:
        with pytest.raises(WireError, match="outside the round's time"):
            self.take(planned, grant(planned, CLIENT), now=now)

    def test_another_round(self, planned: PlannedRound) -> None:
        other = planned_round(place=RoundPlace(round_id="r2", opens=NOW - 5, closes=NOW + 600))
        with pytest.raises(WireError, match="another round"):
            take(upload(other, CLIENT, [grant(other, CLIENT)]), planned)

    def test_bytes_swapped_under_way(self, planned: PlannedRound) -> None:
        sent = upload(planned, CLIENT, [grant(planned, CLIENT)])
        shares = (sent.sealed.shares[1], *sent.sealed.shares[1:])
        with pytest.raises(WireError, match="not the ones"):
            take(replace(sent, sealed=replace(sent.sealed, shares=shares)), planned)

    def test_grants_swapped_under_way(self, planned: PlannedRound) -> None:
        sent = upload(planned, CLIENT, [grant(planned, CLIENT)])
        other = pack_grants([grant(planned, CLIENT, 2).sign(CONSENT)])
        with pytest.raises(WireError, match="not the ones"):
            take(replace(sent, grants=other), planned)

    def test_a_key_holders_entry_is_no_clients_upload(self, planned: PlannedRound) -> None:
        voted = planned_round(plan=plan(scheme=Scheme.PIECE_SUM))
        sealed = SealedUpdate(
            scheme="piece-sum",
            context=voted.context,
            shares=(b"x", b"y", b"z"),
            commitments=("ab" * 32,) * 3,
        )
        header = sign_upload(sealed, (), CLIENT, role=Role.KEY_HOLDER)
        with pytest.raises(WireError, match="not a client's"):
            take(Sent(header=header, grants=b"", sealed=sealed), voted)


class TestCommit:
    def received(self, planned: PlannedRound, count: int) -> list[Upload]:
        return [
            Upload(
                context=planned.context,
                client=f"client-{k}",
                scheme="share-sum",
                role=Role.CLIENT,
                sender=bytes(32),
                grants="",
                grant_count=1,
                shares=(),
                commitments=(),
                body="",
                length=0,
                hash=f"{k:064x}",
            )
            for k in range(count)
        ]

    def listed(self, planned: PlannedRound, count: int = 4, **changes: Any) -> Commit:
        fields: dict[str, Any] = {
            "task": "popularity",
            "round_id": "round-1",
            "context": planned.context,
            "uploads": tuple(
                CommittedUpload(upload=f"{k:064x}", client=f"client-{k}", shoppers=1)
                for k in range(count)
            ),
            "committed_at": 1,
        }
        return Commit(**(fields | changes))

    def test_a_good_one_may_leave_uploads_out(self, planned: PlannedRound) -> None:
        listed = self.listed(planned)
        record = listed.sign(CONSENT)
        assert check_commit(record, planned, self.received(planned, 7), KEY) == listed

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"task": "item-item"}, RoundError, "another round"),
            ({"round_id": "round-2"}, RoundError, "another round"),
            ({"context": "00" * 32}, RoundError, "another round"),
        ],
    )
    def test_another_round(
        self,
        planned: PlannedRound,
        changes: dict[str, Any],
        error: type[FedcartError],
        message: str,
    ) -> None:
        record = self.listed(planned, **changes).sign(CONSENT)
        with pytest.raises(error, match=message):
            check_commit(record, planned, self.received(planned, 4), KEY)

    def test_another_signer(self, planned: PlannedRound) -> None:
        record = self.listed(planned).sign(signer("mallory"))
        with pytest.raises(WireError):
            check_commit(record, planned, self.received(planned, 4), KEY)

    def test_an_upload_that_never_came(self, planned: PlannedRound) -> None:
        record = self.listed(planned, 5).sign(CONSENT)
        with pytest.raises(WireError, match="never received"):
            check_commit(record, planned, self.received(planned, 4), KEY)

    def test_an_upload_under_anothers_name(self, planned: PlannedRound) -> None:
        good = self.listed(planned)
        renamed = (replace(good.uploads[0], client="client-9"), *good.uploads[1:])
        record = replace(good, uploads=renamed).sign(CONSENT)
        with pytest.raises(WireError, match="never received"):
            check_commit(record, planned, self.received(planned, 4), KEY)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_below_the_minimum(self, planned: PlannedRound, count: int) -> None:
        record = self.listed(planned, count).sign(CONSENT)
        with pytest.raises(
            CohortTooSmallError, match=f"{count} clients remain.*at least 4"
        ) as told:
            check_commit(record, planned, self.received(planned, 9), KEY)
        assert "nothing is released and no budget is spent" in str(told.value)
        assert "smaller min_clients" in str(told.value)

    def test_more_than_the_fields_hold(self, planned: PlannedRound) -> None:
        many = self.listed(planned, 9).sign(CONSENT)
        with pytest.raises(RoundError, match="9 clients and 9 shoppers"):
            check_commit(many, planned, self.received(planned, 9), KEY)
        good = self.listed(planned)
        crowded = replace(good, uploads=tuple(replace(e, shoppers=5) for e in good.uploads))
        with pytest.raises(RoundError, match="4 clients and 20 shoppers"):
            check_commit(crowded.sign(CONSENT), planned, self.received(planned, 4), KEY)

    def test_the_minimum_itself(self, planned: PlannedRound) -> None:
        require_cohort(4, planned)
        with pytest.raises(CohortTooSmallError):
            require_cohort(3, planned)


def test_release_undoes_scale_and_rotation() -> None:
    planned = planned_round(plan=plan(clipping_norm=2.0))
    values = np.random.default_rng(4).normal(size=12)
    integers = np.rint(Rotation(planned.context, 12).forward(values) * 1024 / 2.0).astype(np.int64)
    listed = TestCommit().listed(planned, 5)
    found = release(integers, planned, listed)
    assert np.abs(found.values - values).max() < 16 * 0.5 * 2 / 1024
    assert (found.clients, found.shoppers) == (5, 5)
    assert found.noise_stddev == pytest.approx(planned.plan.noise_stddev(5))
