"""Every query about ages and guardians."""

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.ages import AgeBand
from consent.purpose import ConsentState
from consent.service.guardians.tables import AgeStatement, GuardianCode, GuardianLink
from consent.service.tables import Consent

_WAITING = (ConsentState.REQUESTED, ConsentState.REQUEST_DEFERRED)


class AgeRepository:
    """What was stated of ages, as one transaction sees and adds to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def stated(self, shopper_id: str) -> tuple[AgeBand, int]:
        """A shopper's band and when she stated it; not stated, and 0, where she has not."""
        query = select(AgeStatement).where(col(AgeStatement.shopper_id) == shopper_id)
        row = self._session.scalar(query.order_by(col(AgeStatement.id).desc()).limit(1))
        return (AgeBand.NOT_STATED, 0) if row is None else (AgeBand(row.band), row.time)

    def state(self, shopper_id: str, band: AgeBand, *, time: int) -> None:
        """Add a statement, at once."""
        self._session.add(AgeStatement(shopper_id=shopper_id, band=band.value, time=time))
        self._session.flush()


class GuardianRepository:
    """Guardians and their wards, as one transaction sees and changes them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def link(self, ward_id: str) -> GuardianLink | None:
        """The tie between a minor and her guardian."""
        return self._session.get(GuardianLink, ward_id)

    def wards(self, guardian_id: str) -> list[GuardianLink]:
        """Those whose guardian somebody is, the longest first."""
        query = select(GuardianLink).where(col(GuardianLink.guardian_id) == guardian_id)
        return list(
            self._session.scalars(
                query.order_by(col(GuardianLink.since), col(GuardianLink.ward_id))
            )
        )

    def waiting(self, ward_id: str) -> int:
        """How many cells of a minor wait for her guardian."""
        query = select(func.count()).where(
            col(Consent.shopper_id) == ward_id, col(Consent.state).in_(_WAITING)
        )
        return self._session.scalar(query.select_from(Consent)) or 0

    def tie(self, link: GuardianLink) -> None:
        """Add a tie, at once."""
        self._session.add(link)
        self._session.flush()

    def untie(self, ward_id: str) -> None:
        """Remove the tie of a minor."""
        self._session.execute(delete(GuardianLink).where(col(GuardianLink.ward_id) == ward_id))

    def add_code(self, code: GuardianCode) -> None:
        """Add a code in the place of the minor's earlier ones, at once."""
        self._session.execute(delete(GuardianCode).where(col(GuardianCode.ward_id) == code.ward_id))
        self._session.add(code)
        self._session.flush()

    def take_code(self, code_hash: str, *, now: int) -> GuardianCode | None:
        """Use up a code; None if there is none that still counts."""
        code = self._session.get(GuardianCode, code_hash)
        self._session.execute(
            delete(GuardianCode).where(
                or_(
                    col(GuardianCode.code_hash) == code_hash,
                    col(GuardianCode.expires_at) <= now,
                )
            )
        )
        return code if code is not None and code.expires_at > now else None

    def erase(self, shopper_id: str) -> None:
        """Remove everything in which a shopper is ward."""
        self.untie(shopper_id)
        self._session.execute(delete(GuardianCode).where(col(GuardianCode.ward_id) == shopper_id))
