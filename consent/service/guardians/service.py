"""Stating an age band, tying a guardian to a minor, and the guardian's grants.

A guardian is another shopper of this service, who stated that she is an adult and has just shown
who she is. She sees her ward's matrix and decides about it; she sees neither diary nor points,
neither history nor receipts: these are the minor's own.
"""

import base64
import hmac
from typing import Final

from sqlalchemy.orm import Session

from consent.ages import AgeBand, Capacity, bound, capacity, may_state
from consent.purpose import CELLS, LIVE_STATES, Cell, Decision
from consent.rights.clock import Residence
from consent.service import etag, rates
from consent.service.context import Context
from consent.service.guardians import gate
from consent.service.guardians.repository import AgeRepository, GuardianRepository
from consent.service.guardians.schemas import Age, ShownCode, Ward, Wards
from consent.service.guardians.tables import GuardianCode, GuardianLink
from consent.service.principals import Role, authorised, proved, required
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.shoppers import service as shoppers
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import Consents, Decisions
from consent.service.tables import Shopper
from consent.standing import ShopperConsent

CODE_LASTS_MS: Final = 15 * 60 * 1000
_CODE_BYTES: Final = 5
_NO_CODE: Final = "No minor shows this code now; ask her for a new one."


def read_age(context: Context, shopper_id: str, token: str) -> Age:
    """What a shopper stated of her age.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        return _age(context, session, authorised(context, session, shopper_id, token))


def state_age(context: Context, shopper_id: str, token: str, band: AgeBand) -> Age:
    """State another age band; whatever its holder may not have agreed to alone lapses.

    Consent that a guardian gave ends with guardianship: she is asked anew.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, an older band too soon after the last
            statement, or none.
    """
    with context.database.writing() as session:
        shopper = authorised(context, session, shopper_id, token)
        restate(context, session, shopper, band)
        return _age(context, session, shopper)


def restate(context: Context, session: Session, shopper: Shopper, band: AgeBand) -> None:
    """``state_age`` in the caller's transaction, which knows that it is she who asks.

    Raises:
        Problem: 409, an older band too soon after the last statement, or none.
    """
    ages, now = AgeRepository(session), context.now_ms()
    before, at = ages.stated(shopper.id)
    if band is before:
        return
    if not may_state(before, at, band, now):
        raise Problem(409, "An older age band can be stated 30 days after the last one.")
    ages.state(shopper.id, band, time=now)
    where = gate.place(context, shopper.residence)
    _end_what_does_not_count(
        context, session, shopper.id, was_bound=bound(before, where), band=band, where=where
    )


def relocate(context: Context, session: Session, shopper_id: str, residence: Residence) -> None:
    """Store where a shopper says that she lives, in the transaction of her asking.

    If she needs a guardian there and did not before, whatever she agreed to alone lapses; if she
    needs one no more, so does what a guardian gave: she is asked anew.

    Raises:
        Problem: 404, no such shopper.
    """
    repository = ShopperRepository(session)
    shopper = repository.find(shopper_id)
    if shopper is None:
        raise Problem(404, "There is no such shopper.")
    band, _ = AgeRepository(session).stated(shopper_id)
    was_bound = bound(band, gate.place(context, shopper.residence))
    where = gate.place(context, residence)
    repository.save_residence(shopper_id, residence)
    if was_bound != bound(band, where):
        _end_what_does_not_count(
            context, session, shopper_id, was_bound=was_bound, band=band, where=where
        )


def show_code(context: Context, shopper_id: str, token: str) -> ShownCode:
    """A short code with which an adult becomes a minor's guardian.

    Raises:
        Problem: 404, no such shopper, or not her token; 409, she needs no guardian or has one; 429.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)  # only her own tries are counted
    rates.check(context, "guardian", shopper_id)
    raw = context.settings.entropy(_CODE_BYTES)
    code, expires = base64.b32encode(raw).decode(), context.now_ms() + CODE_LASTS_MS
    with context.database.writing() as session:
        age = _age(context, session, authorised(context, session, shopper_id, token))
        if not age.guardian_needed or age.guardian:
            raise Problem(409, "Only a minor who needs a guardian and has none gets a code.")
        GuardianRepository(session).add_code(
            GuardianCode(
                code_hash=_code_hash(context, code), ward_id=shopper_id, expires_at=expires
            )
        )
    return ShownCode(code=f"{code[:4]}-{code[4:]}", expires_at=expires)


def adopt(context: Context, guardian_id: str, token: str, code: str) -> Ward:
    """Become the guardian of the minor who showed a code. A code works once.

    Raises:
        Problem: 404, not the guardian's token; 403, she has not just shown who she is; 409, she
            has not stated that she is an adult, or the minor has a guardian; 422, no such code, or
            none any more; 429.
    """
    with context.database.reading() as session:
        _adult(context, session, guardian_id, token)  # only her own tries are counted
    rates.check(context, "guardian", guardian_id)
    with context.database.writing() as session:
        now = context.now_ms()
        found = GuardianRepository(session).take_code(_code_hash(context, code), now=now)
    # Used up in a transaction of its own, so that a refusal below never revives it.
    if found is None or found.ward_id == guardian_id:
        raise Problem(422, _NO_CODE)
    with context.database.writing() as session:
        _adult(context, session, guardian_id, token)
        guardians = GuardianRepository(session)
        ward = ShopperRepository(session).find(found.ward_id)
        age = None if ward is None else _age(context, session, ward)
        if age is None or not age.guardian_needed:  # no more, since she asked for the code
            raise Problem(422, _NO_CODE)
        if age.guardian:
            raise Problem(409, "This minor has a guardian already.")
        link = GuardianLink(ward_id=found.ward_id, guardian_id=guardian_id, since=now)
        guardians.tie(link)
        return _ward(session, link)


