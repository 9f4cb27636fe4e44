"""The end of rounds: erasing what was released, aborting what was not in time.

Run at every start and request. A round that is past its deadline without a release is aborted for
ever, and one whose round key was made by an identity that is no longer this key holder's likewise.
Whatever lies in ``rounds/`` and belongs to no open round is erased, so a crash between writing and
erasing is made good by the next start.
"""

from crypto.keyholder.desk import Desk
from crypto.keyholder.home import ROUNDS_FOLDER
from crypto.keyholder.log import rounds, uploads
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.log.rounds import RoundRow, State
from crypto.keyholder.round_files import folders


def sweep(desk: Desk, *, now: int) -> None:
    """Abort rounds past their deadline and drop what a finished round does not need any more."""
    with desk.log.reading() as db:
        expired = [row for row in rounds.still_open(db) if _is_over(row, desk.holder.name, now)]
        finished = uploads.of_finished(db, now)
    if not expired and not finished:
        return
    with desk.log.transaction() as log:
        for row in expired:
            rounds.set_state(log, row.key_hash, State.ABORTED)
        for context in [*finished, *(row.context for row in expired)]:
            if context is not None:
                uploads.forget(log, context)
    desk.log.reached(PersistPoint.ABORTED)
    for row in expired:
        erase(desk, row.key_hash)


def tidy(desk: Desk) -> None:
    """Erase folders of rounds that are not open (at a start)."""
    with desk.log.reading() as db:
        living = {row.key_hash for row in rounds.still_open(db)}
    for files in folders(desk.holder.home / ROUNDS_FOLDER):
        if files.path.name not in living:
            erase(desk, files.path.name)


def erase(desk: Desk, key_hash: str) -> None:
    """Erase a round's secret, then everything else of it; nothing happens where it is gone."""
    desk.let_go(key_hash)
    files = desk.files(key_hash)
    if not files.path.exists():
        return
    files.erase_secret()
    desk.log.reached(PersistPoint.SECRET_ERASED)
    files.erase_folder()
    desk.log.reached(PersistPoint.FOLDER_ERASED)


def _is_over(row: RoundRow, identity: str, now: int) -> bool:
    return now >= row.deadline or row.identity != identity
