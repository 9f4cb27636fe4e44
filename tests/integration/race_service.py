"""The consent service as the race runs it: whole, or broken in one way that the audit must see.

Usage: python -m tests.integration.race_service HOME HOW
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from consent import standing as rules
from consent.service import backends
from consent.service.app import create_app
from consent.service.commits import service as commits
from consent.service.commits.schemas import CommitAnswer, CommitRequest
from consent.service.context import Context
from consent.service.server import run
from consent.service.settings import Settings
from consent.service.standing.repository import IssuedGrant, StandingRepository

WHOLE = "whole"
EVERY_GRANT_STANDS = "every-grant-stands"
COMMITS_TAKE_NO_TURN = "commits-take-no-turn"
SLOW_S = 10.0  # whoever has not withdrawn by then is kept waiting by this commit


def listed(issued: list[IssuedGrant]) -> set[str]:
    """The clients that a commit would list: those none of whose grants is dead."""
    dead = {grant.client_id for grant in issued if not grant.terms.stand}
    return {grant.client_id for grant in issued} - dead


def break_rule() -> None:
    """A commit takes every grant, whatever its shopper said since."""
    setattr(rules, "stands", lambda **_: True)  # noqa: B010


def break_lock() -> None:
    """A commit takes no turn among the processes, and lets a withdrawal of its list overtake it."""
    committing = threading.local()
    take_turns, freeze = backends._take_turns, commits.freeze
    read = StandingRepository.grants_of_round

    def take_turns_but_for_commits(connection: Connection) -> None:
        if not getattr(committing, "now", False):
            take_turns(connection)

    def commit(context: Context, request: CommitRequest) -> CommitAnswer:
        committing.now = True
        try:
            return freeze(context, request)
        finally:
            committing.now = False

    def read_slowly(self: StandingRepository, *args: Any) -> list[IssuedGrant]:
        found = read(self, *args)
        whole, deadline = listed(found), time.monotonic() + SLOW_S
        while whole and listed(read(self, *args)) == whole and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    for owner, name, broken in (
        (backends, "_take_turns", take_turns_but_for_commits),
        (commits, "freeze", commit),
        (StandingRepository, "grants_of_round", read_slowly),
    ):
        setattr(owner, name, broken)


BREAKS = {EVERY_GRANT_STANDS: break_rule, COMMITS_TAKE_NO_TURN: break_lock}

if __name__ == "__main__":
    home, how = sys.argv[1:]
    BREAKS.get(how, lambda: None)()
    run(
        create_app(Settings.load(Path(home))),
        host="127.0.0.1",
        port=0,
        on_ready=lambda url: print(json.dumps({"ready": url}), flush=True),  # noqa: T201
    )
