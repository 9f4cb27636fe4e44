"""Correlated ciphertexts against compact sum: a hostile client sends what a victim sent.

Commitments and envelopes are bound to the key that signs the header, so copies don't open at a key
holder. A body alone can be copied: key holders never see one. But the sum of secrets that they
voted for holds the victim's once, so a second copy of her body can't be opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.update import SealedUpdate
from crypto.wire import digest
from simulations.attacks.coalition import besieged_plan
from simulations.attacks.correlated import FACTOR, play
from simulations.attacks.finding import Control, Finding
from simulations.attacks.messages import Client, Sent, noised_of, signed, values_of
from simulations.attacks.parties import parties
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import ShareLab, share_plan, some_shoppers
from simulations.attacks.staged_round import Played, StagedRound, take
from simulations.attacks.statistics import Interval, weight
from simulations.attacks.tries import Try, attempt

_HONEST_CLIENTS = 6


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What came of the copies.

    Attributes:
        outcomes: each try's refusal, or None where it got through.
        weight, interval: of the victim in the opened sum after all of them.
    """

    outcomes: Mapping[str, str | None]
    weight: float
    interval: Interval


def correlated_body(setting: Setting) -> Finding:
    """Copy a victim's upload in every way, then open the round and weigh her in the sum."""
    plan = setting.run.popularity.plan
    copied = weigh(setting, besieged_plan(plan))
    lab = ShareLab(plan=share_plan(plan), rng=setting.secure)
    return told(copied, play(lab, setting.chance, copies=FACTOR))


def told(copied: Copied, control: tuple[float, Interval]) -> Finding:
    """The finding; ``control`` is the weight that the copies reach against share sum."""
    through = [name for name, reason in copied.outcomes.items() if reason is None]
    return Finding(
        name="correlated ciphertext, compact sum",
        adversary="A client, allied with the coordinator, that sees a victim's upload.",
        action="Sends her body, envelopes and commitments again under its own key, in whole and "
        "in part; the coordinator adds her body twice.",
        claim="Nobody can count a shopper more than once in an opened sum.",
        measure="the victim's weight in the opened sum",
        figure=copied.weight,
        interval=copied.interval,
        bound=1.0,
        permitted="once, as she agreed",
        holds=not through and 1.0 in copied.interval,
        control=Control(
            name=f"share sum, where {FACTOR} times her ciphertext is accepted",
            figure=control[0],
            interval=control[1],
            fired=control[1].low > 2.0,
        ),
        note="A client that sends another's body under envelopes of its own voids the round: it "
        "can spoil a sum, and it can't weigh her in one.",
        details={
            name: "GOT THROUGH" if reason is None else f"refused: {reason}"
            for name, reason in copied.outcomes.items()
        },
    )


def weigh(setting: Setting, plan: PrivacyPlan) -> Copied:
    """Play the tries over the real messages, then finish the round honestly."""
    rng = setting.secure
    with parties(rng=rng, z_floor=plan.noise_multiplier / 2) as everybody:
        staged = StagedRound.plan(everybody, plan, name="copies", rng=rng)
        clients = staged.uploads(some_shoppers(plan, _HONEST_CLIENTS, setting.chance))
        outcomes = attempt(_named("before hers arrives", _copies(staged, clients[0])))
        outcomes |= attempt({"her header under the thief's signature": _signs(staged, clients[0])})
        staged.hand_to_all(clients)
        outcomes |= attempt(_named("after hers", _copies(staged, clients[0])))
        played = staged.play(clients)
        outcomes |= attempt(_added(staged, clients[0], played))
        second = StagedRound.plan(
            everybody, plan, name="copies-2", rng=rng, previous=staged.context
        )
        outcomes |= attempt({"her body under own envelopes, in a sum": _spoilt(second, setting)})
    others = np.sum([values_of(each) for each in clients[1:]], axis=0)
    figure, interval = weight(
        (played.total - others).astype(np.float64), values_of(clients[0]).astype(np.float64)
    )
    return Copied(outcomes=outcomes, weight=figure, interval=interval)


def _copies(staged: StagedRound, victim: Sent) -> dict[str, Try]:
    thief = Client()
    own = staged.scheme.seal(noised_of(victim), sender=thief.sender, rng=staged.rng)
    hers = victim.sealed

    def send(sealed: SealedUpdate) -> Try:
        tokens = (staged.grant(thief, "thief"),)
        return lambda: take(staged, signed(thief, sealed, tokens))

    return {
        "everything hers under the thief's key": send(hers),
        "her envelopes, own commitments": send(replace(hers, commitments=own.commitments)),
        "own envelopes, her commitments": send(replace(own, commitments=hers.commitments)),
        "one of her envelopes": send(replace(own, shares=(hers.shares[0], *own.shares[1:]))),
    }


def _named(when: str, tries: Mapping[str, Try]) -> dict[str, Try]:
    return {f"{name}, {when}": act for name, act in tries.items()}


def _signs(staged: StagedRound, victim: Sent) -> Try:
    header = victim.header
    signature = Client().key.sign(digest("sig/upload", header.body))
    return lambda: take(staged, replace(victim, header=replace(header, signature=signature)))


def _added(staged: StagedRound, victim: Sent, played: Played) -> dict[str, Try]:
    """What a coordinator may do to the bodies once the sum of secrets is open."""
    return {
        f"her body added {times} more {word} by the coordinator": partial(
            staged.finish, [*played.everything, *[victim] * times], played.parts
        )
        for times, word in ((1, "time"), (FACTOR, "times"))
    }


def _spoilt(staged: StagedRound, setting: Setting) -> Try:
    """A round with a client whose envelopes are its own and whose body is the victim's."""

    def act() -> None:
        plan = staged.manifest.plan
        clients = staged.uploads(some_shoppers(plan, _HONEST_CLIENTS - 1, setting.chance))
        thief = Client()
        own = staged.scheme.seal(noised_of(clients[0]), sender=thief.sender, rng=staged.rng)
        copied = replace(own, body=clients[0].sealed.body)
        staged.play([*clients, signed(thief, copied, (staged.grant(thief, "thief"),))])

    return act
