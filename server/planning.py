"""Planning a round for good: keys, manifest, accepts, each on disk before the next is asked for.

A round that was planned before goes on under the same documents. Manifests of a task form a chain:
each names the one before it, and key holders refuse two that follow the same one, so a coordinator
can't lead two populations of clients along two histories.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.tasks.task import Task
from crypto.dp.plan import PrivacyPlan
from crypto.errors import RoundError
from crypto.manifest import NO_MANIFEST, Manifest
from crypto.round_key import RoundKey, RoundKeyRequest
from crypto.sums.schemes import Scheme
from crypto.wire import SignedRecord, parse_object
from server.journal import Journal, write_durably
from server.rounds import PlannedRound, RoundPlace, RoundTerms, plan_round
from server.voting import Voting

# Clocks of parties differ by a little.
EARLY_S: Final = 5
# After the last answer: stores that seal again, key holders that check.
REPAIR_S: Final = 60
INGEST_S: Final = 240
_UNTIMED: Final = {"opens": 0, "closes": 0, "previous": "", "code": "", "key_hashes": []}


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a round stands: its run, and its number in it, from 0."""

    run: str = ""
    number: int = 0


# The spot of a round that is a run by itself.
ONLY: Final = Spot()


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Plans rounds into their journals. ``chain``: file with each task's last context."""

    journal: Journal
    voting: Voting
    terms: RoundTerms
    identity: Ed25519PrivateKey
    chain: Path
    timeout: float
    clock: Callable[[], float] = time.time

    def plan(self, task: Task, plan: PrivacyPlan, *, round_id: str, spot: Spot) -> PlannedRound:
        """The round as its journal has it, or planned now and written down.

        Raises:
            RoundError: it was begun under another plan, or a key holder does not take part.
        """
        record = self.journal.manifest
        planned = (
            self._fresh(task, plan, round_id, spot) if record is None else self._found(record, task)
        )
        self._check_same(planned, task, plan, spot)
        if not plan.scheme.votes:
            return planned
        if not self.journal.accepts:
            self.journal.accepted(self.voting.accepts(planned))
        return PlannedRound(
            task=planned.task,
            manifest=planned.manifest,
            record=planned.record,
            round_keys=planned.round_keys,
            accepts=self.journal.accepts,
        )

    def _fresh(self, task: Task, plan: PrivacyPlan, round_id: str, spot: Spot) -> PlannedRound:
        opens, closes = self._times(task, round_id, plan.scheme)
        place = RoundPlace(
            round_id=round_id,
            opens=opens,
            closes=closes,
            previous=self._previous(task),
            run=spot.run,
            number=spot.number,
        )
        planned = plan_round(
            task,
            plan,
            place=place,
            terms=self.terms,
            key=self.identity,
            round_keys=self.journal.round_keys,
        )
        self.journal.start(planned.record)
        self._follow(task, planned.context)
        return planned

    def _times(self, task: Task, round_id: str, scheme: Scheme) -> tuple[int, int]:
        """When the round opens and closes; with votes, as the key holders' round keys hold."""
        now = int(self.clock())
        opens = now - EARLY_S
        closes = now + int(self.timeout) + REPAIR_S + INGEST_S
        if not scheme.votes:
            return opens, closes
        if self.journal.key_request is None:
            request = RoundKeyRequest(
                population=self.terms.population,
                task=task.name,
                round_id=round_id,
                opens=opens,
                closes=closes,
            )
            self.journal.asked(request.sign(self.identity))
        if not self.journal.round_keys:
            self._ask_for_keys()
        keys = [
            RoundKey.verify(record, holder.identity)
            for record, holder in zip(self.journal.round_keys, self.voting.holders, strict=True)
        ]
        return max(key.not_before for key in keys), min(key.not_after for key in keys)

    def _ask_for_keys(self) -> None:
        signed = self.journal.key_request
        if signed is None:
            raise RoundError("Round keys are asked for by a request that is on disk.")
        request = RoundKeyRequest.verify(signed, self.identity.public_key())
        self.journal.keyed(self.voting.round_keys(request, signed))

    def _found(self, record: SignedRecord, task: Task) -> PlannedRound:
        manifest = Manifest.verify(record, self.identity.public_key())
        found = PlannedRound(
            task=task, manifest=manifest, record=record, round_keys=self.journal.round_keys
        )
        if self._previous(task) == manifest.previous:
            # The power went between manifest and chain. Without this the next one would fork.
            self._follow(task, found.context)
        return found

    def _check_same(self, planned: PlannedRound, task: Task, plan: PrivacyPlan, spot: Spot) -> None:
        manifest = planned.manifest
        place = RoundPlace(
            round_id=manifest.round_id,
            opens=manifest.opens,
            closes=manifest.closes,
            run=spot.run,
            number=spot.number,
        )
        wanted = plan_round(task, plan, place=place, terms=self.terms, key=self.identity).manifest
        if _timeless(manifest) != _timeless(wanted):
            raise RoundError(
                f"Round {manifest.round_id!r} of {task.name} was begun under another plan; start a "
                "new run under another id. Its charge, if any, stays in the ledger."
            )

    def _previous(self, task: Task) -> str:
        return str(self._chain().get(task.name, NO_MANIFEST))

    def _follow(self, task: Task, context: str) -> None:
        write_durably(self.chain, json.dumps(self._chain() | {str(task.name): context}).encode())

    def _chain(self) -> dict[str, Any]:
        if not self.chain.is_file():
            return {}
        return parse_object(self.chain.read_bytes(), what=str(self.chain))


def _timeless(manifest: Manifest) -> dict[str, Any]:
    return {**manifest.body, **_UNTIMED}
