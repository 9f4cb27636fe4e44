"""Every query about commits."""

from collections.abc import Iterable

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.service.tables import CommittedGrant, RoundCommit


class CommitRepository:
    """The commits that one transaction sees and adds."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, task: str, round_id: str) -> RoundCommit | None:
        """The commit of a round."""
        query = select(RoundCommit).where(
            col(RoundCommit.task) == task, col(RoundCommit.round_id) == round_id
        )
        return self._session.scalar(query)

    def add(self, commit: RoundCommit, frozen: Iterable[tuple[str, str]]) -> None:
        """Store a commit and the (token id, upload) pairs that it freezes."""
        self._session.add(commit)
        self._session.flush()
        rows = [
            {"token_id": token_id, "commit_id": commit.id, "upload": upload}
            for token_id, upload in frozen
        ]
        if rows:
            self._session.execute(insert(CommittedGrant), rows)
