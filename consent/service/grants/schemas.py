"""Answers to a request to take part. The request itself is a signed record."""

from enum import StrEnum

from consent.service.schemas import Schema


class RefusalReason(StrEnum):
    """Why a shopper got no grant.

    ``NOT_MEMBER`` also covers shoppers who do not exist, so ids can't be probed. ``WITHDRAWN``
    means that her grant of this round died; the round goes on without her even if she agrees
    again.
    """

    NOT_MEMBER = "not-member"
    NO_CONSENT = "no-consent"
    WITHDRAWN = "withdrawn"
    OTHER_CLIENT = "other-client"


class GrantedShopper(Schema):
    """A shopper's grant: a JWT that only the asking client can use."""

    shopper: str
    token: str


class RefusedShopper(Schema):
    """A shopper without a grant, and why."""

    shopper: str
    reason: RefusalReason


class ParticipationAnswer(Schema):
    """Every asked shopper, either granted or refused."""

    grants: list[GrantedShopper]
    refused: list[RefusedShopper]
