"""Every query about erasures and the rebuilding of models."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.database import chunks
from consent.service.erasure.tables import Erasure, ErasureRebuild, Rebuild
from consent.service.points.schemas import Account as PointsAccount
from consent.service.points.tables import CodeUse, DiscountCode, PointsEntry
from consent.service.rights.tables import RightsRequest
from consent.service.rounds.tables import RoundPolicy, RoundRelease
from consent.service.tables import (
    METADATA,
    Client,
    CommittedGrant,
    Grant,
    RoundCommit,
    Shopper,
)

_ADD_ENTRIES: Final = insert(METADATA.tables["points_entry"])


class Evidence(NamedTuple):
    """A round whose frozen list had a shopper, and what was released of it, if anything yet."""

    commit: RoundCommit
    release: RoundRelease | None


class Moved(NamedTuple):
    """All points that moved from one account to another for one shopper."""

    debit: str
    credit: str
    points: int


class ErasureRepository:
    """The erasures that one transaction sees and changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, erasure: Erasure) -> None:
        """Store an erasure, at once: from then on the triggers know of it."""
        self._session.add(erasure)
        self._session.flush()

    def by_code(self, code_hash: str) -> Erasure | None:
        """The erasure that a code shows."""
        return self._session.scalar(select(Erasure).where(col(Erasure.code_hash) == code_hash))

    def standing(self, *, now: int) -> list[tuple[str, int, bool]]:
        """Erasures that a backup may still undo: of whom, when, and whether exact."""
        exact = select(col(ErasureRebuild.id)).where(
            col(ErasureRebuild.erasure_id) == col(Erasure.id)
        )
        query = select(col(Erasure.shopper_id), col(Erasure.erased_at), exact.exists())
        query = query.where(col(Erasure.shopper_id).is_not(None), col(Erasure.backups_until) > now)
        return [(who or "", time, found) for who, time, found in self._session.execute(query)]

    def not_erased(self, shopper_ids: Iterable[str]) -> set[str]:
        """Those of some shoppers who are here and have no erasure."""
        erased = select(col(Erasure.shopper_id)).where(col(Erasure.shopper_id) == col(Shopper.id))
        found: set[str] = set()
        for some in chunks(shopper_ids):
            query = select(col(Shopper.id)).where(col(Shopper.id).in_(some), ~erased.exists())
            found.update(self._session.scalars(query))
        return found

    def due(self, now: int) -> Erasure | None:
        """An erasure whose time of proof is over."""
        query = select(Erasure).where(
            col(Erasure.purge_after) <= now, col(Erasure.purged_at).is_(None)
        )
        return self._session.scalar(query.order_by(col(Erasure.purge_after)).limit(1))

    def request(self, erasure: Erasure) -> RightsRequest | None:
        """The request that an erasure carried out; None once everything is gone."""
        return self._session.get(RightsRequest, erasure.request_id or "")

    def requests(self, shopper_id: str) -> list[RightsRequest]:
        """Every request of a shopper."""
        query = select(RightsRequest).where(col(RightsRequest.shopper_id) == shopper_id)
        return list(self._session.scalars(query))

    def flush(self) -> None:
        """Store what was changed, at once."""
        self._session.flush()

    def evidence(self, shopper_id: str) -> list[Evidence]:
        """Every round whose frozen list has the shopper, oldest first."""
        query = (
            select(RoundCommit, RoundRelease)
            .join(CommittedGrant, col(CommittedGrant.commit_id) == col(RoundCommit.id))
            .join(Grant, col(Grant.token_id) == col(CommittedGrant.token_id))
            .outerjoin(RoundRelease, col(RoundRelease.commit_id) == col(RoundCommit.id))
            .where(col(Grant.shopper_id) == shopper_id)
            .order_by(col(RoundCommit.id))
        )
        return [Evidence(commit, release) for commit, release in self._session.execute(query)]

    def unused_code_points(self, shopper_id: str) -> int:
        """The points of codes that a shopper has not used."""
        used = select(col(CodeUse.code_id))
        query = select(func.sum(col(DiscountCode.points))).where(
            col(DiscountCode.shopper_id) == shopper_id, col(DiscountCode.id).not_in(used)
        )
        return int(self._session.scalar(query) or 0)

    def add_entry(self, *, shopper_id: str, points: int, reference: str, time: int) -> None:
        """Take the rest of a shopper's points back to where they came from."""
        row = {
            "shopper_id": shopper_id,
            "debit": PointsAccount.SHOPPER.value,
            "credit": PointsAccount.ISSUER.value,
            "points": points,
            "reference": reference,
            "time": time,
        }
        self._session.execute(_ADD_ENTRIES, [row])

    def moved(self, shopper_id: str) -> list[Moved]:
        """What a shopper's entries come to, account by account."""
        query = (
            select(
                col(PointsEntry.debit), col(PointsEntry.credit), func.sum(col(PointsEntry.points))
            )
            .where(col(PointsEntry.shopper_id) == shopper_id)
            .group_by(col(PointsEntry.debit), col(PointsEntry.credit))
            .order_by(col(PointsEntry.debit), col(PointsEntry.credit))
        )
        return [
            Moved(debit, credit, int(sum_)) for debit, credit, sum_ in self._session.execute(query)
        ]

    def add_sums(self, sums: Sequence[Moved], *, reference: str, time: int) -> None:
        """Put sums in the place of entries that go, under nobody."""
        rows = [
            {
                "shopper_id": None,
                "debit": each.debit,
                "credit": each.credit,
                "points": each.points,
                "reference": f"{reference}:{number}",
                "time": time,
            }
            for number, each in enumerate(sums)
        ]
        if rows:
            self._session.execute(_ADD_ENTRIES, rows)

    def close_login(self, shopper_id: str, token_hash: str) -> None:
        """Put a token in place of a shopper's that nobody has, and forget what she stated."""
        self._session.execute(
            update(Shopper)
            .where(col(Shopper.id) == shopper_id)
            .values(token_hash=token_hash, restricted_at=None, residence="")
        )

    def devices_without_shoppers(self, client_ids: Iterable[str]) -> list[Client]:
        """Those of some clients that are devices and that nothing refers to any more."""
        ids = list(client_ids)
        query = select(Client).where(col(Client.thumbprint).in_(ids), col(Client.kind) == "device")
        for table in METADATA.tables.values():
            for key in table.foreign_keys:
                if key.column.table.name == "client":
                    query = query.where(col(Client.thumbprint).not_in(select(key.parent)))
        return list(self._session.scalars(query))

    def clients(self, shopper_id: str) -> set[str]:
        """Every client that something of a shopper's refers to."""
        found: set[str] = set()
        for table in METADATA.tables.values():
            for key in table.foreign_keys:
                if key.column.table.name == "client" and "shopper_id" in table.c:
                    query = select(key.parent).where(table.c.shopper_id == shopper_id)
                    found.update(self._session.scalars(query.distinct()))
        return found

    def delete(self, row: Client | Shopper | None) -> None:
        """Delete a row, at once."""
        if row is not None:
            self._session.delete(row)
            self._session.flush()

    def shopper(self, shopper_id: str) -> Shopper | None:
        """What is left of a shopper."""
        return self._session.get(Shopper, shopper_id)


