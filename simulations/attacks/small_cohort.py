"""The minimum cohort: a coordinator asks for the sum of fewer clients than were promised."""

from dataclasses import replace
from functools import partial

from consent.tasks.task import parse_task
from crypto.commit import Commit
from crypto.dp.plan import PrivacyPlan
from crypto.sums.interface import Scheme
from server.rounds import PlannedRound, require_cohort
from simulations.attacks.coalition import HONEST, SYBILS, besieged_plan
from simulations.attacks.finding import Finding
from simulations.attacks.parties import N_FLOOR, Parties, parties
from simulations.attacks.setting import Setting, under
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.staged_round import Sent, StagedRound
from simulations.attacks.tries import Try, Words, at_the_door

DIMENSION = 64
WORDS: Words = {
    "name": "minimum cohort",
    "adversary": "A coordinator that would open the sum of one client.",
    "action": "Asks for votes on lists below the manifest's minimum and below the key holders' own "
    "floor, and on lists that pretend to be larger.",
    "claim": "Below the minimum cohort nothing is released.",
    "note": "Key holders count clients by the headers that they acknowledged, not by what they are "
    "told.",
}


def small_cohort(setting: Setting) -> Finding:
    """Try lists of every size below the minimum, over the real messages."""
    plan = besieged_plan(setting.run.popularity.plan, dimension=DIMENSION)
    with parties(rng=setting.secure, z_floor=plan.noise_multiplier / 2) as everybody:
        return below(setting, plan, everybody)


def below(setting: Setting, plan: PrivacyPlan, everybody: Parties) -> Finding:
    """The finding for a plan among given parties."""
    rng, vectors = setting.secure, some_shoppers(plan, SYBILS + 1, setting.chance)
    staged = StagedRound.plan(everybody, plan, name="small", rng=rng)
    clients, entries = staged.uploads(vectors), staged.entries()
    staged.hand_to_all([*clients, *entries])
    ask = partial(_votes, staged, entries)
    tries: dict[str, Try] = {
        f"{count} of at least {plan.min_clients} clients": partial(ask, clients[:count])
        for count in range(1, plan.min_clients)
    }
    tries["nobody but the key holders"] = partial(ask, [])
    tries["five clients, a consent list that says six shoppers"] = partial(
        _inflated, staged, clients[:-1], entries
    )
    tries["the coordinator's own check, one client missing"] = partial(
        require_cohort, plan.min_clients - 1, _planned(staged)
    )
    tries["a manifest whose minimum is below the key holders' floor"] = partial(
        _low_minimum, setting, everybody, staged.context
    )
    return at_the_door(
        WORDS,
        tries,
        control=f"{plan.min_clients} clients",
        honest=partial(ask, clients),
    )


def _votes(staged: StagedRound, entries: list[Sent], clients: list[Sent]) -> None:
    commit, listing = staged.commit(clients), staged.listing([*clients, *entries])
    for number in HONEST:
        staged.vote(number, commit, listing)


def _inflated(staged: StagedRound, clients: list[Sent], entries: list[Sent]) -> None:
    """The consent service, allied, counts one client's shopper twice."""
    honest = Commit.verify(staged.commit(clients), staged.parties.consent.public_key())
    first, *rest = honest.uploads
    doubled = replace(honest, uploads=(replace(first, shoppers=2), *rest))
    commit = doubled.sign(staged.parties.consent)
    listing = staged.listing([*clients, *entries])
    for number in HONEST:
        staged.vote(number, commit, listing)


def _low_minimum(setting: Setting, everybody: Parties, previous: str) -> None:
    """One client fewer than the floor, under a manifest that would allow it."""
    count = N_FLOOR - 1
    plan = under(
        setting.run.popularity.plan,
        Scheme.COMPACT_SUM,
        clients=count,
        max_clients=20,
        max_shoppers=20,
        dimension=DIMENSION,
    )
    staged = StagedRound.plan(everybody, plan, name="low", rng=setting.secure, previous=previous)
    clients = staged.uploads(some_shoppers(plan, count, setting.chance))
    entries = staged.entries()
    staged.hand_to_all([*clients, *entries])
    _votes(staged, entries, clients)


def _planned(staged: StagedRound) -> PlannedRound:
    manifest = staged.manifest
    task = parse_task(manifest.task, manifest.parameters)
    return PlannedRound(task=task, manifest=manifest, record=staged.record)
