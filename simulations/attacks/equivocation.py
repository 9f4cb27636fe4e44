"""List equivocation: one bad key holder and the coordinator try to open two lists of one round.

Two opened lists that differ by one client are her vector with no more noise than she added herself.
Honest key holders vote once, for one list that holds their own noise, and answer only three votes
that agree.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crypto.ballot import NO_VOTE, UploadList, Vote
from crypto.dp.plan import PrivacyPlan
from crypto.update import FloatArray
from crypto.upload import Role, sign_upload
from crypto.wire import SignedRecord, public_bytes
from simulations.attacks.coalition import CORRUPT, HONEST, SYBILS, besieged_plan, collude
from simulations.attacks.finding import Control, Finding
from simulations.attacks.messages import Client, Sent
from simulations.attacks.parties import Parties, parties
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import CONTEXT, SENDER, Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.staged_round import StagedRound, take
from simulations.attacks.statistics import clopper_pearson, exactly
from simulations.attacks.tries import RefusedError, Try, attempt, told

# One more than the smallest cohort, so that a list without the victim is large enough.
CLIENTS = SYBILS + 2


def equivocation(setting: Setting) -> Finding:
    """Try to have two lists of one round opened, or one without an honest key holder's noise."""
    plan = replace(
        besieged_plan(setting.run.popularity.plan), max_clients=CLIENTS, max_shoppers=CLIENTS
    )
    vectors = some_shoppers(plan, CLIENTS, setting.chance)
    with parties(rng=setting.secure, z_floor=plan.noise_multiplier / 2) as everybody:
        staged = StagedRound.plan(everybody, plan, name="lists", rng=setting.secure)
        outcomes = attempt(_Lists.made(staged, vectors).tries(everybody))
    through = [name for name, reason in outcomes.items() if reason is None]
    matching, values = without_votes(plan, vectors, setting)
    figure = len(through) / len(outcomes)
    read = clopper_pearson(matching, values)
    return Finding(
        name="list equivocation, compact sum",
        adversary="Coordinator, consent service and key holder 3; two key holders are honest.",
        action="Asks for votes and answers on two lists that differ by one client, and on lists "
        "without an honest key holder's noise.",
        claim="One bad key holder can't open two lists, or a list without honest noise.",
        measure=f"share of {len(outcomes)} tries that got through",
        figure=figure,
        interval=exactly(figure),
        bound=0.0,
        permitted="none; each is decided by a rule, not by chance",
        holds=not through,
        control=Control(
            name="key holders that answer without votes: the victim's values, read exactly",
            figure=matching / values,
            interval=read,
            fired=read.low > 0.99,
        ),
        note="A vote is on disk before it is sent, so a restart changes nothing; the conformance "
        "tests crash key holders at every such point.",
        details={name: told(reason) for name, reason in outcomes.items()},
    )


