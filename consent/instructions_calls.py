"""Calls to the consent service about instructions: fetching them, reporting, and the tracker.

Part of ``consent.client.ConsentClient``, and fails closed like the rest of it: an instruction that
the pinned key did not sign, or that is another client's, is never handed on.
"""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.answers import Answer, Page, RecordAnswer
from consent.instruction import Instruction, InstructionState
from consent.instruction_report import MAX_REPORTS, FetchRequest, Report
from consent.transport import call, send
from crypto.errors import ConsentError, WireError
from crypto.wire import SignedRecord, thumbprint


class InstructionsAnswer(Page):
    """A page of open instructions."""

    instructions: list[RecordAnswer]


class ReportedAnswer(Answer):
    """How one instruction stands after a report."""

    instruction: str
    state: InstructionState | None


class ReportsAnswer(Answer):
    """How some instructions stand."""

    reported: list[ReportedAnswer]


class InstructionCalls:
    """What a client asks and reports, proved by its own key."""

    _http: httpx.Client
    _key: Ed25519PublicKey
    _clock: Callable[[], float]

    def instructions(self, signing_key: Ed25519PrivateKey) -> Iterator[Instruction]:
        """The open instructions to the client of this key, by number, a page at a time.

        Guarantee: each is signed by the pinned key, for this client, and numbers only grow.

        Raises:
            ConsentError: no proper answer, or an instruction that does not hold.
        """
        own, after = thumbprint(signing_key.public_key()), 0
        while True:
            request = FetchRequest(
                client_key=signing_key.public_key(), issued_at=int(self._clock()), after=after
            )
            body = request.sign(signing_key).to_json()
            page = call(self._http, "POST", "/v1/instructions/fetch", InstructionsAnswer, body=body)
            for record in page.instructions:
                found = self._instruction(record)
                if found.client != own or found.number <= after:
                    raise ConsentError("The consent service sent another client's instruction.")
                after = found.number
                yield found
            if page.next is None:
                return
            if page.next != after:
                raise ConsentError("The consent service's pages do not end.")

    def report(
        self, signing_key: Ed25519PrivateKey, reports: Sequence[Report]
    ) -> dict[str, InstructionState | None]:
        """Report what came of instructions; repeatable.

        Returns:
            How each stands now, by id; None for one that the service does not know.

        Raises:
            ConsentError: no proper answer; report again later.
        """
        known: dict[str, InstructionState | None] = {}
        for start in range(0, len(reports), MAX_REPORTS):
            part = reports[start : start + MAX_REPORTS]
            body = {"reports": [each.sign(signing_key).to_json() for each in part]}
            answer = call(self._http, "POST", "/v1/instructions/report", ReportsAnswer, body=body)
            if [each.instruction for each in answer.reported] != [e.instruction for e in part]:
                raise ConsentError("The consent service did not answer each report once.")
            known |= {each.instruction: each.state for each in answer.reported}
        return known

    def withdrawal_bundle(self, shopper: str, token: str, epoch: int) -> bytes:
        """The proof of a withdrawal as a file to keep: ``fedcart consent verify --bundle``.

        Raises:
            ConsentError: no proper answer.
        """
        path = f"/v1/shoppers/{quote(shopper, safe='')}/withdrawals/{epoch}/bundle"
        return send(self._http, "GET", path, token=token)

    def _instruction(self, answer: RecordAnswer) -> Instruction:
        try:
            return Instruction.verify(SignedRecord.from_json(answer.model_dump()), self._key)
        except WireError as error:
            raise ConsentError(
                f"The consent service sent an instruction that fails: {error}"
            ) from error
