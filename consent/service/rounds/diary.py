"""Reading a shopper's diary."""

from collections.abc import Mapping
from typing import Final

from consent.purpose import LIVE_STATES, Category, Cell, Purpose
from consent.service.context import Context
from consent.service.principals import authorised
from consent.service.rounds.repository import Bounds, DiaryRepository, Page
from consent.service.rounds.schemas import Diary, DiaryEntrySchema
from consent.service.rounds.service import NEWEST
from consent.service.shoppers.repository import ShopperRepository
from consent.service.tables import Consent
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName

PAGE: Final = 100


def read(
    context: Context, shopper_id: str, token: str, cursor: int | None, limit: int = PAGE
) -> Diary:
    """A page of a shopper's diary.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        diary = DiaryRepository(session)
        before = NEWEST if cursor is None else cursor
        pages = diary.pages(shopper_id, before=before, limit=limit)
        bounds = diary.bounds(shopper_id)
        cells = ShopperRepository(session).cells(shopper_id)
    stopped = _stopped(cells, context.now_ms())
    return Diary(
        shopper=shopper_id,
        rounds=bounds.rounds,
        epsilon_so_far=bounds.spent if bounds.unbounded_from is None else None,
        entries=[_entry(page, bounds, stopped) for page in pages],
        next=pages[-1].entry.id if len(pages) == limit else None,
    )


def _entry(page: Page, bounds: Bounds, stopped: Mapping[TaskName, int | None]) -> DiaryEntrySchema:
    entry, policy, release = page.entry, page.policy, page.release
    number, first = entry.id or 0, bounds.unbounded_from
    task = TaskName(policy.task)
    return DiaryEntrySchema(
        number=number,
        task=task,
        round=policy.round_id,
        context=policy.context,
        committed_at=page.committed_at,
        released_at=release.released_at,
        others=release.shoppers - 1,
        epsilon=release.epsilon,
        delta=release.delta,
        epsilon_so_far=release.spent if first is None or number < first else None,
        points=page.points,
        notice_version=entry.notice_version,
        artefact=release.artefact,
        stopped_at=stopped[task],
    )


def _stopped(rows: list[Consent], now: int) -> dict[TaskName, int | None]:
    """When her consent to each task ended, if it is not given now.

    A grant of a round in the diary stood at its commit, so the end came after it.
    """
    ended = {_cell(row): _end(row, now) for row in rows}
    found: dict[TaskName, int | None] = {}
    for task in TaskName:
        needed = [Cell(REQUIRED_PURPOSE[task], each) for each in REQUIRED_CATEGORIES[task]]
        ends = [end for cell in needed if (end := ended.get(cell)) is not None]
        found[task] = min(ends, default=None)
    return found


def _cell(row: Consent) -> Cell:
    return Cell(Purpose(row.purpose), Category(row.category))


def _end(row: Consent, now: int) -> int | None:
    if row.state not in LIVE_STATES:
        return row.since
    return row.expires_at if row.expires_at is not None and row.expires_at <= now else None