class _Lists:
    """Two lists of one round, one without the victim."""

    def __init__(self, staged: StagedRound, clients: Sequence[Sent], entries: Sequence[Sent]):
        self.staged, self.clients, self.entries = staged, clients, entries
        self.commit = staged.commit(clients)
        self.full = staged.listing([*clients, *entries])
        self.without = staged.listing([*clients[1:], *entries])

    @classmethod
    def made(cls, staged: StagedRound, vectors: Sequence[FloatArray]) -> "_Lists":
        """Hand everything over to the key holders."""
        clients, entries = staged.uploads(vectors), staged.entries()
        staged.hand_to_all([*clients, *entries])
        return cls(staged, clients, entries)

    def tries(self, everybody: Parties) -> dict[str, Try]:
        """In this order: what no list may be, then the split, then a second one."""
        staged = self.staged
        votes: dict[str, SignedRecord] = {}

        def split() -> None:
            votes["one"] = staged.vote(1, self.commit, self.full)
            votes["two"] = staged.vote(2, self.commit, self.without)
            staged.release(1, [votes["one"], votes["two"], self._bad(everybody, votes["one"])])

        def forged(number: int, which: str) -> None:
            if which not in votes:
                raise RefusedError("that key holder never voted for this list")
            shown = [self._bad(everybody, votes[which], holder=k) for k in (1, 2, 3)]
            shown[number - 1] = votes[which]
            staged.release(number, shown)

        def two_votes() -> None:
            if "one" not in votes:
                raise RefusedError("key holder 1 never voted for this list")
            staged.release(1, [votes["one"], self._bad(everybody, votes["one"])])

        return {
            "a list without key holder 1's noise": self._voted(self._less(self.entries[0]), 2),
            "a list without key holder 2's own noise": self._voted(self._less(self.entries[1]), 2),
            "a second entry of key holder 3, for key holder 1's": self._entered(
                everybody.holders[CORRUPT - 1].identity
            ),
            "a client that enters noise as a key holder": self._entered(Client().key),
            "a list without any entry": self._voted(staged.listing(self.clients), 1),
            "a list with an upload that nobody acknowledged": self._voted(self._unknown(), 1),
            "a list of clients that the consent service did not sign": self._voted(
                self.full, 1, commit=staged.commit(self.clients[1:])
            ),
            "a list that another key signed": self._voted(self._forged(everybody), 1),
            "two lists, one for each honest key holder": split,
            "the other list at key holder 1": self._voted(self.without, 1),
            "the other list at key holder 2": self._voted(self.full, 2),
            "key holder 1 with its vote and two forged ones": partial(forged, 1, "one"),
            "key holder 2 with its vote and two forged ones": partial(forged, 2, "two"),
            "key holder 1 with two votes": two_votes,
        }

    def _entered(self, key: Ed25519PrivateKey) -> Try:
        """An entry without noise under some key."""
        staged = self.staged
        made = collude(
            staged.scheme,
            staged.manifest.plan,
            sender=public_bytes(key.public_key()),
            rng=staged.rng,
        )
        header = sign_upload(made.sealed, (), key, role=Role.KEY_HOLDER)
        return lambda: take(staged, Sent(header=header, grants=b"", sealed=made.sealed))

    def _voted(
        self, listing: SignedRecord, number: int, *, commit: SignedRecord | None = None
    ) -> Try:
        return lambda: self.staged.vote(number, commit or self.commit, listing)

    def _less(self, entry: Sent) -> SignedRecord:
        kept = [each for each in self.entries if each is not entry]
        return self.staged.listing([*self.clients, *kept])

    def _unknown(self) -> SignedRecord:
        body = UploadList.verify(self.full, self.staged.parties.coordinator.public_key())
        uploads = tuple(sorted([*body.uploads, "ab" * 32]))
        return replace(body, uploads=uploads).sign(self.staged.parties.coordinator)

    def _forged(self, everybody: Parties) -> SignedRecord:
        body = UploadList.verify(self.full, everybody.coordinator.public_key())
        return body.sign(everybody.consent)

    def _bad(
        self, everybody: Parties, like: SignedRecord, *, holder: int = CORRUPT
    ) -> SignedRecord:
        """A vote for the same list, signed by the bad key holder whatever name it bears."""
        shown = next(
            Vote.verify(like, everybody.identities[number - 1])
            for number in HONEST
            if _by(like, everybody, number)
        )
        forged = Vote(
            holder=holder,
            context=shown.context,
            list_hash=shown.list_hash,
            sequence=1,
            previous=NO_VOTE,
        )
        return forged.sign(everybody.holders[CORRUPT - 1].identity)


def _by(vote: SignedRecord, everybody: Parties, number: int) -> bool:
    reason = attempt({"": lambda: Vote.verify(vote, everybody.identities[number - 1])})[""]
    return reason is None


def without_votes(
    plan: PrivacyPlan, vectors: Sequence[FloatArray], setting: Setting
) -> tuple[int, int]:
    """The control: key holders that open whatever they are asked to; matching values, of how many.

    The difference of two opened lists is the victim's noised vector.
    """
    lab = PieceLab(plan=plan, rng=setting.secure)
    pipeline = Pipeline(plan=plan, context=CONTEXT, rng=setting.secure)
    noised = [pipeline.client([vector]) for vector in vectors]
    sealed = [lab.scheme.seal(each, sender=SENDER, rng=setting.secure) for each in noised]
    opened = []
    for some in (sealed, sealed[1:]):
        total = lab.scheme.add(some)
        opened.append(lab.scheme.combine(total, lab.open(some, total)))
    found = opened[0] - opened[1]
    return int(np.count_nonzero(found == noised[0].values)), found.size
