"""Manifest tricks: a coordinator bends the document that everybody agrees on.

At the key holders, two of which are honest and must each accept; and at a client, which checks the
manifest against its own pins and wants the accepts of all three.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from client.home import Trust
from client.participate import check_invitation, check_manifest
from consent.tasks.catalogue import Catalogue
from crypto.acceptance import Accept
from crypto.dp.plan import PrivacyPlan
from crypto.dp.widths import NoiseSet
from crypto.invitation import Invitation
from crypto.keyholder.peers import CARD_FILE
from crypto.manifest import NO_MANIFEST, Manifest, context_of
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord
from simulations.attacks.coalition import CORRUPT, HONEST, besieged_plan
from simulations.attacks.finding import Finding
from simulations.attacks.messages import ask_round_keys, make_manifest
from simulations.attacks.parties import N_FLOOR, NOW, POPULATION, Parties, parties
from simulations.attacks.setting import Setting, under
from simulations.attacks.staged_round import StagedRound
from simulations.attacks.tries import Try, Words, at_the_door

DIMENSION = 64
WORDS: Words = {
    "name": "manifest tricks",
    "adversary": "Coordinator, consent service and key holder 3; two key holders and the client "
    "are honest.",
    "action": "Signs a second manifest for a round, or one with less noise, an understated ε, "
    "other keys, another length, a past time; forges accepts.",
    "claim": "No client seals, and no sum is opened, under a manifest that breaks a pin or that "
    "honest key holders did not accept as the only one of its round.",
    "note": "Every try has one thing wrong and all else right; the control is the same document "
    "with nothing wrong, accepted by key holders and client alike.",
}
Bend = Mapping[str, Any]


def manifest_tricks(setting: Setting) -> Finding:
    """Try every trick at key holders and at a client."""
    plan = besieged_plan(setting.run.popularity.plan, dimension=DIMENSION)
    floor = plan.noise_multiplier / 2
    with parties(rng=setting.secure, z_floor=floor) as everybody, _trust(everybody, floor) as trust:
        desk = _Desk(everybody, plan, trust, setting)
        tries = {**desk.at_key_holders(), **desk.at_a_client()}
        return at_the_door(
            WORDS, tries, control="an honest manifest, and a client that joins", honest=desk.honest
        )


@contextmanager
def _trust(everybody: Parties, floor: float) -> Iterator[Trust]:
    """What a client pins, with its files."""
    items = tuple(f"item-{number}" for number in range(DIMENSION))
    empty = ("",) * DIMENSION
    catalogue = Catalogue(
        name="audit", level="item", items=items, categories=empty, departments=empty, products={}
    )
    with TemporaryDirectory(prefix="fedcart-audit-") as folder:
        path = Path(folder, "catalogue.json")
        path.write_bytes(catalogue.to_bytes())
        yield Trust(
            population=POPULATION,
            consent_url="http://consent.invalid",
            consent_key=everybody.consent.public_key(),
            coordinator_key=everybody.coordinator.public_key(),
            cards=tuple(str(holder.home / CARD_FILE) for holder in everybody.holders),
            holders=everybody.identities,
            catalogue=str(path),
            n_floor=N_FLOOR,
            z_floor=floor,
        )


@dataclass
class _Desk:
    """Manifests of one task, bent one at a time; ``last`` is what the next one follows."""

    everybody: Parties
    plan: PrivacyPlan
    trust: Trust
    setting: Setting

    def __post_init__(self) -> None:
        self.catalogue = self.trust.load_catalogue().hash
        self.first = self._round("first", previous=NO_MANIFEST)
        self.last = self.first.context

    def _round(self, name: str, **changes: Any) -> StagedRound:
        changes = {"catalogue": self.catalogue} | changes
        return StagedRound.plan(
            self.everybody, self.plan, name=name, rng=self.setting.secure, **changes
        )

    def at_key_holders(self) -> dict[str, Try]:
        """Each in a round of its own, accepted only if both honest key holders accept it."""
        plan, floor = self.plan, self.trust.z_floor
        keys = self.first.round_keys
        thin = plan.with_noise(0.9 * floor)
        bends: dict[str, Bend | Callable[[Manifest], Bend]] = {
            "noise below the floor": {"plan": thin, "epsilon": thin.round_epsilon()},
            "no noise at all": {"plan": plan.with_noise(0.0), "epsilon": None},
            "ε understated by a tenth": {"epsilon": 0.9 * plan.round_epsilon()},
            "no ε stated": {"epsilon": None},
            "δ above the cap": _with_delta(plan),
            "noise that awaits review": _experimental(plan),
            "round keys of another round": {"key_hashes": tuple(key.hash for key in keys)},
            "two round keys exchanged": lambda m: {
                "key_hashes": (m.key_hashes[1], m.key_hashes[0], m.key_hashes[2])
            },
            "another population": {"population": "others"},
            "a round that has closed": {"opens": NOW - 50, "closes": NOW - 1},
            "open beyond its round keys": lambda m: {"closes": m.closes + 1},
            "a scheme that needs no votes": {
                "plan": (share := under(plan, Scheme.SHARE_SUM, clients=plan.min_clients)),
                "epsilon": share.round_epsilon(),
                "unpaired_devices": False,
            },
            "a second start of the task": {"previous": NO_MANIFEST},
        }
        tries: dict[str, Try] = {
            f"key holders: {name}": self._bent(f"trick-{number}", bend)
            for number, (name, bend) in enumerate(bends.items())
        }
        return tries | {
            "key holders: a second manifest for a round": self._second,
            "key holders: signed by another key": self._bent("trick-key", {}, forged=True),
        }

    def _bent(
        self, name: str, bend: Bend | Callable[[Manifest], Bend], *, forged: bool = False
    ) -> Try:
        def act() -> None:
            keys = ask_round_keys(self.everybody, name)
            straight = self._manifest(name, keys)
            changes = bend(straight) if callable(bend) else bend
            manifest = replace(straight, **changes)
            key = self.everybody.consent if forged else self.everybody.coordinator
            self._offer(manifest.sign(key))

        return act

    def _manifest(self, name: str, keys: tuple[SignedRecord, ...]) -> Manifest:
        return make_manifest(
            self.plan, name=name, round_keys=keys, catalogue=self.catalogue, previous=self.last
        )

    def _offer(self, record: SignedRecord) -> tuple[SignedRecord, ...]:
        stations = self.everybody.stations
        return tuple(
            SignedRecord.from_bytes(stations[number - 1].accept(record)) for number in HONEST
        )

    def _second(self) -> None:
        other = replace(self.first.manifest, code="another program")
        self._offer(other.sign(self.everybody.coordinator))

    def at_a_client(self) -> dict[str, Try]:
        """Invitations to the first round, which is honest; each is bent in one place."""
        good, manifest = self.first.invitation, self.first.manifest
        plan, floor = self.plan, self.trust.z_floor
        thin = plan.with_noise(0.9 * floor)
        small = under(
            plan, Scheme.COMPACT_SUM, clients=N_FLOOR - 1, max_clients=20, max_shoppers=20
        )
        bends: dict[str, Bend] = {
            "noise below the floor": {"plan": thin, "epsilon": thin.round_epsilon()},
            "a cohort below the floor": {"plan": small, "epsilon": small.round_epsilon()},
            "ε understated by a tenth": {"epsilon": 0.9 * plan.round_epsilon()},
            "noise that awaits review": _experimental(plan),
            "another catalogue": {"catalogue": "cb" * 32},
            "another length than its task": {"parameters": {"items": DIMENSION - 1}},
            "no purpose": {"purposes": ()},
            "fewer categories than the task needs": {"categories": ()},
            "a round that has closed": {"opens": NOW - 50, "closes": NOW - 1},
            "a second manifest, accepted by key holder 3 alone": {"code": "another program"},
        }
        tries: dict[str, Try] = {
            f"a client: {name}": self._invited(self._forged(replace(manifest, **bend)))
            for name, bend in bends.items()
        }
        swapped = (good.round_keys[1], good.round_keys[0], good.round_keys[2])
        return tries | {
            "a client: two round keys exchanged": self._invited(replace(good, round_keys=swapped)),
            "a client: two accepts": self._invited(replace(good, accepts=good.accepts[:2])),
            "a client: one accept three times": self._invited(
                replace(good, accepts=(good.accepts[0],) * 3)
            ),
        }

    def _forged(self, manifest: Manifest) -> Invitation:
        """An invitation whose three accepts key holder 3 signed in everybody's name."""
        record = manifest.sign(self.everybody.coordinator)
        key = self.everybody.holders[CORRUPT - 1].identity
        accepts = tuple(
            Accept(holder=number, context=context_of(record)).sign(key) for number in (1, 2, 3)
        )
        return Invitation(manifest=record, round_keys=self.first.round_keys, accepts=accepts)

    def _invited(self, invitation: Invitation) -> Try:
        def act() -> None:
            parsed = Invitation.from_bytes(invitation.to_bytes())
            manifest, _ = check_manifest(parsed.manifest, self.trust, now=NOW)
            check_invitation(parsed, manifest, self.trust)

        return act

    def honest(self) -> None:
        """The control: a manifest like the bent ones, and a client that joins its round."""
        staged = self._round("honest", previous=self.last)
        self._invited(staged.invitation)()


def _with_delta(plan: PrivacyPlan) -> Bend:
    loose = replace(plan, delta=1e-4)
    return {"plan": loose, "epsilon": loose.round_epsilon()}


def _experimental(plan: PrivacyPlan) -> Bend:
    fine = under(
        plan,
        Scheme.COMPACT_SUM,
        clients=plan.min_clients,
        noise=NoiseSet.CENTRED_GAUSSIAN,
        experimental=True,
    )
    return {"plan": fine, "epsilon": fine.round_epsilon()}
