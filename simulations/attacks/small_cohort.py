"""The minimum cohort: a coordinator asks for the sum of fewer clients than were promised."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from consent.tasks.task import parse_task
from crypto.commit import Commit, CommittedUpload
from crypto.dp.plan import PrivacyPlan
from crypto.manifest import context_of
from crypto.opening import OpenRequest
from crypto.sums.schemes import Scheme
from crypto.sums.share_sum.scheme import ShareSum
from server.rounds import PlannedRound, require_cohort
from simulations.attacks.coalition import HONEST, SYBILS, besieged_plan
from simulations.attacks.finding import Finding
from simulations.attacks.messages import TASK, Sent, make_manifest
from simulations.attacks.parties import N_FLOOR, NOW, Parties, parties
from simulations.attacks.pipeline import SENDER, Pipeline
from simulations.attacks.setting import Setting, under
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.staged_round import StagedRound
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
    tries["share sum: a list of one client fewer"] = partial(
        _open_share_sum, setting, everybody, plan.min_clients - 1
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
        control=f"{plan.min_clients} clients, in compact sum and in share sum",
        honest=partial(_enough, ask, clients, setting, everybody),
    )


def _enough(
    ask: Callable[[list[Sent]], None], clients: list[Sent], setting: Setting, everybody: Parties
) -> None:
    ask(clients)
    _open_share_sum(setting, everybody, len(clients))


def _open_share_sum(setting: Setting, everybody: Parties, clients: int) -> None:
    """Have the honest key holders open a share sum over so many clients."""
    plan = under(
        setting.run.popularity.plan, Scheme.SHARE_SUM, clients=SYBILS + 1, dimension=DIMENSION
    )
    hashes = tuple(holder.key_hash for holder in everybody.holders)
    manifest = make_manifest(
        plan,
        name=f"shares-{clients}",
        round_keys=(),
        key_hashes=hashes,
        unpaired_devices=False,
    )
    record = manifest.sign(everybody.coordinator)
    scheme = ShareSum(
        context=context_of(record),
        dimension=DIMENSION,
        public_keys=[holder.public for holder in everybody.holders],
        key_hashes=hashes,
    )
    pipeline = Pipeline(plan=plan, context=context_of(record), rng=setting.secure)
    vectors = some_shoppers(plan, clients, setting.chance)
    total = scheme.add(
        scheme.seal(pipeline.client([each]), sender=SENDER, rng=setting.secure) for each in vectors
    )
    commit = Commit(
        task=TASK,
        round_id=manifest.round_id,
        context=context_of(record),
        uploads=tuple(
            CommittedUpload(upload=f"{number:064x}", client=f"client-{number}", shoppers=1)
            for number in range(clients)
        ),
        committed_at=1000 * NOW,
    ).sign(everybody.consent)
    for number in HONEST:
        share = total.shares[number - 1]
        request = OpenRequest(manifest=record, commit=commit, share=share)
        everybody.stations[number - 1].open_sum(request)


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
