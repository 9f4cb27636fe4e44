"""Attacks on compact sum hold, and break as soon as the rule that stops them is taken away."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from client.participate import check_manifest
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.errors import SealError
from crypto.keyholder import accepting, entry, judging, voting
from crypto.sums.compact_sum import scheme as compact
from crypto.sums.compact_sum.scheme import CompactSum
from crypto.sums.schemes import Scheme
from crypto.update import NOISE_DOOR, NoisedUpdate
from simulations.attacks import (
    chosen_body,
    coalition,
    correlated_body,
    equivocation,
    lying_parts,
    manifest_tricks,
    masks,
    replays,
    small_cohort,
    sybils,
    wire,
)
from simulations.attacks.finding import Finding
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import SENDER
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval
from tests.unit.simulations.attack_runs import a_plan, a_setting

Broken = Callable[[pytest.MonkeyPatch], None]


def nothing(*_: object, **__: object) -> None:
    """In place of a check."""


def no_multipliers(patch: pytest.MonkeyPatch) -> None:
    def zeros(context: str, first: int, count: int) -> np.ndarray:
        return np.zeros((count, 2048), dtype=np.uint32)

    for module in (compact, coalition, masks):
        patch.setattr(module, "multipliers", zeros)


def no_noise_refusal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CompactSum, "_refuse", nothing)


def no_entries_needed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(voting, "_check_entries", nothing)


def no_holder_noise(patch: pytest.MonkeyPatch) -> None:
    def silent(*, plan: Any, rng: object, **_: object) -> NoisedUpdate:
        return NoisedUpdate(np.zeros(plan.padded_dimension, dtype=np.int64), 0, NOISE_DOOR)

    patch.setattr(entry, "holder_noise", silent)


def no_repeats_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judging, "_grants", lambda *_: ())


def one_generator(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(masks, "SecureRandom", lambda key=None: SecureRandom(key or bytes(32)))


def no_pins(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(accepting, "check_manifest", nothing)


def no_client_pins(patch: pytest.MonkeyPatch) -> None:

    def lax(record: Any, trust: Any, *, now: float) -> Any:
        floors = {"n_floor": 2, "z_floor": 0.0}
        return check_manifest(record, type(trust)(**(vars(trust) | floors)), now=now)

    patch.setattr(manifest_tricks, "check_manifest", lax)
    patch.setattr(manifest_tricks, "check_invitation", nothing)


def no_cohort_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(voting, "check_cohort", nothing)


def unsealed(patch: pytest.MonkeyPatch) -> None:
    def plain(setting: Setting, lab: object, vector: np.ndarray) -> bytes:
        return b"item" * int(np.count_nonzero(vector))

    patch.setattr(wire, "upload", plain)


ATTACKS: dict[str, tuple[Callable[[Setting], Finding], tuple[Broken, ...]]] = {
    "chosen body": (chosen_body.chosen_body, (no_multipliers,)),
    "correlated body": (correlated_body.correlated_body, (no_noise_refusal,)),
    "equivocation": (equivocation.equivocation, (no_entries_needed,)),
    "sybils": (sybils.sybils, (no_holder_noise,)),
    "replays": (replays.replays, (no_repeats_check,)),
    "secret reuse": (masks.secret_reuse, (one_generator,)),
    "malicious a": (masks.malicious_multipliers, (no_multipliers,)),
    "manifest tricks": (manifest_tricks.manifest_tricks, (no_pins, no_client_pins)),
    "lying parts": (lying_parts.lying_parts, (no_noise_refusal,)),
    "small cohort": (small_cohort.small_cohort, (no_cohort_check,)),
    "wire": (wire.wire, (unsealed,)),
}


# Each try must be refused for what is wrong with it, or it would prove nothing.
REASONS: dict[str, dict[str, str]] = {
    "equivocation": {
        "a list without key holder 1's noise": "2 of 3 key holders",
        "a list without key holder 2's own noise": "2 of 3 key holders",
        "a second entry of key holder 3, for key holder 1's": "client stands in this round",
        "a client that enters noise as a key holder": "may not take this role",
        "a list without any entry": "0 of 3 key holders",
        "a list with an upload that nobody acknowledged": "not acknowledged here",
        "a list of clients that the consent service did not sign": "not in the consent service's",
        "a list that another key signed": "signature",
        "two lists, one for each honest key holder": "voted for different lists",
        "the other list at key holder 1": "voted for another list",
        "the other list at key holder 2": "voted for another list",
        "key holder 1 with its vote and two forged ones": "signature",
        "key holder 2 with its vote and two forged ones": "signature",
        "key holder 1 with two votes": "needs the votes of all 3",
    },
    "replays": {
        "a grant that another client used": "a grant or a shopper stands",
        "a second grant of a shopper who is in": "a grant or a shopper stands",
        "another client's own grant": "a grant does not hold",
        "a grant of an earlier round": "a grant does not hold",
        "a grant of an earlier round, its context changed": "a grant does not hold",
        "an expired grant": "a grant does not hold",
        "a grant that lives too long": "a grant does not hold",
        "one grant twice in an upload": "a grant or a shopper stands",
        "two grants of one shopper": "a grant or a shopper stands",
        "a grant that it signed itself": "a grant does not hold",
        "no grant at all": "header is malformed",
        "an upload of an earlier round": "another round or scheme",
        "own sealed bytes of an earlier round under this one's header": "does not open",
        "an upload after the round's time": "takes no more uploads",
        "an upload into the earlier round, which is over": "takes no more uploads",
        "an upload listed twice": "each named once",
    },
    "manifest tricks": {
        "key holders: noise below the floor": "below this key holder's floor",
        "key holders: no noise at all": "below this key holder's floor",
        "key holders: ε understated by a tenth": "but its plan costs",
        "key holders: no ε stated": "states no ε",
        "key holders: δ above the cap": "above this key holder's cap",
        "key holders: noise that awaits review": "experimental",
        "key holders: round keys of another round": "another round key",
        "key holders: two round keys exchanged": "another round key",
        "key holders: another population": "not this population",
        "key holders: a round that has closed": "has closed",
        "key holders: open beyond its round keys": "outside of the time",
        "key holders: a scheme that needs no votes": "share sum",
        "key holders: a second start of the task": "follows one that another has followed",
        "key holders: a second manifest for a round": "has another manifest",
        "key holders: signed by another key": "signature",
        "a client: noise below the floor": "noise below",
        "a client: a cohort below the floor": "a cohort below",
        "a client: ε understated by a tenth": "an ε that its plan does not keep",
        "a client: noise that awaits review": "experimental noise",
        "a client: another catalogue": "another catalogue",
        "a client: another length than its task": "another length",
        "a client: no purpose": "purpose",
        "a client: fewer categories than the task needs": "fewer categories",
        "a client: a round that has closed": "another time",
        "a client: a second manifest, accepted by key holder 3 alone": "'accept' record",
        "a client: two round keys exchanged": "'round-key' record",
        "a client: two accepts": "records",
        "a client: one accept three times": "'accept' record",
    },
    "small cohort": {
        "1 of at least 6 clients": "1 participants",
        "2 of at least 6 clients": "2 participants",
        "3 of at least 6 clients": "3 participants",
        "4 of at least 6 clients": "4 participants",
        "5 of at least 6 clients": "5 participants",
        "nobody but the key holders": "0 participants",
        "five clients, a consent list that says six shoppers": "consent service's list",
        "share sum: a list of one client fewer": "5 participants",
        "the coordinator's own check, one client missing": "5 clients remain",
        "a manifest whose minimum is below the key holders' floor": "at least 4 are needed",
    },
    "correlated body": {
        "everything hers under the thief's key, before hers arrives": "does not open",
        "her envelopes, own commitments, before hers arrives": "does not open",
        "own envelopes, her commitments, before hers arrives": "sender blamed",
        "one of her envelopes, before hers arrives": "does not open",
        "her header under the thief's signature": "not signed by the key",
        "everything hers under the thief's key, after hers": "commitments or envelopes stand",
        "her envelopes, own commitments, after hers": "commitments or envelopes stand",
        "own envelopes, her commitments, after hers": "commitments or envelopes stand",
        "one of her envelopes, after hers": "commitments or envelopes stand",
        "her body added 1 more time by the coordinator": "do not open this sum",
        "her body added 15 more times by the coordinator": "do not open this sum",
        "her body under own envelopes, in a sum": "do not open this sum",
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_claim_holds_and_the_control_fires(name: str) -> None:
    attack, _ = ATTACKS[name]
    found = attack(a_setting())
    assert found.holds, found.details
    assert found.control.fired
    assert found.figure != found.control.figure
    expected = REASONS.get(name)
    if expected is not None:
        assert found.details.keys() == expected.keys()
        assert not {
            k: found.details[k] for k, part in expected.items() if part not in found.details[k]
        }


@pytest.mark.parametrize(
    ("name", "broken"),
    [(name, each) for name, (_, faults) in ATTACKS.items() for each in faults],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_missing_rule_is_found(name: str, broken: Broken, monkeypatch: Any) -> None:
    attack, _ = ATTACKS[name]
    broken(monkeypatch)
    assert not attack(a_setting()).holds


def test_a_copy_that_got_through_breaks_the_claim_whatever_it_weighs() -> None:
    interval = Interval(low=0.9, high=1.1)
    control = (16.0, Interval(low=16.0, high=16.0))
    for outcome, weight, holds in ((None, 1.0, False), ("no", 1.0, True)):
        copied = correlated_body.Copied(
            outcomes={"a copy": outcome}, weight=weight, interval=interval
        )
        assert correlated_body.told(copied, control).holds is holds
    heavy = correlated_body.Copied(outcomes={}, weight=2.0, interval=Interval(low=1.9, high=2.1))
    assert not correlated_body.told(heavy, control).holds


def test_a_colluder_knows_its_secret() -> None:
    """Else the siege would be weaker than it says."""
    plan = coalition.besieged_plan(a_plan(), dimension=64)
    lab = PieceLab(plan=plan, rng=SecureRandom())
    made = coalition.collude(lab.scheme, plan, sender=bytes(range(32)), rng=lab.rng)
    total = lab.scheme.add([made.sealed])
    opened = coalition.secret_sum(lab.open([made.sealed], total)[:2])
    assert (opened == made.secret.astype(np.uint32)).all()
    read = coalition.read_body(made.sealed.body, opened, plan, lab.context)
    assert not read.any()


def test_a_piece_sum_sees_no_lie_about_the_piece_that_nobody_else_answered_for() -> None:
    """What the note of the lying part sum says of piece sum."""
    plan = a_plan(scheme=Scheme.PIECE_SUM)
    lab = PieceLab(plan=plan, rng=SecureRandom())
    sealed = [lab.scheme.seal(nobody(plan), sender=SENDER, rng=lab.rng) for _ in range(2)]
    total = lab.scheme.add(sealed)
    parts = lab.open(sealed, total)
    first = parts[0].values.copy()  # pieces 2 and 3 of key holder 1; 2 holds 1 and 3
    first[0] += 1
    lying = replace(parts[0], values=first)
    assert lab.scheme.combine(total, [lying, parts[1]]).any()
    with pytest.raises(SealError, match="contradict"):
        lab.scheme.combine(total, [lying, parts[2]])


def nobody(plan: PrivacyPlan) -> NoisedUpdate:
    return NoisedUpdate(np.zeros(plan.padded_dimension, dtype=np.int64), 1, NOISE_DOOR)