def read_wards(context: Context, guardian_id: str, token: str) -> Wards:
    """Everybody whose guardian a shopper is.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, guardian_id, token)
        links = GuardianRepository(session).wards(guardian_id)
        return Wards(wards=[_ward(session, link) for link in links])


def read_consents(context: Context, guardian_id: str, token: str, ward_id: str) -> Consents:
    """A ward's matrix.

    Raises:
        Problem: 404, not the guardian's token, or not her ward.
    """
    with context.database.reading() as session:
        ward = _own_ward(context, session, guardian_id, token, ward_id)
        return shoppers.matrix(context, session, ward)


def decide(
    context: Context,
    guardian_id: str,
    token: str,
    ward_id: str,
    request: Decisions,
    *,
    if_match: str | None = etag.ANY,
) -> Consents:
    """Decide as a guardian: agree to what the ward has asked for, or say no to anything.

    Raises:
        Problem: 404, not the guardian's token, or not her ward; 403, a *yes* without having just
            shown who she is; 409 and 412 as for her own decisions.
    """
    with context.database.writing() as session:
        ward = _own_ward(context, session, guardian_id, token, ward_id)
        if any(entry.decision is Decision.GIVEN for entry in request.decisions):
            _adult(context, session, guardian_id, token)
        return shoppers.take(context, session, ward, request, if_match=if_match, by_guardian=True)


def release(context: Context, guardian_id: str, token: str, ward_id: str) -> None:
    """End a guardianship as the guardian; what she agreed to ends with it.

    Raises:
        Problem: 404, not the guardian's token, or not her ward.
    """
    with context.database.writing() as session:
        _untie(context, session, _own_ward(context, session, guardian_id, token, ward_id).id)


def leave(context: Context, ward_id: str, token: str) -> None:
    """End a guardianship as the ward; what the guardian agreed to ends with it.

    Raises:
        Problem: 404, no such shopper, not her token, or she has no guardian.
    """
    with context.database.writing() as session:
        authorised(context, session, ward_id, token)
        if GuardianRepository(session).link(ward_id) is None:
            raise Problem(404, "There is no guardian.")
        _untie(context, session, ward_id)


def erase(context: Context, session: Session, shopper_id: str) -> None:
    """End everything in which a shopper is ward or guardian, as she is erased.

    Guarantee: what she agreed to for others ends too: nobody answers for it any more.
    """
    guardians = GuardianRepository(session)
    for link in guardians.wards(shopper_id):
        _untie(context, session, link.ward_id)
    guardians.erase(shopper_id)


def _untie(context: Context, session: Session, ward_id: str) -> None:
    GuardianRepository(session).untie(ward_id)
    records.settle(context, session, [ward_id])
    records.lapse(context, session, [ward_id], _given)


def _end_what_does_not_count(
    context: Context,
    session: Session,
    shopper_id: str,
    *,
    was_bound: bool,
    band: AgeBand,
    where: str,
) -> None:
    """End what somebody of this band, at this place, may not have agreed to alone."""
    if was_bound and not bound(band, where):
        GuardianRepository(session).untie(shopper_id)

    def doubtful(consent: ShopperConsent) -> frozenset[Cell]:
        return frozenset(
            cell
            for cell in _given(consent)
            if was_bound or capacity(band, cell, where) is not Capacity.ALONE
        )

    records.settle(context, session, [shopper_id])
    records.lapse(context, session, [shopper_id], doubtful)


def _given(consent: ShopperConsent) -> frozenset[Cell]:
    return frozenset(cell for cell in CELLS if consent.state(cell) in LIVE_STATES)


def _own_ward(
    context: Context, session: Session, guardian_id: str, token: str, ward_id: str
) -> Shopper:
    authorised(context, session, guardian_id, token)
    found = ShopperRepository(session).find(ward_id)
    link = None if found is None else GuardianRepository(session).link(ward_id)
    if found is None or link is None or link.guardian_id != guardian_id:
        raise Problem(404, "There is no such ward of this guardian.")
    return found


def _adult(context: Context, session: Session, guardian_id: str, token: str) -> None:
    """Refuse whoever can't answer for a minor now."""
    authorised(context, session, guardian_id, token)
    proved(context, required(context, session, token, Role.SHOPPER))
    band, _ = AgeRepository(session).stated(guardian_id)
    if band is not AgeBand.ADULT:
        raise Problem(409, "A guardian states first that she is an adult.", kind=gate.STATE_AGE)


def _age(context: Context, session: Session, shopper: Shopper) -> Age:
    band, at = AgeRepository(session).stated(shopper.id)
    return Age(
        shopper=shopper.id,
        band=band,
        stated_at=at or None,
        guardian_needed=bound(band, gate.place(context, shopper.residence)),
        guardian=GuardianRepository(session).link(shopper.id) is not None,
    )


def _ward(session: Session, link: GuardianLink) -> Ward:
    band, _ = AgeRepository(session).stated(link.ward_id)
    waiting = GuardianRepository(session).waiting(link.ward_id)
    return Ward(ward=link.ward_id, band=band, since=link.since, waiting=waiting)


def _code_hash(context: Context, code: str) -> str:
    """The HMAC that is stored of a code: a plain hash of so short a text would give it away."""
    key = context.derived_key("guardian codes")
    return hmac.digest(key, code.replace("-", "").encode(), "sha256").hex()
