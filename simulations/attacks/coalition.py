"""The strongest coalition that compact sum is claimed against, around one honest client.

Coordinator, consent service, every other client and key holder 3 work together: their clients send
zeros without noise under secrets that they know, and key holder 3's entry likewise. What they don't
know is the victim's secret and the entries of key holders 1 and 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crypto.ballot import NO_VOTE, Vote
from crypto.dp.gaussian import DiscreteGaussian
from crypto.dp.plan import PrivacyPlan
from crypto.dp.random import SecureRandom
from crypto.dp.widths import NoiseSet
from crypto.sums.compact_sum.mask import multipliers
from crypto.sums.compact_sum.parameters import RING_DEGREE, SIGMA
from crypto.sums.compact_sum.ring import Factor
from crypto.sums.interface import SecureSum
from crypto.sums.pieces.packing import unpack
from crypto.sums.pieces.split import held
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.update import NOISE_DOOR, FloatArray, IntArray, NoisedUpdate, PartSum, SealedUpdate
from crypto.upload import Role, sign_upload
from crypto.wire import SignedRecord, public_bytes
from simulations.attacks.messages import Client, Sent, signed
from simulations.attacks.parties import Parties
from simulations.attacks.setting import under
from simulations.attacks.staged_round import StagedRound

WordArray = npt.NDArray[np.uint32]
SYBILS = 5
COALITION = (
    f"Coordinator, consent service, {SYBILS} clients and key holder 3, allied against one victim; "
    "two key holders are honest."
)
HONEST = (1, 2)
CORRUPT = 3
# Long enough that variances and inner products are sharp, short enough for a second.
DIMENSION = 4096


def besieged_plan(plan: PrivacyPlan, *, dimension: int = DIMENSION) -> PrivacyPlan:
    """The run's noise multiplier in a compact sum over one victim and the sybils around her."""
    return under(
        plan,
        Scheme.COMPACT_SUM,
        clients=SYBILS + 1,
        dimension=dimension,
        noise=NoiseSet.SKELLAM,
        experimental=False,
    )


@dataclass(frozen=True, kw_only=True)
class Colluder:
    """Sealed zeros whose secret the coalition knows."""

    sealed: SealedUpdate
    secret: IntArray


@dataclass(frozen=True, kw_only=True)
class Besieged:
    """What the coalition holds after a round, and the victim's truth for whoever measures.

    Attributes:
        opened: the integer sum.
        opened_secret: Σs mod 2**32.
        known_secret: the part of Σs that the coalition made.
    """

    plan: PrivacyPlan
    context: str
    victim: Sent
    everything: tuple[Sent, ...]
    opened: IntArray
    opened_secret: WordArray
    known_secret: WordArray


def collude(scheme: SecureSum, plan: PrivacyPlan, *, sender: bytes, rng: SecureRandom) -> Colluder:
    """Seal zeros, without noise, under a secret that is drawn from a key one chose."""
    key = rng.bytes(32)
    nothing = NoisedUpdate(
        values=np.zeros(plan.padded_dimension, dtype=np.int64), shoppers=1, door=NOISE_DOOR
    )
    return Colluder(
        sealed=scheme.seal(nothing, sender=sender, rng=SecureRandom(key)),
        secret=secret_of(SecureRandom(key)),
    )


def secret_of(rng: SecureRandom) -> IntArray:
    """The secret that sealing draws first from a generator."""
    return DiscreteGaussian(SIGMA).sample(RING_DEGREE, rng).astype(np.int64)


def besiege(parties: Parties, plan: PrivacyPlan, vector: FloatArray, rng: SecureRandom) -> Besieged:
    """Play the round of the coalition over the real messages.

    Raises:
        FedcartError: an honest key holder refused something of it.
    """
    staged = StagedRound.plan(parties, plan, name="siege", rng=rng)
    (victim,) = staged.uploads([vector])
    clients, secrets = [victim], []
    for number in range(SYBILS):
        client = Client()
        made = collude(staged.scheme, plan, sender=client.sender, rng=rng)
        tokens = (staged.grant(client, f"sybil-{number}"),)
        clients.append(signed(client, made.sealed, tokens))
        secrets.append(made.secret)
    corrupt, secret = corrupt_entry(staged, parties)
    secrets.append(secret)
    everything = [*clients, *(staged.entry(number) for number in HONEST), corrupt]
    for number in HONEST:
        staged.hand_over(everything, number)
    commit, listing = staged.commit(clients), staged.listing(everything)
    votes = [staged.vote(number, commit, listing) for number in HONEST]
    votes.append(corrupt_vote(parties, staged, votes[0]))
    parts = [staged.release(number, votes) for number in HONEST]
    return Besieged(
        plan=plan,
        context=staged.context,
        victim=victim,
        everything=tuple(everything),
        opened=staged.finish(everything, parts),
        opened_secret=secret_sum(parts),
        known_secret=np.sum(secrets, axis=0).astype(np.uint32),
    )


def corrupt_entry(staged: StagedRound, parties: Parties) -> tuple[Sent, IntArray]:
    """Key holder 3's entry with no noise in it, under its own identity."""
    identity = parties.holders[CORRUPT - 1].identity
    sender = public_bytes(identity.public_key())
    made = collude(staged.scheme, staged.manifest.plan, sender=sender, rng=staged.rng)
    header = sign_upload(made.sealed, (), identity, role=Role.KEY_HOLDER)
    return Sent(header=header, grants=b"", sealed=made.sealed), made.secret


def corrupt_vote(parties: Parties, staged: StagedRound, like: SignedRecord) -> SignedRecord:
    """Key holder 3 votes for whatever another one voted for."""
    shown = Vote.verify(like, parties.identities[HONEST[0] - 1])
    return Vote(
        holder=CORRUPT,
        context=staged.context,
        list_hash=shown.list_hash,
        sequence=1,
        previous=NO_VOTE,
    ).sign(parties.holders[CORRUPT - 1].identity)


def secret_sum(parts: Sequence[PartSum]) -> WordArray:
    """Σs mod 2**32 from two part sums, as the coordinator computes it."""
    sums: dict[int, WordArray] = {}
    for part in parts:
        both = part.values.astype(np.uint32).reshape(2, -1)
        sums |= dict(zip(held(part.holder), both, strict=True))
    total: WordArray = np.sum([sums[number] for number in range(1, HOLDERS + 1)], axis=0)
    return total.astype(np.uint32)


def read_body(body: bytes, secret: WordArray, plan: PrivacyPlan, context: str) -> IntArray:
    """A body opened with a secret: body - a·s, decoded; garbage unless the secret is its own."""
    words = np.frombuffer(body, dtype="<u4").astype(np.uint32).reshape(-1, RING_DEGREE)
    mask = Factor(secret.view(np.int32)).times(multipliers(context, 0, len(words)))
    opened = (words - mask).reshape(-1)[: plan.layout.coefficients(plan.padded_dimension)]
    return unpack(opened, plan.layout, plan.padded_dimension)
