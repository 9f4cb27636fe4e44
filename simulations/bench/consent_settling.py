"""Waiting until what is measured is the service, and no longer what its seeding has left to do."""

import os
import time
from typing import Final

from sqlalchemy import create_engine, text

from consent.service.context import opened
from consent.service.inventory import figures
from consent.service.retention.repository import RunRepository
from consent.service.settings import Settings

_AFTER_SEEDING: Final = {
    "sqlite": ("PRAGMA wal_checkpoint(TRUNCATE)",),
    "postgresql": ("VACUUM ANALYZE", "CHECKPOINT"),
}
_PATIENCE_S: Final = 300.0


def settle(settings: Settings) -> None:
    """Let a database that was just filled do what one that grew in a year has done long ago."""
    engine = create_engine(settings.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _AFTER_SEEDING[engine.dialect.name]:
            connection.execute(text(statement))
    engine.dispose()
    os.sync()  # else the first changes wait for the disk to take the whole database


def await_jobs(settings: Settings) -> None:
    """Wait until a service that was just started has counted its figures and run retention.

    Raises:
        TimeoutError: it has not within five minutes.
    """
    deadline = time.monotonic() + _PATIENCE_S
    with opened(settings) as context:
        while True:
            with context.database.reading() as session:
                counted = figures.stored(session)
                retained = RunRepository(session).last_success()
            if counted is not None and retained is not None:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"The service did not run its jobs in {_PATIENCE_S:.0f} s.")
            time.sleep(0.2)
