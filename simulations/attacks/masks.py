"""Two ways to weaken the mask of compact sum: one secret twice, and multipliers of zero.

A body is a·s + e + 2^G·m. Who gets two bodies under one a and one s takes the mask off by
subtracting; who could choose a would choose zero. Clients draw s and e afresh for every upload and
derive a from the context themselves: no message carries one.
"""

import numpy as np

from crypto.dp.gaussian import DiscreteGaussian
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.parameters import RING_DEGREE, SIGMA
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.pieces.packing import pack
from crypto.sums.pieces.split import WordArray
from crypto.update import IntArray, NoisedUpdate, SealedUpdate
from simulations.attacks.chosen_body import NEGLIGIBLE
from simulations.attacks.coalition import besieged_plan, read_body, secret_of
from simulations.attacks.finding import Control, Finding
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import CONTEXT, SENDER, Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.statistics import clopper_pearson


def secret_reuse(setting: Setting) -> Finding:
    """Subtract two bodies of one client in one round, with fresh secrets and with one secret."""
    plan = besieged_plan(setting.run.popularity.plan)
    lab = PieceLab(plan=plan, rng=setting.secure)
    first, second = _two(setting, plan)
    fresh = [_seal(lab, each, SecureRandom()) for each in (first, second)]
    key = setting.secure.bytes(32)
    reused = [_seal(lab, each, SecureRandom(key)) for each in (first, second)]
    truth = first.values - second.values
    found, bare = _hits(_difference(lab, fresh), truth), _hits(_difference(lab, reused), truth)
    return Finding(
        name="secret reuse, compact sum",
        adversary="The coordinator, with two bodies of one client under the same multipliers.",
        action="Subtracts one from the other: under one secret the masks cancel.",
        claim="Every upload has a secret of its own; what was sealed once is sent again as it is.",
        measure="share of the difference of two vectors read exactly",
        figure=found / truth.size,
        interval=clopper_pearson(found, truth.size),
        bound=NEGLIGIBLE,
        permitted="chance hits on masked values",
        holds=clopper_pearson(found, truth.size).low <= NEGLIGIBLE,
        control=Control(
            name="a client whose generator repeats itself",
            figure=bare / truth.size,
            interval=clopper_pearson(bare, truth.size),
            fired=clopper_pearson(bare, truth.size).low > 0.99,
        ),
        note="A machine that is set back to a snapshot while it seals would be the control. "
        "Clients key their generator from the operating system for each upload.",
        details={
            "values": f"{truth.size:,}",
            "coefficients that the two fresh secrets share, by chance": _shared(lab, fresh),
        },
    )


def malicious_multipliers(setting: Setting) -> Finding:
    """Read a body as if its multipliers were zero, where they are derived and where they are."""
    plan = besieged_plan(setting.run.popularity.plan)
    lab = PieceLab(plan=plan, rng=setting.secure)
    noised, _ = _two(setting, plan)
    truth, blocks = noised.values, -(-plan.padded_dimension // RING_DEGREE)
    derived = _hits(lab.blind(_seal(lab, noised, setting.secure)), truth)
    secret = secret_of(setting.secure)
    zeros = np.zeros((blocks, RING_DEGREE), dtype=np.uint32)
    bare = _hits(lab.values(masked(noised, secret, zeros, plan, setting.secure)), truth)
    honest = masked(noised, secret, multipliers(CONTEXT, 0, blocks), plan, setting.secure)
    opened = read_body(honest.astype("<u4").tobytes(), secret.astype(np.uint32), plan, CONTEXT)
    return Finding(
        name="malicious a, compact sum",
        adversary="A coordinator that would like clients to mask with multipliers of its choice.",
        action="Reads a body as if its multipliers were all zero.",
        claim="No message carries a: every client derives it from the manifest's hash.",
        measure="share of the victim's values read exactly",
        figure=derived / truth.size,
        interval=clopper_pearson(derived, truth.size),
        bound=NEGLIGIBLE,
        permitted="chance hits on masked values",
        holds=clopper_pearson(derived, truth.size).low <= NEGLIGIBLE,
        control=Control(
            name="a client that was handed zeros",
            figure=bare / truth.size,
            interval=clopper_pearson(bare, truth.size),
            fired=clopper_pearson(bare, truth.size).low > 0.99 and bool((opened == truth).all()),
        ),
        note="The control masks by code of its own, which with the derived multipliers opens to "
        "the same values as the client's. A coordinator chooses the manifest, so it may try many "
        "in search of weak multipliers; those are AES output over the manifest's hash.",
        details={"values": f"{truth.size:,}"},
    )


def masked(
    noised: NoisedUpdate, secret: IntArray, a: WordArray, plan: PrivacyPlan, rng: SecureRandom
) -> WordArray:
    """The body a·s + e + 2^G·m under given multipliers, shape (blocks, N); uint32."""
    words = np.zeros(a.shape, dtype=np.uint32)
    packed = pack(noised.values, plan.layout)
    words.reshape(-1)[: packed.size] = packed
    errors = DiscreteGaussian(SIGMA).sample(a.size, rng).reshape(a.shape)
    return words + Factor(secret).times(a) + errors.astype(np.uint32)


def _two(setting: Setting, plan: PrivacyPlan) -> tuple[NoisedUpdate, NoisedUpdate]:
    pipeline = Pipeline(plan=plan, context=CONTEXT, rng=setting.secure)
    first, second = some_shoppers(plan, 2, setting.chance)
    return pipeline.client([first]), pipeline.client([second])


def _seal(lab: PieceLab, noised: NoisedUpdate, rng: SecureRandom) -> SealedUpdate:
    return lab.scheme.seal(noised, sender=SENDER, rng=rng)


def _difference(lab: PieceLab, sealed: list[SealedUpdate]) -> IntArray:
    first, second = (np.frombuffer(each.body, dtype="<u4").astype(np.uint32) for each in sealed)
    return lab.values(first - second)


def _hits(read: IntArray, truth: IntArray) -> int:
    return int(np.count_nonzero(read == truth))


def _shared(lab: PieceLab, sealed: list[SealedUpdate]) -> str:
    """In how many places the two secrets agree, opened with the lab's keys."""
    first, second = (np.sum(_pieces(lab, each), axis=0, dtype=np.uint32) for each in sealed)
    return f"{np.count_nonzero(first == second):,} of {lab.length:,}"


def _pieces(lab: PieceLab, sealed: SealedUpdate) -> list[WordArray]:
    second, third = lab.held(sealed, 1).expanded(lab.length).reshape(2, -1)
    first = lab.held(sealed, 2).expanded(lab.length).reshape(2, -1)[0]
    return [first, second, third]