class RebuildRepository:
    """The rebuilds that one transaction sees and changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_of(self, task: str) -> Rebuild | None:
        """The open rebuild of a task."""
        return self._session.scalar(select(Rebuild).where(col(Rebuild.open_task) == task))

    def find(self, rebuild_id: str) -> Rebuild | None:
        """The rebuild of this id."""
        return self._session.get(Rebuild, rebuild_id)

    def add(self, rebuild: Rebuild) -> None:
        """Store a rebuild, at once."""
        self._session.add(rebuild)
        self._session.flush()

    def link(self, rebuild: Rebuild, erasure: Erasure) -> None:
        """Note that a rebuild is for an erasure."""
        self._session.add(ErasureRebuild(erasure_id=erasure.id, rebuild_id=rebuild.id))
        self._session.flush()

    def of_erasure(self, erasure_id: str) -> list[Rebuild]:
        """The rebuilds that an erasure asked for."""
        query = (
            select(Rebuild)
            .join(ErasureRebuild, col(ErasureRebuild.rebuild_id) == col(Rebuild.id))
            .where(col(ErasureRebuild.erasure_id) == erasure_id)
            .order_by(col(Rebuild.task))
        )
        return list(self._session.scalars(query))

    def unlink(self, erasure_id: str) -> None:
        """Forget which rebuilds were for an erasure."""
        for row in self._session.scalars(
            select(ErasureRebuild).where(col(ErasureRebuild.erasure_id) == erasure_id)
        ):
            self._session.delete(row)
        self._session.flush()

    def all(self, *, limit: int) -> list[tuple[Rebuild, RoundCommit, int]]:
        """Rebuilds with the round that each goes back to, open ones first, and for how many."""
        count = (
            select(func.count())
            .where(col(ErasureRebuild.rebuild_id) == col(Rebuild.id))
            .scalar_subquery()
        )
        query = (
            select(Rebuild, RoundCommit, count)
            .join(RoundCommit, col(RoundCommit.id) == col(Rebuild.from_commit))
            .order_by(col(Rebuild.done_at).is_not(None), col(Rebuild.asked_at), col(Rebuild.id))
            .limit(limit)
        )
        return [(rebuild, commit, many) for rebuild, commit, many in self._session.execute(query)]

    def commit(self, rebuild: Rebuild) -> RoundCommit | None:
        """The round that a rebuild goes back to."""
        return self._session.get(RoundCommit, rebuild.from_commit)

    def policy_context(self, commit: RoundCommit) -> str | None:
        """The manifest's context of a commit's round."""
        query = select(col(RoundPolicy.context)).where(
            col(RoundPolicy.task) == commit.task, col(RoundPolicy.round_id) == commit.round_id
        )
        return self._session.scalar(query)
