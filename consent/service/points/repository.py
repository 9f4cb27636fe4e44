"""Every query about the points ledger and discount codes."""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import bindparam, case, func, insert, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.incentive import OPT_IN
from consent.purpose import LIVE_STATES
from consent.service.database import chunks
from consent.service.points.schemas import Account
from consent.service.points.tables import CodeUse, DiscountCode, PointsEntry
from consent.service.tables import METADATA, Consent

_ADD: Final = insert(METADATA.tables["points_entry"])
_SIGNED = case((col(PointsEntry.credit) == Account.SHOPPER, 1), else_=-1) * col(PointsEntry.points)
_OPTED_IN = select(col(Consent.shopper_id)).where(
    col(Consent.purpose) == OPT_IN.purpose,
    col(Consent.category) == OPT_IN.category,
    col(Consent.state).in_(list(LIVE_STATES)),
    or_(col(Consent.expires_at).is_(None), col(Consent.expires_at) > bindparam("now")),
    col(Consent.shopper_id).in_(bindparam("shoppers", expanding=True)),
)


RETURNED: Final = "returned:"


def returned(code_id: str) -> str:
    """The reference of the entry that gives back the points of a code."""
    return f"{RETURNED}{code_id}"


class PointsRepository:
    """The ledger as one transaction sees it and adds to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def opted_in(self, shoppers: Iterable[str], *, now: int) -> set[str]:
        """Those of some shoppers whose own opt-in to points is given at ``now``."""
        found: set[str] = set()
        for part in chunks(shoppers):
            found.update(self._session.scalars(_OPTED_IN, {"now": now, "shoppers": part}))
        return found

    def issue(self, credits_by_reference: Mapping[str, str], *, points: int, time: int) -> None:
        """Credit some shoppers with the same points, each under a reference of her own."""
        rows = [
            {
                "shopper_id": shopper,
                "debit": Account.ISSUER.value,
                "credit": Account.SHOPPER.value,
                "points": points,
                "reference": reference,
                "time": time,
            }
            for reference, shopper in credits_by_reference.items()
        ]
        if rows:
            self._session.execute(_ADD, rows)

    def redeem(self, code: DiscountCode) -> None:
        """Store a code and debit its shopper with its points."""
        self._session.add(code)
        self._session.flush()
        entry = PointsEntry(
            shopper_id=code.shopper_id,
            debit=Account.SHOPPER.value,
            credit=Account.REDEEMED.value,
            points=code.points,
            reference=code.id,
            time=code.created_at,
        )
        self._session.add(entry)
        self._session.flush()

    def give_back(self, code: DiscountCode, *, time: int) -> None:
        """Credit a shopper with the points of a code of hers that nobody used; once a code."""
        entry = PointsEntry(
            shopper_id=code.shopper_id,
            debit=Account.REDEEMED.value,
            credit=Account.SHOPPER.value,
            points=code.points,
            reference=returned(code.id),
            time=time,
        )
        self._session.add(entry)
        self._session.flush()

    def lost(self, *, before: int, limit: int) -> list[DiscountCode]:
        """Codes that expired before a time, unused, whose points were not given back."""
        query = (
            select(DiscountCode)
            .outerjoin(CodeUse, col(CodeUse.code_id) == col(DiscountCode.id))
            .outerjoin(PointsEntry, col(PointsEntry.reference) == RETURNED + col(DiscountCode.id))
            .where(
                col(DiscountCode.expires_at) <= before,
                col(CodeUse.code_id).is_(None),
                col(PointsEntry.id).is_(None),
            )
            .order_by(col(DiscountCode.expires_at), col(DiscountCode.id))
            .limit(limit)
        )
        return list(self._session.scalars(query))

    def was_returned(self, code_id: str) -> bool:
        """Whether the points of a code were given back."""
        query = select(col(PointsEntry.id)).where(col(PointsEntry.reference) == returned(code_id))
        return self._session.scalar(query) is not None

    def balance(self, shopper_id: str) -> int:
        """What a shopper's entries come to."""
        query = select(func.sum(_SIGNED)).where(col(PointsEntry.shopper_id) == shopper_id)
        return int(self._session.scalar(query) or 0)

    def entries(self, shopper_id: str, *, before: int, limit: int) -> list[PointsEntry]:
        """A shopper's entries, newest first."""
        query = select(PointsEntry).where(
            col(PointsEntry.shopper_id) == shopper_id, col(PointsEntry.id) < before
        )
        return list(self._session.scalars(query.order_by(col(PointsEntry.id).desc()).limit(limit)))

    def code_of_request(self, shopper_id: str, request_hash: str) -> DiscountCode | None:
        """The code that an earlier request of hers made."""
        query = select(DiscountCode).where(
            col(DiscountCode.shopper_id) == shopper_id,
            col(DiscountCode.request_hash) == request_hash,
        )
        return self._session.scalar(query)

    def codes(self, shopper_id: str, *, limit: int) -> list[tuple[DiscountCode, int | None]]:
        """A shopper's latest codes, newest first, each with the time of its use."""
        query = (
            select(DiscountCode, col(CodeUse.used_at))
            .outerjoin(CodeUse, col(CodeUse.code_id) == col(DiscountCode.id))
            .where(col(DiscountCode.shopper_id) == shopper_id)
            .order_by(col(DiscountCode.created_at).desc(), col(DiscountCode.id))
            .limit(limit)
        )
        return [(code, used_at) for code, used_at in self._session.execute(query)]

    def code(self, code_hash: str) -> DiscountCode | None:
        """The code with this hash."""
        query = select(DiscountCode).where(col(DiscountCode.code_hash) == code_hash)
        return self._session.scalar(query)

    def use(self, code_id: str) -> CodeUse | None:
        """The use of a code."""
        return self._session.get(CodeUse, code_id)

    def add_use(self, use: CodeUse) -> None:
        """Mark a code as used, at once."""
        self._session.add(use)
        self._session.flush()
