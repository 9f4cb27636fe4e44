"""What a client pins decides alone: no manifest and no invitation talks it out of a limit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.home import Trust
from client.participate import UnfitRoundError, check_invitation, check_manifest, contribute
from client.register import joined_rounds
from crypto.dp.plan import PrivacyPlan
from crypto.dp.widths import NoiseSet
from crypto.errors import InvalidInputError, RoundError, SealError, WireError
from crypto.invitation import Invitation
from crypto.manifest import Manifest
from crypto.round_key import PUBLIC_BYTES
from crypto.sums.schemes import Scheme
from tests.unit.client.stage import TASK, invite, make_client, make_manifest, make_trust, sign
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import (
    NOW,
    accepts,
    holder_key,
    key_hashes,
    plan,
    round_key,
    round_keys,
    round_secrets,
    signer,
)

VOTED = [Scheme.COMPACT_SUM, Scheme.PIECE_SUM]


def set_b() -> PrivacyPlan:
    return PrivacyPlan.fitted(
        dimension=12,
        clipping_norm=1.0,
        noise_multiplier=4.0,
        min_clients=4,
        max_clients=8,
        max_shoppers=16,
        max_colluders=1,
        delta=1e-6,
        noise=NoiseSet.CENTRED_GAUSSIAN,
        experimental=True,
    )


class TestManifests:
    @pytest.mark.parametrize("scheme", Scheme)
    def test_a_round_within_the_pins(self, tmp_path: Path, scheme: Scheme) -> None:
        made = make_manifest(plan=plan(scheme=scheme))
        found, task = check_manifest(sign(made), make_trust(tmp_path), now=NOW)
        assert (found, task) == (made, TASK)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"population": "other"}, "another population"),
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

    def test_another_coordinator(self, tmp_path: Path) -> None:
        with pytest.raises(WireError):
            check_manifest(sign(make_manifest(), "mallory"), make_trust(tmp_path), now=NOW)

    @pytest.mark.parametrize("task", ["clustering", "Popularity"])
    def test_an_unknown_task(self, tmp_path: Path, task: str) -> None:
        with pytest.raises(WireError, match="Unknown task"):
            check_manifest(sign(make_manifest(task=task)), make_trust(tmp_path), now=NOW)

    def test_experimental_noise_only_for_those_who_asked(self, tmp_path: Path) -> None:
        record = sign(make_manifest(plan=set_b()))
        with pytest.raises(UnfitRoundError, match="experimental noise"):
            check_manifest(record, make_trust(tmp_path), now=NOW)
        found, _ = check_manifest(record, make_trust(tmp_path, experimental=True), now=NOW)
        assert found.plan.noise is NoiseSet.CENTRED_GAUSSIAN

    @pytest.mark.parametrize("scheme", Scheme)
    def test_no_scheme_but_those_it_was_set_up_for(self, tmp_path: Path, scheme: Scheme) -> None:
        """A coordinator can't turn a round with votes into one that rests on its own honesty."""
        record = sign(make_manifest(plan=plan(scheme=scheme)))
        others = tuple(set(Scheme) - {scheme})
        with pytest.raises(UnfitRoundError, match="another secure sum"):
            check_manifest(record, make_trust(tmp_path, schemes=others), now=NOW)
        check_manifest(record, make_trust(tmp_path, schemes=(scheme,)), now=NOW)

    @pytest.mark.parametrize("scheme", Scheme)
    @pytest.mark.parametrize("share", [0.0, 0.5, 0.999, 0.99999])
    def test_an_understated_cost(self, tmp_path: Path, scheme: Scheme, share: float) -> None:
        made = plan(scheme=scheme)
        told = share * made.round_epsilon()
        with pytest.raises(UnfitRoundError, match="an ε that its plan does not keep"):
            check_manifest(
                sign(make_manifest(plan=made, epsilon=told)), make_trust(tmp_path), now=NOW
            )

    def test_an_honest_or_overstated_cost(self, tmp_path: Path) -> None:
        cost = plan().round_epsilon()
        for told in (cost, cost * 1.5, 1e9):
            check_manifest(sign(make_manifest(epsilon=told)), make_trust(tmp_path), now=NOW)

    def test_no_stated_cost_means_no_noise(self, tmp_path: Path) -> None:
        trust = make_trust(tmp_path, z_floor=0.0)
        with pytest.raises(UnfitRoundError, match="does not keep"):
            check_manifest(sign(make_manifest(epsilon=None)), trust, now=NOW)
        quiet = plan(noise_multiplier=0.0)
        check_manifest(sign(make_manifest(plan=quiet, epsilon=None)), trust, now=NOW)
        with pytest.raises(UnfitRoundError, match="does not keep"):
            check_manifest(sign(make_manifest(plan=quiet, epsilon=1e9)), trust, now=NOW)

    def test_a_refused_round_leaves_no_trace(self, stage: Stage, tmp_path: Path) -> None:
        party = make_client(stage, tmp_path / "client", "me")
        with pytest.raises(RoundError):
            contribute(
                invite(make_manifest(population="other")),
                party.home,
                stage.http,
                clock=stage.clock,
            )
        assert joined_rounds(party.home.register) == []


