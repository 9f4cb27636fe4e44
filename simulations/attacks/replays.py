"""Replay: uploads and grants that were used once are sent again, here and in a later round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from crypto.ballot import LIST_TYPE
from crypto.dp.plan import PrivacyPlan
from crypto.keyholder.deadlines import INGEST_GRACE_S
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord
from simulations.attacks.coalition import HONEST, SYBILS, besieged_plan
from simulations.attacks.finding import Finding
from simulations.attacks.messages import CLOSES, Client, Sent, noised_of, signed
from simulations.attacks.parties import Parties, parties
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.staged_round import StagedRound, take
from simulations.attacks.tries import Try, Words, at_the_door

DIMENSION = 64
WORDS: Words = {
    "name": "replay of uploads and grants",
    "adversary": "A client, allied with the coordinator, that keeps everything it ever saw.",
    "action": "Sends uploads and grants of others, of earlier rounds and of its own again.",
    "claim": "A grant admits one upload of one client to one round, once.",
    "note": "Handing the same upload over twice is no attack: it is acknowledged again and counted "
    "once, so that a coordinator can resume.",
}


def replays(setting: Setting) -> Finding:
    """Play an earlier round and replay it into a later one, over the real messages."""
    plan = besieged_plan(setting.run.popularity.plan, dimension=DIMENSION)
    with parties(rng=setting.secure, z_floor=plan.noise_multiplier / 2) as everybody:
        return replay(setting, plan, everybody)


def replay(setting: Setting, plan: PrivacyPlan, everybody: Parties) -> Finding:
    """The finding for a plan among given parties."""
    rng = setting.secure
    earlier = StagedRound.plan(everybody, plan, name="earlier", rng=rng)
    old = earlier.uploads(some_shoppers(plan, SYBILS + 1, setting.chance))
    earlier.play(old)
    later = StagedRound.plan(everybody, plan, name="later", rng=rng, previous=earlier.context)
    new = later.uploads(some_shoppers(plan, SYBILS + 1, setting.chance))
    later.hand_to_all(new)
    thief = _Thief(later, rng_source=new[0])
    tries = {**thief.grants(earlier), **thief.uploads(earlier, old[0])}
    return at_the_door(
        WORDS,
        {**tries, "an upload listed twice": partial(_twice, later, new)},
        control="a fresh upload with a fresh grant",
        honest=thief.fresh,
    )


@dataclass
class _Thief:
    """A client that asks for as little as possible of its own."""

    staged: StagedRound
    rng_source: Sent

    def __post_init__(self) -> None:
        self.client, self.friend = Client(), Client()

    def send(self, *tokens: str, sealed: SealedUpdate | None = None) -> Try:
        """An upload of its own under any tokens."""
        own = sealed or self.staged.scheme.seal(
            noised_of(self.rng_source), sender=self.client.sender, rng=self.staged.rng
        )
        return lambda: take(self.staged, signed(self.client, own, tokens))

    def mine(self, subject: str, *, number: str | None = None, **changes: Any) -> str:
        """A grant of its own, under another grant's number if one is given."""
        if number is not None:
            changes["token_id"] = number
        return self.staged.grant(self.client, subject, **changes)

    def grants(self, earlier: StagedRound) -> Mapping[str, Try]:
        """Grants that admit nobody, or not it, or not any more."""
        now = int(self.staged.parties.clock.now)
        other = Client()
        return {
            "a grant that another client used": self.send(self.mine("x", number="token-shopper-0")),
            "a second grant of a shopper who is in": self.send(
                self.mine("shopper-0", number="fresh-0")
            ),
            "another client's own grant": self.send(self.staged.grant(other, "other")),
            "a grant of an earlier round": self.send(earlier.grant(self.client, "old")),
            "a grant of an earlier round, its context changed": self.send(
                self.mine("old", round_id=earlier.manifest.round_id)
            ),
            "an expired grant": self.send(
                self.mine("late", issued_at=now - 400, expires_at=now - 100)
            ),
            "a grant that lives too long": self.send(self.mine("long", expires_at=now + 6000)),
            "one grant twice in an upload": self.send(self.mine("twice"), self.mine("twice")),
            "two grants of one shopper": self.send(
                self.mine("pair", number="a"), self.mine("pair", number="b")
            ),
            "a grant that it signed itself": self.send(self._forged()),
            "no grant at all": self.send(),
        }

    def _forged(self) -> str:
        parties_of = replace(self.staged.parties, consent=self.client.key)
        return replace(self.staged, parties=parties_of).grant(self.client, "forged")

    def uploads(self, earlier: StagedRound, old: Sent) -> Mapping[str, Try]:
        """Uploads of an earlier round."""
        own = earlier.scheme.seal(noised_of(old), sender=self.client.sender, rng=earlier.rng)
        moved = replace(own, context=self.staged.context)
        return {
            "an upload of an earlier round": lambda: take(self.staged, old),
            "own sealed bytes of an earlier round under this one's header": self.send(
                self.mine("moved"), sealed=moved
            ),
            "an upload after the round's time": self._late,
            "an upload into the earlier round, which is over": lambda: take(
                earlier, old_again(earlier, old)
            ),
        }

    def _late(self) -> None:
        clock = self.staged.parties.clock
        before, clock.now = clock.now, CLOSES + INGEST_GRACE_S
        try:
            self.send(self.mine("belated"))()
        finally:
            clock.now = before

    def fresh(self) -> None:
        """The control: nothing used before."""
        self.send(self.mine("fresh"))()


def old_again(earlier: StagedRound, old: Sent) -> Sent:
    """The vector of an old upload, sealed anew for the round that is over."""
    client = Client()
    sealed = earlier.scheme.seal(noised_of(old), sender=client.sender, rng=earlier.rng)
    return signed(client, sealed, (earlier.grant(client, "too-late"),))


def _twice(staged: StagedRound, clients: Sequence[Sent]) -> None:
    """Name an upload twice on the list, and have the honest key holders vote for it."""
    everything = [*clients, *staged.entries()]
    staged.hand_to_all(everything)
    names = sorted([each.hash for each in everything] + [clients[0].hash])
    body = {"context": staged.context, "uploads": names}
    listing = SignedRecord.sign(LIST_TYPE, body, staged.parties.coordinator)
    for number in HONEST:
        staged.vote(number, staged.commit(clients), listing)
