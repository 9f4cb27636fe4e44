"""How devices, stores and the coordinator talk to the consent service.

Guarantee: fails closed. No answer, any status other than success, an answer of another form, or a
signature that the pinned key did not make is a ``ConsentError``; nothing is ever taken for
consent by default.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent import answers
from consent.ages import AgeBand
from consent.answers import (
    Committed,
    Consents,
    DevicePaired,
    Funnel,
    Offer,
    Participation,
    Registered,
    ServiceKeys,
    VerifiedGrant,
)
from consent.instructions_calls import InstructionCalls
from consent.notice import Language
from consent.pairing import PairingRequest, as_typed
from consent.participation import ParticipationRequest
from consent.purpose import Cell, Decision
from consent.record_calls import RecordCalls
from consent.rounds import RoundCalls
from consent.tasks.names import TaskName
from consent.transport import call
from crypto.commit import Commit
from crypto.errors import ConsentError, WireError
from crypto.grant import ParticipationGrant
from crypto.wire import SignedRecord, b64, parse_public_key, public_bytes, thumbprint

MAX_IDS_A_CALL: Final = 10_000


def fetch_keys(http: httpx.Client) -> ServiceKeys:
    """The service's name and key, to be pinned at setup; later calls compare, never re-learn.

    Raises:
        ConsentError: no proper answer.
    """
    answer = call(http, "GET", "/v1/keys", answers.KeysAnswer)
    try:
        key = parse_public_key(answer.public_key, what="service key")
    except (WireError, ValueError) as error:
        raise ConsentError("The consent service sent no usable key.") from error
    return ServiceKeys(issuer=answer.issuer, key=key)


class ConsentClient(RoundCalls, InstructionCalls, RecordCalls):
    """Calls to one consent service, whose public key is pinned.

    ``http`` carries the base URL and timeouts. ``coordinator_token`` is needed for ``eligible``,
    ``commit``, ``read_commit``, ``funnel``, ``publish_policy``, ``released`` and ``round`` only.
    ``clock`` gives Unix seconds.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        service_key: Ed25519PublicKey,
        coordinator_token: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(http, coordinator_token=coordinator_token)
        self._key = service_key
        self._clock = clock

    def keys(self) -> ServiceKeys:
        """The service's name and key.

        Raises:
            ConsentError: no proper answer, or another key than the pinned one.
        """
        found = fetch_keys(self._http)
        if public_bytes(found.key) != public_bytes(self._key):
            raise ConsentError("The consent service shows another key than the pinned one.")
        return found

    def register(
        self,
        decisions: Mapping[Cell, Decision],
        *,
        notice_version: str,
        client: Ed25519PublicKey | None = None,
        kind: str = "device",
        age_band: AgeBand = AgeBand.NOT_STATED,
        store_token: str | None = None,
        language: Language | None = None,
    ) -> Registered:
        """Register a shopper with her first decisions and, if named, her client.

        Agreeing to what leaves the device needs an ``age_band`` as she stated it. A client of kind
        ``store`` needs that store's ``store_token``. ``language`` is the one that the notice was
        shown in.

        Raises:
            ConsentError: no proper answer.
        """
        body: dict[str, Any] = {
            "consents": _decisions(decisions),
            "notice_version": notice_version,
            "age_band": age_band,
        }
        if language is not None:
            body["language"] = language
        if client is not None:
            body["client"] = {"public_key": b64(public_bytes(client)), "kind": kind}
        answer = call(
            self._http,
            "POST",
            "/v1/shoppers",
            answers.RegisteredAnswer,
            body=body,
            token=store_token,
        )
        return Registered(shopper=answer.shopper, token=answer.token, epoch=answer.epoch)

    def decide(
        self,
        shopper: str,
        token: str,
        decisions: Mapping[Cell, Decision],
        *,
        notice_version: str,
        seen_epoch: int | None = None,
        language: Language | None = None,
    ) -> Consents:
        """Take a shopper's decisions, all or none, with her token.

        A *no* is always taken. A *yes* counts only if her matrix is still the one of
        ``seen_epoch``: pass the epoch of what she was shown; without it, what is there now counts
        as seen. ``language`` is the one that the notice was shown in.

        Raises:
            ConsentError: no proper answer; whether the decisions were taken is then unknown, and
                ``consents`` tells.
        """
        body: dict[str, Any] = {
            "decisions": _decisions(decisions),
            "notice_version": notice_version,
        }
        if language is not None:
            body["language"] = language
        headers = None
        if Decision.GIVEN in decisions.values():
            seen = self.consents(shopper, token).epoch if seen_epoch is None else seen_epoch
            headers = {"If-Match": f'"{seen}"'}
        return self._consents("PUT", shopper, token, body, headers=headers)

    def consents(self, shopper: str, token: str) -> Consents:
        """A shopper's matrix as it stands, with her token.

        Raises:
            ConsentError: no proper answer.
        """
        return self._consents("GET", shopper, token, None)

    def _consents(
        self,
        method: str,
        shopper: str,
        token: str,
        body: dict[str, Any] | None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Consents:
        path = f"/v1/shoppers/{quote(shopper, safe='')}/consents"
        answer = call(
            self._http,
            method,
            path,
            answers.ConsentsAnswer,
            body=body,
            token=token,
            headers=headers,
        )
        if answer.shopper != shopper:
            raise ConsentError("The consent service answered about another shopper.")
        cells = {Cell(entry.purpose, entry.category): entry.state for entry in answer.consents}
        return Consents(epoch=answer.epoch, cells=cells, restricted=answer.restricted)

    def pair(
        self, shopper: str, token: str, *, client: Ed25519PublicKey, kind: str = "device"
    ) -> int:
        """Make a client the one that stands for a shopper; returns her consent epoch.

        Raises:
            ConsentError: no proper answer.
        """
        body = {"public_key": b64(public_bytes(client)), "kind": kind}
        path = f"/v1/shoppers/{quote(shopper, safe='')}/client"
        answer = call(self._http, "POST", path, answers.PairedAnswer, body=body, token=token)
        if answer.client != thumbprint(client):
            raise ConsentError("The consent service paired another client.")
        return answer.epoch

    def pair_by_code(
        self,
        signing_key: Ed25519PrivateKey,
        code: str,
        *,
        tasks: Sequence[TaskName] = (),
    ) -> DevicePaired:
        """Answer the code that a shopper was shown; ``signing_key`` is the device's own.

        Without ``tasks`` the device stands for her in all that no other one is named for.

        Raises:
            WireError: the text is no code.
            ConsentError: no proper answer; the code may then be used up.
        """
        request = PairingRequest(
            code=as_typed(code),
            client_key=signing_key.public_key(),
            issued_at=int(self._clock()),
            tasks=tuple(tasks),
        )
        answer = call(
            self._http,
            "POST",
            "/v1/pairings",
            answers.DevicePairedAnswer,
            body=request.sign(signing_key).to_json(),
        )
        if answer.client != request.client:
            raise ConsentError("The consent service paired another client.")
        return DevicePaired(shopper=answer.shopper, token=answer.token, epoch=answer.epoch)

    def participation(
        self,
        signing_key: Ed25519PrivateKey,
        *,
        task: TaskName,
        round_id: str,
        context: str,
        shoppers: Sequence[str],
    ) -> Participation:
        """Ask for grants of a round; ``signing_key`` is the client's own.

        Guarantee: every grant is signed by the pinned key for this client, task, round and
        context, and every asked shopper is answered exactly once.

        Raises:
            ConsentError: no proper answer, or a grant that does not hold.
        """
        request = ParticipationRequest(
            task=task,
            round_id=round_id,
            context=context,
            client_key=signing_key.public_key(),
            issued_at=int(self._clock()),
            shoppers=tuple(shoppers),
        )
        answer = call(
            self._http,
            "POST",
            "/v1/participation",
            answers.ParticipationAnswer,
            body=request.sign(signing_key).to_json(),
        )
        named = [e.shopper for e in answer.grants] + [e.shopper for e in answer.refused]
        if sorted(named) != sorted(shoppers):
            raise ConsentError("The consent service did not answer for each shopper once.")
        grants = {entry.shopper: self._verified(entry.token, request) for entry in answer.grants}
        ids = {verified.grant.token_id for verified in grants.values()}
        if len(ids) != len(grants):
            raise ConsentError("The consent service sent one grant for two shoppers.")
        return Participation(
            grants=grants, refused={entry.shopper: entry.reason for entry in answer.refused}
        )

    def _verified(self, token: str, request: ParticipationRequest) -> VerifiedGrant:
        try:
            grant = ParticipationGrant.verify(
                token,
                self._key,
                task=request.task,
                context=request.context,
                client_key=request.client,
                now=int(self._clock()),
            )
        except WireError as error:
            raise ConsentError(f"The consent service sent a grant that fails: {error}") from error
        if grant.round_id != request.round_id:
            raise ConsentError("The consent service sent a grant for another round.")
        return VerifiedGrant(token=token, grant=grant)

    def standing(self, token_ids: Iterable[str]) -> frozenset[str]:
        """Those of these grants that stand now.

        Raises:
            ConsentError: no proper answer; none of them may then be taken to stand.
        """
        asked = sorted(set(token_ids))
        found: set[str] = set()
        for start in range(0, len(asked), MAX_IDS_A_CALL):
            body = {"token_ids": asked[start : start + MAX_IDS_A_CALL]}
            found.update(
                call(self._http, "POST", "/v1/standing", answers.StandingAnswer, body=body).standing
            )
        if not found <= set(asked):
            raise ConsentError("The consent service answered about grants nobody asked for.")
        return frozenset(found)

    def eligible(self, task: TaskName, clients: Sequence[str]) -> tuple[str, ...]:
        """Those of these clients (thumbprints) that have a shopper with live consent.

        Raises:
            ConsentError: no proper answer.
        """
        body = {"task": task, "clients": list(clients)}
        answer = self._coordinate("POST", "/v1/eligible", answers.EligibleAnswer, body=body)
        if not set(answer.eligible) <= set(clients):
            raise ConsentError("The consent service answered about clients nobody asked for.")
        return tuple(answer.eligible)

    def commit(
        self, *, task: TaskName, round_id: str, context: str, offers: Sequence[Offer]
    ) -> Committed:
        """Freeze a round and get its signed list.

        Guarantee: the list is signed by the pinned key for this round, and each offered upload
        is either in it, with its own client and number of shoppers, or among the dropped.

        Raises:
            ConsentError: no proper answer, or a list that does not hold; nothing may be released.
        """
        uploads = [
            {"upload": o.upload, "client": o.client, "grants": list(o.grants)} for o in offers
        ]
        body = {"task": task, "round": round_id, "context": context, "uploads": uploads}
        answer = self._coordinate("POST", "/v1/commits", answers.CommitAnswer, body=body)
        committed = self._committed(answer, task, round_id)
        if committed.commit.context != context:
            raise ConsentError("The consent service committed another context.")
        offered = {o.upload: (o.client, len(o.grants)) for o in offers}
        listed = {e.upload: (e.client, e.shoppers) for e in committed.commit.uploads}
        dropped = committed.dropped.keys()
        if not listed.items() <= offered.items() or offered.keys() - listed.keys() != dropped:
            raise ConsentError("The consent service committed another list than was offered.")
        return committed

    def read_commit(self, *, task: TaskName, round_id: str) -> Committed:
        """The commit of a round that was frozen before.

        Raises:
            ConsentError: there is none, no proper answer, or a signature that does not hold.
        """
        path = f"/v1/commits/{task}/{quote(round_id, safe='')}"
        answer = self._coordinate("GET", path, answers.CommitAnswer)
        return self._committed(answer, task, round_id)

    def _committed(self, answer: answers.CommitAnswer, task: TaskName, round_id: str) -> Committed:
        try:
            record = SignedRecord.from_json(answer.commit.model_dump())
            commit = Commit.verify(record, self._key)
        except WireError as error:
            raise ConsentError(f"The consent service sent a commit that fails: {error}") from error
        if (commit.task, commit.round_id) != (task, round_id):
            raise ConsentError("The consent service sent the commit of another round.")
        dropped = {entry.upload: entry.reason for entry in answer.dropped}
        return Committed(record=record, commit=commit, dropped=dropped)

    def funnel(self, task: TaskName, round_id: str) -> Funnel:
        """The consent funnel of a round.

        Raises:
            ConsentError: no proper answer.
        """
        return self._coordinate(
            "GET", "/v1/funnel", Funnel, params={"task": task, "round": round_id}
        )


def _decisions(decisions: Mapping[Cell, Decision]) -> list[dict[str, str]]:
    return [
        {"purpose": cell.purpose, "category": cell.category, "decision": decision}
        for cell, decision in decisions.items()
    ]
