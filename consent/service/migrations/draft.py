"""Drafting a migration from a change of the tables, for developers.

The next one, after a change of a ``tables.py``::

    python -m consent.service.migrations.draft 0002 "add receipts" && make fix

and set ``schema.HEAD`` to its number. While nothing is released, the first one is made anew::

    rm consent/service/migrations/versions/v0001_initial.py &&
        python -m consent.service.migrations.draft 0001 initial && make fix

Read a draft before it is committed: Alembic sees a renamed column as one dropped and one added.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import DowngradeOps, MigrationScript
from alembic.script import Script
from sqlalchemy import create_engine
from sqlmodel.sql.sqltypes import AutoString


def draft(number: str, title: str, *, migrations: Path) -> None:
    """Write the migration that leads from the latest one to the tables as they are."""
    import_tables()
    config = Config(attributes={"render_item": _render})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/empty.db")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            made = command.revision(
                config,
                title,
                autogenerate=True,
                rev_id=number,
                process_revision_directives=_only_up,
            )
        engine.dispose()
    if isinstance(made, Script):
        _tidy(Path(made.path))


def import_tables() -> None:
    """Import every slice's ``tables.py``, so that the metadata holds all tables."""
    service = Path(__file__).parents[1]
    for path in sorted(service.glob("*/tables.py")):
        importlib.import_module(f"consent.service.{path.parent.name}.tables")


def _only_up(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
    for script in directives:  # the way back is the backup
        script.downgrade_ops = DowngradeOps(ops=[])


def _tidy(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.lstrip().startswith("# ###")))


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"  # SQLModel's own word for it
    return False


if __name__ == "__main__":
    draft(sys.argv[1], sys.argv[2], migrations=Path(__file__).parent)
