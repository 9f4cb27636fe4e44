"""Shoppers whom a restored backup brought back, although they had been erased.

They are on the list of the erased, which no restore rolls back, and in the database without an
erasure. A service does not start while there are any; ``erase_again`` carries out once more what
they asked for.
"""

import json
from dataclasses import dataclass

from sqlalchemy.orm import Session

from consent.rights.clock import Residence
from consent.rights.request import RequestKind, RequestState
from consent.service.audit import service as audit
from consent.service.context import Context
from consent.service.erasure import listed
from consent.service.erasure.listed import Erased
from consent.service.erasure.repository import ErasureRepository
from consent.service.erasure.schemas import Tier
from consent.service.rights.carry import carry_out
from consent.service.rights.progress import SERVICE
from consent.service.rights.repository import RightsRepository
from consent.service.rights.schemas import NewRequest
from consent.service.rights.service import opened
from consent.service.rights.tables import RightsRequest
from consent.service.shoppers.repository import ShopperRepository
from crypto.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """How many are on the list of the erased, and how many of them were erased again."""

    listed: int
    erased: int


def refuse(context: Context) -> None:
    """Refuse to serve as long as somebody is back who had been erased.

    It also puts on the list whom the database knows as erased and the list does not: another
    machine's erasures, or those from before there was a list.

    Raises:
        InvalidInputError: somebody is back, with the command to run; or the list is damaged.
    """
    entries = listed.of(context).read()
    _add_missing(context, entries)
    with context.database.reading() as session:
        found = _back(session, entries)
    if not found:
        return
    with context.database.writing() as session:  # after an erasure that is just being committed
        found = _back(session, entries)
    if found:
        raise InvalidInputError(
            f"A backup was restored, and {len(found)} of its shoppers had been erased since. "
            "Before the service can start, run: fedcart consent repeat-erasures --home "
            f"{context.settings.erased.parent}"
        )


def erase_again(context: Context) -> Repeated:
    """Erase whoever is back, one transaction each; each is in the audit trail.

    Whoever took her request back after she was put on the list, because the erasure had failed, is
    left alone.

    Raises:
        InvalidInputError: the list is damaged.
    """
    entries, done = listed.of(context).read(), 0
    with context.database.reading() as session:
        found = _back(session, entries)
    for entry in found:
        with context.database.writing() as session:
            if _back(session, {entry.shopper: entry}):
                _erase(context, session, entry)
                done += 1
    return Repeated(listed=len(entries), erased=done)


def _back(session: Session, entries: dict[str, Erased]) -> list[Erased]:
    present = ErasureRepository(session).not_erased(entries)
    return [entries[each] for each in sorted(present) if not _took_back(session, entries[each])]


def _took_back(session: Session, entry: Erased) -> bool:
    return any(
        request.state in (RequestState.CANCELLED, RequestState.REFUSED)
        and (request.closed_at or 0) >= entry.time
        for request in RightsRepository(session).erasures(entry.shopper)
    )


def _erase(context: Context, session: Session, entry: Erased) -> None:
    request = _request(context, session, entry)
    request.details = json.dumps(
        {**json.loads(request.details), "exact": entry.tier is Tier.EXACT}, ensure_ascii=False
    )
    details = {"erased_at": entry.time}
    audit.record(context, session, None, "erasure.repeated", request.id, details)
    carry_out(context, session, request, SERVICE)


def _request(context: Context, session: Session, entry: Erased) -> RightsRequest:
    """The request that she confirmed, if the backup has it; else one in its place."""
    for request in RightsRepository(session).erasures(entry.shopper):
        if request.state == RequestState.AWAITING_PROOF:
            return request
    shopper = ShopperRepository(session).find(entry.shopper)
    residence = (shopper and shopper.residence) or Residence.ELSEWHERE
    asked = NewRequest(kind=RequestKind.ERASURE, residence=Residence(residence))
    return opened(context, session, entry.shopper, asked, context.new_id(), by=SERVICE)


def _add_missing(context: Context, entries: dict[str, Erased]) -> None:
    with context.database.reading() as session:
        standing = ErasureRepository(session).standing(now=context.now_ms())
    missing = [each for each in standing if each[0] not in entries]
    if not missing:
        return
    with context.database.writing():
        for shopper, time, exact in missing:
            entry = Erased(shopper, time, Tier.EXACT if exact else Tier.RECORDS)
            listed.of(context).add(entry)
