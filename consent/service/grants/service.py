"""Deciding who takes part in a round, for all shoppers of one request in one transaction.

The transaction fixes the terms; the grants are signed after it, so that signing never holds up a
withdrawal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from consent import standing as rules
from consent.client_record import MAX_AGE_S
from consent.participation import ParticipationRequest
from consent.service.context import Context
from consent.service.grants.repository import GrantRepository
from consent.service.grants.schemas import (
    GrantedShopper,
    ParticipationAnswer,
    RefusalReason,
    RefusedShopper,
)
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.rounds.repository import PolicyRepository
from consent.service.signals import gate as signals
from consent.service.standing.repository import Member, StandingRepository
from consent.service.tables import Grant
from consent.tasks.names import REQUIRED_PURPOSE
from crypto.grant import ParticipationGrant
from crypto.wire import SignedRecord

NO_POLICY: Final = "urn:fedcart:problem:no-policy"


def participate(
    context: Context, record: SignedRecord, *, signal: bool = False
) -> ParticipationAnswer:
    """Issue one grant for each asked shopper who belongs to the client and agrees to the task.

    Guarantee: a shopper has at most one grant a round. The same client may ask again under the
    same context and gets the same grant with a later expiry, if it still stands. Where the
    coordinator's key is pinned, a grant is only ever for a policy that was published. ``signal``
    is whether the client sends Global Privacy Control, which binds its shoppers.

    Raises:
        WireError: the record is malformed or not signed by the key that it names.
        Problem: 422, made more than MAX_AGE_S from now; 409, the round is committed, has no
            published policy of this context, or the client already holds a grant of it under
            another one.
    """
    request = ParticipationRequest.parse(record)
    if not request.is_fresh(context.now()):
        raise Problem(422, f"This request was not made within {MAX_AGE_S} s of now; sign anew.")
    with context.database.writing() as session:
        if signal:
            _see_signal(context, session, request)
        records.settle_client(context, session, request.client)
        outcome = _Round.open(context, session, request).judge_all()
    context.metrics.grants_issued.inc(len(outcome.granted))
    for reason in outcome.refused.values():
        context.metrics.grants_refused.labels(reason).inc()
    return ParticipationAnswer(
        grants=[
            GrantedShopper(shopper=who, token=grant.sign(context.key))
            for who, grant in outcome.granted.items()
        ],
        refused=[RefusedShopper(shopper=who, reason=why) for who, why in outcome.refused.items()],
    )


def _see_signal(context: Context, session: Session, request: ParticipationRequest) -> None:
    repository = StandingRepository(session, now=context.now_ms())
    own = {member.shopper_id for member in repository.members([request.client], request.task)}
    signals.see(context, session, sorted(own.intersection(request.shoppers)))


def _check_policy(context: Context, session: Session, request: ParticipationRequest) -> None:
    """Refuse a round that no shopper could have read about."""
    if context.settings.coordinator_key is None:
        return
    policy = PolicyRepository(session).find(request.task, request.round_id)
    if policy is None or policy.context != request.context:
        raise Problem(409, "No task policy of this round and context is published.", kind=NO_POLICY)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Who got which grant, which of those are new, and who was refused; by shopper."""

    granted: dict[str, ParticipationGrant] = field(default_factory=dict)
    fresh: dict[str, ParticipationGrant] = field(default_factory=dict)
    refused: dict[str, RefusalReason] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One request with what its transaction knows of the client's shoppers."""

    context: Context
    request: ParticipationRequest
    grants: GrantRepository
    now: int
    after_event: int
    members: dict[str, Member]
    existing: dict[str, Grant]

    @classmethod
    def open(cls, context: Context, session: Session, request: ParticipationRequest) -> "_Round":
        grants = GrantRepository(session, task=request.task, round_id=request.round_id)
        _check_policy(context, session, request)
        state = grants.state(request.client, request.context)
        if state.committed:
            raise Problem(409, "This round is committed; no more grants are issued for it.")
        if state.other_context:
            raise Problem(409, "This client holds a grant of this round under another context.")
        members = StandingRepository(session, now=context.now_ms()).members(
            [request.client], request.task
        )
        return cls(
            context=context,
            request=request,
            grants=grants,
            now=int(context.now()),
            after_event=state.last_event,
            members={member.shopper_id: member for member in members},
            existing=grants.of_members(request.client),
        )

    def judge_all(self) -> _Outcome:
        outcome = _Outcome()
        for shopper_id in self.request.shoppers:
            refusal = self._refusal(shopper_id)
            if refusal is None:
                self._grant(shopper_id, outcome)
            else:
                outcome.refused[shopper_id] = refusal
        self.grants.add(outcome.fresh, after_event=self.after_event)
        self.grants.record_refusals(
            {who: why for who, why in outcome.refused.items() if who in self.members}
        )
        return outcome

    def _refusal(self, shopper_id: str) -> RefusalReason | None:
        member = self.members.get(shopper_id)
        if member is None:
            return RefusalReason.NOT_MEMBER
        consent, task = member.consent, self.request.task
        earlier = self.existing.get(shopper_id)
        if earlier is None:
            return None if consent.allows(task) else RefusalReason.NO_CONSENT
        if earlier.client_id != self.request.client:
            return RefusalReason.OTHER_CLIENT
        stands = rules.stands(task=task, epoch=earlier.epoch, consent=consent)
        return None if stands else RefusalReason.WITHDRAWN

    def _grant(self, shopper_id: str, outcome: _Outcome) -> None:
        earlier = self.existing.get(shopper_id)
        if earlier is not None:
            earlier.issued_at, earlier.expires_at = self.now, self._expiry()
            outcome.granted[shopper_id] = self._claims(
                epoch=earlier.epoch,
                notice_version=earlier.notice_version,
                categories=earlier.categories.split(),
                token_id=earlier.token_id,
                subject=earlier.subject,
            )
            return
        member = self.members[shopper_id]
        outcome.granted[shopper_id] = outcome.fresh[shopper_id] = self._claims(
            epoch=member.consent.epoch,
            notice_version=member.notice_version,
            categories=sorted(member.consent.categories(REQUIRED_PURPOSE[self.request.task])),
            token_id=self.context.new_id(),
            subject=self.context.new_id(),
        )

    def _claims(
        self,
        *,
        epoch: int,
        notice_version: str,
        categories: Sequence[str],
        token_id: str,
        subject: str,
    ) -> ParticipationGrant:
        return ParticipationGrant(
            issuer=self.context.settings.issuer,
            task=self.request.task,
            round_id=self.request.round_id,
            context=self.request.context,
            subject=subject,
            token_id=token_id,
            client_key=self.request.client,
            purposes=(REQUIRED_PURPOSE[self.request.task],),
            categories=tuple(categories),
            notice_version=notice_version,
            epoch=epoch,
            issued_at=self.now,
            expires_at=self._expiry(),
        )

    def _expiry(self) -> int:
        return self.now + self.context.settings.grant_lifetime_s
