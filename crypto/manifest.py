"""The manifest of a round: what everybody agrees on before anybody contributes.

Signed by the coordinator; its hash is the round's *context*, which binds grants, rotation, sealed
vectors, the commit and the opening to this one document. It carries the task's policy (purposes,
categories, minimum cohort, clipping, noise) word for word.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.dp.plan import PrivacyPlan
from crypto.errors import WireError
from crypto.sums.schemes import HOLDERS, Scheme
from crypto.wire import SignedRecord, digest, get_float, get_int, get_str, get_strings

RECORD_TYPE: Final = "manifest"
VERSION: Final = 2
# Share sum breaks when a client is allied with the coordinator (see crypto.sums.share_sum.scheme).
_ADMITS_UNPAIRED: Final = {
    Scheme.COMPACT_SUM: True,
    Scheme.PIECE_SUM: True,
    Scheme.SHARE_SUM: False,
}
# What the first manifest of a task follows.
NO_MANIFEST: Final = "0" * 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One round of one task. ``opens`` and ``closes`` are Unix seconds.

    Attributes:
        population: which federation; names key holders' registers and ledgers.
        task: name of the task; its ``parameters`` are parsed by ``consent.tasks.task``.
        round_id: unique within (population, task).
        run, number: the run of ``plan.rounds`` rounds that this one belongs to, and its place in
            it, from 0. Noise that cancels over rounds and separations between participations are
            by run.
        previous: context of the task's manifest before this one, or ``NO_MANIFEST``; key holders
            refuse two manifests that follow the same one.
        catalogue: hash of the item list that indices refer to.
        code: hash of the program that the coordinator published for this round; a record, not a
            proof of what clients run.
        plan: the privacy plan; it names the scheme.
        epsilon: ε that this round is charged with, at the plan's δ.
        purposes, categories: what a shopper must have granted.
        key_hashes: of the keys that clients seal to, in the key holders' order: of their public
            BFV contexts in share sum, of their signed round keys otherwise.
        unpaired_devices: whether devices outside an alliance may take part; share sum is refused
            for those (see ``crypto.sums.share_sum.scheme``).
    """

    population: str
    task: str
    round_id: str
    run: str = ""
    number: int = 0
    previous: str = NO_MANIFEST
    parameters: dict[str, Any]
    catalogue: str
    code: str = ""
    plan: PrivacyPlan
    epsilon: float | None
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    key_hashes: tuple[str, ...]
    unpaired_devices: bool
    opens: int
    closes: int

    def __post_init__(self) -> None:
        for name in (self.population, self.task, self.round_id):
            if not _NAME.fullmatch(name):
                raise WireError(
                    f"{name!r} is no name: 1 to 128 letters, digits, dots, dashes, underscores; "
                    "the first a letter or digit."
                )
        if not 0 <= self.number < self.plan.rounds:
            raise WireError(
                f"Round number {self.number} of a run with {self.plan.rounds} rounds: plan a new "
                "run."
            )
        if self.plan.rounds > 1 and not _NAME.fullmatch(self.run):
            raise WireError("A round of a run with several rounds names its run.")
        if len(set(self.key_hashes)) != HOLDERS:
            raise WireError(f"A manifest names {HOLDERS} different key holder keys.")
        if not self.opens < self.closes:
            raise WireError("A round closes after it opens.")
        if self.unpaired_devices and not _ADMITS_UNPAIRED[self.scheme]:
            raise WireError(
                "Share sum does not protect unpaired devices (a client allied with the "
                "coordinator breaks it); admit paired clients only."
            )

    @property
    def scheme(self) -> Scheme:
        """The secure sum of this round."""
        return self.plan.scheme

    @cached_property
    def body(self) -> dict[str, Any]:
        """The manifest as a JSON object."""
        return {
            "version": VERSION,
            "population": self.population,
            "task": self.task,
            "round": self.round_id,
            "run": self.run,
            "number": self.number,
            "previous": self.previous,
            "parameters": self.parameters,
            "catalogue": self.catalogue,
            "code": self.code,
            "plan": self.plan.to_json(),
            "epsilon": self.epsilon,
            "purposes": list(self.purposes),
            "categories": list(self.categories),
            "key_hashes": list(self.key_hashes),
            "unpaired_devices": self.unpaired_devices,
            "opens": self.opens,
            "closes": self.closes,
        }

    def sign(self, key: Ed25519PrivateKey) -> SignedRecord:
        """Sign with the coordinator's key."""
        return SignedRecord.sign(RECORD_TYPE, self.body, key)

    @classmethod
    def verify(cls, record: SignedRecord, key: Ed25519PublicKey) -> Self:
        """Parse a manifest that the coordinator signed.

        Raises:
            WireError: not signed by ``key``, another version, or fields out of bounds.
        """
        body = record.verified(RECORD_TYPE, key)
        get_int(body, "version", low=VERSION, high=VERSION)
        manifest = cls._parse(body)
        if manifest.body != body:
            raise WireError("A manifest has unknown fields.")
        return manifest

    @classmethod
    def _parse(cls, body: dict[str, Any]) -> Self:
        parameters, plan = body.get("parameters"), body.get("plan")
        if not isinstance(parameters, dict) or not isinstance(plan, dict):
            raise WireError("A manifest has parameters and a plan.")
        if not isinstance(body.get("unpaired_devices"), bool):
            raise WireError("Field 'unpaired_devices': expected true or false.")
        wide = 2**53
        return cls(
            population=get_str(body, "population"),
            task=get_str(body, "task"),
            round_id=get_str(body, "round"),
            run=get_str(body, "run"),
            number=get_int(body, "number", low=0, high=2**40),
            previous=get_str(body, "previous"),
            parameters=parameters,
            catalogue=get_str(body, "catalogue"),
            code=get_str(body, "code"),
            plan=PrivacyPlan.from_json(plan),
            epsilon=_epsilon(body),
            purposes=get_strings(body, "purposes", max_count=32),
            categories=get_strings(body, "categories", max_count=32),
            key_hashes=get_strings(body, "key_hashes", max_count=HOLDERS),
            unpaired_devices=body["unpaired_devices"],
            opens=get_int(body, "opens", low=0, high=wide),
            closes=get_int(body, "closes", low=0, high=wide),
        )


def _epsilon(body: dict[str, Any]) -> float | None:
    """ε of the round; null says that privacy is off."""
    return None if body.get("epsilon") is None else get_float(body, "epsilon", low=0, high=1e9)


def context_of(record: SignedRecord) -> str:
    """The round's context: hex hash of the manifest's exact bytes."""
    return digest("manifest", record.body).hex()
