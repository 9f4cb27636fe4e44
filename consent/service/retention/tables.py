"""The tables of the retention job: its runs, and who may run which job now."""

from sqlmodel import Field

from consent.service.tables import BIG, Base


class JobLease(Base, table=True):
    """The one process that may run a job until a time; others leave it alone."""

    __tablename__ = "job_lease"

    name: str = Field(primary_key=True)
    holder: str
    until: int = Field(sa_type=BIG)


class RetentionRun(Base, table=True):
    """One run of the retention job: how many records of which class it removed.

    ``counts`` is a JSON object; ``failed`` names the classes that could not be finished.
    """

    __tablename__ = "retention_run"

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    started_at: int = Field(sa_type=BIG)
    ended_at: int = Field(sa_type=BIG)
    counts: str
    failed: str = ""