Bend = Callable[[Invitation], Invitation]


def bent(**changes: Any) -> Bend:
    return lambda invitation: replace(invitation, **changes)


def with_keys(**changes: Any) -> tuple[Manifest, Invitation]:
    """A round whose manifest names other round keys than ``samples`` has."""
    records = round_keys(**changes)
    made = make_manifest(
        plan=plan(scheme=Scheme.COMPACT_SUM), key_hashes=tuple(r.hash for r in records)
    )
    return made, replace(invite(made), round_keys=records)


class TestInvitations:
    @pytest.fixture
    def trust(self, tmp_path: Path) -> Trust:
        return make_trust(tmp_path)

    @pytest.mark.parametrize("scheme", Scheme)
    def test_a_good_one(self, trust: Trust, scheme: Scheme) -> None:
        made = make_manifest(plan=plan(scheme=scheme))
        assert check_invitation(invite(made), made, trust).scheme is scheme

    @pytest.mark.parametrize("scheme", VOTED)
    @pytest.mark.parametrize(
        "bend",
        [
            bent(accepts=()),
            bent(round_keys=()),
            bent(accepts=(), round_keys=()),
            bent(accepts=accepts("ab" * 32)),
            bent(accepts=round_keys()),
            lambda found: replace(found, accepts=found.accepts[:2]),
            lambda found: replace(found, accepts=(*found.accepts[:2], found.accepts[0])),
            lambda found: replace(found, accepts=found.accepts[::-1]),
            lambda found: replace(found, accepts=(*found.accepts[:2], accepts("ab" * 32)[2])),
            lambda found: replace(found, round_keys=found.round_keys[:2]),
            lambda found: replace(found, round_keys=found.round_keys[::-1]),
            lambda found: replace(found, round_keys=found.accepts),
            lambda found: replace(
                found,
                round_keys=(*found.round_keys[:2], round_key(3).sign(signer("mallory"))),
            ),
            lambda found: replace(
                found, accepts=tuple(replace(a, signature=bytes(64)) for a in found.accepts)
            ),
        ],
    )
    def test_missing_or_foreign_vouchers(self, trust: Trust, scheme: Scheme, bend: Bend) -> None:
        made = make_manifest(plan=plan(scheme=scheme))
        with pytest.raises(WireError):
            check_invitation(bend(invite(made)), made, trust)

    def test_accepts_by_keys_that_the_coordinator_named(self, trust: Trust) -> None:
        """The three accepts hold, but their signers are not the pinned ones."""
        made = make_manifest(plan=plan(scheme=Scheme.COMPACT_SUM))
        others = tuple(signer(f"mallory-{k}").public_key() for k in (1, 2, 3))
        for pinned in (others, trust.holders[::-1], trust.holders[:2], ()):
            with pytest.raises(InvalidInputError, match="not those that were pinned"):
                check_invitation(invite(made), made, replace(trust, holders=pinned))

    @pytest.mark.parametrize(
        "changes",
        [
            {"round_id": "round-2"},
            {"task": "item-item"},
            {"population": "other"},
            {"not_before": NOW},
            {"not_after": NOW + 300},
        ],
    )
    def test_round_keys_of_another_round_or_time(
        self, trust: Trust, changes: dict[str, Any]
    ) -> None:
        made, invitation = with_keys(**changes)
        with pytest.raises(WireError):
            check_invitation(invitation, made, trust)

    def test_one_round_key_for_two_key_holders(self, trust: Trust) -> None:
        made, invitation = with_keys(public=round_secrets()[0].public)
        with pytest.raises(SealError, match="same key"):
            check_invitation(invitation, made, trust)

    @pytest.mark.parametrize(
        "public",
        [
            b"\xff" * PUBLIC_BYTES,
            round_secrets()[0].public[:-32] + bytes(32),
            round_secrets()[0].public[:-32] + b"\x01" + bytes(31),
        ],
        ids=["no-lattice-key", "point-of-order-2", "point-of-order-1"],
    )
    def test_round_keys_that_are_none(self, trust: Trust, public: bytes) -> None:
        """Found before anything is charged or sealed, not when sealing stumbles over it."""
        records = (round_key(1, public=public).sign(holder_key(1)), *round_keys()[1:])
        made = make_manifest(
            plan=plan(scheme=Scheme.COMPACT_SUM), key_hashes=tuple(r.hash for r in records)
        )
        with pytest.raises(SealError, match="not the public key of a round"):
            check_invitation(replace(invite(made), round_keys=records), made, trust)

    def test_share_sum_goes_by_pinned_contexts(self, trust: Trust) -> None:
        for hashes in (("a", "b", "c"), key_hashes()[::-1], tuple(r.hash for r in round_keys())):
            made = make_manifest(key_hashes=hashes)
            with pytest.raises(UnfitRoundError, match="other key holders"):
                check_invitation(invite(made), made, trust)
